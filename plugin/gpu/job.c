/* job.c: a command buffer, its fence and its timestamps. */
#include "gpu/job.h"

static winnow_status create_parts(wn_job *job, bool timing)
{
    winnow_status status = WINNOW_OK;
    wn_gpu *gpu = job->gpu;
    const wn_host *host = &gpu->base.host;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = gpu->caps.queue_family,
    };
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkQueryPoolCreateInfo stamps = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = WN_STAMP_COUNT,
    };
    WN_VK(host, &gpu->vk, CreateCommandPool, gpu->device, &pool, NULL, &job->pool);
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = job->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 2,
    };
    VkCommandBuffer both[2];
    WN_VK(host, &gpu->vk, AllocateCommandBuffers, gpu->device, &commands, both);
    job->before = both[0];
    job->commands = both[1];
    WN_VK(host, &gpu->vk, CreateFence, gpu->device, &fence, NULL, &job->fence);
    if (timing && wn_gpu_has(gpu, WN_FEATURE_TIMESTAMPS))
        WN_VK(host, &gpu->vk, CreateQueryPool, gpu->device, &stamps, NULL, &job->stamps);
fail:
    return status;
}

winnow_status wn_job_create(wn_gpu *gpu, bool timing, wn_job *job)
{
    *job = (wn_job){.gpu = gpu};
    const winnow_status status = create_parts(job, timing);
    if (status != WINNOW_OK)
        wn_job_destroy(job);
    return status;
}

void wn_job_destroy(wn_job *job)
{
    wn_gpu *gpu = job->gpu;
    if (!gpu)
        return;
    for (int i = 0; job->in_flight && i < 3; i++) /* a wait can fail for want of memory */
        (void)wn_job_wait(job, UINT64_MAX);
    if (job->stamps)
        gpu->vk.DestroyQueryPool(gpu->device, job->stamps, NULL);
    if (job->fence)
        gpu->vk.DestroyFence(gpu->device, job->fence, NULL);
    if (job->pool)
        gpu->vk.DestroyCommandPool(gpu->device, job->pool, NULL); /* frees its commands */
    *job = (wn_job){0};
}

static winnow_status begin(wn_job *job, VkCommandBuffer commands)
{
    winnow_status status = WINNOW_OK;
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    WN_VK(&job->gpu->base.host, &job->gpu->vk, BeginCommandBuffer, commands, &info);
fail:
    return status;
}

static winnow_status end(wn_job *job, VkCommandBuffer commands)
{
    winnow_status status = WINNOW_OK;
    WN_VK(&job->gpu->base.host, &job->gpu->vk, EndCommandBuffer, commands);
fail:
    return status;
}

winnow_status wn_job_begin(wn_job *job)
{
    winnow_status status = WINNOW_OK;
    wn_gpu *gpu = job->gpu;
    /* The last recording may have been left half done. */
    WN_VK(&gpu->base.host, &gpu->vk, ResetCommandPool, gpu->device, job->pool, 0);
    job->with_before = false;
    status = begin(job, job->commands);
    if (status == WINNOW_OK && job->stamps)
        gpu->vk.CmdResetQueryPool(job->commands, job->stamps, 0, WN_STAMP_COUNT);
fail:
    return status;
}

winnow_status wn_job_end(wn_job *job)
{
    return end(job, job->commands);
}

winnow_status wn_job_begin_before(wn_job *job)
{
    return begin(job, job->before);
}

winnow_status wn_job_end_before(wn_job *job)
{
    return end(job, job->before);
}

void wn_job_stamp(wn_job *job, uint32_t stamp)
{
    if (job->stamps)
        job->gpu->vk.CmdWriteTimestamp(job->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                                       job->stamps, stamp);
}

winnow_status wn_job_submit(wn_job *job, const VkSubmitInfo *semaphores)
{
    winnow_status status = WINNOW_OK;
    wn_gpu *gpu = job->gpu;
    const wn_host *host = &gpu->base.host;
    VkSubmitInfo info = semaphores ? *semaphores : (VkSubmitInfo){0};
    info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
    const VkCommandBuffer both[] = {job->before, job->commands};
    info.commandBufferCount = job->with_before ? 2 : 1;
    info.pCommandBuffers = job->with_before ? both : &job->commands;
    job->with_before = false;
    WN_VK(host, &gpu->vk, ResetFences, gpu->device, 1, &job->fence);
    wn_gpu_lock(gpu);
    const VkResult result = gpu->vk.QueueSubmit(gpu->queue, 1, &info, job->fence);
    wn_gpu_unlock(gpu);
    if (result != VK_SUCCESS)
        return wn_vk_fail(host, result, "vkQueueSubmit");
    job->in_flight = true;
fail:
    return status;
}

winnow_status wn_job_wait(wn_job *job, uint64_t timeout_ns)
{
    wn_gpu *gpu = job->gpu;
    if (!job->in_flight)
        return WINNOW_OK;
    const VkResult result = gpu->vk.WaitForFences(gpu->device, 1, &job->fence, VK_TRUE, timeout_ns);
    /* A wait that failed for want of memory says nothing about the work: it goes on. */
    if (result == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST)
        job->in_flight = false;
    if (result != VK_SUCCESS)
        return wn_vk_fail(&gpu->base.host, result, "vkWaitForFences");
    return WINNOW_OK;
}

uint64_t wn_job_ns(wn_job *job)
{
    wn_gpu *gpu = job->gpu;
    uint64_t stamps[WN_STAMP_COUNT];
    if (!job->stamps || job->in_flight ||
        gpu->vk.GetQueryPoolResults(gpu->device, job->stamps, 0, WN_STAMP_COUNT, sizeof stamps,
                                    stamps, sizeof *stamps, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return 0;
    const uint32_t bits = gpu->caps.timestamp_bits;
    const uint64_t mask = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
    const uint64_t ticks = (stamps[WN_STAMP_LAST] - stamps[WN_STAMP_FIRST]) & mask;
    return (uint64_t)((double)ticks * (double)gpu->caps.properties.limits.timestampPeriod);
}
