/* project.c: from hidden states to the language model's channels: llama.cpp's projector kinds (see
 * model.h).
 *
 * `mlp` goes token by token, so it takes any set. The others join cells of the full grid. */
#include "layers.h"

bool wn_vit_is_spatial(const wn_vit *v)
{
    return v->projector != WN_PROJECT_NONE && v->projector != WN_PROJECT_MLP;
}

/* The tokens without the special rows and holes: rows[i] == i. */
static wn_mat fresh_rows(wn_vit_state *s, int32_t dtype)
{
    wn_build *b = s->b;
    const wn_set *set = &b->set;
    if (set->fresh && set->mat.ref.dtype == dtype)
        return set->mat;
    const wn_mat out = build_matrix_of(b, set->n_max, set->mat.cols, dtype);
    const struct wn_args_gather args = {.n_max = set->n_max,
                                        .segs = set->segs,
                                        .seg_at = set->exact ? WN_NONE : set->seg.at,
                                        .rows_at = set->rows.at,
                                        .to_at = WN_NONE,
                                        .cols = out.cols,
                                        .run = 1};
    BUILD_OP(b, gather, (uint64_t)set->n_max * ((out.cols + 1) / 2), &set->mat, &out, args,
             READS_W);
    return out;
}

static void now_rows(wn_build *b, const wn_mat *mat)
{
    b->set.mat = *mat;
    if (!b->set.fresh) {
        b->set.rows = build_counting(b, b->set.n_max, 1);
        b->set.fresh = true;
    }
}

/* linear, act, linear on `rows` rows of `in`, into `out` (NULL: a new f32 matrix). */
static wn_mat two_linears(wn_vit_state *s, const wn_linear *first, const wn_linear *second,
                          uint32_t act, const wn_mat *in, uint32_t rows, const wn_mat *out)
{
    wn_build *b = s->b;
    const bool one = !second->parts;
    const uint32_t cols = one ? first->out : second->out;
    const wn_mat inner = one ? (wn_mat){0} : build_matrix_of(b, rows, first->out, s->dtype),
                 last = out ? *out : build_matrix(b, rows, cols);
    const wn_arr seg = b->set.exact ? WN_NO_ARR : b->set.seg;
    wn_apply a = {
        .in = in, .out = one ? &last : &inner, .n_max = rows, .segs = b->set.segs, .seg = seg};
    a.act = one ? WN_ACT_NONE : act;
    wn_vit_linear(b, first, &a);
    if (!one) {
        wn_apply c = {.in = &inner, .out = &last, .n_max = rows, .segs = b->set.segs, .seg = seg};
        wn_vit_linear(b, second, &c);
    }
    return last;
}

/* Several hidden states side by side, as the projector's rows: those of the tokens that were chosen. A row that is several
 * tokens' has none. */
static void stand_side_by_side(wn_vit_state *s)
{
    wn_build *b = s->b;
    if (s->v->feature_count < 2)
        return;
    if (s->reduced || b->set.specials || b->set.mat.ref.offset != s->x.ref.offset) {
        build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "the projector takes %u hidden states side by side (choose tokens without merging any, "
            "or reduce behind it: stages without attention and keys)",
            s->v->feature_count);
        return;
    }
    if (b->set.exact && b->set.n_max == s->groups * s->cells) {
        now_rows(b, &s->features);
        return;
    }
    b->set.mat = s->features;
    b->set.rows = b->set.index;
    b->set.fresh = false;
}

