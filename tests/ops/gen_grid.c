/* Random programs around the operations on grids, and those that move rows out. */
#include "case.h"

static uint32_t even(uint32_t n)
{
    return n + n % 2;
}

void gen_space_to_channel(ops_case *c)
{
    const uint32_t layout = c->round % 4, f = 1 + below(c, 3), frames = 1 + below(c, 3);
    const uint32_t oh = 1 + below(c, 9), ow = 1 + below(c, 9), cols = any_cols(c, 70);
    const uint32_t pad = layout == WN_LAYOUT_BLOCKS ? 0 : below(c, 3);
    /* padded: the last row and column of blocks are not full */
    const uint32_t h = oh * f - (pad ? below(c, f) : 0), w = ow * f - (pad ? below(c, f) : 0);
    const uint32_t channels = f * f * cols, stride = even(channels + below(c, 4));
    const uint32_t cells = frames * oh * ow, n = frames * h * w;
    make_matrix(c, &c->a, n, cols, (uint8_t)below(c, 3), any_flavour(c));
    make_pool(c, 2 + (uint64_t)cells * stride, any_dtype(c));
    describe(c, "layout %u, %u x (%u x %u), factor %u, pad %u, cols %u, dtypes %u %u", layout,
             frames, h, w, f, pad, cols, c->a.dtype, c->pool.dtype);
    wn_op *op = ADD(c, space_to_channel, (uint64_t)cells * ((channels + 1) / 2), .frames = frames,
                    .h = h, .w = w, .oh = oh, .ow = ow, .factor = f, .layout = layout, .pad = pad,
                    .cols = cols, .rows_at = row_list(c, n, true));
    use_a(c, op);
    write_pool(c, op, 2, stride);
}

/* Windows of one axis: start[out], count[out], weight[out * taps], or an output's weights a word before those of the one before. */
typedef struct axis {
    uint32_t in, out, taps, step, start, count, weight;
} axis;

static axis any_axis(ops_case *c)
{
    axis a = {.in = any_size(c, 33), .out = 1 + below(c, 12), .taps = 1 + below(c, 5)};
    a.start = array(c, a.out, WORDS);
    a.count = array(c, a.out, WORDS);
    a.step = chance(c, 20) ? WN_NONE : a.taps;
    a.weight = a.step == WN_NONE ? positive(c, a.out - 1 + a.taps) + a.out - 1
                                 : positive(c, a.out * a.taps);
    for (uint32_t o = 0; o < a.out; ++o) {
        c->w[a.start + o] = below(c, a.in);
        const uint32_t left = a.in - c->w[a.start + o];
        c->w[a.count + o] = 1 + below(c, left < a.taps ? left : a.taps);
    }
    return a;
}

void gen_pool(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 2), cols = any_cols(c, 70);
    const axis y = any_axis(c), x = any_axis(c);
    const uint32_t n = frames * y.in * x.in, cells = frames * y.out * x.out;
    const uint32_t stride = even(cols + below(c, 4));
    make_matrix(c, &c->a, n, cols, (uint8_t)below(c, 3), any_flavour(c));
    make_pool(c, 4 + (uint64_t)cells * stride, any_dtype(c));
    describe(c, "%u x (%u x %u) to %u x %u, cols %u, dtypes %u %u", frames, y.in, x.in, y.out,
             x.out, cols, c->a.dtype, c->pool.dtype);
    wn_op *op =
        ADD(c, pool, (uint64_t)cells * ((cols + 1) / 2), .frames = frames, .h = y.in, .w = x.in,
            .oh = y.out, .ow = x.out, .cols = cols, .rows_at = row_list(c, n, true),
            .ystart_at = y.start, .ycount_at = y.count, .yweight_at = y.weight, .ytaps = y.step,
            .xstart_at = x.start, .xcount_at = x.count, .xweight_at = x.weight, .xtaps = x.step,
            .scale = 1.0f / 3.0f);
    use_a(c, op);
    write_pool(c, op, 4, stride);
}

void gen_window_sizes(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 3);
    const axis y = any_axis(c), x = any_axis(c);
    const uint32_t n = frames * y.in * x.in, cells = frames * y.out * x.out;
    describe(c, "%u x (%u x %u) to %u x %u", frames, y.in, x.in, y.out, x.out);
    ADD(c, window_sizes, cells, .frames = frames, .h = y.in, .w = x.in, .oh = y.out, .ow = x.out,
        .ystart_at = y.start, .ycount_at = y.count, .xstart_at = x.start, .xcount_at = x.count,
        .sizes_at = chance(c, 75) ? positive(c, n) : WN_NONE,
        .sizes_new_at = array(c, cells, REALS));
}

void gen_scale_likeness(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 3), h = any_size(c, 19), w = any_size(c, 19),
                   levels = 1 + below(c, 3), side = 1u << levels, n = frames * h * w;
    const uint32_t windows = frames * ((h + side - 1) / side) * ((w + side - 1) / side);
    const uint32_t cols = any_cols(c, 300), stride = levels + below(c, 3);
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 3 + (uint64_t)(windows + 1) * stride, WINNOW_F32);
    describe(c, "%u x (%u x %u), side %u, cols %u, dtype %u", frames, h, w, side, cols, c->a.dtype);
    wn_op *op =
        ADD(c, scale_likeness, windows, .frames = frames, .h = h, .grid_w = w, .levels = levels,
            .cols = cols, .rows_at = row_list(c, n, true), .inv_at = positive(c, n));
    use_a(c, op);
    write_pool(c, op, 3, stride);
}

