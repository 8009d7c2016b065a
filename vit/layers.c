/* layers.c: from pictures to hidden states. Each layer is x += out(attention(qkv(norm1(x)))), x += mlp(norm2(x)); the
 * attention never stores its matrix. Cost a layer and frame of n rows: (4 D^2 + 2 or 3 D inner) n + 2 n^2 D multiply-adds;
 * least traffic: the layer's weights once, x read and written twice. */
#include "layers.h"

#include <math.h>

static wn_mat place_mat(const wn_place *place, uint32_t rows, uint32_t cols)
{
    return (wn_mat){.ref = place->ref, .stride = place->stride, .cols = cols, .rows = rows};
}

void wn_vit_linear(wn_build *b, const wn_linear *l, const wn_apply *a)
{
    const wn_mat c = place_mat(&l->place, l->in, l->out);
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
    const wn_mat c = place_mat(&norm->place, 2, norm->cols);
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

/* -- the first rows -------------------------------------------------------------------------------- */

/* The frames' bytes as words, and the views that they become. */
static wn_mat views_of(wn_vit_state *s, uint32_t height, uint32_t width)
{
    const wn_prepare *p = s->prepare;
    const uint64_t bytes = (uint64_t)s->frames * (p ? p->height : height) * (p ? p->width : width) * 3;
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
    BUILD_OP(b, patchify, (uint64_t)s->groups * s->cells * ((out.cols + 1) / 2), &pixels, &out, args, READS_W);
    return out;
}

/* Row of a frame where its patches begin, and where its class token stands. */
static uint32_t first_patch(const wn_vit_state *s)
{
    return s->v->class_last ? s->v->registers : s->specials;
}

static uint32_t class_place(const wn_vit_state *s)
{
    return s->v->class_last ? s->cells + s->v->registers : 0;
}

/* A constant of `n` entries a frame: base + frame*step + i. */
static wn_arr frame_list(wn_vit_state *s, uint32_t n, uint32_t first, uint32_t step)
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
    const wn_mat c = place_mat(&table->place, n, table->cols);
    const wn_arr dst = frame_list(s, n, first, s->width), src = build_const(b, NULL, rows);
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

/* -- positions ------------------------------------------------------------------------------------- */

/* One axis of an interpolated table: taps and weights of each output. */
enum { TAPS_MOST = 32 }; /* an antialiased table may shrink eightfold */
typedef struct wn_taps {
    uint32_t count;
    int32_t at[TAPS_MOST];
    float weight[TAPS_MOST];
} wn_taps;

static float cubic(float x, float a)
{
    x = fabsf(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static bool is_wide(const wn_vit *v)
{
    return v->positions == WN_POSITIONS_BICUBIC_WIDE || v->positions == WN_POSITIONS_BILINEAR_WIDE;
}

static bool is_cubic(const wn_vit *v)
{
    return v->positions == WN_POSITIONS_BICUBIC || v->positions == WN_POSITIONS_BICUBIC_WIDE;
}

static int32_t held(int32_t i, uint32_t side)
{
    return i < 0 ? 0 : i >= (int32_t)side ? (int32_t)side - 1 : i;
}

/* torch interpolate(antialias=True): the kernel widens where the table shrinks, and what lies outside is left out. */
static wn_taps wide_taps(const wn_vit *v, uint32_t o, uint32_t out, uint32_t side)
{
    wn_taps t = {0};
    const float ratio = (float)side / (float)out, scale = ratio > 1 ? ratio : 1,
                reach = (is_cubic(v) ? 2.0f : 1.0f) * scale, centre = ratio * ((float)o + 0.5f);
    const int32_t first = held((int32_t)(centre - reach + 0.5f), side);
    int32_t end = (int32_t)(centre + reach + 0.5f);
    end = end > (int32_t)side ? (int32_t)side : end;
    float sum = 0;
    for (int32_t k = first; k < end && t.count < TAPS_MOST; ++k) {
        const float x = ((float)(k - first) + (float)first - centre + 0.5f) / scale,
                    w = is_cubic(v) ? cubic(x, -0.5f) : fabsf(x) < 1 ? 1 - fabsf(x) : 0;
        t.at[t.count] = k;
        t.weight[t.count++] = w;
        sum += w;
    }
    for (uint32_t k = 0; k < t.count; ++k)
        t.weight[k] /= sum;
    return t;
}

/* torch interpolate(mode="bicubic", align_corners=False), a = -0.75, edges held; or bilinear with aligned corners. */
static wn_taps taps_of(const wn_vit *v, uint32_t o, uint32_t out, uint32_t side)
{
    wn_taps t = {.count = is_cubic(v) ? 4 : 2};
    if (is_wide(v))
        return wide_taps(v, o, out, side);
    const float at = is_cubic(v) ? ((float)o + 0.5f) * ((float)side / (float)out) - 0.5f
                     : out > 1   ? (float)o * ((float)(side - 1) / (float)(out - 1))
                                 : 0.0f;
    const int32_t base = (int32_t)floorf(at), before = is_cubic(v) ? 1 : 0;
    const float part = at - (float)base;
    for (int32_t k = 0; k < (int32_t)t.count; ++k) {
        t.at[k] = held(base + k - before, side);
        t.weight[k] = is_cubic(v) ? cubic(part - (float)(k - 1), -0.75f) : k ? part : 1 - part;
    }
    return t;
}

/* Cell of the r-th row of a frame: blocks of merge x merge cells. */
static void cell_of(const wn_vit_state *s, uint32_t r, uint32_t *y, uint32_t *x)
{
    const uint32_t f = s->v->merge, block = r / (f * f), inside = r % (f * f), across = s->grid_w / f;
    *y = block / across * f + inside / f;
    *x = block % across * f + inside % f;
}

/* Taps of a cell, at most: those of y times those of x. */
static uint32_t taps_count(const wn_vit_state *s)
{
    const wn_vit *v = s->v;
    uint32_t most[2] = {0, 0};
    for (uint32_t axis = 0; axis < 2; ++axis) {
        const uint32_t out = axis ? s->grid_w : s->grid_h;
        for (uint32_t o = 0; o < out; ++o) {
            const uint32_t count = taps_of(v, o, out, v->position_side).count;
            most[axis] = count > most[axis] ? count : most[axis];
        }
    }
    return most[0] * most[1];
}

static void fill_taps(const wn_vit_state *s, uint32_t *src, float *weight, uint32_t taps)
{
    const wn_vit *v = s->v;
    const uint32_t side = v->position_side;
    for (uint32_t r = 0; r < s->cells; ++r) {
        uint32_t y, x;
        cell_of(s, r, &y, &x);
        const wn_taps ty = taps_of(v, y, s->grid_h, side), tx = taps_of(v, x, s->grid_w, side);
        for (uint32_t k = 0; k < taps; ++k) { /* what is left over weighs nothing */
            const uint32_t i = k / tx.count, j = k % tx.count;
            const bool used = i < ty.count;
            *src++ = v->position_first + (used ? (uint32_t)ty.at[i] * side + (uint32_t)tx.at[j] : 0);
            *weight++ = used ? ty.weight[i] * tx.weight[j] : 0.0f;
        }
    }
}

/* One row a cell: its place in the table, in the order of rows. */
static void fill_cells(const wn_vit_state *s, uint32_t *src)
{
    for (uint32_t r = 0; r < s->cells; ++r) {
        uint32_t y, x;
        cell_of(s, r, &y, &x);
        src[r] = s->v->position_first + y * s->grid_w + x;
    }
}

static void add_table(wn_vit_state *s, wn_arr src, wn_arr weight, wn_arr dst, uint32_t taps)
{
    const wn_table *table = &s->v->position_rows;
    const wn_mat c = place_mat(&table->place, table->count, table->cols);
    const struct wn_args_table_mix args = {.n_max = dst.n,
                                           .taps = taps,
                                           .src_at = src.at,
                                           .weight_at = weight.at,
                                           .dst_at = dst.at,
                                           .cols = table->cols,
                                           .add = 1};
    BUILD_OP3(s->b, table_mix, (uint64_t)dst.n * table->cols, NULL, &s->x, &c, args, READS_W);
}

/* Positions of the class token, of every row in llama.cpp's order, or of the cells alone. */
static void add_positions(wn_vit_state *s)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const bool fits = s->grid_h == v->position_side && s->grid_w == v->position_side;
    /* Interpolated kinds mix at their own size too: smaller sizes must fit the same memory. */
    const bool same = v->positions == WN_POSITIONS_TABLE;
    const uint32_t taps = same ? 1 : taps_count(s), each = s->cells * taps;
    if (v->positions == WN_POSITIONS_NONE || b->status != WINNOW_OK)
        return;
    if (same && !fits) {
        build_fail(b, WINNOW_E_SHAPE, "pictures of %u x %u patches, the model is made for %u x %u (give its own size)",
                   s->grid_w, s->grid_h, v->position_side, v->position_side);
        return;
    }
    const wn_arr src = build_const(b, NULL, s->groups * each),
                 weight = same ? WN_NO_ARR : build_const(b, NULL, s->groups * each),
                 dst = frame_list(s, s->cells, first_patch(s), s->width);
    uint32_t *rows = build_const_data(b, src);
    for (uint32_t t = 0; rows && t < s->groups; ++t) {
        if (same)
            fill_cells(s, rows + t * each);
        else
            fill_taps(s, rows + t * each, (float *)(void *)build_const_data(b, weight) + t * each, taps);
        for (uint32_t r = 0; v->class_last && r < each; ++r)
            rows[t * each + r] = r; /* llama.cpp numbers rows, whatever the table was trained for */
    }
    add_table(s, src, weight, dst, taps);
    if (!v->position_first)
        return;
    const wn_arr own = build_const(b, NULL, s->groups), at = frame_list(s, 1, class_place(s), s->width);
    uint32_t *data = build_const_data(b, own);
    for (uint32_t t = 0; data && t < s->groups; ++t)
        data[t] = v->class_last ? s->cells : 0;
    add_table(s, own, WN_NO_ARR, at, 1);
}

static void rope_tables(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint32_t quarter = s->v->head_dim / 4, n = s->groups * s->cells,
                   most = s->grid_h > s->grid_w ? s->grid_h : s->grid_w;
    s->rope_y = build_const(b, NULL, n);
    s->rope_x = build_const(b, NULL, n);
    s->rope_cos = build_const(b, NULL, most * quarter);
    s->rope_sin = build_const(b, NULL, most * quarter);
    uint32_t *y = build_const_data(b, s->rope_y), *x = build_const_data(b, s->rope_x);
    float *c = (float *)(void *)build_const_data(b, s->rope_cos), *d = (float *)(void *)build_const_data(b, s->rope_sin);
    for (uint32_t r = 0; y && r < n; ++r)
        cell_of(s, r % s->cells, &y[r], &x[r]);
    for (uint32_t e = 0; c && e < most * quarter; ++e) {
        /* f32 steps as transformers takes them */
        const float inverse = (float)(1.0 / pow(s->v->rope_base, (double)(e % quarter) / quarter)),
                    angle = (float)(e / quarter) * inverse;
        c[e] = (float)cos((double)angle);
        d[e] = (float)sin((double)angle);
    }
}

/* Windows of cells, Qwen2.5-VL's: `side` merged cells a side, the last ones smaller. Lists of rows, window by window. */
static void window_lists(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint32_t f = s->v->merge, h = s->grid_h / f, w = s->grid_w / f, wide = s->v->window / s->v->patch / f,
                   side = wide ? wide : 1;
    const uint32_t across = (w + side - 1) / side, down = (h + side - 1) / side;
    s->windows = s->groups * across * down;
    s->window_seg = build_const(b, NULL, s->windows + 1);
    s->window_list = build_const(b, NULL, s->groups * s->cells);
    uint32_t *seg = build_const_data(b, s->window_seg), *list = build_const_data(b, s->window_list), used = 0, k = 0;
    for (uint32_t i = 0; seg && i < s->windows; ++i) {
        const uint32_t t = i / (across * down), y0 = i / across % down * side, x0 = i % across * side;
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
                                            .cols = v->width};
        BUILD_OP(b, gather, (uint64_t)b->set.n_max * ((v->width + 1) / 2), &s->x, &to, args, READS_W);
    }
}

/* -- begin ------------------------------------------------------------------------------------------ */

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
        b->set.rows = frame_list(s, s->cells, s->v->token_first, s->width);
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
                 cells = s->specials ? build_matrix(b, (uint64_t)s->groups * s->cells, v->width) : s->x;
    const wn_apply embed = {.in = &patches, .out = &cells, .n_max = s->groups * s->cells, .seg = WN_NO_ARR};
    wn_vit_linear(b, &v->embed, &embed);
    if (s->specials) {
        const wn_arr to = frame_list(s, s->cells, first_patch(s), s->width);
        const struct wn_args_gather args = {
            .n_max = to.n, .seg_at = WN_NONE, .rows_at = WN_NONE, .to_at = to.at, .cols = v->width};
        BUILD_OP(b, gather, (uint64_t)to.n * ((v->width + 1) / 2), &cells, &s->x, args, READS_W);
        if (v->class_token)
            put_table(s, &v->class_row, class_place(s));
        if (v->registers)
            put_table(s, &v->register_rows, v->class_last ? 0 : 1);
    }
    add_positions(s);
    if (v->pre.gain)
        norm_stream(s, &v->pre);
    build_release(b, mark);
    if (v->rope)
        rope_tables(s);
    if (v->window)
        window_lists(s);
    wn_vit_look_hidden(s, 0);
    keep_feature(s, 0);
}

/* -- layers ----------------------------------------------------------------------------------------- */

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
    const uint32_t side = v->window / v->patch, most = windows && side * side < s->width ? side * side : s->width,
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
    const uint64_t items = (uint64_t)segs * v->heads * ((v->head_dim + 31) / 32) * ((most + 127) / 128);
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
        const wn_mat from = wn_vit_columns(qkv, i * width, width), to = wn_vit_columns(&out, i * width, width);
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
                                            .cols = width};
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