/* Yi's projector: linear, norm, act, linear, norm. */
static wn_mat project_yi(wn_vit_state *s, const wn_mat *rows)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const uint32_t n = b->set.n_max, segs = b->set.segs;
    const wn_arr seg = b->set.exact ? WN_NO_ARR : b->set.seg;
    const wn_mat first = build_matrix(b, n, v->project1.out),
                 normed = build_matrix_of(b, n, v->project1.out, s->dtype),
                 second = build_matrix(b, n, v->project2.out),
                 out = build_matrix(b, n, v->project2.out);
    const wn_apply one = {.in = rows, .out = &first, .n_max = n, .segs = segs, .seg = seg},
                   norm = {.in = &first,
                           .out = &normed,
                           .n_max = n,
                           .segs = segs,
                           .seg = seg,
                           .act = v->project_act},
                   two = {.in = &normed, .out = &second, .n_max = n, .segs = segs, .seg = seg},
                   last = {.in = &second, .out = &out, .n_max = n, .segs = segs, .seg = seg};
    wn_vit_linear(b, &v->project1, &one);
    wn_vit_norm(b, &v->project_norm, false, v->project_eps, &norm);
    wn_vit_linear(b, &v->project2, &two);
    wn_vit_norm(b, &v->project_norm2, false, v->project_eps, &last);
    return out;
}

static void project_tokens(wn_vit_state *s)
{
    wn_build *b = s->b;
    stand_side_by_side(s);
    if (s->v->project_norm2.gain) {
        const wn_mat rows = fresh_rows(s, s->dtype), out = project_yi(s, &rows);
        now_rows(b, &out);
        return;
    }
    const wn_mat rows = fresh_rows(s, s->dtype),
                 out = two_linears(s, &s->v->project1, &s->v->project2, s->v->project_act, &rows,
                                   b->set.n_max, NULL);
    now_rows(b, &out);
}

/* -- f x f cells ------------------------------------------------------------------------------- */

/* [groups * h*w / f², f² D]: the cells of a block side by side. Rows in blocks (merge = f) lie so
 * already. */
static wn_mat joined(wn_vit_state *s, const wn_mat *mat, uint32_t layout_rows, int32_t dtype)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->project_factor, rows = b->set.n_max / (f * f), cols = mat->cols;
    if (s->v->merge == f && f > 1 && mat->ref.dtype == dtype) {
        wn_mat view = *mat;
        view.stride = view.cols = f * f * cols;
        view.rows = rows;
        return view;
    }
    const wn_mat out = build_matrix_of(b, rows, f * f * cols, dtype);
    const struct wn_args_space_to_channel args = {
        .frames = b->set.segs,
        .h = b->set.grid_h,
        .w = b->set.grid_w,
        .oh = b->set.grid_h / f,
        .ow = b->set.grid_w / f,
        .factor = f,
        .layout = s->v->merge == f && f > 1 ? WN_LAYOUT_BLOCKS : WN_LAYOUT_ROW,
        .pad = 0,
        .cols = cols,
        .rows_at = layout_rows};
    BUILD_OP(b, space_to_channel, (uint64_t)rows * ((out.cols + 1) / 2), mat, &out, args, READS_W);
    return out;
}

/* Gemma 3: the mean of each block's cells. */
static wn_mat pooled(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->project_factor, cols = b->set.mat.cols, rows = b->set.n_max / (f * f);
    const wn_mat side = joined(s, &b->set.mat, b->set.rows.at, WINNOW_F32),
                 out = build_matrix(b, rows, cols);
    const struct wn_args_part_mean args = {.n_max = rows,
                                           .seg_at = WN_NONE,
                                           .list_at = WN_NONE,
                                           .cols = cols,
                                           .parts = f * f,
                                           .part_stride = cols,
                                           .step = 1,
                                           .inv_parts = 1.0f / (float)(f * f)};
    BUILD_OP(b, part_mean, (uint64_t)rows * cols, &side, &out, args, READS_W);
    return out;
}

static void norm_rows(wn_vit_state *s, const wn_norm *norm, bool rms, float eps, const wn_mat *in,
                      const wn_mat *out, uint32_t rows)
{
    const wn_apply a = {.in = in, .out = out, .n_max = rows, .seg = WN_NO_ARR};
    wn_vit_norm(s->b, norm, rms, eps, &a);
}

