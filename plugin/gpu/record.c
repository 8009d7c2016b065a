/* record.c: a program as dispatches in a command buffer, ours or the host's. */
#include <string.h>

#include "gpu/exec.h"

/* What is bound so far, so that nothing is bound twice. */
typedef struct recorder {
    wn_exec *exec;
    wn_gpu *gpu;
    VkCommandBuffer commands;
    const wn_slots *slots;
    VkDescriptorSet *sets; /* the next unused; NULL with push descriptors */
    VkPipeline pipeline;
    VkDescriptorBufferInfo bound[WN_BIND_COUNT];
} recorder;

/* One operation, ready to be written. */
typedef struct dispatch {
    VkDescriptorBufferInfo info[WN_BIND_COUNT];
    uint32_t args[WN_ARGS_WORDS];
    bool windowed;
} dispatch;

enum {
    ARG_A_BASE = 0,
    ARG_B_BASE = 2,
    ARG_C_BASE = 4,
    ARG_OUT_BASE = offsetof(struct wn_args_emit_meta, base1) / 4
};

static void barrier(const wn_gpu *gpu, VkCommandBuffer commands, VkPipelineStageFlags from,
                    VkAccessFlags written, VkPipelineStageFlags to, VkAccessFlags touched)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = written,
        .dstAccessMask = touched,
    };
    gpu->vk.CmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

enum {
    COMPUTE = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
    TRANSFER = VK_PIPELINE_STAGE_TRANSFER_BIT,
    HOST = VK_PIPELINE_STAGE_HOST_BIT,
    SHADER_READ = VK_ACCESS_SHADER_READ_BIT,
    SHADER_WRITE = VK_ACCESS_SHADER_WRITE_BIT,
    COPY_READ = VK_ACCESS_TRANSFER_READ_BIT,
    COPY_WRITE = VK_ACCESS_TRANSFER_WRITE_BIT,
};

void wn_record_entry_barrier(wn_exec *exec, VkCommandBuffer commands)
{
    barrier(exec->gpu, commands, COMPUTE | TRANSFER, SHADER_WRITE | COPY_WRITE, COMPUTE | TRANSFER,
            SHADER_READ | SHADER_WRITE | COPY_READ | COPY_WRITE);
}

void wn_record_upload_barrier(wn_exec *exec, VkCommandBuffer commands)
{
    barrier(exec->gpu, commands, TRANSFER, COPY_WRITE, COMPUTE, SHADER_READ | SHADER_WRITE);
}

void wn_record_exit_barrier(wn_exec *exec, VkCommandBuffer commands)
{
    barrier(exec->gpu, commands, COMPUTE, SHADER_WRITE, COMPUTE | TRANSFER | HOST,
            SHADER_READ | COPY_READ | VK_ACCESS_HOST_READ_BIT);
}

void wn_record_read_barrier(wn_exec *exec, VkCommandBuffer commands)
{
    barrier(exec->gpu, commands, TRANSFER, COPY_WRITE, HOST, VK_ACCESS_HOST_READ_BIT);
}

void wn_record_fills(wn_exec *exec, VkCommandBuffer commands, const wn_program *program)
{
    for (uint32_t i = 0; i < program->fill_count; i++) {
        const wn_fill *fill = &program->fills[i];
        exec->gpu->vk.CmdFillBuffer(commands, exec->w.buffer, 4ull * fill->at, 4ull * fill->words,
                                    fill->value);
    }
}

void wn_record_zero(wn_exec *exec, VkCommandBuffer commands)
{
    const wn_vk_device_calls *vk = &exec->gpu->vk;
    vk->CmdFillBuffer(commands, exec->w.buffer, 0, VK_WHOLE_SIZE, 0);
    if (exec->history.buffer)
        vk->CmdFillBuffer(commands, exec->history.buffer, 0, VK_WHOLE_SIZE, 0);
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++) {
        if (exec->weights[i].buffer)
            vk->CmdFillBuffer(commands, exec->weights[i].buffer, 0, VK_WHOLE_SIZE, 0);
    }
    barrier(exec->gpu, commands, TRANSFER, COPY_WRITE, COMPUTE | TRANSFER,
            SHADER_READ | SHADER_WRITE | COPY_WRITE);
    exec->cleared = true;
}

