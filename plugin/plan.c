/* plan.c: planning: shapes checked, the largest program built, all memory taken. */
#include "plan.h"

#include "trained.h"

#include <stdio.h>
#include <string.h>

uint32_t wn_element_bytes(int32_t dtype)
{
    return dtype == WINNOW_F16 || dtype == WINNOW_BF16 ? 2 : 4;
}

/* Every size of a shape with its name, for checks and messages. */
typedef struct size_field {
    const char *name;
    size_t offset;
} size_field;

static const size_field size_fields[] = {
    {"frames", offsetof(winnow_shape, frames)},
    {"tokens", offsetof(winnow_shape, tokens)},
    {"dim", offsetof(winnow_shape, dim)},
    {"grid_h", offsetof(winnow_shape, grid_h)},
    {"grid_w", offsetof(winnow_shape, grid_w)},
    {"key_dim", offsetof(winnow_shape, key_dim)},
    {"heads", offsetof(winnow_shape, heads)},
    {"llm_heads", offsetof(winnow_shape, llm_heads)},
    {"text_rows", offsetof(winnow_shape, text_rows)},
    {"text_dim", offsetof(winnow_shape, text_dim)},
    {"frame_dim", offsetof(winnow_shape, frame_dim)},
    {"image_dim", offsetof(winnow_shape, image_dim)},
};

static uint32_t field_of(const winnow_shape *shape, const size_field *field)
{
    uint32_t value;
    memcpy(&value, (const char *)shape + field->offset, sizeof value);
    if (field->offset == offsetof(winnow_shape, image_dim) && !value)
        return shape->text_dim;
    return value;
}

/* Sizes that a role needs to be more than zero: places in size_fields. */
static const uint8_t role_sizes[WINNOW_ROLE_COUNT][2] = {
    [WINNOW_ROLE_KEYS] = {5, 5},           [WINNOW_ROLE_QUERIES] = {5, 5},
    [WINNOW_ROLE_CLS_ATTENTION] = {6, 6},  [WINNOW_ROLE_TEXT] = {8, 9},
    [WINNOW_ROLE_IMAGE_EMBEDS] = {11, 11}, [WINNOW_ROLE_LLM_ATTENTION] = {7, 7},
    [WINNOW_ROLE_FRAME_EMBEDS] = {10, 10}, [WINNOW_ROLE_CLS_ATTENTION_SHALLOW] = {6, 6},
    [WINNOW_ROLE_TEXT_ATTENTION] = {7, 8}, [WINNOW_ROLE_TEXT_KEYS] = {5, 8},
    [WINNOW_ROLE_ATTENTION] = {6, 6},      [WINNOW_ROLE_ATTENTION_TO_TEXT] = {7, 8},
};

static winnow_status check_shape(const wn_host *host, const winnow_shape *s, uint32_t roles)
{
    for (uint32_t i = 0; i < 3; ++i)
        if (!field_of(s, &size_fields[i]))
            return wn_fail(host, WINNOW_E_SHAPE, "shape: %s is 0 (give every size of the tokens)",
                           size_fields[i].name);
    if ((uint64_t)s->frames * s->tokens > INT32_MAX)
        return wn_fail(host, WINNOW_E_SHAPE,
                       "shape: %u frames of %u tokens pass 2^31 tokens (split the media)",
                       s->frames, s->tokens);
    if (!s->grid_h != !s->grid_w || (s->grid_h && (uint64_t)s->grid_h * s->grid_w != s->tokens))
        return wn_fail(
            host, WINNOW_E_SHAPE,
            "shape: a grid of %u x %u does not hold %u tokens (make them equal, or both 0)",
            s->grid_h, s->grid_w, s->tokens);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        for (uint32_t i = 0; i < 2 && ((roles >> role) & 1u); ++i) {
            const size_field *field = &size_fields[role_sizes[role][i]];
            if (!field_of(s, field))
                return wn_fail(host, WINNOW_E_SHAPE,
                               "shape: %s is 0, but `%s` is given (give its size)", field->name,
                               wn_role_name(role));
        }
    return WINNOW_OK;
}

