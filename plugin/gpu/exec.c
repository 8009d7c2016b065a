/* exec.c: the memory of a plan, and runs on host memory: one submission each. */
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
    const uint64_t const_bytes = (uint64_t)program.const_words * sizeof(uint32_t);
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
    WN_TRY(wn_memory_create(gpu, WN_MEMORY_UPLOAD, const_bytes, &exec->consts));
    return wn_memory_create(gpu, WN_MEMORY_DOWNLOAD, 16, &exec->counted);
}

/* For runs on host memory: buffers for the device, and mapped ones where those are not. */
static winnow_status create_staging(wn_exec *exec, const wn_exec_desc *desc)
{
    wn_gpu *gpu = exec->gpu;
    exec->direct_in = wn_memory_is_unified(gpu, false);
    exec->direct_out = wn_memory_is_unified(gpu, true);
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++) {
        WN_TRY(wn_memory_create(gpu, exec->direct_in ? WN_MEMORY_DIRECT : WN_MEMORY_DEVICE,
                                desc->in_bytes[i], &exec->in[i]));
        if (!exec->direct_in)
            WN_TRY(wn_memory_create(gpu, WN_MEMORY_UPLOAD, desc->in_bytes[i], &exec->stage_in[i]));
    }
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        WN_TRY(wn_memory_create(gpu, exec->direct_out ? WN_MEMORY_DIRECT : WN_MEMORY_DEVICE,
                                desc->out_bytes[i], &exec->out[i]));
        if (!exec->direct_out)
            WN_TRY(
                wn_memory_create(gpu, WN_MEMORY_DOWNLOAD, desc->out_bytes[i], &exec->stage_out[i]));
    }
    return WINNOW_OK;
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
static winnow_status create_job(wn_exec *exec)
{
    if (!exec->gpu->queue)
        return WINNOW_OK;
    WN_TRY(wn_job_create(exec->gpu, exec->flags & WINNOW_PLAN_TIMING, &exec->job));
    WN_TRY(wn_job_begin(&exec->job));
    wn_record_zero(exec, exec->job.commands);
    WN_TRY(wn_job_end(&exec->job));
    WN_TRY(wn_job_submit(&exec->job, NULL));
    return wn_job_wait(&exec->job, UINT64_MAX);
}

static void exec_destroy(wn_exec *exec)
{
    if (!exec)
        return;
    wn_gpu *gpu = exec->gpu;
    wn_job_destroy(&exec->job); /* waits: nothing below is in use any more */
    if (exec->pool)
        gpu->vk.DestroyDescriptorPool(gpu->device, exec->pool, NULL);
    wn_upload_end(exec);
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++) {
        wn_memory_destroy(gpu, &exec->stage_in[i]);
        wn_memory_destroy(gpu, &exec->in[i]);
    }
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        wn_memory_destroy(gpu, &exec->stage_out[i]);
        wn_memory_destroy(gpu, &exec->out[i]);
    }
    wn_memory *const workspace[] = {&exec->w,     &exec->matrix, &exec->history,
                                    &exec->count, &exec->consts, &exec->counted};
    for (size_t i = 0; i < sizeof workspace / sizeof *workspace; i++)
        wn_memory_destroy(gpu, workspace[i]);
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++)
        wn_memory_destroy(gpu, &exec->weights[i]);
    wn_memory_destroy(gpu, &exec->trained);
    wn_free(&gpu->base.host, exec->sets);
    wn_free(&gpu->base.host, exec->held);
    wn_free(&gpu->base.host, exec->recorded);
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
    exec->recorded = wn_alloc(&device->host, exec->ops_most * sizeof *exec->recorded);
    exec->held = wn_alloc(&device->host, (size_t)largest(desc).const_words * sizeof *exec->held);
    winnow_status status = WINNOW_OK;
    if (!exec->recorded || !exec->held)
        status = wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "gpu: no memory for a plan");
    if (status == WINNOW_OK)
        status = wn_pipelines_prepare(gpu, desc);
    if (status == WINNOW_OK)
        status = create_workspace(exec, desc);
    if (status == WINNOW_OK && (desc->flags & WINNOW_PLAN_HOST_MEMORY))
        status = create_staging(exec, desc);
    if (status == WINNOW_OK)
        status = create_sets(exec);
    if (status == WINNOW_OK)
        status = create_job(exec);
    if (status == WINNOW_OK)
        status = wn_trained_upload(exec, desc);
    if (status != WINNOW_OK) {
        exec_destroy(exec);
        return status;
    }
    *out = exec;
    return WINNOW_OK;
}

static wn_shape_key key_of(const wn_exec *exec, const wn_program *program, const wn_host_io *io)
{
    wn_shape_key key = {.op_count = program->op_count, .const_words = program->const_words};
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++)
        key.in_bytes[i] = wn_in_bytes(&io->in[i]);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        key.out_bytes[i] = wn_out_bytes(exec, io, i);
    memcpy(key.fills, program->fills, program->fill_count * sizeof *key.fills);
    return key;
}

/* The constants on their way to W, for runs that find others there. */
static winnow_status record_consts(wn_exec *exec, const wn_program *program)
{
    wn_job *job = &exec->job;
    const VkBufferCopy consts = {.size = (uint64_t)program->const_words * sizeof(uint32_t)};
    if (!consts.size)
        return WINNOW_OK;
    WN_TRY(wn_job_begin_before(job));
    wn_record_entry_barrier(exec, job->before);
    exec->gpu->vk.CmdCopyBuffer(job->before, exec->consts.buffer, exec->w.buffer, 1, &consts);
    return wn_job_end_before(job);
}

