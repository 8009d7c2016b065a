/* build_grid.c: windows of a full grid. Which place every token comes from is known while planning, so the new lists
 * are constants. */
#include "build.h"
#include "numbers.h"

#include <math.h>

uint32_t build_grid_width(wn_build *b)
{
    const winnow_shape *shape = &b->in.shape;
    const uint32_t side = (uint32_t)lrint(sqrt((double)shape->tokens));
    if (shape->grid_w)
        return shape->grid_w;
    if (side * side != shape->tokens)
        build_fail(b, WINNOW_E_SHAPE,
                   "it goes by places in the picture, and %u tokens without a grid are no square "
                   "(give the grid)",
                   shape->tokens);
    return side;
}

winnow_status build_need_grid(wn_build *b)
{
    if (b->set.grid_h)
        return b->status;
    const bool ever = b->in.shape.grid_h != 0;
    return build_fail(b, WINNOW_E_SHAPE, "it needs tokens on a full grid, and %s",
                      ever ? "a stage before it left them irregular (put it first)"
                           : "no grid was given (give the grid's height and width)");
}

wn_axis build_axis(wn_build *b, uint32_t out, uint32_t taps)
{
    return (wn_axis){.out = out,
                     .taps = taps,
                     .start = build_const(b, NULL, out),
                     .count = build_const(b, NULL, out),
                     .first = build_const(b, NULL, out),
                     .weight = build_const(b, NULL, out * taps)};
}

void build_axis_window(wn_build *b, const wn_axis *axis, uint32_t o, uint32_t first, uint32_t start,
                       uint32_t count)
{
    if (b->status != WINNOW_OK || b->bounds_only)
        return;
    b->consts[axis->first.at + o] = first;
    b->consts[axis->start.at + o] = start;
    b->consts[axis->count.at + o] = count;
}

void build_axis_weight(wn_build *b, const wn_axis *axis, uint32_t o, uint32_t tap, float weight)
{
    if (b->status == WINNOW_OK && !b->bounds_only)
        b->consts[axis->weight.at + o * axis->taps + tap] = f32_bits(weight);
}

wn_axis build_axis_round(wn_build *b, uint32_t n, wn_arr kernel)
{
    wn_axis axis = build_axis(b, n, 0);
    axis.taps =
        WN_NONE; /* the weights of an output begin a word before those of the one before it */
    axis.weight = kernel;
    for (uint32_t o = 0; o < n; ++o)
        build_axis_window(b, &axis, o, o, 0, n);
    return axis;
}

wn_axis build_axis_same(wn_build *b, uint32_t n)
{
    const wn_axis axis = build_axis(b, n, 1);
    for (uint32_t o = 0; o < n; ++o) {
        build_axis_window(b, &axis, o, o, o, 1);
        build_axis_weight(b, &axis, o, 0, 1.0f);
    }
    return axis;
}

wn_grid build_set_grid(const wn_build *b)
{
    return (wn_grid){b->set.mat, b->set.rows, b->set.grid_h, b->set.grid_w};
}

void build_pool(wn_build *b, const wn_grid *from, const wn_axis *y, const wn_axis *x, float scale,
                const wn_mat *out)
{
    const struct wn_args_pool args = {.frames = b->set.segs,
                                      .h = from->h,
                                      .w = from->w,
                                      .oh = y->out,
                                      .ow = x->out,
                                      .cols = out->cols,
                                      .rows_at = from->list.at,
                                      .ystart_at = y->start.at,
                                      .ycount_at = y->count.at,
                                      .yweight_at = y->weight.at,
                                      .ytaps = y->taps,
                                      .xstart_at = x->start.at,
                                      .xcount_at = x->count.at,
                                      .xweight_at = x->weight.at,
                                      .xtaps = x->taps,
                                      .scale = scale};
    BUILD_OP(b, pool, (uint64_t)out->rows * ((out->cols + 1) / 2), &from->mat, out, args, READS_W);
}

/* The windows of one step from the old grid to the new one. */
typedef struct places {
    const wn_axis *y, *x;
    uint32_t w, frame; /* columns, and tokens of a frame, of the old grid */
    bool transposed;
} places;

static uint32_t new_frame(const places *p)
{
    return p->y->out * p->x->out;
}

static uint32_t new_place(const places *p, uint32_t y, uint32_t x)
{
    return p->transposed ? x * p->y->out + y : y * p->x->out + x;
}

/* A window as fn sees it: frame t, output (y, x). */
typedef void (*window_fn)(wn_build *b, const places *p, uint32_t t, uint32_t y, uint32_t x,
                          wn_arr out);

