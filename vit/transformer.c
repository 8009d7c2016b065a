/* transformer.c: a vision transformer on a device, with a pipeline inside and behind it, as one program a call.
 *
 * Where a stage runs: inside the layers that it names; else, if it wants keys or attention and the projector goes token by
 * token, between the last layer and the projector, as the methods' authors have it; else on the projector's rows. */
#include "casp.h"
#include "cost.h"
#include "encoder.h"
#include "merge.h"
#include "place.h"

#include <string.h>

enum { HOOK_ROLES = 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_QUERIES | 1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_CLS,
       TEXT_ROLES = 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS };

typedef struct transformer {
    winnow_encoder base; /* first: the encoder is a transformer */
    wn_vit vit;          /* with places; its layers are its own */
    wn_weights *merge_weights; /* laco's; NULL: none */
    wn_merge_mlp merge_mlp;
    wn_casp casp;
    winnow_encoder_desc desc;
    winnow_pipeline pipeline;
    uint32_t before;     /* stages of the pipeline up to this one run before the projector */
    uint32_t hook_of[WN_MAX_STAGES]; /* a stage's hook; WN_NONE: it wants nothing */
    wn_hook hooks[WN_MAX_STAGES];
    uint32_t hook_count;
    wn_tap *taps; /* [desc.tap_count] */
    wn_vit_state state; /* of the last build */
    wn_prepare prepare; /* the same; with WINNOW_ENCODER_PREPARE */
    wn_program program;
    struct {
        uint32_t frames, height, width, text_rows, text_dim; /* of the frames as they come in */
    } built;
    struct {
        uint64_t w_words, matrix_bytes, out_bytes, rows, source;
        uint32_t ops;
    } most; /* memory is taken for this much */
    uint64_t weight_bytes[WN_WEIGHT_PARTS];
    uint32_t rows_max;  /* of the largest call */
    uint64_t multiply_adds; /* the same */
    uint64_t out_bytes; /* of the tokens' slot: rows, then taps */
    unsigned char *room; /* host memory for everything that comes back */
    uint64_t small_at[WINNOW_OUT_COUNT];
} transformer;

/* -- the program ------------------------------------------------------------------------------------ */

static bool is_before(const transformer *e, uint32_t stage)
{
    return stage < e->before;
}

static void give_hook(transformer *e, uint32_t stage)
{
    wn_build *b = &e->base.build;
    const uint32_t number = e->hook_of[stage];
    const wn_stage *kind = e->pipeline.stages[stage].stage;
    b->roles_made = 0;
    b->in.shape.heads = kind->flat_keys ? 1 : e->vit.heads;
    b->in.shape.key_dim = kind->flat_keys ? e->vit.width : e->vit.head_dim;
    for (uint32_t role = 0; number != WN_NONE && role < WINNOW_ROLE_COUNT; ++role)
        if (e->state.hooks[number].roles >> role & 1u)
            build_give_role(b, role, &e->state.hooks[number].made[role]);
}

static void run_stages(transformer *e, bool before)
{
    for (uint32_t i = 0; i < e->pipeline.stage_count; ++i) {
        const wn_stage_use *use = &e->pipeline.stages[i];
        if (wn_stage_is_inside(use) || is_before(e, i) != before)
            continue;
        give_hook(e, i);
        build_stage(&e->base.build, use);
    }
    e->base.build.roles_made = 0;
}

/* Taps follow the tokens in their slot. Their shapes are those of the frames as they come in. */
static void place_taps(transformer *e, uint64_t rows_bytes)
{
    const wn_vit *v = &e->vit;
    const wn_vit_state *s = &e->state;
    uint64_t at = (rows_bytes + 255) & ~255ull;
    for (uint32_t i = 0; i < e->desc.tap_count; ++i) {
        wn_tap *tap = &e->taps[i];
        const bool rows = tap->kind <= WN_TAP_QUERIES || tap->kind == WN_TAP_FINAL;
        const uint32_t height = rows ? s->groups * s->width : s->groups * v->heads, cols = rows ? v->width : s->cells;
        const uint64_t bytes = 4ull * height * cols;
        tap->out = (wn_mat){.ref = {.slot = WN_SLOT_OUT + WINNOW_OUT_TOKENS, .dtype = WINNOW_F32, .offset = at, .bytes = bytes},
                            .stride = cols,
                            .cols = cols,
                            .rows = height};
        at += (bytes + 255) & ~255ull;
    }
    e->out_bytes = at;
}

