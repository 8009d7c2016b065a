/* layers.c: from pictures to hidden states. Each layer is
 *   x += out(attention(qkv(norm1(x)))), x += mlp(norm2(x))
 * and the attention never stores its matrix. Cost a layer and frame of n rows:
 *   (4 D^2 + 2 or 3 D inner) n + 2 n^2 D multiply-adds
 * Least traffic: the layer's weights once, x read and written twice. */
#include "layers.h"

#include <math.h>

wn_mat wn_vit_place_mat(const wn_place *place, uint32_t rows, uint32_t cols)
{
    return (wn_mat){.ref = place->ref, .stride = place->stride, .cols = cols, .rows = rows};
}

void wn_vit_linear(wn_build *b, const wn_linear *l, const wn_apply *a)
{
    const wn_mat c = wn_vit_place_mat(&l->place, l->in, l->out);
    const struct wn_args_matmul args = {.n_max = a->n_max,
                                        .segs = a->segs,
                                        .seg_at = a->seg.at,
                                        .inner = l->in,
                                        .cols = l->out,
                                        .bias_at = l->place.bias_at,
                                        .scale_at = l->place.scale_at,
                                        .act = a->act,
                                        .with = a->with};
    const uint64_t tiles = (uint64_t)((a->n_max + 7) / 8) * ((l->out + 127) / 128);
    BUILD_OP3(b, matmul, tiles, a->in, a->out, &c, args, READS_W);
}

void wn_vit_norm(wn_build *b, const wn_norm *norm, bool rms, float eps, const wn_apply *a)
{
    const wn_mat c = wn_vit_place_mat(&norm->place, 2, norm->cols);
    const struct wn_args_norm args = {.n_max = a->n_max,
                                      .segs = a->segs,
                                      .seg_at = a->seg.at,
                                      .cols = norm->cols,
                                      .rms = rms,
                                      .gain_at = 0,
                                      .bias_at = norm->place.bias_at,
                                      .eps = eps,
                                      .inv_cols = 1.0f / (float)norm->cols,
                                      .act = a->act};
    BUILD_OP3(b, norm, a->n_max, a->in, a->out, &c, args, READS_W);
}

static wn_apply all_rows(const wn_vit_state *s, const wn_mat *in, const wn_mat *out)
{
    return (wn_apply){.in = in,
                      .out = out,
                      .n_max = s->rows_max,
                      .segs = s->groups,
                      .seg = s->exact ? WN_NO_ARR : s->seg};
}

/* The residual stream's own norms: into the spare matrix, and they change places. */
static void norm_stream(wn_vit_state *s, const wn_norm *norm)
{
    const wn_apply apply = all_rows(s, &s->x, &s->spare);
    const wn_mat old = s->x;
    wn_vit_norm(s->b, norm, s->v->rms, s->v->eps, &apply);
    s->x = s->spare;
    s->spare = old;
    s->b->set.mat = s->x;
}

/* -- the first rows ---------------------------------------------------------------------------- */

/* The frames' bytes as words, and the views that they become. */
static wn_mat views_of(wn_vit_state *s, uint32_t height, uint32_t width)
{
    const wn_prepare *p = s->prepare;
    const uint64_t bytes =
        (uint64_t)s->frames * (p ? p->height : height) * (p ? p->width : width) * 3;
    const wn_mat pixels = {.ref = {.slot = WN_SLOT_IN + WINNOW_ROLE_TOKENS,
                                   .dtype = WINNOW_I32,
                                   .bytes = (bytes + 3) & ~3ull},
                           .cols = (uint32_t)((bytes + 3) / 4)};
    return p ? wn_prepare_frames(s->b, p, s->frames, &pixels) : pixels;
}

