/* transformer.c: a vision transformer on a device, with a pipeline inside and behind it, as one
 * program a call. It is opened in transformer_open.c.
 *
 * Where a stage runs: inside the layers that it names; else, if it wants keys or attention and the
 * projector goes token by token, between the last layer and the projector, as the methods' authors
 * have it; else on the projector's rows. */
#include "transformer.h"

#include "trained.h"

#include <string.h>

bool wn_transformer_prepares(const wn_transformer *e)
{
    return (e->desc.flags & WINNOW_ENCODER_PREPARE) != 0;
}

uint64_t wn_transformer_source(const wn_transformer *e)
{
    return (uint64_t)e->state.groups * e->state.cells;
}

void wn_transformer_out_bytes(const wn_transformer *e, uint64_t source,
                              uint64_t bytes[WINNOW_OUT_COUNT])
{
    const uint64_t rows = e->base.build.set.n_max;
    bytes[WINNOW_OUT_TOKENS] = e->out_bytes;
    bytes[WINNOW_OUT_INDICES] = rows * sizeof(int32_t);
    bytes[WINNOW_OUT_SIZES] = rows * sizeof(float);
    bytes[WINNOW_OUT_POSITIONS] = rows * 3 * sizeof(int32_t);
    bytes[WINNOW_OUT_ASSIGNMENT] = source * sizeof(int32_t);
    bytes[WINNOW_OUT_COUNT_WORD] = 4 * sizeof(uint32_t);
}

/* -- the program ------------------------------------------------------------------------------- */

static bool is_before(const wn_transformer *e, uint32_t stage)
{
    return stage < e->before;
}

static void give_hook(wn_transformer *e, uint32_t stage)
{
    wn_build *b = &e->base.build;
    const uint32_t number = e->hook_of[stage];
    const wn_stage *kind = e->pipeline.stages[stage].stage;
    b->roles_made = 0;
    b->in.shape.heads = wn_stage_has_one_head(kind) ? 1 : e->vit.heads;
    b->in.shape.key_dim = kind->flat_keys ? e->vit.width : e->vit.head_dim;
    for (uint32_t role = 0; number != WN_NONE && role < WINNOW_ROLE_COUNT; ++role)
        if (e->state.hooks[number].roles >> role & 1u)
            build_give_role(b, role, &e->state.hooks[number].made[role]);
}

static void run_stages(wn_transformer *e, bool before)
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
static void place_taps(wn_transformer *e, uint64_t rows_bytes)
{
    const wn_vit *v = &e->vit;
    const wn_vit_state *s = &e->state;
    uint64_t at = (rows_bytes + 255) & ~255ull;
    for (uint32_t i = 0; i < e->desc.tap_count; ++i) {
        wn_tap *tap = &e->taps[i];
        const bool rows = tap->kind <= WN_TAP_QUERIES || tap->kind == WN_TAP_FINAL;
        const uint32_t height = rows ? s->groups * s->width : s->groups * v->heads,
                       cols = rows ? v->width : s->cells;
        const uint64_t bytes = 4ull * height * cols;
        tap->out = (wn_mat){.ref = {.slot = WN_SLOT_OUT + WINNOW_OUT_TOKENS,
                                    .dtype = WINNOW_F32,
                                    .offset = at,
                                    .bytes = bytes},
                            .stride = cols,
                            .cols = cols,
                            .rows = height};
        at += (bytes + 255) & ~255ull;
    }
    e->out_bytes = at;
}

/* Bytes of the rows that can come out: before a projector that joins, more than after it. */
static uint64_t most_row_bytes(const wn_transformer *e, uint32_t groups, uint32_t cells)
{
    /* stages may add a row or two a frame */
    const uint64_t rows = (uint64_t)groups * (cells + e->vit.registers + 8);
    return rows * e->vit.dim * 4;
}

static void one_pass(wn_transformer *e, uint32_t frames, uint32_t height, uint32_t width)
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
                        .prepare = wn_transformer_prepares(e) ? &e->prepare : NULL};
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