/* Rows that can come out at most, in bytes: before a projector that joins, more rows than after it. */
static uint64_t most_row_bytes(const transformer *e, uint32_t groups, uint32_t cells)
{
    const uint64_t rows = (uint64_t)groups * (cells + e->vit.registers + 8); /* stages may add a row or two a frame */
    return rows * e->vit.dim * 4;
}

static bool prepares(const transformer *e)
{
    return (e->desc.flags & WINNOW_ENCODER_PREPARE) != 0;
}

static void one_pass(transformer *e, uint32_t frames, uint32_t height, uint32_t width)
{
    wn_build *b = &e->base.build;
    wn_vit_state *s = &e->state;
    build_start(b);
    *s = (wn_vit_state){.b = b,
                        .v = &e->vit,
                        .frames = frames,
                        .dtype = e->desc.dtype,
                        .taps = e->taps,
                        .tap_count = e->desc.tap_count,
                        .hooks = e->hooks,
                        .hook_count = e->hook_count,
                        .pipeline = &e->pipeline,
                        .prepare = prepares(e) ? &e->prepare : NULL};
    const uint32_t groups = (frames + e->vit.times - 1) / e->vit.times,
                   cells = (height / e->vit.patch) * (width / e->vit.patch);
    s->groups = groups;
    s->cells = cells;
    s->width = cells + e->vit.class_token + e->vit.registers;
    place_taps(e, most_row_bytes(e, groups, cells));
    wn_vit_begin(s, height, width);
    wn_vit_layers(s);
    wn_vit_look_class(s);
    wn_vit_leave_first(s);
    if (b->in.order != WINNOW_ORDER_METHOD)
        b->set.order = WN_NO_ARR;
    run_stages(e, true);
    wn_vit_project(s);
    run_stages(e, false);
    b->stage = "encoder";
    if (b->status == WINNOW_OK)
        build_emit(b);
}

static winnow_status build(transformer *e, uint32_t frames, uint32_t height, uint32_t width, uint32_t text_rows,
                           uint32_t text_dim)
{
    wn_build *b = &e->base.build;
    const bool same = e->built.frames == frames && e->built.height == height && e->built.width == width &&
                      e->built.text_rows == text_rows && e->built.text_dim == text_dim;
    if (same)
        return WINNOW_OK;
    memset(&e->built, 0, sizeof e->built);
    b->in = (wn_build_input){.roles = text_dim ? TEXT_ROLES : 0,
                             .outputs = (1u << WINNOW_OUT_COUNT) - 1u,
                             .out_dtype = WINNOW_F32,
                             .order = e->desc.order};
    b->in.shape.text_rows = text_rows;
    b->in.shape.text_dim = text_dim;
    do {
        one_pass(e, frames, prepares(e) ? e->prepare.view_h : height, prepares(e) ? e->prepare.view_w : width);
    } while (build_again(b));
    WN_TRY(b->status);
    e->program = build_program(b);
    e->built.frames = frames;
    e->built.height = height;
    e->built.width = width;
    e->built.text_rows = text_rows;
    e->built.text_dim = text_dim;
    return WINNOW_OK;
}

/* -- opening ---------------------------------------------------------------------------------------- */

