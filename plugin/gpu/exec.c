/* exec.c: the memory of a plan, and runs on host memory: one submission each, in lanes. */
#include "gpu/exec.h"

#include <string.h>

/* The most that one of the desc's programs needs of everything. */
static wn_program largest(const wn_exec_desc *desc)
{
    wn_program most = *desc->program;
    most.op_count = desc->op_room > most.op_count ? desc->op_room : most.op_count;
    most.const_words = desc->const_room > most.const_words ? desc->const_room : most.const_words;
    for (uint32_t i = 0; i < desc->other_count; i++) {
        const wn_program *p = &desc->others[i];
        most.op_count = p->op_count > most.op_count ? p->op_count : most.op_count;
        most.w_words = p->w_words > most.w_words ? p->w_words : most.w_words;
        most.const_words = p->const_words > most.const_words ? p->const_words : most.const_words;
        most.matrix_bytes =
            p->matrix_bytes > most.matrix_bytes ? p->matrix_bytes : most.matrix_bytes;
    }
    return most;
}

static winnow_status create_workspace(wn_exec *exec, const wn_exec_desc *desc)
{
    wn_gpu *gpu = exec->gpu;
    const wn_program program = largest(desc);
    const uint64_t w_bytes = (program.w_words ? program.w_words : 4) * sizeof(uint32_t);
    if (w_bytes > gpu->base.max_w)
        return wn_fail(&gpu->base.host, WINNOW_E_UNSUPPORTED,
                       "gpu: the workspace needs %llu bytes, and %s binds at most %llu (plan for "
                       "a smaller shape)",
                       (unsigned long long)w_bytes, gpu->base.info.name,
                       (unsigned long long)gpu->base.max_w);
    WN_TRY(wn_memory_create(gpu, WN_MEMORY_DEVICE, w_bytes, &exec->w));
    WN_TRY(wn_memory_create(gpu, WN_MEMORY_DEVICE, program.matrix_bytes, &exec->matrix));
    WN_TRY(wn_memory_create(gpu, WN_MEMORY_DEVICE, desc->history_bytes, &exec->history));
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++)
        WN_TRY(wn_memory_create(gpu, WN_MEMORY_DEVICE, desc->weight_bytes[i], &exec->weights[i]));
    WN_TRY(wn_memory_create(gpu, WN_MEMORY_DEVICE, 16, &exec->count));
    return wn_memory_create(gpu, WN_MEMORY_DOWNLOAD, 16, &exec->counted);
}

/* For runs on host memory: buffers for the device, and mapped ones where those are not. */
static winnow_status create_staging(wn_exec *exec, const wn_exec_desc *desc, wn_lane *lane)
{
    wn_gpu *gpu = exec->gpu;
    exec->direct_in = wn_memory_is_unified(gpu, false);
    exec->direct_out = wn_memory_is_unified(gpu, true);
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++) {
        WN_TRY(wn_memory_create(gpu, exec->direct_in ? WN_MEMORY_DIRECT : WN_MEMORY_DEVICE,
                                desc->in_bytes[i], &lane->in[i]));
        if (!exec->direct_in)
            WN_TRY(wn_memory_create(gpu, WN_MEMORY_UPLOAD, desc->in_bytes[i], &lane->stage_in[i]));
    }
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        WN_TRY(wn_memory_create(gpu, exec->direct_out ? WN_MEMORY_DIRECT : WN_MEMORY_DEVICE,
                                desc->out_bytes[i], &lane->out[i]));
        if (!exec->direct_out)
            WN_TRY(
                wn_memory_create(gpu, WN_MEMORY_DOWNLOAD, desc->out_bytes[i], &lane->stage_out[i]));
    }
    return WINNOW_OK;
}

static winnow_status create_lane(wn_exec *exec, const wn_exec_desc *desc, wn_lane *lane)
{
    wn_gpu *gpu = exec->gpu;
    const uint64_t const_bytes = (uint64_t)largest(desc).const_words * sizeof(uint32_t);
    lane->recorded = wn_alloc(&gpu->base.host, exec->ops_most * sizeof *lane->recorded);
    if (!lane->recorded)
        return wn_fail(&gpu->base.host, WINNOW_E_HOST_MEMORY, "gpu: no memory for a plan");
    WN_TRY(wn_memory_create(gpu, WN_MEMORY_UPLOAD, const_bytes, &lane->consts));
    if (desc->flags & WINNOW_PLAN_HOST_MEMORY)
        WN_TRY(create_staging(exec, desc, lane));
    if (!gpu->queue)
        return WINNOW_OK;
    return wn_job_create(gpu, exec->flags & WINNOW_PLAN_TIMING, &lane->job);
}

