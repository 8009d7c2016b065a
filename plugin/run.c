/* run.c: runs on host memory, and streams of them. */
#include <string.h>

#include "plan.h"

/* A run on host memory between its start and its end. */
typedef struct wn_begun {
    wn_host_io io;
    uint32_t count[4]; /* what the count word will be */
    void *count_out;   /* where the caller wants it, or NULL */
    uint32_t grid_out[3];
    winnow_status status; /* of a backend that has run it at its start already, with */
    wn_exec_stats stats;  /* these */
} wn_begun;

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

static void fill_result(const wn_begun *begun, const wn_exec_stats *stats, winnow_result *out)
{
    *out = (winnow_result){.rows = begun->count[0],
                           .nan_scores = begun->count[1],
                           .dispatches = stats->dispatches,
                           .submissions = stats->submissions,
                           .recorded = stats->recorded,
                           .gpu_ns = stats->gpu_ns};
    memcpy(out->grid_out, begun->grid_out, sizeof out->grid_out);
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

/* Where the results go; what the program's set says of them, as the next run may change it. */
static winnow_status set_outputs(winnow_plan *plan, const winnow_run *run, wn_begun *begun)
{
    const wn_set *set = &plan->build.set;
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        WN_TRY(set_output(plan, run, output, &begun->io));
    begun->io.count_outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES |
                              1u << WINNOW_OUT_SIZES | 1u << WINNOW_OUT_POSITIONS;
    begun->io.tokens_stride = wn_plan_device_stride(plan);
    begun->io.out[WINNOW_OUT_COUNT_WORD] =
        (wn_host_rows){begun->count, 1, sizeof begun->count, sizeof begun->count};
    begun->count_out = run->out[WINNOW_OUT_COUNT_WORD].data;
    if (set->grid_h) {
        begun->grid_out[0] = set->segs;
        begun->grid_out[1] = set->grid_h;
        begun->grid_out[2] = set->grid_w;
    }
    return WINNOW_OK;
}

/* Checks a run and makes its program; *begun must not move from here to its end. */
static winnow_status prepare(winnow_plan *plan, const winnow_run *given, bool streaming,
                             uint32_t frames_before, wn_begun *begun)
{
    winnow_run run;
    *begun = (wn_begun){0};
    const winnow_status read = wn_desc_read(given, &run, sizeof run);
    if (read != WINNOW_OK)
        return wn_fail(&plan->host, read,
                       "run: the descriptor's struct_size does not fit this library");
    if (!(plan->desc.flags & (WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_STREAM)))
        return wn_fail(&plan->host, WINNOW_E_STATE,
                       "run: the plan has no memory for host runs (set WINNOW_PLAN_HOST_MEMORY)");
    wn_run_layout layout = {.streaming = streaming, .frames_before = frames_before};
    WN_TRY(read_run(plan, &run, &begun->io, &layout));
    WN_TRY(wn_plan_prepare(plan, &run.shape, &layout));
    return set_outputs(plan, &run, begun);
}

static winnow_status finish(const wn_begun *begun, const wn_exec_stats *stats,
                            winnow_result *result)
{
    if (begun->count_out)
        memcpy(begun->count_out, begun->count, sizeof begun->count);
    if (!result)
        return WINNOW_OK;
    winnow_result filled;
    fill_result(begun, stats, &filled);
    return wn_desc_write(&filled, sizeof filled, result);
}

static winnow_status run_host(winnow_plan *plan, const winnow_run *run, bool streaming,
                              uint32_t frames_before, winnow_result *result)
{
    wn_begun begun;
    wn_exec_stats stats = {0};
    WN_TRY(prepare(plan, run, streaming, frames_before, &begun));
    WN_TRY(plan->device->backend->exec_run(plan->exec, &plan->program, &begun.io, &stats));
    return finish(&begun, &stats, result);
}

winnow_status wn_plan_run(winnow_plan *plan, const winnow_run *run, winnow_result *result)
{
    if (!plan || !run)
        return WINNOW_E_ARGUMENT;
    if (plan->in_stream)
        return wn_fail(
            &plan->host, WINNOW_E_STATE,
            "run: the plan belongs to a stream (use stream_push, or destroy the stream)");
    return run_host(plan, run, false, 0, result);
}

/* -- streams ----------------------------------------------------------------------------------- */

struct winnow_stream {
    winnow_plan *plan;
    uint64_t frames;               /* pushed */
    uint64_t begun, ended;         /* pushes */
    wn_begun lanes[WN_LANE_COUNT]; /* begun ones, by their number */
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

static winnow_status end_oldest(winnow_stream *stream, wn_begun *begun)
{
    winnow_plan *plan = stream->plan;
    const uint32_t lane = (uint32_t)(stream->ended++ % WN_LANE_COUNT);
    if (!plan->device->backend->exec_end)
        return begun->status;
    return plan->device->backend->exec_end(plan->exec, lane, &begun->io, &begun->stats);
}

void wn_stream_destroy(winnow_stream *stream)
{
    if (!stream)
        return;
    winnow_plan *plan = stream->plan;
    while (stream->ended < stream->begun) { /* without outputs: it is waited for */
        wn_begun none = {0};
        end_oldest(stream, &none);
    }
    plan->in_stream = false;
    wn_free(&plan->host, stream);
}

/* Stages look at most at the place in a window of four, and whether there was a frame before. */
static uint32_t frames_before(const winnow_stream *stream)
{
    const uint64_t before = stream->frames;
    return before < 4 ? (uint32_t)before : 4 + (uint32_t)(before % 4);
}

winnow_status wn_stream_push(winnow_stream *stream, const winnow_run *run, winnow_result *result)
{
    if (!stream || !run)
        return WINNOW_E_ARGUMENT;
    if (stream->ended < stream->begun)
        return wn_fail(&stream->plan->host, WINNOW_E_STATE,
                       "stream: a push that was begun has not ended (call stream_end before)");
    WN_TRY(run_host(stream->plan, run, true, frames_before(stream), result));
    stream->frames += stream->plan->built.shape.frames;
    return WINNOW_OK;
}

winnow_status wn_stream_begin(winnow_stream *stream, const winnow_run *run)
{
    if (!stream || !run)
        return WINNOW_E_ARGUMENT;
    winnow_plan *plan = stream->plan;
    const wn_backend *backend = plan->device->backend;
    const uint32_t lane = (uint32_t)(stream->begun % WN_LANE_COUNT);
    wn_begun *begun = &stream->lanes[lane];
    if (!(plan->desc.flags & WINNOW_PLAN_OVERLAP))
        return wn_fail(&plan->host, WINNOW_E_STATE,
                       "stream: the plan has memory for one push at a time (set "
                       "WINNOW_PLAN_OVERLAP, or use stream_push)");
    if (stream->begun - stream->ended == WN_LANE_COUNT)
        return wn_fail(&plan->host, WINNOW_E_STATE,
                       "stream: %d pushes are begun (call stream_end for the oldest)",
                       WN_LANE_COUNT);
    WN_TRY(prepare(plan, run, true, frames_before(stream), begun));
    if (backend->exec_start)
        WN_TRY(backend->exec_start(plan->exec, lane, &plan->program, &begun->io));
    else
        begun->status = backend->exec_run(plan->exec, &plan->program, &begun->io, &begun->stats);
    stream->begun++;
    stream->frames += plan->built.shape.frames;
    return WINNOW_OK;
}

winnow_status wn_stream_end(winnow_stream *stream, winnow_result *result)
{
    if (!stream)
        return WINNOW_E_ARGUMENT;
    if (stream->ended == stream->begun)
        return wn_fail(&stream->plan->host, WINNOW_E_STATE,
                       "stream: no push is begun (call stream_begin before)");
    wn_begun *begun = &stream->lanes[stream->ended % WN_LANE_COUNT];
    WN_TRY(end_oldest(stream, begun));
    return finish(begun, &begun->stats, result);
}

winnow_status wn_stream_reset(winnow_stream *stream)
{
    if (!stream)
        return WINNOW_E_ARGUMENT;
    stream->frames = 0;
    return WINNOW_OK;
}