static winnow_status check_desc(const transformer *e)
{
    const winnow_encoder_desc *d = &e->desc;
    const wn_host *host = &e->base.host;
    if (d->flags & ~(uint32_t)(WINNOW_ENCODER_TIMING | WINNOW_ENCODER_PREPARE))
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: unknown flags 0x%x (use WINNOW_ENCODER_*)", d->flags);
    if (d->dtype != WINNOW_F32 && d->dtype != WINNOW_F16)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: dtype is %d (use WINNOW_F32 or WINNOW_F16)", d->dtype);
    if (d->order != WINNOW_ORDER_RASTER && d->order != WINNOW_ORDER_METHOD)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: order is %d (use WINNOW_ORDER_*)", d->order);
    if (d->tap_count && !d->taps)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: %u taps and no list of them", d->tap_count);
    if (d->tap_count > 4096)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encoder: %u taps (at most 4096)", d->tap_count);
    if (!d->text_rows != !d->text_dim)
        return wn_fail(host, WINNOW_E_SHAPE, "encoder: text of %u rows and %u channels (give both, or neither)",
                       d->text_rows, d->text_dim);
    return WINNOW_OK;
}

static winnow_status check_size(const transformer *e, uint32_t frames, uint32_t width, uint32_t height)
{
    const wn_vit *v = &e->vit;
    const uint32_t multiple = v->patch * (wn_vit_is_spatial(v) ? v->project_factor : 1);
    if (!frames || !width || !height || width % v->patch || height % v->patch ||
        (v->merge > 1 && (width % multiple || height % multiple)))
        return wn_fail(&e->base.host, WINNOW_E_SHAPE, "encoder: %u frames of %u x %u pixels (multiples of %u, at least one)",
                       frames, width, height, v->merge > 1 ? multiple : v->patch);
    if ((uint64_t)frames * width * height * 3 > INT32_MAX)
        return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u pixels pass 2 GiB (encode fewer at a time)", frames, width, height);
    return WINNOW_OK;
}

/* Frames as they come in; with WINNOW_ENCODER_PREPARE what they become, too. */
static winnow_status check_frames(transformer *e, uint32_t frames, uint32_t width, uint32_t height)
{
    const wn_host *host = &e->base.host;
    if (!prepares(e))
        return check_size(e, frames, width, height);
    if (!frames || !width || !height || (uint64_t)width * height > INT32_MAX / 3 / frames)
        return wn_fail(host, WINNOW_E_SHAPE, "encoder: %u frames of %u x %u pixels (at least one, 2 GiB at most)", frames,
                       width, height);
    memset(&e->built, 0, sizeof e->built); /* the recipe is part of what is built */
    WN_TRY(wn_prepare_plan(host, &e->vit.prep, width, height, &e->prepare));
    return check_size(e, frames, e->prepare.view_w, e->prepare.view_h);
}

static uint64_t source_of(const transformer *e)
{
    return (uint64_t)e->state.groups * e->state.cells;
}

/* A smaller frame's view can be larger than the largest frame's. */
static winnow_status check_room(const transformer *e, uint32_t width, uint32_t height)
{
    const wn_program *p = &e->program;
    if (!prepares(e))
        return WINNOW_OK;
    if (p->w_words <= e->most.w_words && p->matrix_bytes <= e->most.matrix_bytes && p->op_count <= e->most.ops &&
        e->out_bytes <= e->most.out_bytes && e->base.build.set.n_max <= e->most.rows && source_of(e) <= e->most.source)
        return WINNOW_OK;
    return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                   "encode: frames of %u x %u need more memory than those that the encoder was opened for (open one for this size)",
                   width, height);
}

