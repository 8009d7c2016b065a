/* kv.c: decode-time stages: one operation a step, its state in the workspace between steps. */
#include <string.h>

#include "plan.h"

struct winnow_kv {
    wn_host host;
    winnow_device *device;
    wn_exec *exec;
    winnow_kv_desc desc;
    double rate;
    float threshold;
    uint32_t similar;
    bool seen; /* a step with `count` visual tokens went before */
    uint32_t count;
    int32_t *row;   /* mask and the two numbers behind it */
    wn_build build; /* one operation */
    wn_arr kept, prev, cur;
};

/* The program of one step; sizes of the arrays are those of the longest. */
static winnow_status build_step(winnow_kv *kv, uint32_t heads, uint32_t columns, uint32_t first,
                                uint32_t count, uint64_t stride)
{
    wn_build *b = &kv->build;
    do {
        build_start(b);
        b->stage = "dycoke-kv";
        kv->kept = build_array(b, kv->desc.max_columns);
        kv->prev = build_array(b, kv->desc.max_columns);
        kv->cur = build_array(b, kv->desc.max_columns);
        b->set.seg = kv->kept; /* no rows to count: any word will do */
        b->set.segs = 0;
        const uint32_t element = wn_element_bytes(kv->desc.dtype);
        const wn_mat attention = {
            .ref = {.slot = WN_SLOT_IN + WINNOW_ROLE_LLM_ATTENTION,
                    .dtype = (uint8_t)kv->desc.dtype,
                    .bytes = ((uint64_t)(heads - 1) * stride + columns) * element},
            .stride = (uint32_t)stride,
            .cols = columns};
        const wn_mat mask = {.ref = {.slot = WN_SLOT_OUT + WINNOW_OUT_INDICES,
                                     .dtype = WINNOW_I32,
                                     .bytes = ((uint64_t)columns + 2) * 4},
                             .stride = columns + 2,
                             .cols = columns + 2};
        const struct wn_args_kv_select args = {.heads = heads,
                                               .columns = columns,
                                               .first = first,
                                               .count = count,
                                               .k = (uint32_t)(count * (1.0 - kv->rate)),
                                               .similar = kv->similar,
                                               .seen = kv->seen && kv->count == count,
                                               .threshold = kv->threshold,
                                               .inv_heads = 1.0f / (float)heads,
                                               .kept_at = kv->kept.at,
                                               .prev_at = kv->prev.at,
                                               .cur_at = kv->cur.at};
        BUILD_OP(b, kv_select, 1, &attention, &mask, args, WRITES_W);
    } while (build_again(b));
    return b->status;
}

static winnow_status open_exec(winnow_kv *kv)
{
    const uint64_t columns = kv->desc.max_columns;
    WN_TRY(
        build_step(kv, kv->desc.max_heads, kv->desc.max_columns, 0, kv->desc.max_columns, columns));
    const wn_program program = build_program(&kv->build);
    wn_exec_desc desc = {.flags = WINNOW_PLAN_HOST_MEMORY,
                         .program = &program,
                         .a_types = 1u << kv->desc.dtype,
                         .b_types = 1u << WINNOW_I32};
    desc.in_bytes[WINNOW_ROLE_LLM_ATTENTION] =
        columns * kv->desc.max_heads * wn_element_bytes(kv->desc.dtype);
    desc.out_bytes[WINNOW_OUT_INDICES] = (columns + 2) * 4;
    return kv->device->backend->exec_create(kv->device, &desc, &kv->exec);
}

static winnow_status check_kv(winnow_device *device, const winnow_pipeline *pipeline,
                              const winnow_kv_desc *desc)
{
    if (pipeline->stage_count != 1 || !pipeline->stages[0].stage->decode)
        return wn_fail(&device->host, WINNOW_E_UNSUPPORTED,
                       "kv: the pipeline is no decode stage (use dycoke-kv, or plan_create)");
    if (!desc->max_columns || !desc->max_heads ||
        (uint64_t)desc->max_columns * desc->max_heads > INT32_MAX)
        return wn_fail(&device->host, WINNOW_E_SHAPE,
                       "kv: %u columns of %u heads (give both, under 2^31 together)",
                       desc->max_columns, desc->max_heads);
    if (desc->dtype < WINNOW_F32 || desc->dtype > WINNOW_BF16)
        return wn_fail(&device->host, WINNOW_E_ARGUMENT,
                       "kv: the attention has type %d (use WINNOW_F32, F16 or BF16)", desc->dtype);
    return WINNOW_OK;
}

