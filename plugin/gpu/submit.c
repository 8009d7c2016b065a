/* submit.c: programs on the host's buffers, in its command buffers or in a submission of ours. */
#include <string.h>

#include "gpu/exec.h"

enum { UPDATE_MOST = 65536, SEMAPHORES_MOST = 32 };
enum {
    META_SEGS = offsetof(struct wn_args_emit_meta, segs) / 4,
    META_SEG_AT = offsetof(struct wn_args_emit_meta, seg_at) / 4,
    META_STATS_AT = offsetof(struct wn_args_emit_meta, stats_at) / 4,
};

/* The constants go inside the commands, so that these stand for themselves. */
static void record_consts(wn_exec *exec, VkCommandBuffer commands, const wn_program *program)
{
    const uint64_t bytes = (uint64_t)program->const_words * sizeof(uint32_t);
    const unsigned char *from = (const unsigned char *)program->consts;
    for (uint64_t at = 0; at < bytes; at += UPDATE_MOST) {
        const uint64_t part = bytes - at < UPDATE_MOST ? bytes - at : UPDATE_MOST;
        exec->gpu->vk.CmdUpdateBuffer(commands, exec->w.buffer, at, part, from + at);
    }
}

static winnow_status record(wn_exec *exec, VkCommandBuffer commands, const wn_program *program,
                            const wn_gpu_buffers *buffers, uint32_t generation, wn_job *timed,
                            wn_exec_stats *stats)
{
    const wn_slots slots = wn_exec_slots(exec, &exec->lane[0], buffers);
    wn_record_entry_barrier(exec, commands);
    if (!exec->cleared)
        wn_record_zero(exec, commands);
    record_consts(exec, commands, program);
    wn_record_fills(exec, commands, program);
    wn_record_upload_barrier(exec, commands);
    if (timed)
        wn_job_stamp(timed, WN_STAMP_FIRST);
    WN_TRY(wn_record_ops(exec, commands, program, &slots, generation, stats));
    if (timed)
        wn_job_stamp(timed, WN_STAMP_LAST);
    wn_record_exit_barrier(exec, commands);
    return WINNOW_OK;
}

winnow_status wn_gpu_record(wn_exec *exec, VkCommandBuffer commands, const wn_program *program,
                            const wn_gpu_buffers *buffers)
{
    if (!commands)
        return wn_fail(&exec->gpu->base.host, WINNOW_E_ARGUMENT, "record: no command buffer");
    WN_TRY(wn_program_check(exec, program));
    exec->lent = true;
    const uint32_t generation =
        WN_LANE_COUNT + exec->recordings++ % (WN_GENERATIONS - WN_LANE_COUNT);
    return record(exec, commands, program, buffers, generation, NULL, NULL);
}

/* The count word may lie in memory that is no transfer source: K and the NaN scores come from W,
 * where emit_meta had them from. */
static void record_counted(wn_exec *exec, const wn_program *program)
{
    const wn_op *meta = NULL;
    memset(exec->counted.mapped, 0, 4 * sizeof(uint32_t));
    for (uint32_t i = 0; i < program->op_count; i++) {
        if (program->ops[i].kind == WN_OP_emit_meta)
            meta = &program->ops[i];
    }
    if (!meta)
        return;
    const uint32_t stats_at = meta->args[META_STATS_AT];
    const uint64_t rows_at = (uint64_t)meta->args[META_SEG_AT] + meta->args[META_SEGS];
    const VkBufferCopy regions[] = {
        {.srcOffset = rows_at * 4, .dstOffset = 0, .size = 4},
        {.srcOffset = (uint64_t)stats_at * 4, .dstOffset = 4, .size = 4},
    };
    exec->gpu->vk.CmdCopyBuffer(exec->lane[0].job.commands, exec->w.buffer, exec->counted.buffer,
                                stats_at == WN_NONE ? 1 : 2, regions);
    wn_record_read_barrier(exec, exec->lane[0].job.commands);
}

static bool any_value(const uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; values && i < count; i++) {
        if (values[i])
            return true;
    }
    return false;
}