static winnow_status read_taps(transformer *e, const winnow_tap *taps)
{
    const wn_vit *v = &e->vit;
    e->taps = wn_alloc(&e->base.host, e->desc.tap_count * sizeof *e->taps);
    if (!e->taps)
        return wn_fail(&e->base.host, WINNOW_E_HOST_MEMORY, "encoder: no host memory for %u taps", e->desc.tap_count);
    for (uint32_t i = 0; i < e->desc.tap_count; ++i) {
        const int32_t kind = taps[i].kind, states = (int32_t)v->run_layers + (kind == WINNOW_TAP_HIDDEN),
                      layer = taps[i].layer < 0 ? taps[i].layer + states : taps[i].layer;
        if (kind < 0 || kind >= WINNOW_TAP_COUNT)
            return wn_fail(&e->base.host, WINNOW_E_ARGUMENT, "encoder: tap %u is of kind %d (use WINNOW_TAP_*)", i, kind);
        const bool last = kind == WINNOW_TAP_POOL || kind == WINNOW_TAP_FINAL;
        if (!last && (layer < 0 || layer >= states))
            return wn_fail(&e->base.host, WINNOW_E_ARGUMENT, "encoder: tap %u wants layer %d, and %u layers are run", i,
                           taps[i].layer, v->run_layers);
        e->taps[i] = (wn_tap){.kind = (uint8_t)kind, .layer = (uint32_t)(last ? 0 : layer)};
    }
    return WINNOW_OK;
}

static winnow_status read_hook(transformer *e, uint32_t i, uint32_t wants)
{
    const wn_vit *v = &e->vit;
    const wn_stage_use *use = &e->pipeline.stages[i];
    const int32_t given = use->inside.has_layer ? use->inside.layer : (int32_t)v->run_layers - 1,
                  layer = given < 0 ? given + (int32_t)v->layers : given;
    if (layer < 0 || layer >= (int32_t)v->run_layers)
        return wn_fail(&e->base.host, WINNOW_E_UNSUPPORTED, "%s: layer=%d, and layers 0..%u of the model are run",
                       use->stage->name, given, v->run_layers - 1);
    if (!v->class_token)
        wants &= ~(1u << WINNOW_ROLE_CLS);
    e->hook_of[i] = e->hook_count;
    e->hooks[e->hook_count++] = (wn_hook){.layer = (uint32_t)layer,
                                          .flat = use->stage->flat_keys,
                                          .roles = wants,
                                          .attention = wn_vit_attention_kind(use, v->class_token)};
    return WINNOW_OK;
}

static bool runs_somewhere(const wn_stage_use *use, uint32_t layers)
{
    for (uint32_t l = 0; l < layers; ++l)
        if (wn_stage_runs_inside(use, l, layers))
            return true;
    return false;
}

/* Which stages go before the projector, and what each wants to see. */
static winnow_status read_stages(transformer *e)
{
    const bool by_token = !wn_vit_is_spatial(&e->vit);
    const uint32_t gives = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SIZES | HOOK_ROLES | (e->desc.text_dim ? TEXT_ROLES : 0);
    e->before = 0;
    for (uint32_t i = 0; i < e->pipeline.stage_count; ++i) {
        const wn_stage_use *use = &e->pipeline.stages[i];
        const uint32_t missing = use->stage->roles_needed & ~gives,
                       wants = (use->stage->roles_needed | use->stage->roles_optional) & HOOK_ROLES;
        e->hook_of[i] = WN_NONE;
        if (use->stage->decode)
            return wn_fail(&e->base.host, WINNOW_E_UNSUPPORTED, "encoder: %s is a decode stage (use kv_create)", use->stage->name);
        for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
            if (missing >> role & 1u)
                return wn_fail(&e->base.host, WINNOW_E_ROLE, "%s: it needs `%s`, which an encoder does not give%s",
                               use->stage->name, wn_role_name(role),
                               TEXT_ROLES >> role & 1u ? " by itself (set text_rows and text_dim)" : "");
        if (wn_stage_is_inside(use) && !runs_somewhere(use, e->vit.run_layers))
            return wn_fail(&e->base.host, WINNOW_E_UNSUPPORTED, "%s: it names none of the %u layers that the model runs (give one of 0..%u%s)",
                           use->stage->name, e->vit.run_layers, e->vit.run_layers - 1,
                           use->stage->only_inside ? " with layer= one more" : "");
        if (wn_stage_is_inside(use) || !wants)
            continue;
        if (by_token)
            e->before = i + 1;
        WN_TRY(read_hook(e, i, by_token ? wants : wants & ~(1u << WINNOW_ROLE_CLS)));
    }
    return WINNOW_OK;
}