winnow_status wn_transformer_build(wn_transformer *e, uint32_t frames, uint32_t height,
                                   uint32_t width, uint32_t text_rows, uint32_t text_dim)
{
    wn_build *b = &e->base.build;
    const bool same = e->built.frames == frames && e->built.height == height &&
                      e->built.width == width && e->built.text_rows == text_rows &&
                      e->built.text_dim == text_dim;
    if (same)
        return WINNOW_OK;
    memset(&e->built, 0, sizeof e->built);
    b->in = (wn_build_input){.roles = text_dim ? WN_TEXT_ROLES : 0,
                             .outputs = (1u << WINNOW_OUT_COUNT) - 1u,
                             .out_dtype = WINNOW_F32,
                             .order = e->desc.order};
    b->in.shape.text_rows = text_rows;
    b->in.shape.text_dim = text_dim;
    do {
        one_pass(e, frames, wn_transformer_prepares(e) ? e->prepare.view_h : height,
                 wn_transformer_prepares(e) ? e->prepare.view_w : width);
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

static winnow_status check_size(const wn_transformer *e, uint32_t frames, uint32_t width,
                                uint32_t height)
{
    const wn_vit *v = &e->vit;
    const uint32_t multiple = v->patch * (wn_vit_is_spatial(v) ? v->project_factor : 1);
    if (!frames || !width || !height || width % v->patch || height % v->patch ||
        (v->merge > 1 && (width % multiple || height % multiple)))
        return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u pixels (multiples of %u, at least one)",
                       frames, width, height, v->merge > 1 ? multiple : v->patch);
    if ((uint64_t)frames * width * height * 3 > INT32_MAX)
        return wn_fail(&e->base.host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u pixels pass 2 GiB (encode fewer at a time)",
                       frames, width, height);
    return WINNOW_OK;
}

winnow_status wn_transformer_check_frames(wn_transformer *e, uint32_t frames, uint32_t width,
                                          uint32_t height)
{
    const wn_host *host = &e->base.host;
    if (!wn_transformer_prepares(e))
        return check_size(e, frames, width, height);
    if (!frames || !width || !height || (uint64_t)width * height > INT32_MAX / 3 / frames)
        return wn_fail(host, WINNOW_E_SHAPE,
                       "encoder: %u frames of %u x %u pixels (at least one, 2 GiB at most)", frames,
                       width, height);
    memset(&e->built, 0, sizeof e->built); /* the recipe is part of what is built */
    WN_TRY(wn_prepare_plan(host, &e->vit.prep, width, height, &e->prepare));
    return check_size(e, frames, e->prepare.view_w, e->prepare.view_h);
}

/* -- runs -------------------------------------------------------------------------------------- */

/* A smaller frame's view can be larger than the largest frame's. */
static winnow_status check_room(const wn_transformer *e, uint32_t width, uint32_t height)
{
    const wn_program *p = &e->program;
    if (!wn_transformer_prepares(e))
        return WINNOW_OK;
    if (p->w_words <= e->most.w_words && p->matrix_bytes <= e->most.matrix_bytes &&
        p->op_count <= e->most.ops && e->out_bytes <= e->most.out_bytes &&
        e->base.build.set.n_max <= e->most.rows && wn_transformer_source(e) <= e->most.source)
        return WINNOW_OK;
    return wn_fail(
        &e->base.host, WINNOW_E_SHAPE,
        "encode: frames of %u x %u need more memory than those that the encoder was opened for "
        "(open one for this size)",
        width, height);
}

/* Tokens that come to the first stage behind the layers, of all frames. */
static uint64_t tokens_in(const wn_transformer *e)
{
    const winnow_shape *shape = &e->base.build.in.shape;
    return (uint64_t)shape->frames * shape->tokens;
}

static winnow_status read_text(const wn_transformer *e, const winnow_encode *run, wn_host_io *io)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        const winnow_tensor *t = &run->in[role];
        if (!t->data)
            continue;
        if (!(WN_TEXT_ROLES >> role & 1u) || t->row_stride)
            return wn_fail(&e->base.host, WINNOW_E_ROLE,
                           "encode: `%s` is given%s (text and image_embeds can be, packed)",
                           wn_role_name(role), t->row_stride ? " with a row stride" : "");
        const uint64_t rows = role == WINNOW_ROLE_TEXT ? run->text_rows : tokens_in(e),
                       bytes = 4ull * run->text_dim;
        io->in[role] = (wn_host_rows){t->data, rows, bytes, bytes};
    }
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        if ((e->base.build.in.roles >> role & 1u) && !run->in[role].data)
            return wn_fail(&e->base.host, WINNOW_E_ROLE,
                           "encode: `%s` is not given (text_dim says that it is)",
                           wn_role_name(role));
    return WINNOW_OK;
}

static winnow_status check_outputs(const wn_transformer *e, const winnow_encode *run, uint32_t rows)
{
    static const char *const names[WINNOW_OUT_COUNT] = {"tokens",    "indices",    "sizes",
                                                        "positions", "assignment", "count"};
    const uint64_t wants[WINNOW_OUT_COUNT] = {rows, rows, rows, rows, tokens_in(e), 1};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i) {
        if (run->out[i].data && run->out[i].row_stride)
            return wn_fail(&e->base.host, WINNOW_E_ARGUMENT,
                           "encode: output `%s` has a row stride (rows are packed)", names[i]);
        if (run->out[i].data && run->out[i].capacity < wants[i])
            return wn_fail(
                &e->base.host, WINNOW_E_TOO_SMALL,
                "encode: output `%s` has room for %llu rows, %llu came out (give a larger buffer)",
                names[i], (unsigned long long)run->out[i].capacity, (unsigned long long)wants[i]);
    }
    return WINNOW_OK;
}

