/* ext_vulkan.c: extension "winnow.vulkan/1": runs on the host's buffers. */
#include <string.h>

#include "gpu/gpu.h"
#include "plan.h"

static winnow_status span_of(const winnow_plan *plan, const winnow_vk_tensor *tensor,
                             const char *name, uint32_t element, uint64_t rows, uint64_t row_bytes,
                             wn_gpu_span *span)
{
    const uint64_t stride = tensor->row_stride ? tensor->row_stride : row_bytes;
    if (tensor->offset % element || stride % element || stride < row_bytes)
        return wn_fail(
            &plan->host, WINNOW_E_SHAPE,
            "record: `%s` has offset %llu and row stride %llu (multiples of %u, rows take %llu)",
            name, (unsigned long long)tensor->offset, (unsigned long long)stride, element,
            (unsigned long long)row_bytes);
    const uint64_t need = rows ? (rows - 1) * stride + row_bytes : 0;
    if (tensor->bytes < need)
        return wn_fail(
            &plan->host, WINNOW_E_TOO_SMALL,
            "record: `%s` has %llu bytes, up to %llu may be touched (give a larger buffer)", name,
            (unsigned long long)tensor->bytes, (unsigned long long)need);
    *span = (wn_gpu_span){tensor->buffer, tensor->offset, tensor->bytes};
    return WINNOW_OK;
}

static winnow_status bind_inputs(const winnow_plan *plan, const winnow_vk_run *run,
                                 wn_run_layout *layout, wn_gpu_buffers *buffers)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        if (!((plan->roles_used >> role) & 1u))
            continue;
        const winnow_vk_tensor *tensor = &run->in[role];
        const uint32_t element = wn_element_bytes(plan->desc.dtype[role]);
        uint64_t rows;
        uint32_t cols;
        if (!tensor->buffer)
            return wn_fail(&plan->host, WINNOW_E_ROLE,
                           "record: `%s` is in the plan's roles but not given (give it every time)",
                           wn_role_name(role));
        wn_role_extent(&run->shape, role, &rows, &cols);
        WN_TRY(span_of(plan, tensor, wn_role_name(role), element, rows, (uint64_t)cols * element,
                       &buffers->in[role]));
        layout->in_stride[role] = tensor->row_stride / element;
    }
    return WINNOW_OK;
}

static winnow_status bind_outputs(const winnow_plan *plan, const winnow_vk_run *run,
                                  wn_gpu_buffers *buffers)
{
    static const char *const names[WINNOW_OUT_COUNT] = {"tokens",    "indices",    "sizes",
                                                        "positions", "assignment", "count"};
    const uint64_t most = plan->build.set.n_max,
                   source = (uint64_t)run->shape.frames * run->shape.tokens;
    const uint32_t element = wn_element_bytes(plan->desc.out_dtype);
    const uint64_t rows[WINNOW_OUT_COUNT] = {most, most, most, most, source, 1};
    const uint64_t row_bytes[WINNOW_OUT_COUNT] = {
        (uint64_t)plan->build.set.mat.cols * element, 4, 4, 12, 4, 16};
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output) {
        const winnow_vk_tensor *tensor = &run->out[output];
        if (!tensor->buffer)
            continue;
        if (output != WINNOW_OUT_TOKENS && tensor->row_stride)
            return wn_fail(&plan->host, WINNOW_E_ARGUMENT,
                           "record: output `%s` has a row stride (only tokens may)", names[output]);
        WN_TRY(span_of(plan, tensor, names[output], output == WINNOW_OUT_TOKENS ? element : 4,
                       rows[output], row_bytes[output], &buffers->out[output]));
    }
    return WINNOW_OK;
}