static wn_mat patchify(wn_vit_state *s, uint32_t height, uint32_t width)
{
    wn_build *b = s->b;
    const wn_prep *p = &s->v->prep;
    const wn_mat pixels = views_of(s, height, width);
    const wn_mat out = build_matrix_of(b, (uint64_t)s->groups * s->cells, s->v->embed.in, s->dtype);
    const struct wn_args_patchify args = {.frames = s->frames,
                                          .height = height,
                                          .width = width,
                                          .patch = s->v->patch,
                                          .times = s->v->times,
                                          .f = s->v->merge,
                                          .scale0 = p->rescale / p->std[0],
                                          .scale1 = p->rescale / p->std[1],
                                          .scale2 = p->rescale / p->std[2],
                                          .shift0 = -p->mean[0] / p->std[0],
                                          .shift1 = -p->mean[1] / p->std[1],
                                          .shift2 = -p->mean[2] / p->std[2],
                                          .by_pixel = s->v->by_pixel};
    BUILD_OP(b, patchify, (uint64_t)s->groups * s->cells * ((out.cols + 1) / 2), &pixels, &out,
             args, READS_W);
    return out;
}

uint32_t wn_vit_first_patch(const wn_vit_state *s)
{
    return s->v->class_last ? s->v->registers : s->specials;
}

uint32_t wn_vit_class_place(const wn_vit_state *s)
{
    return s->v->class_last ? s->cells + s->v->registers : 0;
}

wn_arr wn_vit_frame_list(wn_vit_state *s, uint32_t n, uint32_t first, uint32_t step)
{
    const wn_arr list = build_const(s->b, NULL, s->groups * n);
    uint32_t *data = build_const_data(s->b, list);
    for (uint32_t t = 0; data && t < s->groups; ++t)
        for (uint32_t i = 0; i < n; ++i)
            data[t * n + i] = t * step + first + i;
    return list;
}

static void put_table(wn_vit_state *s, const wn_table *table, uint32_t first)
{
    wn_build *b = s->b;
    const uint32_t n = table->count, rows = s->groups * n;
    const wn_mat c = wn_vit_place_mat(&table->place, n, table->cols);
    const wn_arr dst = wn_vit_frame_list(s, n, first, s->width), src = build_const(b, NULL, rows);
    uint32_t *data = build_const_data(b, src);
    for (uint32_t i = 0; data && i < rows; ++i)
        data[i] = i % n;
    const struct wn_args_table_mix args = {.n_max = rows,
                                           .taps = 1,
                                           .src_at = src.at,
                                           .weight_at = WN_NONE,
                                           .dst_at = dst.at,
                                           .cols = table->cols};
    BUILD_OP3(b, table_mix, (uint64_t)rows * table->cols, NULL, &s->x, &c, args, READS_W);
}

/* Windows of cells, Qwen2.5-VL's: `side` merged cells a side, the last ones smaller. Lists of rows,
 * window by window. */
static void window_lists(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->merge, h = s->grid_h / f, w = s->grid_w / f,
                   wide = s->v->window / s->v->patch / f, side = wide ? wide : 1;
    const uint32_t across = (w + side - 1) / side, down = (h + side - 1) / side;
    s->windows = s->groups * across * down;
    s->window_seg = build_const(b, NULL, s->windows + 1);
    s->window_list = build_const(b, NULL, s->groups * s->cells);
    uint32_t *seg = build_const_data(b, s->window_seg), *list = build_const_data(b, s->window_list),
             used = 0, k = 0;
    for (uint32_t i = 0; seg && i < s->windows; ++i) {
        const uint32_t t = i / (across * down), y0 = i / across % down * side,
                       x0 = i % across * side;
        seg[k++] = used;
        for (uint32_t y = y0; y < h && y < y0 + side; ++y)
            for (uint32_t x = x0; x < w && x < x0 + side; ++x)
                for (uint32_t c = 0; c < f * f; ++c)
                    list[used++] = t * s->cells + (y * w + x) * f * f + c;
    }
    if (seg)
        seg[k] = used;
}