winnow_status wn_kv_create(winnow_device *device, const winnow_pipeline *pipeline,
                           const winnow_kv_desc *given, winnow_kv **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!device || !pipeline || !given)
        return WINNOW_E_ARGUMENT;
    winnow_kv_desc desc;
    const winnow_status read = wn_desc_read(given, &desc, sizeof desc);
    if (read != WINNOW_OK)
        return wn_fail(&device->host, read,
                       "kv: the descriptor's struct_size does not fit this library");
    WN_TRY(check_kv(device, pipeline, &desc));
    winnow_kv *kv = wn_alloc(&device->host, sizeof *kv);
    if (!kv)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "kv: no host memory for the object");
    const wn_value *values = pipeline->stages[0].values;
    kv->host = device->host;
    kv->device = device;
    kv->desc = desc;
    kv->rate = values[0].number;
    kv->threshold = (float)values[1].number;
    kv->similar = values[2].choice;
    kv->build.host = &kv->host;
    kv->build.loop_limit = device->loop_limit;
    kv->build.group_size = device->group_size;
    kv->build.may_grow = true;
    kv->row = wn_alloc(&kv->host, ((size_t)desc.max_columns + 2) * sizeof *kv->row);
    const winnow_status status =
        kv->row ? open_exec(kv)
                : wn_fail(&kv->host, WINNOW_E_HOST_MEMORY, "kv: no host memory for %u columns",
                          desc.max_columns);
    if (status != WINNOW_OK) {
        wn_kv_destroy(kv);
        return status;
    }
    kv->build.may_grow = false;
    *out = kv;
    return WINNOW_OK;
}

void wn_kv_destroy(winnow_kv *kv)
{
    if (!kv)
        return;
    kv->device->backend->exec_destroy(kv->exec);
    build_finish(&kv->build);
    const wn_host host = kv->host;
    wn_free(&host, kv->row);
    wn_free(&host, kv);
}

static winnow_status check_step(const winnow_kv *kv, const winnow_kv_step *step)
{
    if (!step->attention || !step->mask)
        return wn_fail(&kv->host, WINNOW_E_ARGUMENT, "kv: attention or mask is NULL (give both)");
    if (!step->heads || step->heads > kv->desc.max_heads || !step->columns ||
        step->columns > kv->desc.max_columns)
        return wn_fail(&kv->host, WINNOW_E_SHAPE,
                       "kv: %u heads of %u columns, made for %u of %u (make it larger)",
                       step->heads, step->columns, kv->desc.max_heads, kv->desc.max_columns);
    if (!step->visual_count || (uint64_t)step->visual_first + step->visual_count > step->columns)
        return wn_fail(&kv->host, WINNOW_E_SHAPE,
                       "kv: visual columns %u..+%u do not lie in %u columns", step->visual_first,
                       step->visual_count, step->columns);
    const uint32_t element = wn_element_bytes(kv->desc.dtype);
    if (step->row_stride &&
        (step->row_stride % element || step->row_stride < (uint64_t)step->columns * element))
        return wn_fail(&kv->host, WINNOW_E_SHAPE, "kv: a row stride of %llu bytes for %u columns",
                       (unsigned long long)step->row_stride, step->columns);
    return WINNOW_OK;
}

winnow_status wn_kv_step(winnow_kv *kv, winnow_kv_step *given)
{
    if (!kv || !given)
        return WINNOW_E_ARGUMENT;
    winnow_kv_step step;
    const winnow_status read = wn_desc_read(given, &step, sizeof step);
    if (read != WINNOW_OK)
        return wn_fail(&kv->host, read, "kv: the step's struct_size does not fit this library");
    WN_TRY(check_step(kv, &step));
    const uint64_t element = wn_element_bytes(kv->desc.dtype), packed = step.columns * element;
    const uint64_t stride = step.row_stride ? step.row_stride : packed;
    const bool packs = kv->device->backend->packs_rows;
    WN_TRY(build_step(kv, step.heads, step.columns, step.visual_first, step.visual_count,
                      packs ? step.columns : stride / element));
    const wn_program program = build_program(&kv->build);
    wn_host_io io = {0};
    union {
        const void *in;
        void *data; /* inputs are only read; wn_host_rows serves both ways */
    } attention = {.in = step.attention};
    io.in[WINNOW_ROLE_LLM_ATTENTION] = (wn_host_rows){attention.data, step.heads, packed, stride};
    const uint64_t words = (uint64_t)step.columns + 2;
    io.out[WINNOW_OUT_INDICES] = (wn_host_rows){kv->row, 1, words * 4, words * 4};
    wn_exec_stats stats = {0};
    WN_TRY(kv->device->backend->exec_run(kv->exec, &program, &io, &stats));
    memcpy(step.mask, kv->row, step.columns * sizeof *step.mask);
    step.kept = (uint32_t)kv->row[step.columns];
    step.changed = (uint32_t)kv->row[step.columns + 1];
    step.dispatches = stats.dispatches;
    step.submissions = stats.submissions;
    kv->seen = true;
    kv->count = step.visual_count;
    return wn_desc_write(&step, sizeof step, given);
}

winnow_status wn_kv_reset(winnow_kv *kv)
{
    if (!kv)
        return WINNOW_E_ARGUMENT;
    kv->seen = false;
    return WINNOW_OK;
}