static winnow_status own_layers(transformer *e, const winnow_model *model)
{
    const size_t bytes = model->vit.layers * sizeof *model->vit.layer;
    e->vit = model->vit;
    e->vit.layer = wn_alloc(&e->base.host, bytes);
    if (!e->vit.layer)
        return wn_fail(&e->base.host, WINNOW_E_HOST_MEMORY, "encoder: no host memory for %u layers", model->vit.layers);
    memcpy(e->vit.layer, model->vit.layer, bytes);
    return WINNOW_OK;
}

/* Everything that comes back to the host, one array behind the other. */
static winnow_status take_room(transformer *e)
{
    const uint64_t rows = e->base.build.set.n_max, source = (uint64_t)e->state.groups * e->state.cells;
    const uint64_t bytes[WINNOW_OUT_COUNT] = {e->out_bytes, rows * 4, rows * 4, rows * 12, source * 4, 16};
    uint64_t all = 0;
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i) {
        e->small_at[i] = all;
        all += (bytes[i] + 63) & ~63ull;
    }
    e->room = wn_alloc(&e->base.host, all);
    return e->room ? WINNOW_OK
                   : wn_fail(&e->base.host, WINNOW_E_HOST_MEMORY, "encoder: no host memory for %llu bytes of outputs (encode fewer frames at a time)",
                             (unsigned long long)all);
}

static uint64_t part_most(const winnow_device *device)
{
    const uint64_t most = 512ull << 20, matrix = device->max_matrix / 4; /* one binding */
    return matrix < most ? matrix : most;
}

static winnow_status take_memory(transformer *e)
{
    winnow_device *device = e->base.device;
    wn_op load_ops[WN_LOAD_KINDS];
    wn_program loads[WN_LOAD_KINDS];
    const uint64_t pixels = ((uint64_t)e->built.frames * e->built.height * e->built.width * 3 + 3) & ~3ull,
                   load = wn_vit_load_bytes(&e->vit), rows = e->base.build.set.n_max,
                   source = (uint64_t)e->state.groups * e->state.cells;
    wn_exec_desc desc = {.flags = WINNOW_PLAN_HOST_MEMORY,
                         .program = &e->program,
                         .history_bytes = e->base.build.history_bytes,
                         .a_types = 1u << WINNOW_F32 | 1u << e->desc.dtype,
                         .b_types = 1u << WINNOW_F32 | 1u << e->desc.dtype,
                         .others = loads,
                         .other_count = WN_LOAD_KINDS};
    wn_vit_load_kinds(load_ops, loads);
    if (e->desc.flags & WINNOW_ENCODER_TIMING)
        desc.flags |= WINNOW_PLAN_TIMING;
    memcpy(desc.weight_bytes, e->weight_bytes, sizeof desc.weight_bytes);
    desc.in_bytes[WINNOW_ROLE_TOKENS] = pixels > load ? pixels : load;
    desc.in_bytes[WINNOW_ROLE_TEXT] = 4ull * e->desc.text_rows * e->desc.text_dim;
    desc.in_bytes[WINNOW_ROLE_IMAGE_EMBEDS] = 4ull * source * e->desc.text_dim;
    const uint64_t out[WINNOW_OUT_COUNT] = {e->out_bytes, rows * 4, rows * 4, rows * 12, source * 4, 16};
    memcpy(desc.out_bytes, out, sizeof out);
    return device->backend->exec_create(device, &desc, &e->base.exec);
}