static winnow_status record_run(wn_exec *exec, const wn_program *program, const wn_host_io *io,
                                const wn_slots *slots)
{
    wn_job *job = &exec->job;
    WN_TRY(wn_job_begin(job));
    wn_record_entry_barrier(exec, job->commands);
    wn_upload_record(exec, io, job->commands);
    wn_record_fills(exec, job->commands, program);
    if (!exec->direct_in || program->fill_count)
        wn_record_upload_barrier(exec, job->commands);
    wn_job_stamp(job, WN_STAMP_FIRST);
    WN_TRY(wn_record_ops(exec, job->commands, program, slots, 0, &exec->stats));
    wn_job_stamp(job, WN_STAMP_LAST);
    wn_record_exit_barrier(exec, job->commands);
    wn_download_record(exec, io, job->commands);
    WN_TRY(wn_job_end(job));
    return record_consts(exec, program);
}

/* Records, unless the job's commands are these already. */
static winnow_status ready_run(wn_exec *exec, const wn_program *program, const wn_host_io *io,
                               const wn_slots *slots, bool imported)
{
    const wn_shape_key key = key_of(exec, program, io);
    exec->stats.recorded = 0;
    const size_t ops_bytes = program->op_count * sizeof *program->ops;
    if (exec->key_holds && !imported && !memcmp(&key, &exec->key, sizeof key) &&
        !memcmp(program->ops, exec->recorded, ops_bytes))
        return WINNOW_OK;
    exec->key_holds = false;
    WN_TRY(record_run(exec, program, io, slots));
    exec->stats.recorded = 1;
    exec->key = key;
    memcpy(exec->recorded, program->ops, ops_bytes);
    exec->key_holds = !imported; /* the caller's pages are gone after the run */
    return WINNOW_OK;
}

/* Constants that W does not start with already go into the mapped copy, to be copied from there. */
static winnow_status upload_consts(wn_exec *exec, const wn_program *program, bool *others)
{
    const size_t bytes = program->const_words * sizeof *exec->held;
    *others = bytes && (exec->lent || exec->held_words != program->const_words ||
                        memcmp(exec->held, program->consts, bytes) != 0);
    exec->held_words = 0; /* until they are on their way */
    if (!*others)
        return WINNOW_OK;
    memcpy(exec->held, program->consts, bytes);
    memcpy(exec->consts.mapped, program->consts, bytes);
    return wn_memory_flush(exec->gpu, &exec->consts, bytes);
}

static winnow_status run(wn_exec *exec, const wn_program *program, const wn_host_io *io)
{
    wn_slots slots = wn_exec_slots(exec, NULL);
    bool imported, others;
    WN_TRY(wn_upload(exec, io, &slots, &imported));
    WN_TRY(upload_consts(exec, program, &others));
    WN_TRY(ready_run(exec, program, io, &slots, imported));
    exec->job.with_before = others;
    WN_TRY(wn_job_submit(&exec->job, NULL));
    exec->held_words = program->const_words;
    WN_TRY(wn_job_wait(&exec->job, UINT64_MAX));
    return wn_download(exec, io);
}

static winnow_status exec_run(wn_exec *exec, const wn_program *program, const wn_host_io *io,
                              wn_exec_stats *stats)
{
    const wn_host *host = &exec->gpu->base.host;
    *stats = (wn_exec_stats){0};
    if (!exec->job.gpu)
        return wn_fail(host, WINNOW_E_STATE,
                       "run: the device was lent without a queue (lend one, or record)");
    if (!(exec->flags & WINNOW_PLAN_HOST_MEMORY))
        return wn_fail(host, WINNOW_E_STATE,
                       "run: the plan has no staging memory (plan with WINNOW_PLAN_HOST_MEMORY)");
    WN_TRY(wn_program_check(exec, program));
    WN_TRY(wn_job_wait(&exec->job, UINT64_MAX)); /* for a wn_gpu_submit, or a run that timed out */
    wn_upload_end(exec);
    exec->submitted = false;
    const winnow_status status = run(exec, program, io);
    if (!exec->job.in_flight)
        wn_upload_end(exec);
    if (status != WINNOW_OK)
        return status;
    *stats = exec->stats;
    stats->submissions = 1;
    stats->gpu_ns = wn_job_ns(&exec->job);
    return WINNOW_OK;
}

/* The workspace; what serves host memory is in *staging. */
static uint64_t exec_bytes(const wn_exec *exec, uint64_t *staging)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++)
        sum += exec->in[i].bytes + exec->stage_in[i].bytes;
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        sum += exec->out[i].bytes + exec->stage_out[i].bytes;
    if (staging)
        *staging = sum;
    uint64_t weights = 0;
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++)
        weights += exec->weights[i].bytes;
    return exec->w.bytes + exec->matrix.bytes + exec->history.bytes + exec->consts.bytes +
           exec->count.bytes + exec->counted.bytes + exec->trained.bytes + weights;
}

const wn_backend wn_gpu_backend = {
    .id = WINNOW_BACKEND_GPU,
    .device_destroy = wn_gpu_destroy,
    .exec_create = exec_create,
    .exec_destroy = exec_destroy,
    .exec_run = exec_run,
    .copy_bandwidth = wn_gpu_copy_bandwidth,
    .packs_rows = true,
    .exec_bytes = exec_bytes,
};
