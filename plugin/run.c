/* run.c: runs on host memory, and streams of them. */
#include <string.h>

#include "plan.h"

static winnow_status read_input(const winnow_plan *plan, const winnow_run *run, uint32_t role,
                                wn_host_io *io, wn_run_layout *layout)
{
    const winnow_tensor *tensor = &run->in[role];
    const uint32_t element = wn_element_bytes(plan->desc.dtype[role]);
    uint64_t rows;
    uint32_t cols;
    if (!((plan->roles_used >> role) & 1u))
        return WINNOW_OK;
    if (!tensor->data)
        return wn_fail(&plan->host, WINNOW_E_ROLE,
                       "run: `%s` is in the plan's roles but not given (give it every time)",
                       wn_role_name(role));
    wn_role_extent(&run->shape, role, &rows, &cols);
    const uint64_t packed = (uint64_t)cols * element,
                   stride = tensor->row_stride ? tensor->row_stride : packed;
    if (stride < packed || stride % element)
        return wn_fail(&plan->host, WINNOW_E_SHAPE,
                       "run: `%s` has a row stride of %llu bytes (at least %llu, a multiple of %u)",
                       wn_role_name(role), (unsigned long long)stride, (unsigned long long)packed,
                       element);
    if ((uintptr_t)tensor->data % element)
        return wn_fail(&plan->host, WINNOW_E_ARGUMENT,
                       "run: `%s` is not aligned to its %u-byte elements", wn_role_name(role),
                       element);
    io->in[role] = (wn_host_rows){tensor->data, rows, packed, stride};
    if (!plan->device->backend->packs_rows)
        layout->in_stride[role] = stride == packed ? 0 : stride / element;
    return WINNOW_OK;
}

static const char *const output_names[WINNOW_OUT_COUNT] = {"tokens",    "indices",    "sizes",
                                                           "positions", "assignment", "count"};

/* Bytes of a row of an output; the dimension that comes out is the plan's largest, whatever the shape. */
static uint64_t output_row_bytes(const winnow_plan *plan, uint32_t output)
{
    const uint64_t bytes[WINNOW_OUT_COUNT] = {
        (uint64_t)plan->build.set.mat.cols * wn_element_bytes(plan->desc.out_dtype),
        4,
        4,
        12,
        4,
        16};
    return bytes[output];
}

static winnow_status check_output(const winnow_plan *plan, const winnow_run *run, uint32_t output)
{
    const winnow_tensor *tensor = &run->out[output];
    if (!tensor->data)
        return WINNOW_OK;
    if (!((plan->desc.outputs >> output) & 1u))
        return wn_fail(&plan->host, WINNOW_E_ARGUMENT,
                       "run: output `%s` is not among the plan's outputs (plan for it)",
                       output_names[output]);
    const uint32_t element =
        output == WINNOW_OUT_TOKENS ? wn_element_bytes(plan->desc.out_dtype) : 4;
    if ((uintptr_t)tensor->data % element || tensor->row_stride % element)
        return wn_fail(&plan->host, WINNOW_E_ARGUMENT,
                       "run: output `%s` is not aligned to its %u-byte elements",
                       output_names[output], element);
    if (output != WINNOW_OUT_TOKENS && tensor->row_stride)
        return wn_fail(&plan->host, WINNOW_E_ARGUMENT,
                       "run: output `%s` has a row stride (only tokens may)", output_names[output]);
    const uint64_t source = (uint64_t)run->shape.frames * run->shape.tokens;
    if (output == WINNOW_OUT_ASSIGNMENT && tensor->capacity < source)
        return wn_fail(
            &plan->host, WINNOW_E_TOO_SMALL,
            "run: `assignment` holds %llu entries, the input has %llu tokens (make it larger)",
            (unsigned long long)tensor->capacity, (unsigned long long)source);
    return WINNOW_OK;
}

static winnow_status set_output(const winnow_plan *plan, const winnow_run *run, uint32_t output,
                                wn_host_io *io)
{
    const winnow_tensor *tensor = &run->out[output];
    if (!tensor->data)
        return WINNOW_OK;
    const uint64_t packed = output_row_bytes(plan, output),
                   stride = tensor->row_stride ? tensor->row_stride : packed;
    if (stride < packed)
        return wn_fail(&plan->host, WINNOW_E_SHAPE,
                       "run: output `%s` has a row stride of %llu bytes, rows take %llu",
                       output_names[output], (unsigned long long)stride,
                       (unsigned long long)packed);
    const uint64_t rows = output == WINNOW_OUT_ASSIGNMENT
                              ? (uint64_t)run->shape.frames * run->shape.tokens
                              : tensor->capacity;
    io->out[output] = (wn_host_rows){tensor->data, rows, packed, stride};
    return WINNOW_OK;
}

static void fill_result(const winnow_plan *plan, const uint32_t *count, const wn_exec_stats *stats,
                        winnow_result *out)
{
    const wn_set *set = &plan->build.set;
    *out = (winnow_result){.rows = count[0],
                           .nan_scores = count[1],
                           .dispatches = stats->dispatches,
                           .submissions = stats->submissions,
                           .recorded = stats->recorded,
                           .gpu_ns = stats->gpu_ns};
    if (set->grid_h) {
        out->grid_out[0] = set->segs;
        out->grid_out[1] = set->grid_h;
        out->grid_out[2] = set->grid_w;
    }
}