static wn_mat merged_rows(wn_vit_state *s, uint32_t rows)
{
    const wn_vit *v = s->v;
    wn_build *b = s->b;
    if (v->projector == WN_PROJECT_POOL) {
        const wn_mat mean = pooled(s), normed = build_matrix_of(b, rows, mean.cols, s->dtype);
        norm_rows(s, &v->project_norm, true, v->project_eps, &mean, &normed, rows);
        return normed;
    }
    if (v->projector != WN_PROJECT_INTERNVL)
        return joined(s, &b->set.mat, b->set.rows.at, s->dtype);
    const wn_mat side = joined(s, &b->set.mat, b->set.rows.at, WINNOW_F32),
                 normed = build_matrix_of(b, rows, side.cols, s->dtype);
    norm_rows(s, &v->project_norm, false, v->project_eps, &side, &normed, rows);
    return normed;
}

/* One axis of blocks, for the set after. */
static wn_axis blocks(wn_build *b, uint32_t n, uint32_t f)
{
    const wn_axis axis = build_axis(b, n / f, 0);
    for (uint32_t o = 0; o < axis.out; ++o)
        build_axis_window(b, &axis, o, o * f, o * f, f);
    return axis;
}

/* Keys and attention of hooks by joined cells: the mean of a block's. */
static void join_hooks(wn_vit_state *s);

/* Without a stage inside, the projector's rows are what the tokens are counted in from here on. */
static void restart(wn_vit_state *s, const wn_mat *out)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->project_factor;
    join_hooks(s);
    b->in.shape.grid_h = s->grid_h / f;
    b->in.shape.grid_w = s->grid_w / f;
    b->in.shape.tokens = b->in.shape.grid_h * b->in.shape.grid_w;
    b->in.shape.dim = out->cols;
    build_first_set(b, out);
}

static void project_blocks(wn_vit_state *s)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const uint32_t f = v->project_factor, h = b->set.grid_h, w = b->set.grid_w;
    if (build_need_grid(b) != WINNOW_OK)
        return;
    if (h % f || w % f) {
        build_fail(b, WINNOW_E_SHAPE,
                   "the projector joins %u x %u patches, and there are %u x %u (give another size)",
                   f, f, w, h);
        return;
    }
    const uint32_t rows = b->set.n_max / (f * f);
    const wn_mat in = merged_rows(s, rows);
    const wn_mat own = {
        .ref = s->deep.ref, .stride = s->deep.stride, .cols = v->project2.out, .rows = rows};
    const wn_mat made = two_linears(s, &v->project1, &v->project2, v->project_act, &in, rows,
                                    v->deep_count ? &own : NULL),
                 out = v->deep_count ? s->deep : made;
    if (!s->reduced) {
        restart(s, &out);
        return;
    }
    const wn_axis y = blocks(b, h, f), x = blocks(b, w, f);
    build_grid_after(b, &y, &x, &out, false);
}

void wn_vit_project(wn_vit_state *s)
{
    if (s->b->status != WINNOW_OK)
        return;
    s->b->stage = "projector";
    if (s->v->projector == WN_PROJECT_MLP)
        project_tokens(s);
    else if (s->v->projector != WN_PROJECT_NONE)
        project_blocks(s);
    s->b->stage = "encoder";
}

/* v->deep_norm is over the f*f*D channels of a block; the rows lie in blocks. */
void wn_vit_deepen(wn_vit_state *s, uint32_t l)
{
    wn_build *b = s->b;
    const wn_vit_layer *layer = &s->v->layer[l];
    if (!layer->deep_norm.gain || b->status != WINNOW_OK)
        return;
    const uint64_t mark = build_mark(b);
    const uint32_t rows = s->rows_max / (s->v->merge * s->v->merge);
    const wn_mat side = joined(s, &s->x, b->set.rows.at, WINNOW_F32),
                 normed = build_matrix_of(b, rows, side.cols, s->dtype);
    wn_mat out = {
        .ref = s->deep.ref, .stride = s->deep.stride, .cols = layer->deep2.out, .rows = rows};
    out.ref.offset += (uint64_t)s->deep_used * sizeof(float);
    out.ref.bytes -= (uint64_t)s->deep_used * sizeof(float);
    norm_rows(s, &layer->deep_norm, false, s->v->eps, &side, &normed, rows);
    two_linears(s, &layer->deep1, &layer->deep2, s->v->deep_act, &normed, rows, &out);
    s->deep_used += layer->deep2.out;
    build_release(b, mark);
}