/* LLaVA-like files that name several hidden states: their tokens, side by side. */
static void keep_feature(wn_vit_state *s, uint32_t number)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    if (v->feature_count < 2)
        return;
    for (uint32_t i = 0; i < v->feature_count; ++i) {
        if (v->features[i] != number)
            continue;
        const wn_mat to = wn_vit_columns(&s->features, i * v->width, v->width);
        const struct wn_args_gather args = {.n_max = b->set.n_max,
                                            .segs = b->set.segs,
                                            .seg_at = b->set.exact ? WN_NONE : b->set.seg.at,
                                            .rows_at = b->set.rows.at,
                                            .to_at = WN_NONE,
                                            .cols = v->width,
                                            .run = 1};
        BUILD_OP(b, gather, (uint64_t)b->set.n_max * ((v->width + 1) / 2), &s->x, &to, args,
                 READS_W);
    }
}

/* -- begin ------------------------------------------------------------------------------------- */

static void first_sets(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint32_t n = s->groups * s->cells;
    b->in.shape = (winnow_shape){.frames = s->groups,
                                 .tokens = s->cells,
                                 .dim = s->v->width,
                                 .grid_h = s->grid_h,
                                 .grid_w = s->grid_w,
                                 .heads = s->v->heads,
                                 .key_dim = s->v->head_dim,
                                 .text_rows = b->in.shape.text_rows,
                                 .text_dim = b->in.shape.text_dim};
    build_first_set(b, &s->x);
    if (s->specials) {
        b->set.rows = wn_vit_frame_list(s, s->cells, s->v->token_first, s->width);
        b->set.fresh = false;
    }
    s->seg = build_counting(b, s->groups + 1, s->width);
    s->sizes = WN_NO_ARR;
    s->index = b->set.index;
    if (s->specials) {
        s->index = build_const(b, NULL, s->rows_max);
        uint32_t *data = build_const_data(b, s->index);
        for (uint32_t r = 0; data && r < s->rows_max; ++r)
            data[r] = WN_NONE;
        for (uint32_t i = 0; data && i < n; ++i)
            data[i / s->cells * s->width + s->v->token_first + i % s->cells] = i;
    }
}

void wn_vit_begin(wn_vit_state *s, uint32_t height, uint32_t width)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    b->stage = "encoder";
    s->groups = (s->frames + v->times - 1) / v->times;
    s->grid_h = height / v->patch;
    s->grid_w = width / v->patch;
    s->cells = s->grid_h * s->grid_w;
    s->specials = (v->class_token ? 1 : 0) + v->registers;
    s->width = s->cells + s->specials;
    s->rows_max = s->groups * s->width;
    s->exact = true;
    s->reduced = false;
    s->x = build_matrix(b, s->rows_max, v->width);
    s->spare = build_matrix(b, s->rows_max, v->width);
    if (v->deep_count)
        s->deep = build_matrix(b, (uint64_t)s->groups * s->cells / (v->merge * v->merge), v->dim);
    if (v->feature_count > 1)
        s->features = build_matrix(b, (uint64_t)s->groups * s->cells, v->width * v->feature_count);
    s->deep_used = v->deep_count ? v->project2.out : 0;
    wn_vit_hooks_begin(s);
    first_sets(s);
    const uint64_t mark = build_mark(b);
    const wn_mat patches = patchify(s, height, width),
                 cells =
                     s->specials ? build_matrix(b, (uint64_t)s->groups * s->cells, v->width) : s->x;
    const wn_apply embed = {
        .in = &patches, .out = &cells, .n_max = s->groups * s->cells, .seg = WN_NO_ARR};
    wn_vit_linear(b, &v->embed, &embed);
    if (s->specials) {
        const wn_arr to = wn_vit_frame_list(s, s->cells, wn_vit_first_patch(s), s->width);
        const struct wn_args_gather args = {.n_max = to.n,
                                            .seg_at = WN_NONE,
                                            .rows_at = WN_NONE,
                                            .to_at = to.at,
                                            .cols = v->width,
                                            .run = 1};
        BUILD_OP(b, gather, (uint64_t)to.n * ((v->width + 1) / 2), &cells, &s->x, args, READS_W);
        if (v->class_token)
            put_table(s, &v->class_row, wn_vit_class_place(s));
        if (v->registers)
            put_table(s, &v->register_rows, v->class_last ? 0 : 1);
    }
    wn_vit_add_positions(s);
    if (v->pre.gain)
        norm_stream(s, &v->pre);
    build_release(b, mark);
    if (v->rope)
        wn_vit_rope_tables(s);
    if (v->window)
        window_lists(s);
    wn_vit_look_hidden(s, 0);
    keep_feature(s, 0);
}

