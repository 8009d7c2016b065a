/* trained.c: a plan's copy of the weights that its stages learned. */
#include <string.h>

#include "gpu/exec.h"

enum { PIECE_BYTES = 16 << 20 }; /* goes up at a time */

static winnow_status copy_mapped(wn_exec *exec, const void *data, uint64_t bytes)
{
    memcpy(exec->trained.mapped, data, bytes);
    return wn_memory_flush(exec->gpu, &exec->trained, bytes);
}

static winnow_status copy_piece(wn_exec *exec, const wn_memory *stage, uint64_t at, uint64_t bytes)
{
    const VkBufferCopy region = {.dstOffset = at, .size = bytes};
    WN_TRY(wn_memory_flush(exec->gpu, stage, bytes));
    WN_TRY(wn_job_begin(&exec->lane[0].job));
    exec->gpu->vk.CmdCopyBuffer(exec->lane[0].job.commands, stage->buffer, exec->trained.buffer, 1,
                                &region);
    wn_record_upload_barrier(exec, exec->lane[0].job.commands);
    WN_TRY(wn_job_end(&exec->lane[0].job));
    WN_TRY(wn_job_submit(&exec->lane[0].job, NULL));
    return wn_job_wait(&exec->lane[0].job, UINT64_MAX);
}

static winnow_status copy_staged(wn_exec *exec, const unsigned char *data, uint64_t bytes)
{
    wn_memory stage;
    const uint64_t most = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
    winnow_status status = wn_memory_create(exec->gpu, WN_MEMORY_UPLOAD, most, &stage);
    for (uint64_t at = 0; status == WINNOW_OK && at < bytes; at += most) {
        const uint64_t piece = bytes - at < most ? bytes - at : most;
        memcpy(stage.mapped, data + at, piece);
        status = copy_piece(exec, &stage, at, piece);
    }
    wn_memory_destroy(exec->gpu, &stage);
    return status;
}

/* Without a queue of ours nobody could say when a copy is done: the memory is mapped then, wherever it lies. */
winnow_status wn_trained_upload(wn_exec *exec, const wn_exec_desc *desc)
{
    const bool mapped = !exec->lane[0].job.gpu || wn_memory_is_unified(exec->gpu, false);
    if (!desc->trained_bytes)
        return WINNOW_OK;
    WN_TRY(wn_memory_create(exec->gpu, mapped ? WN_MEMORY_DIRECT : WN_MEMORY_DEVICE,
                            desc->trained_bytes, &exec->trained));
    return mapped ? copy_mapped(exec, desc->trained, desc->trained_bytes)
                  : copy_staged(exec, desc->trained, desc->trained_bytes);
}