/* -- hooks ------------------------------------------------------------------------------------- */

/* Keys [groups*cells, d] become [groups*joined, d]: rows of a block side by side, then their
 * mean. */
static wn_mat join_rows(wn_vit_state *s, const wn_mat *keys)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->project_factor, rows = b->set.n_max / (f * f), cols = keys->cols;
    /* roles go by source token, special rows left out */
    const wn_arr all = build_counting(b, b->set.n_max, 1);
    const wn_mat side = joined(s, keys, all.at, WINNOW_F32), out = build_matrix(b, rows, cols);
    const struct wn_args_part_mean args = {.n_max = rows,
                                           .seg_at = WN_NONE,
                                           .list_at = WN_NONE,
                                           .cols = cols,
                                           .parts = f * f,
                                           .part_stride = cols,
                                           .step = 1,
                                           .inv_parts = 1.0f / (float)(f * f)};
    BUILD_OP(b, part_mean, (uint64_t)rows * cols, &side, &out, args, READS_W);
    return out;
}

/* Attention [groups*heads, cells]: as a picture of one channel a head. */
static wn_mat join_columns(wn_vit_state *s, const wn_mat *attention)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->project_factor, rows = attention->rows, cells = s->cells,
                   cols = cells / (f * f);
    const bool in_blocks = s->v->merge == f && f > 1;
    wn_mat pixels = *attention, side = *attention;
    pixels.stride = pixels.cols = 1;
    if (!in_blocks) {
        const wn_arr all = build_counting(b, rows * cells, 1);
        side = build_matrix(b, (uint64_t)rows * cols, f * f);
        const struct wn_args_space_to_channel args = {.frames = rows,
                                                      .h = s->grid_h,
                                                      .w = s->grid_w,
                                                      .oh = s->grid_h / f,
                                                      .ow = s->grid_w / f,
                                                      .factor = f,
                                                      .layout = WN_LAYOUT_ROW,
                                                      .cols = 1,
                                                      .rows_at = all.at};
        BUILD_OP(b, space_to_channel, (uint64_t)rows * cols * ((f * f + 1) / 2), &pixels, &side,
                 args, READS_W);
    }
    side.stride = cells; /* a head's blocks, f*f columns each */
    side.cols = cells;
    const wn_mat out = build_matrix(b, rows, cols);
    const struct wn_args_part_mean args = {.n_max = rows,
                                           .seg_at = WN_NONE,
                                           .list_at = WN_NONE,
                                           .cols = cols,
                                           .parts = f * f,
                                           .part_stride = 1,
                                           .step = f * f,
                                           .inv_parts = 1.0f / (float)(f * f)};
    BUILD_OP(b, part_mean, (uint64_t)rows * cols, &side, &out, args, READS_W);
    return out;
}

static void join_hooks(wn_vit_state *s)
{
    for (uint32_t i = 0; i < s->hook_count && s->v->project_factor > 1; ++i) {
        wn_hook *hook = &s->hooks[i];
        for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
            if (!(hook->roles >> role & 1u))
                continue;
            if (WN_ATTENTION_ROLES >> role & 1u)
                hook->made[role] = join_columns(s, &hook->made[role]);
            else if (role != WINNOW_ROLE_CLS)
                hook->made[role] = join_rows(s, &hook->made[role]);
        }
    }
}