static wn_gpu_span span_of(const wn_memory *memory)
{
    return (wn_gpu_span){memory->buffer, 0, memory->bytes};
}

wn_slots wn_exec_slots(const wn_exec *exec, const wn_lane *lane, const wn_gpu_buffers *buffers)
{
    wn_slots slots = {0};
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; i++)
        slots.span[WN_SLOT_IN + i] = buffers ? buffers->in[i] : span_of(&lane->in[i]);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        slots.span[WN_SLOT_OUT + i] = buffers ? buffers->out[i] : span_of(&lane->out[i]);
    slots.span[WN_SLOT_MATRIX] = span_of(&exec->matrix);
    slots.span[WN_SLOT_HISTORY] = span_of(&exec->history);
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; i++)
        slots.span[WN_SLOT_WEIGHTS + i] = span_of(&exec->weights[i]);
    slots.span[WN_SLOT_TRAINED] = span_of(&exec->trained);
    wn_gpu_span *count = &slots.span[WN_SLOT_OUT + WINNOW_OUT_COUNT_WORD];
    if (!count->buffer)
        *count = span_of(&exec->count);
    return slots;
}

static bool fills_fit(const wn_program *program)
{
    for (uint32_t i = 0; i < program->fill_count; i++) {
        const wn_fill *fill = &program->fills[i];
        if ((uint64_t)fill->at + fill->words > program->w_words || !fill->words)
            return false;
    }
    return true;
}

winnow_status wn_program_check(const wn_exec *exec, const wn_program *program)
{
    if (!fills_fit(program) || program->op_count > exec->ops_most ||
        program->w_words > exec->w_words || program->matrix_bytes > exec->matrix.bytes ||
        program->const_words > program->w_words ||
        program->const_words * sizeof(uint32_t) > exec->lane[0].consts.bytes)
        return wn_fail(&exec->gpu->base.host, WINNOW_E_INTERNAL,
                       "gpu: a program of %u operations, %llu words and %llu matrix bytes does "
                       "not fit the plan's largest (report this)",
                       program->op_count, (unsigned long long)program->w_words,
                       (unsigned long long)program->matrix_bytes);
    return WINNOW_OK;
}

/* Offsets of bindings are aligned; what is left goes into `rest`. Bindings end at words. */
static VkDescriptorBufferInfo bind_part(const wn_gpu *gpu, const wn_gpu_span *span, uint64_t offset,
                                        uint64_t bytes, uint32_t *rest)
{
    const uint64_t least = gpu->caps.properties.limits.minStorageBufferOffsetAlignment;
    const uint64_t alignment = least < 4 ? 4 : least;
    const uint64_t at = span->offset + offset;
    *rest = (uint32_t)(at % alignment);
    return (VkDescriptorBufferInfo){span->buffer, at - *rest, (*rest + bytes + 3) & ~3ull};
}

static VkDescriptorBufferInfo bind_w(const wn_exec *exec)
{
    return (VkDescriptorBufferInfo){exec->w.buffer, 0, exec->w.bytes};
}

