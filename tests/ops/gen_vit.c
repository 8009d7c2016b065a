/* Random programs around the vision encoder: rows, positions and products. */
#include "case.h"

#define COUNTED(s, whole) .n_max = (s).n_max, .segs = (s).segs, .seg_at = (whole) ? WN_NONE : (s).at

static uint32_t even(uint32_t n)
{
    return (n + 1) & ~1u;
}

/* A for operations that read pairs: rows of 16-bit types are even. */
static void make_even_a(ops_case *c, uint32_t rows, uint32_t cols, uint8_t dtype, flavour f)
{
    make_matrix(c, &c->a, rows, dtype == WINNOW_F32 ? cols : even(cols), dtype, f);
}

/* B in a pool of `rows`, from an even element on and with an even stride; the stride. */
static uint32_t pool_rows(ops_case *c, uint64_t rows, uint32_t cols, uint8_t dtype, uint32_t *first)
{
    const uint32_t stride = even(cols + below(c, 4));
    *first = 2 * below(c, 5);
    make_pool(c, *first + rows * stride, dtype);
    return stride;
}

/* Sizes at which a product is quick on a software driver. */
static uint32_t rows_for(ops_case *c, uint64_t work)
{
    return any_size(c, work > 20000 ? 33 : work > 4000 ? 127 : 521);
}

void gen_table_mix(ops_case *c)
{
    const uint32_t cols = any_cols(c, 70), n = rows_for(c, 0), rows = 1 + below(c, 60);
    const uint32_t taps = chance(c, 30) ? 1 : 1 + below(c, 17);
    const bool listed = chance(c, 70), weighted = chance(c, 60), placed = chance(c, 60);
    uint32_t first;
    make_c(c, listed ? rows : n * taps, cols, any_dtype(c), any_flavour(c), 0);
    const uint32_t stride = pool_rows(c, n, cols, WINNOW_F32, &first);
    describe(c, "n %u, taps %u, cols %u, C type %u, listed %d, weighted %d, placed %d", n, taps,
             cols, c->c_ref.dtype, listed, weighted, placed);
    wn_op *op =
        ADD(c, table_mix, n * cols, .n_max = n, .taps = taps,
            .src_at = listed ? words_below(c, n * taps, rows) : WN_NONE,
            .weight_at = weighted ? reals(c, n * taps, PLAIN) : WN_NONE,
            .dst_at = placed ? row_list(c, n, true) : WN_NONE, .cols = cols, .add = chance(c, 50));
    use_c(c, op);
    write_pool(c, op, first, stride);
}

void gen_norm(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments s = any_segments(c, rows_for(c, 50 * cols));
    const bool rms = chance(c, 50), gain = chance(c, 70), bias = chance(c, 60);
    uint32_t first;
    make_matrix(c, &c->a, s.n_max, cols, any_dtype(c), any_flavour(c));
    const uint32_t at = make_c(c, 1, 1, WINNOW_F32, PLAIN, 2 * cols);
    const uint32_t stride = pool_rows(c, s.n_max, cols, (uint8_t)below(c, 3), &first);
    describe(c, "n %u, cols %u, types %u %u, rms %d, gain %d, bias %d", s.n, cols, c->a.dtype,
             c->pool.dtype, rms, gain, bias);
    wn_op *op = ADD(c, norm, s.n_max, COUNTED(s, chance(c, 30)), .cols = cols, .rms = rms,
                    .gain_at = gain ? at : WN_NONE, .bias_at = bias ? at + cols : WN_NONE,
                    .eps = 1e-6f, .inv_cols = 1.0f / (float)cols, .act = chance(c, 30) ? below(c, 8) : 0);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, first, stride);
}

void gen_matmul(ops_case *c)
{
    static const uint32_t widths[] = {1, 130, 64, 3, 257, 128, 127, 31, 300, 2, 33};
    const uint32_t inner = any_cols(c, 1024), cols = widths[(c->round + below(c, 11)) % 11];
    const segments s = any_segments(c, rows_for(c, (uint64_t)inner * cols));
    const uint8_t c_type = (uint8_t)(below(c, 5) % 3), b_type = (uint8_t)(below(c, 5) % 3);
    uint32_t first;
    make_even_a(c, s.n_max, inner, any_dtype(c), any_flavour(c));
    const uint32_t at = make_c(c, inner, cols, c_type, chance(c, 20) ? WILD : PLAIN, 2 * cols);
    const uint32_t stride = pool_rows(c, s.n_max, cols, b_type, &first);
    const uint32_t act = below(c, 8), with = below(c, 3);
    describe(c, "n %u, inner %u, cols %u, types %u %u %u, act %u, with %u", s.n, inner, cols,
             c->a.dtype, b_type, c_type, act, with);
    wn_op *op = ADD(c, matmul, (s.n_max + 7) / 8 * ((cols + 127) / 128), COUNTED(s, chance(c, 30)),
                    .inner = inner, .cols = cols, .bias_at = chance(c, 60) ? at : WN_NONE,
                    .scale_at = chance(c, 40) ? at + cols : WN_NONE, .act = act, .with = with);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, first, stride);
}