static winnow_status read_run(const winnow_plan *plan, const winnow_run *run, wn_host_io *io,
                              wn_run_layout *layout)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        WN_TRY(read_input(plan, run, role, io, layout));
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output) {
        WN_TRY(check_output(plan, run, output));
        if (run->out[output].data)
            layout->outputs |= 1u << output;
    }
    layout->outputs |= 1u << WINNOW_OUT_COUNT_WORD;
    if (plan->straight)
        layout->outputs |= 1u << WINNOW_OUT_TOKENS;
    layout->out_padded = plan->device->backend->packs_rows;
    const winnow_tensor *tokens = &run->out[WINNOW_OUT_TOKENS];
    if (tokens->data && tokens->row_stride && !plan->device->backend->packs_rows) {
        layout->out_stride = tokens->row_stride / wn_element_bytes(plan->desc.out_dtype);
        layout->out_odd = (uintptr_t)tokens->data % 4 != 0;
    }
    return WINNOW_OK;
}

winnow_status wn_run_host(winnow_plan *plan, const winnow_run *given, bool streaming,
                          uint32_t frames_before, winnow_result *result)
{
    winnow_run run;
    const winnow_status read = wn_desc_read(given, &run, sizeof run);
    if (read != WINNOW_OK)
        return wn_fail(&plan->host, read,
                       "run: the descriptor's struct_size does not fit this library");
    if (!(plan->desc.flags & (WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_STREAM)))
        return wn_fail(&plan->host, WINNOW_E_STATE,
                       "run: the plan has no memory for host runs (set WINNOW_PLAN_HOST_MEMORY)");
    wn_host_io io = {.count_outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES |
                                      1u << WINNOW_OUT_SIZES | 1u << WINNOW_OUT_POSITIONS};
    wn_run_layout layout = {.streaming = streaming, .frames_before = frames_before};
    WN_TRY(read_run(plan, &run, &io, &layout));
    WN_TRY(wn_plan_prepare(plan, &run.shape, &layout));
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        WN_TRY(set_output(plan, &run, output, &io));
    io.tokens_stride = wn_plan_device_stride(plan);
    uint32_t count[4] = {0};
    io.out[WINNOW_OUT_COUNT_WORD] = (wn_host_rows){count, 1, sizeof count, sizeof count};
    wn_exec_stats stats = {0};
    WN_TRY(plan->device->backend->exec_run(plan->exec, &plan->program, &io, &stats));
    if (run.out[WINNOW_OUT_COUNT_WORD].data)
        memcpy(run.out[WINNOW_OUT_COUNT_WORD].data, count, sizeof count);
    if (!result)
        return WINNOW_OK;
    winnow_result filled;
    fill_result(plan, count, &stats, &filled);
    return wn_desc_write(&filled, sizeof filled, result);
}

winnow_status wn_plan_run(winnow_plan *plan, const winnow_run *run, winnow_result *result)
{
    if (!plan || !run)
        return WINNOW_E_ARGUMENT;
    if (plan->in_stream)
        return wn_fail(
            &plan->host, WINNOW_E_STATE,
            "run: the plan belongs to a stream (use stream_push, or destroy the stream)");
    return wn_run_host(plan, run, false, 0, result);
}

/* -- streams ----------------------------------------------------------------------------------- */

struct winnow_stream {
    winnow_plan *plan;
    uint64_t frames; /* pushed */
};

winnow_status wn_stream_create(winnow_plan *plan, winnow_stream **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!plan)
        return WINNOW_E_ARGUMENT;
    if (!(plan->desc.flags & WINNOW_PLAN_STREAM) || plan->in_stream)
        return wn_fail(&plan->host, WINNOW_E_STATE,
                       plan->in_stream
                           ? "stream: the plan belongs to another stream (destroy that first)"
                           : "stream: the plan was not made for one (set WINNOW_PLAN_STREAM)");
    winnow_stream *stream = wn_alloc(&plan->host, sizeof *stream);
    if (!stream)
        return wn_fail(&plan->host, WINNOW_E_HOST_MEMORY, "stream: no host memory for the object");
    stream->plan = plan;
    plan->in_stream = true;
    *out = stream;
    return WINNOW_OK;
}

void wn_stream_destroy(winnow_stream *stream)
{
    if (!stream)
        return;
    winnow_plan *plan = stream->plan;
    plan->in_stream = false;
    wn_free(&plan->host, stream);
}

winnow_status wn_stream_push(winnow_stream *stream, const winnow_run *run, winnow_result *result)
{
    if (!stream || !run)
        return WINNOW_E_ARGUMENT;
    /* Stages look at most at the place in a window of four, and whether there was a frame before. */
    const uint64_t before = stream->frames;
    const uint32_t same = before < 4 ? (uint32_t)before : 4 + (uint32_t)(before % 4);
    WN_TRY(wn_run_host(stream->plan, run, true, same, result));
    stream->frames += stream->plan->built.shape.frames;
    return WINNOW_OK;
}

winnow_status wn_stream_reset(winnow_stream *stream)
{
    if (!stream)
        return WINNOW_E_ARGUMENT;
    stream->frames = 0;
    return WINNOW_OK;
}
