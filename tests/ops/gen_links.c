/* Random programs around attention between tokens and text. */
#include <math.h>

#include "case.h"

void gen_head_mean(ops_case *c)
{
    const uint32_t heads = 1 + below(c, 9), all = any_size(c, 130), width = any_size(c, 200);
    const segments s = any_segments(c, any_size(c, 150));
    const bool row_list_ = chance(c, 50), column_list = chance(c, 50), turn = chance(c, 30);
    const uint32_t rows = row_list_ ? s.n_max : all, cols = column_list ? s.n_max : width;
    make_matrix(c, &c->a, heads * all, width, any_dtype(c), any_flavour(c));
    const uint32_t b_cols = turn ? rows : cols, b_rows = turn ? cols : rows;
    make_pool(c, 3 + (uint64_t)b_rows * (b_cols + 2), WINNOW_F32);
    uint32_t by_row = WN_NONE, by_column = WN_NONE;
    if (row_list_) {
        by_row = words_below(c, s.n_max, all);
        c->w[by_row + below(c, s.n_max)] = WN_NONE;
    }
    if (column_list) {
        by_column = words_below(c, s.n_max, width);
        c->w[by_column + below(c, s.n_max)] = 0u - 1u - below(c, 2);
    }
    describe(c, "heads %u, A %u x %u, B %u x %u, turn %d, dtype %u", heads, all, width, rows, cols,
             turn, c->a.dtype);
    wn_op *op =
        ADD(c, head_mean, rows * cols, .rows = rows, .cols = cols, .segs = s.segs, .seg_at = s.at,
            .bound = (row_list_ ? 1u : 0u) | (column_list ? 2u : 0u), .rows_at = by_row,
            .cols_at = by_column, .heads = heads, .step = all, .width = width,
            .alone = chance(c, 30), .turn = turn, .scale = 1.0f / (float)heads);
    use_a(c, op);
    write_pool(c, op, 3, b_cols + below(c, 3));
}

static uint32_t source_index(ops_case *c, uint32_t n, uint32_t sources)
{
    const uint32_t index = words_below(c, n, sources);
    for (uint32_t i = 0; i < n; ++i)
        if (chance(c, 3))
            c->w[index + i] = 0u - 1u - below(c, 2);
    return index;
}

void gen_text_peak(ops_case *c)
{
    const uint32_t heads = 1 + below(c, 17), text_rows = any_size(c, 40), all = any_size(c, 300);
    const segments s = any_segments(c, any_size(c, 1031));
    make_matrix(c, &c->a, heads * text_rows, all, any_dtype(c), any_flavour(c));
    describe(c, "n %u of %u, heads %u, text %u, dtype %u", s.n, s.n_max, heads, text_rows,
             c->a.dtype);
    use_a(c, ADD(c, text_peak, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                 .index_at = source_index(c, s.n, all), .heads = heads, .text_rows = text_rows,
                 .score_at = array(c, s.n_max, REALS), .scale = 1.0f / (float)heads));
}

void gen_dual_filter(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 2000));
    const flavour f = any_flavour(c);
    const bool none = chance(c, 20); /* nothing reaches the limits: the best stays */
    describe(c, "n %u of %u, segments %u, flavour %d", s.n, s.n_max, s.segs, f);
    ADD(c, dual_filter, 1, .segs = s.segs, .seg_at = s.at,
        .index_at = none ? ramp(c, s.n) : source_index(c, s.n, 4096), .all_at = reals(c, s.n, f),
        .peak_at = reals(c, s.n, f), .flag_at = flags(c, s.n, none ? 0 : 5),
        .share = none ? INFINITY : value(c, PLAIN) / (float)s.n,
        .least = none ? INFINITY : value(c, f));
}

void gen_group_top(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 5), tokens = any_size(c, 200), all = frames * tokens;
    const segments s = any_segments(c, any_size(c, 500));
    const uint32_t groups = 1 + below(c, 40), table = array(c, s.n_max + 1, WORDS);
    for (uint32_t k = 0; k <= s.n_max; ++k)
        c->w[table + k] = k * 2 / 5;
    const uint32_t group = words_below(c, all, groups);
    for (uint32_t k = 0; k < all; ++k)
        c->w[group + k] = f32_bits(c->w[group + k] % 7 == 6 ? NAN : (float)c->w[group + k] - 3.0f);
    describe(c, "n %u of %u, segments %u, groups %u", s.n, s.n_max, s.segs, groups);
    ADD(c, group_top, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
        .index_at = source_index(c, s.n, all), .tokens = tokens,
        .group_at = chance(c, 70) ? group : WN_NONE, .score_at = reals(c, s.n, any_flavour(c)),
        .table_at = table, .flag_at = array(c, s.n_max, WORDS));
}

void gen_centre_rows(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 300);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, s.segs, cols, WINNOW_F32, PLAIN, 0);
    make_pool(c, 3 + (uint64_t)s.n_max * (cols + 2), WINNOW_F32);
    describe(c, "n %u of %u, cols %u, segments %u, dtype %u", s.n, s.n_max, cols, s.segs,
             c->a.dtype);
    wn_op *op = ADD(c, centre_rows, s.n_max * ((cols + 1) / 2), .n_max = s.n_max, .segs = s.segs,
                    .seg_at = s.at, .list_at = chance(c, 70) ? row_list(c, s.n, true) : WN_NONE,
                    .cols = cols);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 3, cols + below(c, 3));
}

void gen_value_product(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t x = reals(c, s.n_max, any_flavour(c)), y = reals(c, s.n_max, any_flavour(c));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    ADD(c, value_product, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at, .x_at = x,
        .y_at = y, .out_at = chance(c, 50) ? x : array(c, s.n_max, REALS));
}