/* Without push descriptors: all sets that recordings can need. */
static winnow_status create_sets(wn_exec *exec)
{
    wn_gpu *gpu = exec->gpu;
    const wn_host *host = &gpu->base.host;
    winnow_status status = WINNOW_E_HOST_MEMORY;
    const uint32_t count = WN_GENERATIONS * exec->ops_most;
    VkDescriptorSetLayout *layouts = NULL;
    if (wn_gpu_has(gpu, WN_FEATURE_PUSH_DESCRIPTOR) || !count)
        return WINNOW_OK;
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count * WN_BIND_COUNT};
    const VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = count,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    exec->sets = wn_alloc(host, count * sizeof *exec->sets);
    layouts = wn_alloc(host, count * sizeof *layouts);
    if (!exec->sets || !layouts) {
        wn_fail(host, status, "gpu: no memory for %u descriptor sets", count);
        goto fail;
    }
    for (uint32_t i = 0; i < count; i++)
        layouts[i] = gpu->set_layout;
    WN_VK(host, &gpu->vk, CreateDescriptorPool, gpu->device, &pool, NULL, &exec->pool);
    const VkDescriptorSetAllocateInfo sets = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = exec->pool,
        .descriptorSetCount = count,
        .pSetLayouts = layouts,
    };
    WN_VK(host, &gpu->vk, AllocateDescriptorSets, gpu->device, &sets, exec->sets);
    status = WINNOW_OK;
fail:
    wn_free(host, layouts);
    return status;
}

/* Zeroes W, the history and the weights at once where there is a queue; else the first recording does. */
static winnow_status clear(wn_exec *exec)
{
    wn_job *job = &exec->lane[0].job;
    if (!job->gpu)
        return WINNOW_OK;
    WN_TRY(wn_job_begin(job));
    wn_record_zero(exec, job->commands);
    WN_TRY(wn_job_end(job));
    WN_TRY(wn_job_submit(job, NULL));
    return wn_job_wait(job, UINT64_MAX);
}

static void destroy_lane(wn_exec *exec, wn_lane *lane)
{
    wn_gpu *gpu = exec->gpu;
    wn_upload_end(exec, lane);
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++) {
        wn_memory_destroy(gpu, &lane->stage_in[i]);
        wn_memory_destroy(gpu, &lane->in[i]);
    }
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        wn_memory_destroy(gpu, &lane->stage_out[i]);
        wn_memory_destroy(gpu, &lane->out[i]);
    }
    wn_memory_destroy(gpu, &lane->consts);
    wn_free(&gpu->base.host, lane->recorded);
}

static void exec_destroy(wn_exec *exec)
{
    if (!exec)
        return;
    wn_gpu *gpu = exec->gpu;
    for (uint32_t i = 0; i < WN_LANE_COUNT; i++)
        wn_job_destroy(&exec->lane[i].job); /* waits: nothing below is in use any more */
    if (exec->pool)
        gpu->vk.DestroyDescriptorPool(gpu->device, exec->pool, NULL);
    for (uint32_t i = 0; i < WN_LANE_COUNT; i++)
        destroy_lane(exec, &exec->lane[i]);
    wn_memory *const workspace[] = {&exec->w,     &exec->matrix,  &exec->history,
                                    &exec->count, &exec->counted, &exec->trained};
    for (size_t i = 0; i < sizeof workspace / sizeof *workspace; i++)
        wn_memory_destroy(gpu, workspace[i]);
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++)
        wn_memory_destroy(gpu, &exec->weights[i]);
    wn_free(&gpu->base.host, exec->sets);
    wn_free(&gpu->base.host, exec->held);
    wn_free(&gpu->base.host, exec);
}

