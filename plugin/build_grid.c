/* build_grid.c: windows of a full grid. Which place every token comes from is known while planning, so the new lists
 * are constants. */
#include "build.h"

winnow_status build_need_grid(wn_build *b)
{
    if (b->set.grid_h)
        return b->status;
    const bool ever = b->in.shape.grid_h != 0;
    return build_fail(b, WINNOW_E_SHAPE, "it needs tokens on a full grid, and %s",
                      ever ? "a stage before it left them irregular (put it first)"
                           : "no grid was given (give the grid's height and width)");
}

typedef struct places {
    uint32_t oh, ow, w, frame; /* frame: tokens of an old frame */
    bool transposed;
} places;

static uint32_t new_place(const places *p, uint32_t y, uint32_t x)
{
    return p->transposed ? x * p->oh + y : y * p->ow + x;
}

/* index_new[o] = index_old[first token of the window]: of a constant list, copied; indices on a grid are always known. */
static wn_arr index_after(wn_build *b, const places *p, const wn_axis *y, const wn_axis *x)
{
    const wn_arr old = b->set.index, out = build_const(b, NULL, b->set.segs * p->oh * p->ow);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        for (uint32_t oy = 0; oy < p->oh; ++oy)
            for (uint32_t ox = 0; ox < p->ow; ++ox)
                data[t * p->oh * p->ow + new_place(p, oy, ox)] =
                    b->consts[old.at + t * p->frame + y->first[oy] * p->w + x->first[ox]];
    return out;
}

static wn_arr map_after(wn_build *b, const places *p, const wn_axis *y, const wn_axis *x)
{
    const wn_arr map = build_const(b, NULL, b->set.n_max);
    uint32_t *data = build_const_data(b, map);
    for (uint32_t i = 0; data && i < b->set.n_max; ++i)
        data[i] = WN_NONE;
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        for (uint32_t oy = p->oh;
             oy-- > 0;) /* backwards: of overlapping windows the first one keeps the token */
            for (uint32_t ox = p->ow; ox-- > 0;)
                for (uint32_t dy = 0; dy < y->count[oy]; ++dy)
                    for (uint32_t dx = 0; dx < x->count[ox]; ++dx)
                        data[t * p->frame + (y->start[oy] + dy) * p->w + x->start[ox] + dx] =
                            t * p->oh * p->ow + new_place(p, oy, ox);
    return map;
}

static wn_arr sizes_constant(wn_build *b, const places *p, const wn_axis *y, const wn_axis *x)
{
    const wn_arr out = build_const(b, NULL, b->set.segs * p->oh * p->ow);
    float *data = (float *)(void *)build_const_data(b, out);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        for (uint32_t oy = 0; oy < p->oh; ++oy)
            for (uint32_t ox = 0; ox < p->ow; ++ox)
                data[t * p->oh * p->ow + new_place(p, oy, ox)] =
                    (float)(y->count[oy] * x->count[ox]);
    return out;
}

static wn_arr sizes_summed(wn_build *b, const places *p, const wn_axis *y, const wn_axis *x)
{
    const wn_arr ystart = build_const(b, y->start, y->out),
                 ycount = build_const(b, y->count, y->out);
    const wn_arr xstart = build_const(b, x->start, x->out),
                 xcount = build_const(b, x->count, x->out);
    const wn_arr out = build_array(b, (uint64_t)b->set.segs * p->oh * p->ow);
    const struct wn_args_window_sizes args = {.frames = b->set.segs,
                                              .h = b->set.grid_h,
                                              .w = p->w,
                                              .oh = p->oh,
                                              .ow = p->ow,
                                              .ystart_at = ystart.at,
                                              .ycount_at = ycount.at,
                                              .xstart_at = xstart.at,
                                              .xcount_at = xcount.at,
                                              .sizes_at = b->set.sizes.at,
                                              .sizes_new_at = out.at};
    BUILD_OP(b, window_sizes, out.n, NULL, NULL, args, WRITES_W);
    if (!p->transposed)
        return out;
    const wn_arr order = build_const(b, NULL, out.n), turned = build_array(b, out.n);
    uint32_t *data = build_const_data(b, order);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        for (uint32_t oy = 0; oy < p->oh; ++oy)
            for (uint32_t ox = 0; ox < p->ow; ++ox)
                data[t * p->oh * p->ow + new_place(p, oy, ox)] =
                    t * p->oh * p->ow + oy * p->ow + ox;
    const struct wn_args_remap turn = {
        .n = out.n, .assign_at = order.at, .map_at = out.at, .assign_out_at = turned.at};
    BUILD_OP(b, remap, out.n, NULL, NULL, turn, WRITES_W);
    return turned;
}

static wn_arr counting(wn_build *b, uint32_t n, uint32_t step)
{
    const wn_arr out = build_const(b, NULL, n);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t i = 0; data && i < n; ++i)
        data[i] = i * step;
    return out;
}

void build_grid_after(wn_build *b, const wn_axis *y, const wn_axis *x, const wn_mat *out,
                      bool transposed)
{
    if (b->status != WINNOW_OK)
        return;
    const places p = {y->out, x->out, b->set.grid_w, b->set.width, transposed};
    const uint32_t frame = p.oh * p.ow;
    wn_set set = b->set;
    set.index = index_after(b, &p, y, x);
    const wn_arr map = map_after(b, &p, y, x);
    set.sizes =
        b->set.sizes.at == WN_NONE ? sizes_constant(b, &p, y, x) : sizes_summed(b, &p, y, x);
    set.seg = counting(b, set.segs + 1, frame);
    set.rows = counting(b, set.segs * frame, 1);
    set.n_max = set.segs * frame;
    set.width = frame;
    set.regular = set.exact = set.fresh = true;
    set.grid_h = transposed ? p.ow : p.oh;
    set.grid_w = transposed ? p.oh : p.ow;
    set.mat = *out;
    set.order = WN_NO_ARR;
    build_remap(b, map);
    b->set = set;
}