void gen_scale_pick(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 3), h = any_size(c, 29), w = any_size(c, 29),
                   levels = 1 + below(c, 3), side = 1u << levels, n = frames * h * w;
    const uint32_t windows = frames * ((h + side - 1) / side) * ((w + side - 1) / side);
    make_matrix(c, &c->a, windows, levels + 1, any_dtype(c), any_flavour(c));
    describe(c, "%u x (%u x %u), side %u, dtype %u", frames, h, w, side, c->a.dtype);
    use_a(c, ADD(c, scale_pick, n, .frames = frames, .h = h, .grid_w = w, .levels = levels,
                 .largest = chance(c, 50), .keep_at = array(c, n, WORDS),
                 .dest_at = array(c, n, WORDS), .bound = value(c, TIED)));
}

void gen_copy_rows(ops_case *c)
{
    const uint32_t rows = any_size(c, 300), n = 1 + below(c, rows), cols = any_cols(c, 70);
    const uint32_t stride = even(cols + below(c, 4)), dst = shuffled(c, rows);
    const bool listed = chance(c, 60);
    make_matrix(c, &c->a, rows, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 6 + (uint64_t)rows * stride, chance(c, 60) ? c->a.dtype : (uint8_t)below(c, 3));
    for (uint32_t i = 0; i < n; ++i)
        if (chance(c, 15))
            c->w[dst + i] = WN_NONE;
    describe(c, "%u of %u rows, cols %u, dtypes %u %u", n, rows, cols, c->a.dtype, c->pool.dtype);
    wn_op *op =
        ADD(c, copy_rows, (uint64_t)n * ((cols + 1) / 2), .n = n,
            .src_at = listed ? words_below(c, n, rows) : WN_NONE, .dst_at = dst, .cols = cols);
    use_a(c, op);
    write_pool(c, op, 6, stride);
}

void gen_emit_rows(ops_case *c)
{
    const bool large = chance(c, 15); /* more than plain C writes by way of the caches */
    const segments s = any_segments(c, large ? 1100 : any_size(c, 300));
    const uint32_t cols = large ? 2048 : any_cols(c, 70);
    const uint32_t stride = cols + below(c, 5), first = below(c, 9);
    make_matrix(c, &c->a, s.n, cols, (uint8_t)below(c, 3), any_flavour(c));
    make_pool(c, first + (uint64_t)s.n_max * stride, any_dtype(c));
    const uint64_t items = c->pool.dtype == WINNOW_F32 ? (uint64_t)s.n_max * cols
                                                       : (uint64_t)s.n_max * ((stride + 2) / 2);
    describe(c, "n %u of %u, cols %u, stride %u, from element %u, dtypes %u %u", s.n, s.n_max, cols,
             stride, first, c->a.dtype, c->pool.dtype);
    wn_op *op = ADD(c, emit_rows, items, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                    .rows_at = row_list(c, s.n, true),
                    .order_at = chance(c, 50) ? shuffled(c, s.n) : WN_NONE, .cols = cols);
    use_a(c, op);
    write_pool(c, op, first, stride);
}

void gen_emit_meta(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t grid_w = 1 + below(c, 9), tokens = grid_w * (1 + below(c, 9));
    const uint32_t source = any_size(c, 1031) + below(c, 40), n = s.n;
    const uint32_t index = words_below(c, n, tokens * 7), assign = words_below(c, source, n);
    for (uint32_t i = 0; i < n; ++i)
        if (chance(c, 10))
            c->w[index + i] = chance(c, 50) ? 0xffffffffu : 0xfffffffeu;
    for (uint32_t i = 0; i < source; ++i)
        if (chance(c, 20))
            c->w[assign + i] = WN_NONE;
    const bool ordered = chance(c, 50), assigned = source > n || chance(c, 70);
    describe(c, "n %u of %u, source %u, ordered %d, assigned %d", n, s.n_max, source, ordered,
             assigned);
    ADD(c, emit_meta, s.n_max > source ? s.n_max : source, .n_max = s.n_max, .source = source,
        .segs = s.segs, .seg_at = s.at, .index_at = index,
        .sizes_at = chance(c, 70) ? positive(c, n) : WN_NONE,
        .order_at = ordered ? shuffled(c, n) : WN_NONE,
        .inverse_at = ordered ? shuffled(c, n) : WN_NONE, .assign_at = assigned ? assign : WN_NONE,
        .stats_at = chance(c, 70) ? array(c, 1, WORDS) : WN_NONE, .tokens = tokens,
        .grid_w = grid_w, .mask = 0x3eu);
    expect_out(c, WINNOW_OUT_INDICES, n, 1, WINNOW_I32);
    expect_out(c, WINNOW_OUT_SIZES, n, 1, WINNOW_F32);
    expect_out(c, WINNOW_OUT_POSITIONS, n, 3, WINNOW_I32);
    expect_out(c, WINNOW_OUT_ASSIGNMENT, source, 1, WINNOW_I32);
    expect_out(c, WINNOW_OUT_COUNT_WORD, 1, 4, WINNOW_I32);
}
