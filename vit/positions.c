/* positions.c: where a token stands: rows of a table, interpolated for other grids than the trained
 * one, and the angles of rotary positions. */
#include "layers.h"

#include <math.h>

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

/* torch interpolate(antialias=True): the kernel widens where the table shrinks, and what lies
 * outside is left out. */
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
                    w = is_cubic(v)    ? cubic(x, -0.5f)
                        : fabsf(x) < 1 ? 1 - fabsf(x)
                                       : 0;
        t.at[t.count] = k;
        t.weight[t.count++] = w;
        sum += w;
    }
    for (uint32_t k = 0; k < t.count; ++k)
        t.weight[k] /= sum;
    return t;
}

/* torch interpolate(mode="bicubic", align_corners=False), a = -0.75, edges held; or bilinear with
 * aligned corners. */
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
    const uint32_t f = s->v->merge, block = r / (f * f), inside = r % (f * f),
                   across = s->grid_w / f;
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
            *src++ =
                v->position_first + (used ? (uint32_t)ty.at[i] * side + (uint32_t)tx.at[j] : 0);
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
    const wn_mat c = wn_vit_place_mat(&table->place, table->count, table->cols);
    const struct wn_args_table_mix args = {.n_max = dst.n,
                                           .taps = taps,
                                           .src_at = src.at,
                                           .weight_at = weight.at,
                                           .dst_at = dst.at,
                                           .cols = table->cols,
                                           .add = 1};
    BUILD_OP3(s->b, table_mix, (uint64_t)dst.n * table->cols, NULL, &s->x, &c, args, READS_W);
}

void wn_vit_add_positions(wn_vit_state *s)
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
        build_fail(b, WINNOW_E_SHAPE,
                   "pictures of %u x %u patches, the model is made for %u x %u (give its own size)",
                   s->grid_w, s->grid_h, v->position_side, v->position_side);
        return;
    }
    const wn_arr src = build_const(b, NULL, s->groups * each),
                 weight = same ? WN_NO_ARR : build_const(b, NULL, s->groups * each),
                 dst = wn_vit_frame_list(s, s->cells, wn_vit_first_patch(s), s->width);
    uint32_t *rows = build_const_data(b, src);
    for (uint32_t t = 0; rows && t < s->groups; ++t) {
        if (same)
            fill_cells(s, rows + t * each);
        else
            fill_taps(s, rows + t * each, (float *)(void *)build_const_data(b, weight) + t * each,
                      taps);
        for (uint32_t r = 0; v->class_last && r < each; ++r)
            rows[t * each + r] = r; /* llama.cpp numbers rows, whatever the table was trained for */
    }
    add_table(s, src, weight, dst, taps);
    if (!v->position_first)
        return;
    const wn_arr own = build_const(b, NULL, s->groups),
                 at = wn_vit_frame_list(s, 1, wn_vit_class_place(s), s->width);
    uint32_t *data = build_const_data(b, own);
    for (uint32_t t = 0; data && t < s->groups; ++t)
        data[t] = v->class_last ? s->cells : 0;
    add_table(s, own, WN_NO_ARR, at, 1);
}

void wn_vit_rope_tables(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint32_t quarter = s->v->head_dim / 4, n = s->groups * s->cells,
                   most = s->grid_h > s->grid_w ? s->grid_h : s->grid_w;
    s->rope_y = build_const(b, NULL, n);
    s->rope_x = build_const(b, NULL, n);
    s->rope_cos = build_const(b, NULL, most * quarter);
    s->rope_sin = build_const(b, NULL, most * quarter);
    uint32_t *y = build_const_data(b, s->rope_y), *x = build_const_data(b, s->rope_x);
    float *c = (float *)(void *)build_const_data(b, s->rope_cos),
          *d = (float *)(void *)build_const_data(b, s->rope_sin);
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