static winnow_status check_desc(const wn_host *host, winnow_plan_desc *desc)
{
    if (desc->roles >> WINNOW_ROLE_COUNT || desc->outputs >> WINNOW_OUT_COUNT)
        return wn_fail(
            host, WINNOW_E_ARGUMENT,
            "plan: unknown bits in roles or outputs (use 1 << WINNOW_ROLE_*, 1 << WINNOW_OUT_*)");
    if (!(desc->roles & 1u << WINNOW_ROLE_TOKENS))
        return wn_fail(host, WINNOW_E_ROLE,
                       "plan: `tokens` is not among the roles (set 1 << WINNOW_ROLE_TOKENS)");
    if (desc->flags & ~15u)
        return wn_fail(host, WINNOW_E_ARGUMENT, "plan: unknown flags 0x%x (use WINNOW_PLAN_*)",
                       desc->flags);
    if ((desc->flags & (WINNOW_PLAN_OVERLAP | WINNOW_PLAN_STREAM)) == WINNOW_PLAN_OVERLAP)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "plan: WINNOW_PLAN_OVERLAP is for streams (set WINNOW_PLAN_STREAM too)");
    if (desc->order != WINNOW_ORDER_RASTER && desc->order != WINNOW_ORDER_METHOD)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "plan: order is %d (use WINNOW_ORDER_RASTER or WINNOW_ORDER_METHOD)",
                       desc->order);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        if (desc->dtype[role] < WINNOW_F32 || desc->dtype[role] > WINNOW_BF16)
            return wn_fail(host, WINNOW_E_ARGUMENT,
                           "plan: `%s` has type %d (use WINNOW_F32, F16 or BF16)",
                           wn_role_name(role), desc->dtype[role]);
    if (desc->out_dtype < WINNOW_F32 || desc->out_dtype > WINNOW_BF16)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "plan: out_dtype is %d (use WINNOW_F32, F16 or BF16)", desc->out_dtype);
    if (!desc->outputs)
        desc->outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES;
    return check_shape(host, &desc->max_shape, desc->roles);
}

static winnow_status check_roles(const winnow_plan *plan)
{
    for (uint32_t i = 0; i < plan->pipeline.stage_count; ++i) {
        const wn_stage *stage = plan->pipeline.stages[i].stage;
        if (stage->decode)
            return wn_fail(&plan->host, WINNOW_E_UNSUPPORTED,
                           "plan: %s is a decode stage (use kv_create)", stage->name);
        if (wn_stage_is_inside(&plan->pipeline.stages[i]))
            return wn_fail(
                &plan->host, WINNOW_E_UNSUPPORTED,
                "plan: %s runs inside an encoder's layers (use encoder_open; on the command line encode --model FILE --pipeline)",
                stage->name);
        const uint32_t missing = wn_use_needs(&plan->pipeline.stages[i]) & ~plan->desc.roles;
        for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
            if ((missing >> role) & 1u)
                return wn_fail(
                    &plan->host, WINNOW_E_ROLE,
                    "%s: it needs `%s`, which is not given (give it, or choose another stage)",
                    stage->name, wn_role_name(role));
    }
    return WINNOW_OK;
}

static winnow_status check_fits(const winnow_plan *plan, const winnow_shape *shape)
{
    WN_TRY(check_shape(&plan->host, shape, plan->roles_used));
    for (size_t i = 0; i < sizeof size_fields / sizeof *size_fields; ++i) {
        const uint32_t size = field_of(shape, &size_fields[i]),
                       most = field_of(&plan->desc.max_shape, &size_fields[i]);
        const bool grid =
            i == 3 || i == 4; /* held by tokens; a plan without a grid cannot take one */
        if (grid ? (size && !most) : size > most)
            return wn_fail(&plan->host, WINNOW_E_SHAPE,
                           "shape: %s is %u, the plan's is %u (plan for the largest)",
                           size_fields[i].name, size, most);
    }
    return WINNOW_OK;
}

static void read_program(winnow_plan *plan)
{
    plan->program = build_program(&plan->build);
    plan->is_built = true;
    plan->built = plan->build.in;
}

winnow_status wn_plan_prepare(winnow_plan *plan, const winnow_shape *shape,
                              const wn_run_layout *layout)
{
    WN_TRY(check_fits(plan, shape));
    wn_build_input in;
    memset(&in, 0, sizeof in); /* padding too: compared as bytes */
    in.shape = *shape;
    in.roles = plan->roles_used;
    memcpy(in.dtype, plan->desc.dtype, sizeof in.dtype);
    memcpy(in.stride, layout->in_stride, sizeof in.stride);
    in.outputs = layout->outputs;
    in.out_dtype = plan->desc.out_dtype;
    in.out_stride = layout->out_stride;
    in.out_odd = layout->out_odd;
    in.out_padded = layout->out_padded;
    in.order = plan->desc.order;
    in.streaming = layout->streaming;
    in.frames_before = layout->frames_before;
    if (plan->is_built && memcmp(&in, &plan->built, sizeof in) == 0)
        return WINNOW_OK;
    plan->is_built = false;
    plan->build.in = in;
    WN_TRY(build_pipeline(&plan->build, &plan->pipeline));
    if (plan->exec &&
        (plan->build.w_words > plan->w_words || plan->build.matrix_bytes > plan->matrix_bytes ||
         plan->build.op_count > plan->ops_most))
        return wn_fail(
            &plan->host, WINNOW_E_SHAPE,
            "shape: it needs more workspace than the plan's largest shape (plan for it)");
    read_program(plan);
    return WINNOW_OK;
}