/* Cuts a range in windows; those past its end see the first. */
static winnow_status cut_windows(const recorder *r, const VkDescriptorBufferInfo *whole,
                                 VkDescriptorBufferInfo out[WN_WINDOWS])
{
    const uint64_t window = 4ull << r->gpu->window_shift;
    if (whole->range > WN_WINDOWS * window)
        return wn_fail(&r->gpu->base.host, WINNOW_E_UNSUPPORTED,
                       "gpu: a tensor spans %llu bytes, and %s sees at most %llu (split the "
                       "frames over several runs)",
                       (unsigned long long)whole->range, r->gpu->base.info.name,
                       (unsigned long long)(WN_WINDOWS * window));
    for (uint32_t i = 0; i < WN_WINDOWS; i++) {
        const uint64_t start = i * window < whole->range ? i * window : 0;
        const uint64_t left = whole->range - start;
        out[i] = (VkDescriptorBufferInfo){whole->buffer, whole->offset + start,
                                          left < window ? left : window};
    }
    return WINNOW_OK;
}

static uint32_t element_of(const wn_ref *ref)
{
    return ref->dtype == WINNOW_F16 || ref->dtype == WINNOW_BF16 ? 2 : 4;
}

/* The slot that a ref is a part of. */
static winnow_status find_span(const recorder *r, const wn_op *op, const wn_ref *ref,
                               const wn_gpu_span **out)
{
    const wn_gpu_span *span = &r->slots->span[ref->slot];
    *out = span;
    if (!span->buffer || ref->offset > span->bytes || ref->bytes > span->bytes - ref->offset)
        return wn_fail(&r->gpu->base.host, WINNOW_E_INTERNAL,
                       "gpu: %s touches bytes %llu..%llu of slot %u, which has %llu (report this)",
                       wn_op_name(op->kind), (unsigned long long)ref->offset,
                       (unsigned long long)(ref->offset + ref->bytes), ref->slot,
                       (unsigned long long)(span->buffer ? span->bytes : 0));
    return WINNOW_OK;
}

static bool is_there(const wn_ref *ref)
{
    return ref->slot < WN_SLOT_COUNT && ref->bytes;
}

static winnow_status bind_matrix(const recorder *r, const wn_op *op, const wn_ref *ref,
                                 VkDescriptorBufferInfo out[WN_WINDOWS], uint32_t *base,
                                 bool *windowed)
{
    const wn_gpu_span *span;
    uint32_t rest;
    for (uint32_t i = 0; i < WN_WINDOWS; i++)
        out[i] = bind_w(r->exec);
    *base = 0;
    if (!is_there(ref))
        return WINNOW_OK;
    WN_TRY(find_span(r, op, ref, &span));
    const VkDescriptorBufferInfo whole = bind_part(r->gpu, span, ref->offset, ref->bytes, &rest);
    *base = rest / element_of(ref);
    if (whole.range > r->gpu->caps.properties.limits.maxStorageBufferRange) {
        *windowed = true;
        return cut_windows(r, &whole, out);
    }
    for (uint32_t i = 0; i < WN_WINDOWS; i++)
        out[i] = whole;
    return WINNOW_OK;
}

/* One binding, no windows; only operations with a C have its words among their arguments. */
static winnow_status bind_c(const recorder *r, const wn_op *op, dispatch *d)
{
    const wn_gpu_span *span;
    uint32_t rest;
    if (!is_there(&op->c))
        return WINNOW_OK;
    WN_TRY(find_span(r, op, &op->c, &span));
    const VkDescriptorBufferInfo whole = bind_part(r->gpu, span, op->c.offset, op->c.bytes, &rest);
    WN_TRY(wn_check_c(r->gpu, op->kind, whole.range));
    d->info[WN_BIND_C] = whole;
    d->args[ARG_C_BASE] = rest / element_of(&op->c);
    return WINNOW_OK;
}

/* Outputs that only emit_meta writes: indices, sizes, positions, assignment, count. Those that nobody wants lie on the
 * count, which is always there: on W, which operations before may read still, they would look as if they were written. */