/* Calls fn for every window of every frame, the last one first. */
static wn_arr each_window(wn_build *b, const places *p, window_fn fn, wn_arr out)
{
    const uint32_t frames = b->status == WINNOW_OK && !b->bounds_only ? b->set.segs : 0;
    for (uint32_t t = frames; t-- > 0;)
        for (uint32_t y = p->y->out; y-- > 0;)
            for (uint32_t x = p->x->out; x-- > 0;)
                fn(b, p, t, y, x, out);
    return out;
}

/* index_new[o] = index_old[first token of the window]; indices on a grid are constants. */
static void put_index(wn_build *b, const places *p, uint32_t t, uint32_t y, uint32_t x, wn_arr out)
{
    const uint32_t *c = b->consts,
                   from = t * p->frame + c[p->y->first.at + y] * p->w + c[p->x->first.at + x];
    b->consts[out.at + t * new_frame(p) + new_place(p, y, x)] = c[b->set.index.at + from];
}

/* Of overlapping windows the first one keeps the token: it is written last. */
static void put_members(wn_build *b, const places *p, uint32_t t, uint32_t y, uint32_t x,
                        wn_arr out)
{
    const uint32_t *c = b->consts, ys = c[p->y->start.at + y], xs = c[p->x->start.at + x];
    for (uint32_t dy = 0; dy < c[p->y->count.at + y]; ++dy)
        for (uint32_t dx = 0; dx < c[p->x->count.at + x]; ++dx)
            b->consts[out.at + t * p->frame + (ys + dy) * p->w + xs + dx] =
                t * new_frame(p) + new_place(p, y, x);
}

static void put_size(wn_build *b, const places *p, uint32_t t, uint32_t y, uint32_t x, wn_arr out)
{
    const uint32_t size = b->consts[p->y->count.at + y] * b->consts[p->x->count.at + x];
    b->consts[out.at + t * new_frame(p) + new_place(p, y, x)] = f32_bits((float)size);
}

/* Where a transposed place is in the untransposed list. */
static void put_turned(wn_build *b, const places *p, uint32_t t, uint32_t y, uint32_t x, wn_arr out)
{
    b->consts[out.at + t * new_frame(p) + new_place(p, y, x)] =
        t * new_frame(p) + y * p->x->out + x;
}

static wn_arr map_after(wn_build *b, const places *p)
{
    const wn_arr map = build_const(b, NULL, b->set.n_max);
    uint32_t *data = build_const_data(b, map);
    for (uint32_t i = 0; data && i < b->set.n_max; ++i)
        data[i] = WN_NONE;
    return each_window(b, p, put_members, map);
}

static wn_arr sizes_summed(wn_build *b, const places *p)
{
    const wn_arr out = build_array(b, (uint64_t)b->set.segs * new_frame(p));
    const struct wn_args_window_sizes args = {.frames = b->set.segs,
                                              .h = b->set.grid_h,
                                              .w = p->w,
                                              .oh = p->y->out,
                                              .ow = p->x->out,
                                              .ystart_at = p->y->start.at,
                                              .ycount_at = p->y->count.at,
                                              .xstart_at = p->x->start.at,
                                              .xcount_at = p->x->count.at,
                                              .sizes_at = b->set.sizes.at,
                                              .sizes_new_at = out.at};
    BUILD_OP(b, window_sizes, out.n, NULL, NULL, args, WRITES_W);
    if (!p->transposed)
        return out;
    const wn_arr from = each_window(b, p, put_turned, build_const(b, NULL, out.n)),
                 turned = build_array(b, out.n);
    const struct wn_args_remap turn = {
        .n = out.n, .assign_at = from.at, .map_at = out.at, .assign_out_at = turned.at};
    BUILD_OP(b, remap, out.n, NULL, NULL, turn, WRITES_W);
    return turned;
}

void build_grid_after(wn_build *b, const wn_axis *y, const wn_axis *x, const wn_mat *out,
                      bool transposed)
{
    const places p = {y, x, b->set.grid_w, b->set.width, transposed};
    const uint32_t frame = new_frame(&p), all = b->set.segs * frame;
    wn_set set = b->set;
    set.index = each_window(b, &p, put_index, build_const(b, NULL, all));
    const wn_arr map = map_after(b, &p);
    set.sizes = b->set.sizes.at == WN_NONE ? each_window(b, &p, put_size, build_const(b, NULL, all))
                                           : sizes_summed(b, &p);
    set.seg = build_counting(b, set.segs + 1, frame);
    set.rows = build_counting(b, all, 1);
    set.n_max = all;
    set.width = frame;
    set.regular = set.exact = set.fresh = set.aligned = true;
    set.grid_h = transposed ? x->out : y->out;
    set.grid_w = transposed ? y->out : x->out;
    set.mat = *out;
    set.order = WN_NO_ARR;
    build_remap(b, map);
    b->set = set;
}