/* Reads the run, builds the program for it, and fills the buffers. */
static winnow_status prepare(winnow_plan *plan, const winnow_vk_run *given, wn_gpu_buffers *buffers)
{
    winnow_vk_run run;
    if (plan->device->backend->id != WINNOW_BACKEND_GPU)
        return wn_fail(&plan->host, WINNOW_E_UNSUPPORTED,
                       "record: the plan's device is plain C (use plan_run)");
    if (plan->in_stream)
        return wn_fail(
            &plan->host, WINNOW_E_STATE,
            "record: the plan belongs to a stream (use stream_push, or destroy the stream)");
    const winnow_status read = wn_desc_read(given, &run, sizeof run);
    if (read != WINNOW_OK)
        return wn_fail(&plan->host, read,
                       "record: the descriptor's struct_size does not fit this library");
    wn_run_layout layout = {.outputs = 1u << WINNOW_OUT_COUNT_WORD};
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output) {
        if (!run.out[output].buffer)
            continue;
        if (!((plan->desc.outputs >> output) & 1u) && output != WINNOW_OUT_COUNT_WORD)
            return wn_fail(&plan->host, WINNOW_E_ARGUMENT,
                           "record: output %u is not among the plan's outputs (plan for it)",
                           output);
        layout.outputs |= 1u << output;
    }
    WN_TRY(bind_inputs(plan, &run, &layout, buffers));
    const winnow_vk_tensor *tokens = &run.out[WINNOW_OUT_TOKENS];
    layout.out_stride = tokens->row_stride / wn_element_bytes(plan->desc.out_dtype);
    layout.out_odd = tokens->offset % 4 != 0;
    WN_TRY(wn_plan_prepare(plan, &run.shape, &layout));
    return bind_outputs(plan, &run, buffers);
}

static winnow_status plan_record(winnow_plan *plan, VkCommandBuffer commands,
                                 const winnow_vk_run *run)
{
    wn_gpu_buffers buffers = {0};
    if (!plan || !commands || !run)
        return WINNOW_E_ARGUMENT;
    WN_TRY(prepare(plan, run, &buffers));
    return wn_gpu_record(plan->exec, commands, &plan->program, &buffers);
}

static winnow_status plan_submit(winnow_plan *plan, const winnow_vk_run *run,
                                 const winnow_vk_submit *submit)
{
    wn_gpu_buffers buffers = {0};
    if (!plan || !run)
        return WINNOW_E_ARGUMENT;
    WN_TRY(prepare(plan, run, &buffers));
    return wn_gpu_submit(plan->exec, &plan->program, &buffers, submit);
}

static winnow_status plan_wait(winnow_plan *plan, uint64_t timeout_ns, winnow_result *result)
{
    wn_exec_stats stats = {0};
    uint32_t count[4] = {0};
    if (!plan)
        return WINNOW_E_ARGUMENT;
    if (plan->device->backend->id != WINNOW_BACKEND_GPU)
        return wn_fail(&plan->host, WINNOW_E_UNSUPPORTED,
                       "wait: the plan's device is plain C (nothing is submitted)");
    WN_TRY(wn_gpu_wait(plan->exec, timeout_ns, &stats, count));
    if (!result)
        return WINNOW_OK;
    const wn_set *set = &plan->build.set;
    winnow_result filled = {.rows = count[0],
                            .nan_scores = count[1],
                            .dispatches = stats.dispatches,
                            .submissions = stats.submissions,
                            .gpu_ns = stats.gpu_ns};
    if (set->grid_h) {
        filled.grid_out[0] = set->segs;
        filled.grid_out[1] = set->grid_h;
        filled.grid_out[2] = set->grid_w;
    }
    return wn_desc_write(&filled, sizeof filled, result);
}

static const winnow_ext_vulkan ext_vulkan = {
    .struct_size = sizeof ext_vulkan,
    .device_wants = wn_gpu_wants,
    .device_borrow = wn_gpu_borrow,
    .device_handles = wn_gpu_device_handles,
    .plan_record = plan_record,
    .plan_submit = plan_submit,
    .plan_wait = plan_wait,
};

const void *wn_ext_vulkan(void)
{
    return &ext_vulkan;
}