static void bind_outputs(const recorder *r, dispatch *d)
{
    enum { COUNT = WINNOW_OUT_COUNT_WORD - WINNOW_OUT_INDICES };
    const uint32_t most = r->gpu->caps.properties.limits.maxStorageBufferRange & ~255u;
    for (uint32_t k = 0; k < WN_BIND_C - WN_BIND_OUT; k++) {
        const uint32_t i = k == 0 ? COUNT : k <= COUNT ? k - 1 : k;
        const wn_gpu_span *span = &r->slots->span[WN_SLOT_OUT + WINNOW_OUT_INDICES + i];
        uint32_t rest;
        VkDescriptorBufferInfo *info = &d->info[WN_BIND_OUT + i];
        d->args[ARG_OUT_BASE + i] = 0;
        if (!span->buffer || !span->bytes) {
            *info = d->info[WN_BIND_OUT + COUNT];
            continue;
        }
        *info = bind_part(r->gpu, span, 0, span->bytes & ~3ull, &rest);
        if (info->range > most)
            info->range = most;
        d->args[ARG_OUT_BASE + i] = rest / 4;
    }
}

static winnow_status bind_op(const recorder *r, const wn_op *op, dispatch *d)
{
    memcpy(d->args, op->args, sizeof d->args);
    d->windowed = false;
    WN_TRY(bind_matrix(r, op, &op->a, &d->info[WN_BIND_A], &d->args[ARG_A_BASE], &d->windowed));
    WN_TRY(bind_matrix(r, op, &op->b, &d->info[WN_BIND_B], &d->args[ARG_B_BASE], &d->windowed));
    for (uint32_t i = WN_BIND_W; i < WN_BIND_COUNT; i++)
        d->info[i] = bind_w(r->exec);
    WN_TRY(bind_c(r, op, d));
    if (op->kind == WN_OP_emit_meta)
        bind_outputs(r, d);
    return WINNOW_OK;
}

static bool same_bindings(const VkDescriptorBufferInfo *a, const VkDescriptorBufferInfo *b)
{
    for (uint32_t i = 0; i < WN_BIND_COUNT; i++) {
        if (a[i].buffer != b[i].buffer || a[i].offset != b[i].offset || a[i].range != b[i].range)
            return false;
    }
    return true;
}

/* Bindings 0..14 follow each other, so one write fills them all. */
static void write_bindings(recorder *r, const dispatch *d)
{
    const wn_vk_device_calls *vk = &r->gpu->vk;
    VkWriteDescriptorSet write = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .descriptorCount = WN_BIND_COUNT,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = d->info,
    };
    if (same_bindings(r->bound, d->info))
        return;
    memcpy(r->bound, d->info, sizeof r->bound);
    if (!r->sets) {
        vk->CmdPushDescriptorSetKHR(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, r->gpu->layout, 0,
                                    1, &write);
        return;
    }
    write.dstSet = *r->sets++;
    vk->UpdateDescriptorSets(r->gpu->device, 1, &write, 0, NULL);
    vk->CmdBindDescriptorSets(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, r->gpu->layout, 0, 1,
                              &write.dstSet, 0, NULL);
}

static uint64_t tiles_of(const wn_op *op)
{
    struct wn_args_matmul args;
    memcpy(&args, op->args, sizeof args);
    return ((uint64_t)args.n_max + WN_COOP_TILE - 1) / WN_COOP_TILE *
           (((uint64_t)args.cols + WN_COOP_TILE - 1) / WN_COOP_TILE);
}

enum { ITEMS_MOST = 512 }; /* of an invocation where drivers stop long loops */