static uint64_t role_bytes(const winnow_plan *plan, uint32_t role)
{
    uint64_t rows;
    uint32_t cols;
    wn_role_extent(&plan->desc.max_shape, role, &rows, &cols);
    return rows * cols * wn_element_bytes(plan->desc.dtype[role]);
}

static uint64_t output_bytes(const winnow_plan *plan, uint32_t output)
{
    const winnow_shape *s = &plan->desc.max_shape;
    const uint64_t rows = plan->rows_most, cols = plan->build.set.mat.cols;
    const uint64_t bytes[WINNOW_OUT_COUNT] = {rows * cols * wn_element_bytes(plan->desc.out_dtype),
                                              rows * 4,
                                              rows * 4,
                                              rows * 12,
                                              (uint64_t)s->frames * s->tokens * 4,
                                              16};
    return bytes[output] ? bytes[output] : 4;
}

static void fill_info(winnow_plan *plan)
{
    const wn_build *b = &plan->build;
    uint32_t dispatches = 0;
    for (uint32_t i = 0; i < b->op_count; ++i)
        dispatches += b->ops[i].items > 0;
    uint64_t floor = 0, staging = 0;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        floor += (plan->roles_used >> role) & 1u ? role_bytes(plan, role) : 0;
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        floor += (plan->desc.outputs >> output) & 1u ? output_bytes(plan, output) : 0;
    const uint64_t workspace = plan->device->backend->exec_bytes(plan->exec, &staging);
    plan->info = (winnow_plan_info){.struct_size = sizeof plan->info,
                                    .dim_out = b->set.mat.cols,
                                    .rows_max = plan->rows_most,
                                    .rows_exact = b->set.exact && b->set.n_max == plan->rows_most,
                                    .dispatches = dispatches,
                                    .barriers = b->barriers,
                                    .submissions = plan->device->backend->id == WINNOW_BACKEND_GPU,
                                    .workspace_bytes = workspace,
                                    .staging_bytes = staging,
                                    .floor_bytes = floor};
    if (b->set.grid_h) {
        plan->info.grid_out[0] = b->set.segs;
        plan->info.grid_out[1] = b->set.grid_h;
        plan->info.grid_out[2] = b->set.grid_w;
    }
}

uint64_t wn_plan_device_stride(const winnow_plan *plan)
{
    const uint64_t cols = plan->build.set.mat.cols,
                   element = wn_element_bytes(plan->desc.out_dtype);
    const bool padded = plan->built.out_padded && element == 2;
    const uint64_t bytes = (padded ? (cols + 1) & ~1ull : cols) * element;
    return bytes ? bytes : 4;
}

static uint32_t types_of(const winnow_plan *plan)
{
    uint32_t types = 1u << WINNOW_F32;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        if ((plan->roles_used >> role) & 1u)
            types |= 1u << plan->desc.dtype[role];
    return types;
}

static winnow_status take_memory(winnow_plan *plan, const wn_room *room)
{
    const wn_trained *trained = plan->pipeline.trained;
    wn_exec_desc desc = {.flags = plan->desc.flags,
                         .program = &plan->program,
                         .op_room = room->ops,
                         .const_room = room->consts,
                         .scratch_room = room->scratch_bytes,
                         .history_bytes = plan->build.history_bytes,
                         .trained = trained ? trained->data : NULL,
                         .trained_bytes = trained ? trained->bytes : 0,
                         .a_types = types_of(plan),
                         .b_types = 1u << WINNOW_F32 | 1u << plan->desc.out_dtype | types_of(plan)};
    plan->w_words = wn_larger(plan->build.w_words, room->w_words);
    plan->matrix_bytes = room->matrix_bytes;
    plan->program.w_words = plan->w_words;
    plan->program.matrix_bytes = plan->matrix_bytes;
    plan->ops_most = (uint32_t)wn_larger(plan->build.op_count, room->ops);
    if (plan->desc.flags & WINNOW_PLAN_STREAM)
        desc.flags |= WINNOW_PLAN_HOST_MEMORY; /* pushes are host memory */
    const bool staging = plan->desc.flags & (WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_STREAM);
    for (uint32_t role = 0; staging && role < WINNOW_ROLE_COUNT; ++role)
        if ((plan->roles_used >> role) & 1u)
            desc.in_bytes[role] = role_bytes(plan, role);
    for (uint32_t output = 0; staging && output < WINNOW_OUT_COUNT; ++output)
        if (((plan->desc.outputs | 1u << WINNOW_OUT_COUNT_WORD) >> output) & 1u)
            desc.out_bytes[output] = output_bytes(plan, output);
    if (desc.out_bytes[WINNOW_OUT_TOKENS])
        desc.out_bytes[WINNOW_OUT_TOKENS] = plan->rows_most * wn_plan_device_stride(plan);
    return plan->device->backend->exec_create(plan->device, &desc, &plan->exec);
}

