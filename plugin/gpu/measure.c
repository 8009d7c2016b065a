/* measure.c: how fast the device copies its own memory. */
#include <stdlib.h>
#include <time.h>

#include "gpu/exec.h"

enum { ROUNDS = 5, CLOCK_NS = 1000000000 };

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS + (uint64_t)t.tv_nsec;
}

static winnow_status record_copy(wn_gpu *gpu, wn_job *job, const wn_memory *from,
                                 const wn_memory *to)
{
    const VkBufferCopy region = {.size = from->bytes};
    const VkMemoryBarrier again = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT,
    };
    WN_TRY(wn_job_begin(job));
    gpu->vk.CmdPipelineBarrier(job->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                               VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &again, 0, NULL, 0, NULL);
    wn_job_stamp(job, WN_STAMP_FIRST);
    gpu->vk.CmdCopyBuffer(job->commands, from->buffer, to->buffer, 1, &region);
    wn_job_stamp(job, WN_STAMP_LAST);
    return wn_job_end(job);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One round to warm up, then the median of the others. */
static winnow_status time_copies(wn_job *job, uint64_t *median)
{
    uint64_t ns[ROUNDS];
    for (int i = -1; i < ROUNDS; i++) {
        const uint64_t start = now_ns();
        WN_TRY(wn_job_submit(job, NULL));
        WN_TRY(wn_job_wait(job, UINT64_MAX));
        const uint64_t clock = now_ns() - start, stamps = wn_job_ns(job);
        if (i >= 0)
            ns[i] = stamps ? stamps : clock;
    }
    qsort(ns, ROUNDS, sizeof *ns, by_size);
    *median = ns[ROUNDS / 2];
    return WINNOW_OK;
}

winnow_status wn_gpu_copy_bandwidth(winnow_device *device, uint64_t bytes, double *per_second)
{
    wn_gpu *gpu = (wn_gpu *)device;
    wn_memory from = {0}, to = {0};
    wn_job job = {0};
    uint64_t ns = 0;
    *per_second = 0;
    if (!gpu->queue)
        return wn_fail(&device->host, WINNOW_E_STATE,
                       "copy_bandwidth: the device was lent without a queue");
    if (!bytes)
        return wn_fail(&device->host, WINNOW_E_ARGUMENT, "copy_bandwidth: 0 bytes to copy");
    winnow_status status = wn_memory_create(gpu, WN_MEMORY_DEVICE, bytes, &from);
    if (status == WINNOW_OK)
        status = wn_memory_create(gpu, WN_MEMORY_DEVICE, bytes, &to);
    if (status == WINNOW_OK)
        status = wn_job_create(gpu, true, &job);
    if (status == WINNOW_OK)
        status = record_copy(gpu, &job, &from, &to);
    if (status == WINNOW_OK)
        status = time_copies(&job, &ns);
    if (status == WINNOW_OK)
        *per_second = 2.0 * (double)from.bytes * CLOCK_NS / (double)(ns ? ns : 1);
    wn_job_destroy(&job);
    wn_memory_destroy(gpu, &to);
    wn_memory_destroy(gpu, &from);
    return status;
}