/* -- layers ------------------------------------------------------------------------------------ */

static void rotate(wn_vit_state *s, const wn_mat *qkv, uint32_t col)
{
    const wn_vit *v = s->v;
    const uint32_t quarter = v->head_dim / 4;
    const struct wn_args_rope args = {.n_max = s->rows_max,
                                      .segs = s->groups,
                                      .seg_at = s->exact ? WN_NONE : s->seg.at,
                                      .index_at = s->index.at,
                                      .y_at = s->rope_y.at,
                                      .x_at = s->rope_x.at,
                                      .cos_at = s->rope_cos.at,
                                      .sin_at = s->rope_sin.at,
                                      .col = col,
                                      .heads = v->heads,
                                      .quarter = quarter};
    BUILD_OP(s->b, rope, (uint64_t)s->rows_max * v->heads * quarter, NULL, qkv, args, READS_W);
}

static void attend(wn_vit_state *s, uint32_t l, const wn_mat *qkv, const wn_mat *out)
{
    const wn_vit *v = s->v;
    const bool windows = v->window && !(v->full_layers >> l & 1u);
    const uint32_t side = v->window / v->patch,
                   most = windows && side * side < s->width ? side * side : s->width,
                   segs = windows ? s->windows : s->groups;
    const struct wn_args_attention args = {.n_max = s->rows_max,
                                           .width = most,
                                           .segs = windows ? s->windows : s->groups,
                                           .seg_at = windows ? s->window_seg.at : s->seg.at,
                                           .list_at = windows ? s->window_list.at : WN_NONE,
                                           .sizes_at = s->sizes.at,
                                           .heads = v->heads,
                                           .head_dim = v->head_dim,
                                           .q_col = 0,
                                           .k_col = v->width,
                                           .v_col = 2 * v->width,
                                           .scale = 1.0f / sqrtf((float)v->head_dim)};
    const uint64_t items =
        (uint64_t)segs * v->heads * ((v->head_dim + 31) / 32) * ((most + 127) / 128);
    BUILD_OP(s->b, attention, items, qkv, out, args, READS_W);
}

/* The half of a pair of linears that lies side by side: columns from `first` on. */
wn_linear wn_vit_part(const wn_linear *pair, uint32_t first, uint32_t cols)
{
    wn_linear half = *pair;
    const uint32_t element = pair->place.ref.dtype == WINNOW_F32 ? 4 : 2;
    half.out = cols;
    half.place.ref.offset += (uint64_t)first * element;
    half.place.ref.bytes -= (uint64_t)first * element;
    if (pair->place.bias_at != WN_NONE) /* counted from the half's first element */
        half.place.bias_at = pair->place.bias_at + first - first * element / 4;
    return half;
}