/* Fewer frames can leave more rows than all of them, and want more operations: a method may treat few frames otherwise, and
 * round otherwise. Sets alone are followed for this, and what does not run with so few frames says so when it is asked to. */
static winnow_status find_room(winnow_plan *plan, wn_room *room)
{
    wn_host silent = plan->host;
    silent.log = NULL;
    wn_build probe = {.host = &silent,
                      .loop_limit = plan->build.loop_limit,
                      .group_size = plan->build.group_size,
                      .scratch_of = plan->device->backend->scratch_bytes,
                      .trained = plan->build.trained,
                      .may_grow = true,
                      .in = plan->built};
    room->straight = plan->straight;
    room->matrix_bytes = plan->straight ? plan->build.matrix_bytes : plan->build.matrix_most;
    bool memory = true;
    for (uint32_t frames = plan->desc.max_shape.frames; memory && --frames > 0;) {
        probe.in.shape.frames = frames;
        build_raise_room(&probe, &plan->pipeline, room);
        memory = probe.status != WINNOW_E_HOST_MEMORY;
    }
    build_finish(&probe);
    if (!memory)
        return wn_fail(&plan->host, WINNOW_E_HOST_MEMORY, "plan: no host memory for the program");
    plan->rows_most = (uint32_t)wn_larger(room->rows, plan->build.set.n_max);
    return build_take_room(&plan->build, room);
}

static winnow_status plan_largest(winnow_plan *plan)
{
    const bool host_runs = plan->desc.flags & (WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_STREAM);
    const bool packs = host_runs && plan->device->backend->packs_rows;
    plan->straight = packs && !plan->device->lent && (plan->desc.outputs >> WINNOW_OUT_TOKENS & 1u);
    const wn_run_layout layout = {.outputs = plan->desc.outputs | 1u << WINNOW_OUT_COUNT_WORD,
                                  .out_padded = packs,
                                  .streaming = (plan->desc.flags & WINNOW_PLAN_STREAM) != 0};
    plan->build.host = &plan->host;
    plan->build.loop_limit = plan->device->loop_limit;
    plan->build.group_size = plan->device->group_size;
    plan->build.may_grow = true;
    WN_TRY(wn_plan_prepare(plan, &plan->desc.max_shape, &layout));
    wn_room room = {0};
    WN_TRY(find_room(plan, &room));
    read_program(plan); /* its tables may have moved */
    /* The most operations and constants are those of the largest shape with every output. */
    WN_TRY(take_memory(plan, &room));
    plan->build.may_grow = false;
    fill_info(plan);
    return WINNOW_OK;
}

winnow_status wn_plan_create(winnow_device *device, const winnow_pipeline *pipeline,
                             const winnow_plan_desc *given, winnow_plan **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!device || !pipeline || !given)
        return WINNOW_E_ARGUMENT;
    winnow_plan_desc desc;
    const winnow_status read = wn_desc_read(given, &desc, sizeof desc);
    if (read != WINNOW_OK)
        return wn_fail(&device->host, read,
                       "plan: the descriptor's struct_size does not fit this library");
    WN_TRY(check_desc(&device->host, &desc));
    winnow_plan *plan = wn_alloc(&device->host, sizeof *plan);
    if (!plan)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "plan: no host memory for the object");
    plan->host = device->host;
    plan->device = device;
    plan->pipeline = *pipeline;
    plan->build.trained = wn_trained_hold(pipeline->trained);
    plan->desc = desc;
    uint32_t used = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SIZES;
    for (uint32_t i = 0; i < pipeline->stage_count; ++i)
        used |= wn_use_takes(&pipeline->stages[i]);
    plan->roles_used = desc.roles & used;
    winnow_status status = check_roles(plan);
    if (status == WINNOW_OK)
        status = plan_largest(plan);
    if (status != WINNOW_OK) {
        wn_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return WINNOW_OK;
}

void wn_plan_destroy(winnow_plan *plan)
{
    if (!plan)
        return;
    plan->device->backend->exec_destroy(plan->exec);
    plan->build.host = &plan->host;
    build_finish(&plan->build);
    wn_trained_drop(plan->pipeline.trained);
    const wn_host host = plan->host;
    wn_free(&host, plan);
}

winnow_status wn_plan_info(const winnow_plan *plan, winnow_plan_info *out)
{
    return plan ? wn_desc_write(&plan->info, sizeof plan->info, out) : WINNOW_E_ARGUMENT;
}