static winnow_status exec_create(winnow_device *device, const wn_exec_desc *desc, wn_exec **out)
{
    wn_gpu *gpu = (wn_gpu *)device;
    *out = NULL;
    wn_exec *exec = wn_alloc(&device->host, sizeof *exec);
    if (!exec)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "gpu: no memory for a plan");
    exec->gpu = gpu;
    exec->flags = desc->flags;
    exec->ops_most = largest(desc).op_count;
    exec->w_words = largest(desc).w_words;
    exec->lane_count = desc->flags & WINNOW_PLAN_OVERLAP ? WN_LANE_COUNT : 1;
    exec->held = wn_alloc(&device->host, (size_t)largest(desc).const_words * sizeof *exec->held);
    winnow_status status = WINNOW_OK;
    if (!exec->held)
        status = wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "gpu: no memory for a plan");
    if (status == WINNOW_OK)
        status = wn_pipelines_prepare(gpu, desc);
    if (status == WINNOW_OK)
        status = create_workspace(exec, desc);
    for (uint32_t i = 0; i < exec->lane_count && status == WINNOW_OK; i++)
        status = create_lane(exec, desc, &exec->lane[i]);
    if (status == WINNOW_OK)
        status = create_sets(exec);
    if (status == WINNOW_OK)
        status = clear(exec);
    if (status == WINNOW_OK)
        status = wn_trained_upload(exec, desc);
    if (status != WINNOW_OK) {
        exec_destroy(exec);
        return status;
    }
    *out = exec;
    return WINNOW_OK;
}

static wn_shape_key key_of(const wn_lane *lane, const wn_program *program, const wn_host_io *io)
{
    wn_shape_key key = {.op_count = program->op_count, .const_words = program->const_words};
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++)
        key.in_bytes[i] = wn_in_bytes(&io->in[i]);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        key.out_bytes[i] = wn_out_bytes(lane, io, i);
    memcpy(key.fills, program->fills, program->fill_count * sizeof *key.fills);
    return key;
}

/* The constants on their way to W, for runs that find others there. */
static winnow_status record_consts(wn_exec *exec, wn_lane *lane, const wn_program *program)
{
    wn_job *job = &lane->job;
    const VkBufferCopy consts = {.size = (uint64_t)program->const_words * sizeof(uint32_t)};
    if (!consts.size)
        return WINNOW_OK;
    WN_TRY(wn_job_begin_before(job));
    wn_record_entry_barrier(exec, job->before);
    exec->gpu->vk.CmdCopyBuffer(job->before, lane->consts.buffer, exec->w.buffer, 1, &consts);
    return wn_job_end_before(job);
}

/* The lane's own inputs go up before the barrier: the device may copy them beside what the other lane computes. */
static winnow_status record_run(wn_exec *exec, wn_lane *lane, const wn_program *program,
                                const wn_host_io *io, const wn_slots *slots)
{
    wn_job *job = &lane->job;
    const uint32_t generation = (uint32_t)(lane - exec->lane);
    WN_TRY(wn_job_begin(job));
    wn_upload_record(exec, lane, io);
    wn_record_entry_barrier(exec, job->commands);
    wn_record_fills(exec, job->commands, program);
    if (program->fill_count)
        wn_record_upload_barrier(exec, job->commands);
    wn_job_stamp(job, WN_STAMP_FIRST);
    WN_TRY(wn_record_ops(exec, job->commands, program, slots, generation, &lane->stats));
    wn_job_stamp(job, WN_STAMP_LAST);
    wn_record_exit_barrier(exec, job->commands);
    wn_download_record(exec, lane, io);
    WN_TRY(wn_job_end(job));
    return record_consts(exec, lane, program);
}

/* Records, unless the job's commands are these already. */
static winnow_status ready_run(wn_exec *exec, wn_lane *lane, const wn_program *program,
                               const wn_host_io *io, const wn_slots *slots, bool imported)
{
    const wn_shape_key key = key_of(lane, program, io);
    lane->stats.recorded = 0;
    const size_t ops_bytes = program->op_count * sizeof *program->ops;
    if (lane->key_holds && !imported && !memcmp(&key, &lane->key, sizeof key) &&
        !memcmp(program->ops, lane->recorded, ops_bytes))
        return WINNOW_OK;
    lane->key_holds = false;
    WN_TRY(record_run(exec, lane, program, io, slots));
    lane->stats.recorded = 1;
    lane->key = key;
    memcpy(lane->recorded, program->ops, ops_bytes);
    lane->key_holds = !imported; /* the caller's pages are gone after the run */
    return WINNOW_OK;
}

