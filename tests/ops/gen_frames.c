/* Random programs around the centres of segments and the shares of frames. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

static uint32_t any_mask(ops_case *c, uint32_t cols)
{
    return chance(c, 30) ? WN_NONE : flags(c, cols, 50);
}

static uint32_t any_list_of_rows(ops_case *c, uint32_t n)
{
    return chance(c, 30) ? WN_NONE : row_list(c, n, true);
}

void gen_row_length(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 1024);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    const uint32_t zero = below(c, s.n);
    for (uint32_t i = 0; i < cols; ++i) /* a row of zeros */
        put_element(&c->a, zero, i, 0.0f);
    describe(c, "n %u of %u, cols %u, dtype %u", s.n, s.n_max, cols, c->a.dtype);
    use_a(c, ADD(c, row_length, s.n_max, BOUNDED(s), .list_at = any_list_of_rows(c, s.n),
                 .mask_at = any_mask(c, cols), .out_at = array(c, s.n_max, REALS), .cols = cols,
                 .inverse = below(c, 2), .eps2 = 1e-12f, .inv_eps = 1e6f));
}

void gen_column_sum(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 1024), squares = below(c, 2), span = chance(c, 30) ? 0 : 1;
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, 1, cols, WINNOW_F32, PLAIN, 0);
    make_pool(c, (uint64_t)s.segs * (cols + 3), WINNOW_F32);
    describe(c, "n %u, cols %u, segments %u, squares %u, dtype %u", s.n, cols, s.segs, squares,
             c->a.dtype);
    wn_op *op =
        ADD(c, column_sum, (uint64_t)s.segs * ((cols + 1) / 2), SEG(s),
            .list_at = any_list_of_rows(c, s.n),
            .weight_at = chance(c, 50) ? WN_NONE : reals(c, s.n, any_flavour(c)), .cols = cols,
            .square = squares, .over_at = chance(c, 30) ? WN_NONE : s.at, .span = span);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 0, cols + below(c, 3));
}

void gen_centre_gauss(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 1024);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, s.segs + 1, cols, WINNOW_F32, PLAIN, 0);
    const uint32_t inv = array(c, s.n, REALS);
    for (uint32_t i = 0; i < s.n; ++i) /* rows of about unit length */
        c->w[inv + i] = f32_bits(1.0f / (float)(1 + below(c, cols)));
    describe(c, "n %u of %u, cols %u, segments %u, dtype %u", s.n, s.n_max, cols, s.segs,
             c->a.dtype);
    wn_op *op = ADD(c, centre_gauss, s.n_max, BOUNDED(s), .list_at = any_list_of_rows(c, s.n),
                    .inv_at = inv, .mask_at = any_mask(c, cols), .cols = cols,
                    .factor_at = chance(c, 50) ? WN_NONE : positive(c, 1),
                    .all_at = array(c, s.n_max, REALS), .sum_at = array(c, s.n_max, REALS));
    use_a(c, op);
    use_c(c, op);
}

void gen_value_mean(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    describe(c, "n %u, segments %u", s.n, s.segs);
    ADD(c, value_mean, s.segs, SEG(s), .v_at = reals(c, s.n, any_flavour(c)),
        .mean_at = array(c, s.segs, REALS));
}

void gen_softmax(ops_case *c)
{
    static const float scales[] = {1.0f, -100.0f, 1.0f / 0.7f};
    const uint32_t n = any_size(c, 1031);
    describe(c, "n %u", n);
    ADD(c, softmax, 1, .n = n, .x_at = reals(c, n, any_flavour(c)), .p_at = array(c, n, REALS),
        .scale = scales[below(c, 3)]);
}

void gen_frame_shares(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t p = array(c, s.segs, REALS);
    for (uint32_t k = 0; k < s.segs; ++k)
        c->w[p + k] = f32_bits((float)below(c, 1u << 24) / 16777216.0f / (float)s.segs);
    describe(c, "n %u, segments %u", s.n, s.segs);
    ADD(c, frame_shares, 1, SEG(s), .p_at = p, .k_at = array(c, s.segs, WORDS),
        .base = 0.01f + 0.125f * (float)below(c, 8));
}

void gen_prefer(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, prefer, s.n_max, BOUNDED(s), .v_at = reals(c, s.n, any_flavour(c)),
        .flag_at = flags(c, s.n, 40), .out_at = array(c, s.n_max, REALS), .factor = 1048576.0f);
}