static uint64_t groups_of(const wn_gpu *gpu, const wn_op *op, const wn_types *types)
{
    static const uint32_t lanes[WN_GROUPING_COUNT] = {
        [WN_THREADS] = 1, [WN_LANES] = 32, [WN_ROWS] = 1, [WN_TEAMS] = 32};
    const enum wn_grouping grouping = wn_op_grouping(op->kind);
    const uint64_t local = gpu->local[grouping];
    const uint64_t invocations = (uint64_t)op->items * lanes[grouping];
    if (wn_is_cooperative(gpu, op->kind, types))
        return tiles_of(op);
    if (grouping == WN_GROUPS)
        return op->items;
    const uint64_t groups = (invocations + local - 1) / local;
    const bool shares = grouping == WN_ROWS || grouping == WN_TEAMS;
    /* Some drivers stop an invocation after so many iterations: no more items for one than that allows. */
    const uint64_t parts = invocations / (ITEMS_MOST * local) + 1;
    const bool stops = gpu->base.loop_limit != UINT32_MAX;
    const uint64_t most = stops && parts > gpu->groups_most ? parts : gpu->groups_most;
    return shares && groups > most ? most : groups;
}

/* Too many workgroups for x fold into y; shaders count and check bounds. */
static winnow_status group_counts(const recorder *r, const wn_op *op, const wn_types *types,
                                  uint32_t counts[2])
{
    const uint32_t *limit = r->gpu->caps.properties.limits.maxComputeWorkGroupCount;
    const uint64_t groups = groups_of(r->gpu, op, types);
    const uint64_t y = (groups + limit[0] - 1) / limit[0];
    if (y > limit[1])
        return wn_fail(&r->gpu->base.host, WINNOW_E_UNSUPPORTED,
                       "gpu: %s needs %llu workgroups, more than %s runs (split the frames over "
                       "several runs)",
                       wn_op_name(op->kind), (unsigned long long)groups, r->gpu->base.info.name);
    counts[0] = (uint32_t)((groups + y - 1) / y);
    counts[1] = (uint32_t)y;
    return WINNOW_OK;
}

static wn_types types_of(const wn_op *op, bool windowed)
{
    return (wn_types){.a = op->a.slot == WN_SLOT_NONE ? WINNOW_F32 : op->a.dtype,
                      .b = op->b.slot == WN_SLOT_NONE ? WINNOW_F32 : op->b.dtype,
                      .c = is_there(&op->c) ? op->c.dtype : WINNOW_F32,
                      .windowed = windowed};
}

static winnow_status record_op(recorder *r, const wn_op *op)
{
    const wn_vk_device_calls *vk = &r->gpu->vk;
    dispatch d;
    uint32_t counts[2] = {0};
    VkPipeline pipeline;
    WN_TRY(bind_op(r, op, &d));
    const wn_types types = types_of(op, d.windowed);
    WN_TRY(group_counts(r, op, &types, counts));
    WN_TRY(wn_pipeline_get(r->gpu, op->kind, &types, &pipeline));
    if (pipeline != r->pipeline)
        vk->CmdBindPipeline(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    r->pipeline = pipeline;
    write_bindings(r, &d);
    vk->CmdPushConstants(r->commands, r->gpu->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                         op->args_bytes, d.args);
    vk->CmdDispatch(r->commands, counts[0], counts[1], 1);
    return WINNOW_OK;
}

winnow_status wn_record_ops(wn_exec *exec, VkCommandBuffer commands, const wn_program *program,
                            const wn_slots *slots, uint32_t generation, wn_exec_stats *stats)
{
    recorder r = {
        .exec = exec,
        .gpu = exec->gpu,
        .commands = commands,
        .slots = slots,
        .sets = exec->sets ? exec->sets + (size_t)generation * exec->ops_most : NULL,
    };
    bool waiting = false; /* a barrier of an operation with nothing to do is for the next one */
    uint32_t dispatches = 0;
    for (uint32_t i = 0; i < program->op_count; i++) {
        const wn_op *op = &program->ops[i];
        waiting |= op->barrier != 0;
        if (op->items == 0)
            continue;
        if (waiting)
            barrier(exec->gpu, commands, COMPUTE, SHADER_WRITE, COMPUTE,
                    SHADER_READ | SHADER_WRITE);
        waiting = false;
        WN_TRY(record_op(&r, op));
        dispatches++;
    }
    if (stats)
        stats->dispatches = dispatches;
    return WINNOW_OK;
}