/* Constants that W does not start with already go into the mapped copy, to be copied from there. */
static winnow_status upload_consts(wn_exec *exec, wn_lane *lane, const wn_program *program,
                                   bool *others)
{
    const size_t bytes = program->const_words * sizeof *exec->held;
    *others = bytes && (exec->lent || exec->held_words != program->const_words ||
                        memcmp(exec->held, program->consts, bytes) != 0);
    exec->held_words = 0; /* until they are on their way */
    if (!*others)
        return WINNOW_OK;
    memcpy(exec->held, program->consts, bytes);
    memcpy(lane->consts.mapped, program->consts, bytes);
    return wn_memory_flush(exec->gpu, &lane->consts, bytes);
}

static winnow_status start(wn_exec *exec, wn_lane *lane, const wn_program *program,
                           const wn_host_io *io)
{
    wn_slots slots = wn_exec_slots(exec, lane, NULL);
    bool imported, others;
    WN_TRY(wn_upload(exec, lane, io, &slots, &imported));
    WN_TRY(upload_consts(exec, lane, program, &others));
    WN_TRY(ready_run(exec, lane, program, io, &slots, imported));
    lane->job.with_before = others;
    WN_TRY(wn_job_submit(&lane->job, NULL));
    exec->held_words = program->const_words;
    return WINNOW_OK;
}

static winnow_status exec_start(wn_exec *exec, uint32_t number, const wn_program *program,
                                const wn_host_io *io)
{
    const wn_host *host = &exec->gpu->base.host;
    wn_lane *lane = &exec->lane[number];
    if (!exec->lane[0].job.gpu)
        return wn_fail(host, WINNOW_E_STATE,
                       "run: the device was lent without a queue (lend one, or record)");
    if (!(exec->flags & WINNOW_PLAN_HOST_MEMORY) || number >= exec->lane_count)
        return wn_fail(host, WINNOW_E_STATE,
                       "run: the plan has no staging memory (plan with WINNOW_PLAN_HOST_MEMORY)");
    WN_TRY(wn_program_check(exec, program));
    WN_TRY(wn_job_wait(&lane->job, UINT64_MAX)); /* for a wn_gpu_submit, or a run that timed out */
    wn_upload_end(exec, lane);
    exec->submitted = false;
    const winnow_status status = start(exec, lane, program, io);
    if (!lane->job.in_flight)
        wn_upload_end(exec, lane);
    return status;
}

static winnow_status exec_end(wn_exec *exec, uint32_t number, const wn_host_io *io,
                              wn_exec_stats *stats)
{
    wn_lane *lane = &exec->lane[number];
    winnow_status status = wn_job_wait(&lane->job, UINT64_MAX);
    if (status == WINNOW_OK)
        status = wn_download(exec, lane, io);
    if (!lane->job.in_flight)
        wn_upload_end(exec, lane);
    if (status != WINNOW_OK)
        return status;
    *stats = lane->stats;
    stats->submissions = 1;
    stats->gpu_ns = wn_job_ns(&lane->job);
    return WINNOW_OK;
}

static winnow_status exec_run(wn_exec *exec, const wn_program *program, const wn_host_io *io,
                              wn_exec_stats *stats)
{
    *stats = (wn_exec_stats){0};
    WN_TRY(exec_start(exec, 0, program, io));
    return exec_end(exec, 0, io, stats);
}

/* The workspace; what serves host memory is in *staging. */
static uint64_t exec_bytes(const wn_exec *exec, uint64_t *staging)
{
    uint64_t sum = 0, consts = 0, weights = 0;
    for (const wn_lane *lane = exec->lane; lane < exec->lane + exec->lane_count; lane++) {
        for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++)
            sum += lane->in[i].bytes + lane->stage_in[i].bytes;
        for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
            sum += lane->out[i].bytes + lane->stage_out[i].bytes;
        consts += lane->consts.bytes;
    }
    if (staging)
        *staging = sum;
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++)
        weights += exec->weights[i].bytes;
    return exec->w.bytes + exec->matrix.bytes + exec->history.bytes + consts + exec->count.bytes +
           exec->counted.bytes + exec->trained.bytes + weights;
}

const wn_backend wn_gpu_backend = {
    .id = WINNOW_BACKEND_GPU,
    .device_destroy = wn_gpu_destroy,
    .exec_create = exec_create,
    .exec_destroy = exec_destroy,
    .exec_run = exec_run,
    .exec_start = exec_start,
    .exec_end = exec_end,
    .copy_bandwidth = wn_gpu_copy_bandwidth,
    .packs_rows = true,
    .exec_bytes = exec_bytes,
};