static void copy_outputs(const wn_transformer *e, const winnow_encode *run, uint32_t rows)
{
    const uint64_t row = 4ull * e->base.build.set.mat.cols;
    const uint64_t bytes[WINNOW_OUT_COUNT] = {row * rows,   4ull * rows,      4ull * rows,
                                              12ull * rows, 4 * tokens_in(e), 16};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        if (run->out[i].data)
            memcpy(run->out[i].data, e->room + e->small_at[i], bytes[i]);
    for (uint32_t i = 0; run->taps && i < e->desc.tap_count; ++i) {
        const wn_mat *tap = &e->taps[i].out;
        if (run->taps[i])
            memcpy(run->taps[i], e->room + tap->ref.offset,
                   (size_t)tap->rows * tap->cols * sizeof(float));
    }
}

static winnow_status run_program(wn_transformer *e, const winnow_encode *run, wn_host_io *io,
                                 wn_exec_stats *stats)
{
    const uint64_t bytes = (uint64_t)run->frames * run->height * run->width * 3;
    uint64_t out[WINNOW_OUT_COUNT];
    wn_transformer_out_bytes(e, tokens_in(e), out);
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
static winnow_status start(wn_transformer *e, const winnow_encode *run)
{
    const bool same = wn_transformer_prepares(e) && e->prepare.width == run->width &&
                      e->prepare.height == run->height && e->built.frames;
    if (!same)
        WN_TRY(wn_transformer_check_frames(e, run->frames, run->width, run->height));
    WN_TRY(wn_transformer_build(e, run->frames, run->height, run->width, run->text_rows,
                                run->text_dim));
    return check_room(e, run->width, run->height);
}

winnow_status wn_transformer_encode(winnow_encoder *encoder, const winnow_encode *given,
                                    winnow_result *result)
{
    wn_transformer *e = (wn_transformer *)encoder;
    const wn_host *host = &e->base.host;
    winnow_encode run;
    wn_host_io io = {0};
    wn_exec_stats stats = {0};
    const winnow_status read = wn_desc_read(given, &run, sizeof run);
    if (read != WINNOW_OK)
        return wn_fail(host, read,
                       "encode: the descriptor's struct_size does not fit this library");
    if (!run.rgb)
        return wn_fail(host, WINNOW_E_ARGUMENT, "encode: no pictures (rgb is NULL)");
    const winnow_encoder_desc *d = &e->desc;
    if (!run.text_rows != !d->text_rows || run.frames > d->max_frames || run.width > d->max_width ||
        run.height > d->max_height || run.text_rows > d->text_rows || run.text_dim > d->text_dim ||
        !run.text_dim != !d->text_dim)
        return wn_fail(
            host, WINNOW_E_SHAPE,
            "encode: %u frames of %u x %u and text of %u x %u, opened for %u of %u x %u and "
            "%u x %u (open for the largest)",
            run.frames, run.width, run.height, run.text_rows, run.text_dim, d->max_frames,
            d->max_width, d->max_height, d->text_rows, d->text_dim);
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
    const winnow_result filled = {
        .rows = count[0],
        .nan_scores = count[1],
        .dispatches = stats.dispatches,
        .submissions = stats.submissions,
        .grid_out = {set->grid_h ? set->segs : 0, set->grid_h, set->grid_w},
        .gpu_ns = stats.gpu_ns};
    return wn_desc_write(&filled, sizeof filled, result);
}

/* The short call: tokens alone. */
winnow_status wn_transformer_run(winnow_encoder *encoder, const uint8_t *rgb, uint32_t frames,
                                 uint32_t width, uint32_t height, float *tokens)
{
    const winnow_encode all = {
        .struct_size = sizeof all,
        .frames = frames,
        .width = width,
        .height = height,
        .rgb = rgb,
        .out = {[WINNOW_OUT_TOKENS] = {.data = tokens, .capacity = UINT64_MAX}}};
    return wn_transformer_encode(encoder, &all, NULL);
}

winnow_status wn_transformer_info(const winnow_encoder *encoder, winnow_encoder_info *out)
{
    const wn_transformer *e = (const wn_transformer *)encoder;
    const bool patches = e->state.reduced || !wn_vit_is_spatial(&e->vit);
    uint64_t staging;
    winnow_encoder_info info = {
        .patch = e->vit.patch,
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
    if (e->pipeline.trained)
        info.weight_bytes += e->pipeline.trained->bytes;
    return wn_desc_write(&info, sizeof info, out);
}