void gen_above(ops_case *c)
{
    static const float limits[] = {0.7f, -0.25f, 0.0f, 1.0f};
    const segments s = any_segments(c, any_size(c, 1031));
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, above, s.n_max, BOUNDED(s), .v_at = reals(c, s.n, any_flavour(c)),
        .flag_at = array(c, s.n_max, WORDS), .equal = below(c, 2), .below = below(c, 2),
        .stats_at = array(c, 1, WORDS), .limit = limits[below(c, 4)]);
}

void gen_curvature(ops_case *c)
{
    const uint32_t n = any_size(c, 300), cols = any_cols(c, 1024);
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    describe(c, "n %u, cols %u, dtype %u", n, cols, c->a.dtype);
    use_a(c, ADD(c, curvature, n, .n = n, .cols = cols, .inv_at = positive(c, n),
                 .curve_at = array(c, n, REALS)));
}

void gen_centre_cos(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 1024);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, s.segs, cols, WINNOW_F32, PLAIN, 0);
    describe(c, "n %u of %u, cols %u, segments %u, dtype %u", s.n, s.n_max, cols, s.segs,
             c->a.dtype);
    wn_op *op = ADD(c, centre_cos, s.n_max, BOUNDED(s), .list_at = any_list_of_rows(c, s.n),
                    .inv_at = chance(c, 50) ? WN_NONE : positive(c, s.n),
                    .centre_inv_at = chance(c, 50) ? WN_NONE : positive(c, s.segs), .cols = cols,
                    .distance = below(c, 2), .add_at = chance(c, 50) ? WN_NONE : positive(c, s.n),
                    .v_at = array(c, s.n_max, REALS));
    use_a(c, op);
    use_c(c, op);
}

void gen_allocate(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t w = reals(c, s.segs, any_flavour(c)), total = words_below(c, 1, s.n + 1);
    if (chance(c, 60)) /* one takes nearly all */
        c->w[w + below(c, s.segs)] = f32_bits(40.0f);
    describe(c, "n %u, segments %u, total %u", s.n, s.segs, c->w[total]);
    ADD(c, allocate, 1, SEG(s), .w_at = w, .total_at = total, .least = below(c, 4),
        .mark_at = array(c, s.segs, SCRATCH), .k_at = array(c, s.segs, WORDS));
}

/* Frames that are taken: WN_NONE, or flags. */
static uint32_t any_taken(ops_case *c, uint32_t frames)
{
    return chance(c, 40) ? WN_NONE : flags(c, frames, 70);
}

void gen_frame_windows(ops_case *c)
{
    const uint32_t frames = any_size(c, 1031);
    describe(c, "frames %u", frames);
    ADD(c, frame_windows, 1, .frames = frames, .window = 1 + below(c, 9),
        .taken_at = any_taken(c, frames), .list_at = array(c, frames, SCRATCH),
        .ref_at = array(c, frames, WORDS), .begin_at = array(c, frames + 1, SCRATCH),
        .count_at = array(c, 1, WORDS));
}

void gen_cut_windows(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 40), tokens = any_size(c, 300), all = frames * tokens;
    const uint32_t taken = any_taken(c, frames), begin = array(c, frames + 1, WORDS);
    uint32_t windows = 0;
    for (uint32_t t = 0; t < frames; ++t)
        if (t == 0 || chance(c, 25))
            c->w[begin + windows++] = t;
    c->w[begin + windows] = frames;
    const uint32_t count = words_below(c, 1, 1);
    c->w[count] = windows;
    describe(c, "%u x %u, windows %u", frames, tokens, windows);
    ADD(c, cut_windows, 1, .frames = frames, .tokens = tokens, .taken_at = taken, .begin_at = begin,
        .count_at = count, .flag_at = flags(c, all, 60),
        .limit = chance(c, 20) ? WN_NONE : 1 + below(c, all + 2));
}

void gen_run_members(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 40), tokens = any_size(c, 300), all = frames * tokens;
    const uint32_t gone = flags(c, all, 50), map = array(c, all, WORDS);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < all; ++i)
        c->w[map + i] = c->w[gone + i] ? WN_NONE : rows++;
    describe(c, "%u x %u, rows %u", frames, tokens, rows);
    ADD(c, run_members, tokens, .frames = frames, .tokens = tokens, .gone_at = gone, .map_at = map,
        .map2_at = array(c, all, WORDS), .head_at = array(c, rows, WORDS),
        .next_at = array(c, all, WORDS), .sizes_at = chance(c, 50) ? WN_NONE : positive(c, all),
        .sizes_new_at = array(c, rows, REALS));
}