static winnow_status open(transformer *e, const winnow_model *model, const winnow_encoder_desc *given)
{
    const wn_host *host = &e->base.host;
    const winnow_status read = wn_desc_read(given, &e->desc, sizeof e->desc);
    if (read != WINNOW_OK)
        return wn_fail(host, read, "encoder: the descriptor's struct_size does not fit this library");
    WN_TRY(own_layers(e, model));
    winnow_encoder_desc *d = &e->desc;
    WN_TRY(check_desc(e));
    d->max_width = d->max_width ? d->max_width : e->vit.prep.width;
    d->max_height = d->max_height ? d->max_height : e->vit.prep.height;
    WN_TRY(check_frames(e, d->max_frames, d->max_width, d->max_height));
    e->prepare.room = true;
    if (d->pipeline)
        e->pipeline = *d->pipeline;
    WN_TRY(read_taps(e, d->taps));
    WN_TRY(read_stages(e));
    WN_TRY(wn_casp_make(e->base.device, model, d, &e->vit, &e->casp));
    WN_TRY(wn_merge_read(host, &e->pipeline, d->merge_weights, &e->vit, &e->merge_weights));
    /* Places are known before memory is taken: operations name them. */
    WN_TRY(wn_vit_place(host, &e->vit, d->dtype, part_most(e->base.device), e->weight_bytes));
    e->base.build.merge_mlp = wn_merge_places(&e->vit, &e->merge_mlp) ? &e->merge_mlp : NULL;
    WN_TRY(build(e, d->max_frames, d->max_height, d->max_width, d->text_rows, d->text_dim));
    e->rows_max = e->base.build.set.n_max;
    e->multiply_adds = wn_multiply_adds(&e->program);
    WN_TRY(take_room(e));
    WN_TRY(take_memory(e));
    e->base.build.may_grow = false;
    e->most.w_words = e->program.w_words;
    e->most.matrix_bytes = e->program.matrix_bytes;
    e->most.ops = e->program.op_count;
    e->most.out_bytes = e->out_bytes;
    e->most.rows = e->rows_max;
    e->most.source = source_of(e);
    if (prepares(e))
        memset(&e->built, 0, sizeof e->built); /* with room for smaller frames, which no call needs */
    WN_TRY(wn_vit_load(host, &e->vit, e->base.device, e->base.exec));
    wn_casp_free(host, &e->casp);
    return WINNOW_OK;
}

static void destroy(winnow_encoder *encoder)
{
    transformer *e = (transformer *)encoder;
    wn_free(&e->base.host, e->room);
    wn_free(&e->base.host, e->taps);
    wn_weights_close(e->merge_weights);
    wn_casp_free(&e->base.host, &e->casp);
    wn_vit_free(&e->base.host, &e->vit);
}

/* -- runs --------------------------------------------------------------------------------------------- */

static winnow_status read_text(const transformer *e, const winnow_encode *run, wn_host_io *io)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        const winnow_tensor *t = &run->in[role];
        if (!t->data)
            continue;
        if (!(TEXT_ROLES >> role & 1u) || t->row_stride)
            return wn_fail(&e->base.host, WINNOW_E_ROLE, "encode: `%s` is given%s (text and image_embeds can be, packed)",
                           wn_role_name(role), t->row_stride ? " with a row stride" : "");
        const uint64_t rows = role == WINNOW_ROLE_TEXT ? run->text_rows
                                                       : (uint64_t)e->base.build.in.shape.frames * e->base.build.in.shape.tokens,
                       bytes = 4ull * run->text_dim;
        io->in[role] = (wn_host_rows){t->data, rows, bytes, bytes};
    }
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        if ((e->base.build.in.roles >> role & 1u) && !run->in[role].data)
            return wn_fail(&e->base.host, WINNOW_E_ROLE, "encode: `%s` is not given (text_dim says that it is)", wn_role_name(role));
    return WINNOW_OK;
}

static winnow_status check_outputs(const transformer *e, const winnow_encode *run, uint32_t rows)
{
    static const char *const names[WINNOW_OUT_COUNT] = {"tokens", "indices", "sizes", "positions", "assignment", "count"};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i) {
        const uint64_t wants = i == WINNOW_OUT_ASSIGNMENT ? (uint64_t)e->base.build.in.shape.frames * e->base.build.in.shape.tokens
                               : i == WINNOW_OUT_COUNT_WORD ? 1
                                                            : rows;
        if (run->out[i].data && run->out[i].row_stride)
            return wn_fail(&e->base.host, WINNOW_E_ARGUMENT, "encode: output `%s` has a row stride (rows are packed)", names[i]);
        if (run->out[i].data && run->out[i].capacity < wants)
            return wn_fail(&e->base.host, WINNOW_E_TOO_SMALL, "encode: output `%s` has room for %llu rows, %llu came out (give a larger buffer)",
                           names[i], (unsigned long long)run->out[i].capacity, (unsigned long long)wants);
    }
    return WINNOW_OK;
}