void gen_rope(ops_case *c)
{
    static const uint32_t quarters[] = {1, 18, 16, 2, 5, 20, 3};
    const uint32_t quarter = quarters[c->round % 7], heads = 1 + below(c, 5);
    const uint32_t col = 2 * below(c, 4), cols = col + heads * 4 * quarter + 2 * below(c, 3);
    const segments s = any_segments(c, rows_for(c, 100 * cols));
    const uint32_t places = 1 + below(c, 40), side = 1 + below(c, 30);
    uint32_t first;
    const uint32_t stride = pool_rows(c, s.n_max, cols, (uint8_t)below(c, 3), &first);
    const bool listed = chance(c, 60);
    const uint32_t index = listed ? words_below(c, s.n_max, places) : WN_NONE;
    for (uint32_t i = 0; listed && i < s.n_max; ++i)
        if (chance(c, 10))
            c->w[index + i] = (uint32_t)-1 - below(c, 2);
    const uint32_t all = listed ? places : s.n_max;
    describe(c, "n %u, heads %u of 4*%u, type %u, listed %d", s.n, heads, quarter, c->pool.dtype,
             listed);
    wn_op *op =
        ADD(c, rope, s.n_max * heads * quarter, COUNTED(s, chance(c, 30)), .index_at = index,
            .y_at = words_below(c, all, side), .x_at = words_below(c, all, side),
            .cos_at = reals(c, side * quarter, PLAIN), .sin_at = reals(c, side * quarter, PLAIN),
            .col = col, .heads = heads, .quarter = quarter);
    write_pool(c, op, first, stride);
}

void gen_part_mean(ops_case *c)
{
    const bool heads = chance(c, 50);
    const uint32_t cols = any_cols(c, 70), parts = 1 + below(c, 9), col = below(c, 5);
    const uint32_t part_stride = heads ? cols + below(c, 3) : 1, step = heads ? 1 : parts;
    const uint32_t wide = col + (parts - 1) * part_stride + (cols - 1) * step + 1;
    const segments s = any_segments(c, rows_for(c, 10 * wide));
    uint32_t first;
    const uint32_t rows = s.n_max + below(c, 5);
    make_matrix(c, &c->a, rows, wide, any_dtype(c), any_flavour(c));
    const uint32_t stride = pool_rows(c, s.n_max, cols, WINNOW_F32, &first);
    const bool listed = chance(c, 60), add = chance(c, 50);
    describe(c, "n %u, cols %u, parts %u, heads %d, add %d", s.n, cols, parts, heads, add);
    wn_op *op = ADD(c, part_mean, s.n_max * cols, COUNTED(s, chance(c, 30)),
                    .list_at = listed ? row_list(c, rows, true) : WN_NONE, .col = col, .cols = cols,
                    .parts = parts, .part_stride = part_stride, .step = step, .add = add,
                    .inv_parts = 1.0f / (float)parts);
    use_a(c, op);
    write_pool(c, op, first, stride);
}

/* Where `runs` runs of rows begin, in any order, some of them nowhere. */
static uint32_t run_starts(ops_case *c, uint32_t runs, uint32_t run)
{
    const uint32_t at = row_list(c, runs, true);
    for (uint32_t i = 0; i < runs; ++i)
        if (c->w[at + i] < runs)
            c->w[at + i] *= run;
    return at;
}

void gen_gather(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments s = any_segments(c, rows_for(c, 30 * cols));
    const uint32_t run = chance(c, 60) ? 1 : 1 + below(c, 6);
    const uint32_t runs = (s.n_max + run - 1) / run + below(c, 20), rows = runs * run;
    uint32_t first;
    make_matrix(c, &c->a, rows, cols, any_dtype(c), any_flavour(c));
    const uint32_t stride = pool_rows(c, rows, cols, (uint8_t)below(c, 3), &first);
    const bool from = chance(c, 60), to = chance(c, 60);
    describe(c, "n %u, cols %u, types %u %u, from %d, to %d, run %u", s.n, cols, c->a.dtype,
             c->pool.dtype, from, to, run);
    wn_op *op = ADD(c, gather, s.n_max * ((cols + 1) / 2), COUNTED(s, chance(c, 30)),
                    .rows_at = from ? run_starts(c, runs, run) : WN_NONE,
                    .to_at = to ? run_starts(c, runs, run) : WN_NONE, .cols = cols, .run = run);
    use_a(c, op);
    write_pool(c, op, first, stride);
}