static winnow_status check_semaphores(const wn_gpu *gpu, const winnow_vk_submit *submit)
{
    const wn_host *host = &gpu->base.host;
    if ((submit->wait_count && !submit->wait_semaphores) ||
        (submit->signal_count && !submit->signal_semaphores))
        return wn_fail(host, WINNOW_E_ARGUMENT, "submit: a count of semaphores without semaphores");
    if (submit->wait_count > SEMAPHORES_MOST || submit->signal_count > SEMAPHORES_MOST)
        return wn_fail(host, WINNOW_E_UNSUPPORTED,
                       "submit: %u waits and %u signals (at most %d each)", submit->wait_count,
                       submit->signal_count, SEMAPHORES_MOST);
    if (!wn_gpu_has(gpu, WN_FEATURE_TIMELINE) &&
        (any_value(submit->wait_values, submit->wait_count) ||
         any_value(submit->signal_values, submit->signal_count)))
        return wn_fail(host, WINNOW_E_FEATURE,
                       "submit: a semaphore has a value, but timeline semaphores are not in use "
                       "(enable timelineSemaphore, or give binary semaphores)");
    return WINNOW_OK;
}

static winnow_status submit_job(wn_exec *exec, const winnow_vk_submit *submit)
{
    static const uint64_t zeros[SEMAPHORES_MOST];
    VkPipelineStageFlags stages[SEMAPHORES_MOST];
    for (uint32_t i = 0; i < SEMAPHORES_MOST; i++)
        stages[i] = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = submit->wait_count,
        .pWaitSemaphoreValues = submit->wait_values ? submit->wait_values : zeros,
        .signalSemaphoreValueCount = submit->signal_count,
        .pSignalSemaphoreValues = submit->signal_values ? submit->signal_values : zeros,
    };
    const VkSubmitInfo info = {
        .pNext = wn_gpu_has(exec->gpu, WN_FEATURE_TIMELINE) ? &values : NULL,
        .waitSemaphoreCount = submit->wait_count,
        .pWaitSemaphores = submit->wait_semaphores,
        .pWaitDstStageMask = stages,
        .signalSemaphoreCount = submit->signal_count,
        .pSignalSemaphores = submit->signal_semaphores,
    };
    return wn_job_submit(&exec->lane[0].job, &info);
}

winnow_status wn_gpu_submit(wn_exec *exec, const wn_program *program, const wn_gpu_buffers *buffers,
                            const winnow_vk_submit *given)
{
    winnow_vk_submit submit = {0};
    wn_lane *lane = &exec->lane[0];
    wn_job *job = &lane->job;
    if (!job->gpu)
        return wn_fail(&exec->gpu->base.host, WINNOW_E_STATE,
                       "submit: the device was lent without a queue (lend one, or record)");
    if (given)
        WN_TRY(wn_desc_read(given, &submit, sizeof submit));
    WN_TRY(check_semaphores(exec->gpu, &submit));
    WN_TRY(wn_program_check(exec, program));
    WN_TRY(wn_job_wait(job, UINT64_MAX));
    lane->key_holds = false;
    exec->held_words = 0;
    exec->submitted = false;
    WN_TRY(wn_job_begin(job));
    WN_TRY(record(exec, job->commands, program, buffers, 0, job, &exec->lane[0].stats));
    record_counted(exec, program);
    WN_TRY(wn_memory_flush(exec->gpu, &exec->counted, 4 * sizeof(uint32_t)));
    WN_TRY(wn_job_end(job));
    exec->lane[0].stats.recorded = 1;
    WN_TRY(submit_job(exec, &submit));
    exec->submitted = true;
    return WINNOW_OK;
}

winnow_status wn_gpu_wait(wn_exec *exec, uint64_t timeout_ns, wn_exec_stats *stats,
                          uint32_t count[4])
{
    if (!exec->submitted)
        return wn_fail(&exec->gpu->base.host, WINNOW_E_STATE,
                       "wait: nothing was submitted (call plan_submit before)");
    WN_TRY(wn_job_wait(&exec->lane[0].job, timeout_ns));
    if (stats) {
        *stats = exec->lane[0].stats;
        stats->submissions = 1;
        stats->gpu_ns = wn_job_ns(&exec->lane[0].job);
    }
    if (count) {
        WN_TRY(wn_memory_invalidate(exec->gpu, &exec->counted, 4 * sizeof(uint32_t)));
        memcpy(count, exec->counted.mapped, 4 * sizeof *count);
    }
    return WINNOW_OK;
}