static void copy_outputs(const transformer *e, const winnow_encode *run, uint32_t rows)
{
    const uint64_t source = (uint64_t)e->base.build.in.shape.frames * e->base.build.in.shape.tokens;
    const uint64_t bytes[WINNOW_OUT_COUNT] = {4ull * rows * e->base.build.set.mat.cols, 4ull * rows, 4ull * rows, 12ull * rows,
                                              4 * source, 16};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        if (run->out[i].data)
            memcpy(run->out[i].data, e->room + e->small_at[i], bytes[i]);
    for (uint32_t i = 0; run->taps && i < e->desc.tap_count; ++i) {
        const wn_mat *tap = &e->taps[i].out;
        if (run->taps[i])
            memcpy(run->taps[i], e->room + tap->ref.offset, (size_t)tap->rows * tap->cols * sizeof(float));
    }
}

static winnow_status run_program(transformer *e, const winnow_encode *run, wn_host_io *io, wn_exec_stats *stats)
{
    const wn_set *set = &e->base.build.set;
    const uint64_t bytes = (uint64_t)run->frames * run->height * run->width * 3, rows = set->n_max,
                   source = (uint64_t)e->base.build.in.shape.frames * e->base.build.in.shape.tokens;
    const uint64_t out[WINNOW_OUT_COUNT] = {e->out_bytes, rows * 4, rows * 4, rows * 12, source * 4, 16};
    union {
        const uint8_t *in;
        void *data; /* inputs are only read */
    } pixels = {.in = run->rgb};
    io->in[WINNOW_ROLE_TOKENS] = (wn_host_rows){pixels.data, 1, bytes, bytes};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        io->out[i] = (wn_host_rows){e->room + e->small_at[i], 1, out[i], out[i]};
    return e->base.device->backend->exec_run(e->base.exec, &e->program, io, stats);
}

/* The program for a call's frames. */
static winnow_status start(transformer *e, const winnow_encode *run)
{
    const bool same = prepares(e) && e->prepare.width == run->width && e->prepare.height == run->height && e->built.frames;
    if (!same)
        WN_TRY(check_frames(e, run->frames, run->width, run->height));
    WN_TRY(build(e, run->frames, run->height, run->width, run->text_rows, run->text_dim));
    return check_room(e, run->width, run->height);
}

static winnow_status encode(winnow_encoder *encoder, const winnow_encode *given, winnow_result *result)
{
    transformer *e = (transformer *)encoder;
    const wn_host *host = &e->base.host;
    winnow_encode run;
    wn_host_io io = {0};
    wn_exec_stats stats = {0};
    const winnow_status read = wn_desc_read(given, &run, sizeof run);
    if (read != WINNOW_OK)
        return wn_fail(host, read, "encode: the descriptor's struct_size does not fit this library");
    if (!run.rgb)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encode: no pictures (rgb is NULL)");
    const winnow_encoder_desc *d = &e->desc;
    if (!run.text_rows != !d->text_rows || run.frames > d->max_frames || run.width > d->max_width || run.height > d->max_height ||
        run.text_rows > d->text_rows || run.text_dim > d->text_dim || !run.text_dim != !d->text_dim)
        return wn_fail(host, WINNOW_E_SHAPE,
                       "encode: %u frames of %u x %u and text of %u x %u, opened for %u of %u x %u and %u x %u (open for the largest)",
                       run.frames, run.width, run.height, run.text_rows, run.text_dim, d->max_frames, d->max_width,
                       d->max_height, d->text_rows, d->text_dim);
    WN_TRY(start(e, &run));
    WN_TRY(read_text(e, &run, &io));
    WN_TRY(run_program(e, &run, &io, &stats));
    uint32_t count[4];
    memcpy(count, e->room + e->small_at[WINNOW_OUT_COUNT_WORD], sizeof count);
    WN_TRY(check_outputs(e, &run, count[0]));
    copy_outputs(e, &run, count[0]);
    if (!result)
        return WINNOW_OK;
    const wn_set *set = &e->base.build.set;
    const winnow_result filled = {.rows = count[0],
                                  .nan_scores = count[1],
                                  .dispatches = stats.dispatches,
                                  .submissions = stats.submissions,
                                  .grid_out = {set->grid_h ? set->segs : 0, set->grid_h, set->grid_w},
                                  .gpu_ns = stats.gpu_ns};
    return wn_desc_write(&filled, sizeof filled, result);
}