static void mlp(wn_vit_state *s, const wn_vit_layer *layer)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const wn_mat normed = build_matrix_of(b, s->rows_max, v->width, s->dtype),
                 inner = build_matrix_of(b, s->rows_max, v->inner, s->dtype);
    const wn_apply norm = all_rows(s, &s->x, &normed);
    wn_apply up = all_rows(s, &normed, &inner), down = all_rows(s, &inner, &s->x);
    wn_vit_norm(b, &layer->norm2, v->rms, v->eps, &norm);
    wn_linear first = layer->up, gate = layer->gate;
    if (v->gated_pair) {
        gate = wn_vit_part(&layer->up, 0, v->inner);
        first = wn_vit_part(&layer->up, v->inner, v->inner);
    }
    up.act = gate.parts ? WN_ACT_NONE : v->act;
    wn_vit_linear(b, &first, &up);
    if (gate.parts) {
        up.act = v->act;
        up.with = 1;
        wn_vit_linear(b, &gate, &up);
    }
    down.with = 2;
    wn_vit_linear(b, &layer->down, &down);
}

/* q and k normalised over all their channels, v as it is, into a second matrix. */
static wn_mat normed_qk(wn_vit_state *s, const wn_vit_layer *layer, const wn_mat *qkv)
{
    wn_build *b = s->b;
    const uint32_t width = s->v->width;
    const wn_mat out = build_matrix_of(b, s->rows_max, 3 * width, s->dtype);
    const wn_norm *const norms[2] = {&layer->q_norm, &layer->k_norm};
    for (uint32_t i = 0; i < 3; ++i) {
        const wn_mat from = wn_vit_columns(qkv, i * width, width),
                     to = wn_vit_columns(&out, i * width, width);
        const wn_apply apply = all_rows(s, &from, &to);
        if (i < 2) {
            wn_vit_norm(b, norms[i], s->v->rms, s->v->eps, &apply);
            continue;
        }
        const struct wn_args_gather args = {.n_max = s->rows_max,
                                            .segs = s->groups,
                                            .seg_at = s->exact ? WN_NONE : s->seg.at,
                                            .rows_at = WN_NONE,
                                            .to_at = WN_NONE,
                                            .cols = width,
                                            .run = 1};
        BUILD_OP(b, gather, (uint64_t)s->rows_max * ((width + 1) / 2), &from, &to, args, READS_W);
    }
    return out;
}

static void run_layer(wn_vit_state *s, uint32_t l)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const wn_vit_layer *layer = &v->layer[l];
    const uint64_t mark = build_mark(b);
    const wn_mat qkv = build_matrix_of(b, s->rows_max, 3 * v->width, s->dtype),
                 normed = build_matrix_of(b, s->rows_max, v->width, s->dtype);
    const wn_apply norm = all_rows(s, &s->x, &normed), project = all_rows(s, &normed, &qkv);
    wn_vit_norm(b, &layer->norm1, v->rms, v->eps, &norm);
    wn_vit_qkv(s, layer, &project);
    wn_vit_look(s, l, &qkv);
    const wn_mat seen = layer->q_norm.gain ? normed_qk(s, layer, &qkv) : qkv;
    if (v->rope) {
        rotate(s, &seen, 0);
        rotate(s, &seen, v->width);
    }
    attend(s, l, &seen, &normed); /* the normed rows are done with */
    wn_apply out = all_rows(s, &normed, &s->x);
    out.with = 2;
    wn_vit_linear(b, &layer->out, &out);
    wn_vit_inside(s, l, &seen, true);
    const uint64_t inner = build_mark(b);
    mlp(s, layer);
    build_release(b, inner);
    wn_vit_inside(s, l, &seen, false);
    build_release(b, mark);
    wn_vit_look_hidden(s, l + 1);
}

void wn_vit_layers(wn_vit_state *s)
{
    const wn_vit *v = s->v;
    for (uint32_t l = 0; l < v->run_layers && s->b->status == WINNOW_OK; ++l) {
        run_layer(s, l);
        wn_vit_deepen(s, l);
        if (l + 1 < v->run_layers)
            keep_feature(s, l + 1);
    }
    if (v->post_on_tokens)
        norm_stream(s, &v->post);
    keep_feature(s, v->run_layers); /* behind the last norm */
    wn_vit_look_pool(s);
}