/* The short call: tokens alone. */
static winnow_status run(winnow_encoder *encoder, const uint8_t *rgb, uint32_t frames, uint32_t width, uint32_t height,
                         float *tokens)
{
    const winnow_encode all = {.struct_size = sizeof all,
                               .frames = frames,
                               .width = width,
                               .height = height,
                               .rgb = rgb,
                               .out = {[WINNOW_OUT_TOKENS] = {.data = tokens, .capacity = UINT64_MAX}}};
    return encode(encoder, &all, NULL);
}

static winnow_status info(const winnow_encoder *encoder, winnow_encoder_info *out)
{
    const transformer *e = (const transformer *)encoder;
    const bool patches = e->state.reduced || !wn_vit_is_spatial(&e->vit);
    uint64_t staging;
    winnow_encoder_info info = {.patch = e->vit.patch,
                                .dim = e->base.build.set.mat.cols,
                                .roles = 1u << WINNOW_ROLE_TOKENS,
                                .source_patch = e->vit.patch * (patches ? 1 : e->vit.project_factor),
                                .rows_max = e->rows_max,
                                .dispatches = e->base.build.op_count,
                                .workspace_bytes = e->base.device->backend->exec_bytes(e->base.exec, &staging),
                                .multiply_adds = e->multiply_adds,
                                .casp_before = e->casp.before,
                                .casp_after = e->casp.after,
                                .casp_ns = e->casp.ns,
                                .casp_q_mean = e->casp.q.mean,
                                .casp_q_worst = e->casp.q.worst,
                                .casp_k_mean = e->casp.k.mean,
                                .casp_k_worst = e->casp.k.worst,
                                .casp_rank = e->casp.rank};
    for (uint32_t i = 0; i < WN_WEIGHT_PARTS; ++i)
        info.weight_bytes += e->weight_bytes[i];
    return wn_desc_write(&info, sizeof info, out);
}

winnow_status wn_transformer_open(winnow_device *device, const winnow_model *model, const winnow_encoder_desc *desc,
                                  winnow_encoder **out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    if (!device || !model || !desc)
        return WINNOW_E_ARGUMENT;
    if (device->slow_compiler)
        return wn_fail(&device->host, WINNOW_E_UNSUPPORTED,
                       "encoder: %s takes minutes to compile its attention (use lavapipe, a GPU, or plain C: --backend cpu)",
                       device->info.name);
    transformer *e = wn_alloc(&device->host, sizeof *e);
    if (!e)
        return wn_fail(&device->host, WINNOW_E_HOST_MEMORY, "encoder: no host memory for the object");
    wn_encoder_init(&e->base, device);
    e->base.destroy = destroy;
    e->base.info = info;
    e->base.run = run;
    e->base.encode = encode;
    const winnow_status status = open(e, model, desc);
    if (status != WINNOW_OK) {
        wn_encoder_free(&e->base);
        return status;
    }
    e->desc.pipeline = NULL; /* the caller's may go: a copy is kept */
    e->desc.taps = NULL;
    e->desc.merge_weights = NULL;
    e->desc.casp_pictures = NULL;
    *out = &e->base;
    return WINNOW_OK;
}
