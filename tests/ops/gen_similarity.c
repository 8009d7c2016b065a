/* Random programs around the operations on similarities. */
#include <stddef.h>
#include <string.h>

#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

/* Fewer tokens where rows are long, so that a software driver is done in time. */
static uint32_t size_for(ops_case *c, uint32_t cols)
{
    return any_size(c, cols > 100 ? 65 : cols > 33 ? 300 : 521);
}

/* Sometimes the same work in two operations, as for drivers that stop long loops: `part` limits the first, `rest` is where the
 * second goes on; words of their arguments. */
static void maybe_in_parts(ops_case *c, wn_op *op, size_t part, size_t rest)
{
    if (!chance(c, 40))
        return;
    const wn_op whole = *op;
    const uint32_t first = 1 + below(c, 7);
    op->args[part] = first;
    wn_op *second = add_op(c, whole.kind, whole.items, whole.args, whole.args_bytes);
    second->a = whole.a;
    second->b = whole.b;
    second->c = whole.c;
    memcpy(second->args, whole.args, sizeof whole.args);
    second->args[rest] = first;
}
#define WORD(name, member) (offsetof(struct wn_args_##name, member) / sizeof(uint32_t))

void gen_match(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments set = any_segments(c, size_for(c, cols));
    const list src = any_list(c, &set, chance(c, 20) ? 100 : 50);
    const list dst = any_list(c, &set, chance(c, 10) ? 4 : 50);
    make_matrix(c, &c->a, set.n, cols, any_dtype(c), any_flavour(c));
    describe(c, "sources %u, targets %u, segments %u, cols %u, dtype %u", src.seg.n, dst.seg.n,
             set.segs, cols, c->a.dtype);
    const uint32_t width = src.seg.width ? src.seg.width : 1;
    wn_op *op =
        ADD(c, match, set.segs * ((width + WN_TILE - 1) / WN_TILE), .n_max = src.seg.n_max,
            .width = width, .segs = set.segs, .src_seg_at = src.seg.at, .src_pos_at = src.pos,
            .dst_seg_at = dst.seg.at, .dst_pos_at = dst.pos == WN_NONE ? ramp(c, set.n) : dst.pos,
            .list_at = row_list(c, set.n, true), .inv_at = positive(c, set.n), .cols = cols,
            .best_at = array(c, src.seg.n_max, REALS), .arg_at = array(c, src.seg.n_max, WORDS));
    use_a(c, op);
    maybe_in_parts(c, op, WORD(match, most), WORD(match, from));
}

void gen_alike_count(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments set = any_segments(c, size_for(c, cols));
    const uint32_t width = set.width ? set.width : 1;
    make_matrix(c, &c->a, set.n, cols, any_dtype(c), any_flavour(c));
    describe(c, "tokens %u, segments %u, cols %u, dtype %u", set.n, set.segs, cols, c->a.dtype);
    wn_op *op = ADD(c, alike_count, set.segs * ((width + WN_TILE - 1) / WN_TILE), BOUNDED(set),
                    .width = width, .list_at = row_list(c, set.n, true),
                    .inv_at = positive(c, set.n), .cols = cols,
                    .v_at = array(c, set.n_max, REALS),
                    .bound = chance(c, 20) ? -0.0f : value(c, PLAIN) * (chance(c, 50) ? 1.0f : 20.0f));
    use_a(c, op);
    maybe_in_parts(c, op, WORD(alike_count, most), WORD(alike_count, from));
}

void gen_sim_matrix(ops_case *c)
{
    const bool large = c->round % 6 == 0; /* one segment of several patches of plain C's */
    const uint32_t cols = large ? 160 : any_cols(c, 1024);
    const segments set = any_segments(c, large ? 530 + below(c, 80) : size_for(c, cols));
    const list src = any_list(c, &set, chance(c, 40) ? 100 : 60);
    const uint32_t width = set.width ? set.width : 1, stride = width + below(c, 4);
    make_matrix(c, &c->a, set.n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 3 + (uint64_t)(src.seg.n_max + 1) * stride, WINNOW_F32);
    describe(c, "sources %u of %u, tokens %u, segments %u, cols %u, dtype %u", src.seg.n,
             src.seg.n_max, set.n, set.segs, cols, c->a.dtype);
    const uint64_t across = (width + WN_TILE - 1) / WN_TILE, tiles = set.segs * across * across;
    wn_op *op =
        ADD(c, sim_matrix, tiles, .n_max = src.seg.n_max, .width = width, .segs = set.segs,
            .src_seg_at = src.seg.at, .src_pos_at = src.pos, .seg_at = set.at,
            .list_at = row_list(c, set.n, true), .inv_at = positive(c, set.n), .cols = cols);
    use_a(c, op);
    write_pool(c, op, 3, stride);
}

void gen_cross_sim(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024), rows = any_size(c, 19), from = 1 + below(c, 9);
    const segments set = any_segments(c, size_for(c, cols));
    const uint32_t width = set.width ? set.width : 1, stride = width + below(c, 4);
    const bool own = chance(c, 30);
    const uint32_t entries = own ? set.segs * rows : rows, src = words_below(c, entries, from);
    make_matrix(c, &c->a, set.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, from < entries ? entries : from, cols, (uint8_t)below(c, 3), PLAIN, 0);
    make_pool(c, 3 + (uint64_t)(set.segs * rows + 1) * stride, WINNOW_F32);
    for (uint32_t r = 0; r < entries; ++r)
        if (chance(c, 10))
            c->w[src + r] = WN_NONE;
    describe(c, "rows %u%s, tokens %u, segments %u, cols %u, dtypes %u %u", rows,
             own ? " of each" : "", set.n, set.segs, cols, c->a.dtype, c->c_ref.dtype);
    wn_op *op =
        ADD(c, cross_sim, (uint64_t)set.segs * rows * ((width + 3) / 4), SEG(set), .rows = rows,
            .width = width, .src_at = chance(c, 60) ? src : WN_NONE,
            .c_inv_at = positive(c, from < entries ? entries : from), .list_at = row_list(c, set.n, true),
            .inv_at = positive(c, set.n), .cols = cols, .own = own);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 3, stride);
}

void gen_row_softmax(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const uint32_t width = s.width ? s.width : 1, stride = width + below(c, 4);
    const uint32_t rows = chance(c, 50) ? 0 : any_size(c, 19);
    const uint32_t row_seg = rows ? words_below(c, s.segs + 1, 1) : s.at;
    for (uint32_t k = 0; rows && k <= s.segs; ++k)
        c->w[row_seg + k] = k * rows;
    const uint32_t most = rows ? rows * s.segs : s.n_max;
    make_pool(c, 3 + (uint64_t)(most + 1) * stride, WINNOW_F32);
    for (uint32_t i = 0; any_flavour(c) == WILD && i < most; ++i)
        put_element(&c->pool, below(c, c->pool.rows), below(c, POOL_COLS), bits_f32(0x7fc00000u));
    describe(c, "rows %u, n %u, segments %u", most, s.n, s.segs);
    wn_op *op = ADD(c, row_softmax, most, SEG(s), .row_seg_at = row_seg, .by_tokens = chance(c, 50),
                    .factor = chance(c, 50) ? 5.0f : 0.5f, .scale = 0.5f);
    write_pool(c, op, 3, stride);
}

void gen_row_spread(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, any_flavour(c));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, row_spread, s.n_max, BOUNDED(s), .v_at = array(c, s.n_max, REALS)));
}

void gen_row_second(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 521));
    if (many_groups(c))
        s.n_max += 70000;
    make_matrix(c, &c->a, s.n, s.width, WINNOW_F32, any_flavour(c));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, row_second, s.n_max, BOUNDED(s), .score_at = array(c, s.n_max, REALS),
                 .weighted = chance(c, 40), .weight_at = reals(c, s.n, any_flavour(c))));
}

void gen_neighbours(ops_case *c)
{
    const segments set = any_segments(c, any_size(c, 300));
    const list src = any_list(c, &set, chance(c, 40) ? 100 : 50);
    const uint32_t many = 1 + below(c, 33), index = array(c, set.n, WORDS);
    for (uint32_t i = 0; i < set.n; ++i)
        if (chance(c, 10))
            c->w[index + i] = 0xffffffffu;
    make_matrix(c, &c->a, src.seg.n ? src.seg.n : 1, set.width ? set.width : 1, WINNOW_F32,
                any_flavour(c));
    describe(c, "sources %u, tokens %u, segments %u, many %u", src.seg.n, set.n, set.segs, many);
    use_a(c, ADD(c, neighbours, src.seg.n_max, .n_max = src.seg.n_max, .segs = set.segs,
                 .src_seg_at = src.seg.at, .src_pos_at = src.pos, .seg_at = set.at,
                 .index_at = chance(c, 80) ? index : WN_NONE, .many = many,
                 .near_at = array(c, src.seg.n_max * many, WORDS)));
}

/* A symmetric matrix of cosines of random vectors, a segment at a time, the diagonal near 1. */
static void make_cosines(ops_case *c, const segments *s)
{
    enum { DIM = 24 };
    make_matrix(c, &c->a, s->n, s->width ? s->width : 1, WINNOW_F32, PLAIN);
    const uint32_t vectors = array(c, s->n * DIM, REALS);
    for (uint32_t k = 0; k < s->segs; ++k) {
        const uint32_t begin = seg_begin(c, s, k), end = seg_begin(c, s, k + 1);
        for (uint32_t i = begin; i < end; ++i) {
            for (uint32_t j = begin; j < end; ++j) {
                float dot = 0.0f, xx = 0.0f, yy = 0.0f;
                for (uint32_t d = 0; d < DIM; ++d) {
                    const float x = bits_f32(c->w[vectors + i * DIM + d]);
                    const float y = bits_f32(c->w[vectors + j * DIM + d]);
                    dot += x * y;
                    xx += x * x;
                    yy += y * y;
                }
                put_element(&c->a, i, j - begin, dot * rsqrt_(xx) * rsqrt_(yy));
            }
        }
    }
}

/* Some NaN where the greedy methods meet them: whole tokens, and single similarities. */
static void spoil_cosines(ops_case *c, const segments *s)
{
    for (uint32_t i = 0; i < s->n; ++i)
        if (chance(c, 5))
            put_element(&c->a, i, below(c, s->width), bits_f32(0x7fc00000u));
}

void gen_greedy_maxmin(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const flavour f = any_flavour(c);
    make_cosines(c, &s);
    if (f == TIED)
        make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, TIED);
    if (f == WILD)
        spoil_cosines(c, &s);
    describe(c, "n %u, segments %u, flavour %u", s.n, s.segs, (unsigned)f);
    wn_op *op =
        ADD(c, greedy_maxmin, s.segs, SEG(s), .k_at = counts(c, &s), .first_at = reals(c, s.n, f),
            .md_at = array(c, s.n, SCRATCH), .flag_at = array(c, s.n, WORDS),
            .order_at = chance(c, 70) ? array(c, s.n, WORDS) : WN_NONE, .weighted = chance(c, 40),
            .weight_at = reals(c, s.n, PLAIN), .discount = chance(c, 40));
    use_a(c, op);
    maybe_in_parts(c, op, WORD(greedy_maxmin, picks), WORD(greedy_maxmin, pick_from));
}

void gen_greedy_dpp(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const uint32_t width = s.width ? s.width : 1, mode = below(c, 2), rel = positive(c, s.n);
    const uint32_t k = counts(c, &s);
    uint32_t k_max = 1;
    for (uint32_t i = 0; i < s.segs; ++i) {
        c->w[k + i] = c->w[k + i] < 40 ? c->w[k + i] : 40;
        k_max = c->w[k + i] > k_max ? c->w[k + i] : k_max;
    }
    make_cosines(c, &s);
    for (uint32_t i = 0; any_flavour(c) == WILD && i < s.n; ++i)
        if (chance(c, 4))
            c->w[rel + i] = 0x7fc00000u;
    make_pool(c, 1 + (uint64_t)s.segs * k_max * width, WINNOW_F32);
    describe(c, "n %u, segments %u, k_max %u, mode %u", s.n, s.segs, k_max, mode);
    wn_op *op = ADD(c, greedy_dpp, s.segs, SEG(s), .k_at = k, .k_max = k_max, .rel_at = rel,
                    .d_at = array(c, s.n, SCRATCH), .flag_at = array(c, s.n, WORDS),
                    .order_at = chance(c, 70) ? array(c, s.n, WORDS) : WN_NONE, .mode = mode,
                    .weight = 0.3f, .one_minus_weight = 0.7f);
    use_a(c, op);
    write_pool(c, op, 1, width);
    maybe_in_parts(c, op, WORD(greedy_dpp, picks), WORD(greedy_dpp, pick_from));
}

void gen_greedy_coverage(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const uint32_t width = s.width ? s.width : 1, extra = chance(c, 50) ? 0 : any_size(c, 19);
    const flavour f = any_flavour(c);
    const uint32_t weight = f == WILD ? reals(c, s.n, WILD) : positive(c, s.n);
    make_cosines(c, &s);
    if (f == TIED)
        make_matrix(c, &c->a, s.n, width, WINNOW_F32, TIED);
    if (f == WILD)
        spoil_cosines(c, &s);
    if (extra)
        make_c(c, extra * s.segs, width, WINNOW_F32, f, 0);
    describe(c, "n %u, segments %u, extra %u, flavour %u", s.n, s.segs, extra, (unsigned)f);
    wn_op *op =
        ADD(c, greedy_coverage, s.segs, SEG(s), .k_at = counts(c, &s), .extra = extra,
            .weight_at = chance(c, 60) ? weight : WN_NONE,
            .cur_at = array(c, s.n + extra * s.segs, SCRATCH), .gain_at = array(c, s.n, SCRATCH),
            .sum_at = array(c, 2 * s.n, SCRATCH),
            .list_at = array(c, 2 * (s.n + (extra + 1) * s.segs), SCRATCH),
            .flag_at = array(c, s.n, WORDS),
            .order_at = chance(c, 70) ? array(c, s.n, WORDS) : WN_NONE);
    use_a(c, op);
    if (extra)
        use_c(c, op);
    maybe_in_parts(c, op, WORD(greedy_coverage, picks), WORD(greedy_coverage, pick_from));
}

void gen_greedy_balance(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const flavour f = any_flavour(c);
    const uint32_t rel = f == WILD ? reals(c, s.n, WILD) : positive(c, s.n);
    make_cosines(c, &s);
    if (f == TIED)
        make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, TIED);
    if (f == WILD)
        spoil_cosines(c, &s);
    describe(c, "n %u, segments %u, flavour %u", s.n, s.segs, (unsigned)f);
    wn_op *op =
        ADD(c, greedy_balance, s.segs, SEG(s), .k_at = counts(c, &s), .rel_at = rel,
            .cur_at = array(c, s.n, REALS), .gain_at = array(c, s.n, SCRATCH),
            .sum_at = array(c, 2 * s.n, SCRATCH), .list_at = array(c, 2 * (s.n + s.segs), SCRATCH),
            .flag_at = array(c, s.n, WORDS),
            .order_at = chance(c, 70) ? array(c, s.n, WORDS) : WN_NONE, .range = chance(c, 50),
            .diversity = 0.25f * (float)below(c, 5), .coverage = 0.25f * (float)below(c, 5));
    use_a(c, op);
    maybe_in_parts(c, op, WORD(greedy_balance, picks), WORD(greedy_balance, pick_from));
}

void gen_pair_prune(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, any_flavour(c));
    describe(c, "n %u, segments %u, flavour %u", s.n, s.segs, (unsigned)any_flavour(c));
    wn_op *op = ADD(c, pair_prune, s.segs, SEG(s), .rank_at = ranks(c, &s),
                    .want_at = counts(c, &s), .flag_at = flags(c, s.n, 15),
                    .list_at = array(c, s.n, SCRATCH), .list2_at = array(c, s.n, SCRATCH),
                    .sc_at = array(c, s.n, SCRATCH), .len_at = array(c, s.segs, WORDS));
    use_a(c, op);
    const wn_op whole = *op;
    if (!chance(c, 40))
        return;
    op->args[WORD(pair_prune, rounds)] = 1 + below(c, 4);
    op->args[WORD(pair_prune, more)] = 1;
    wn_op *second = add_op(c, whole.kind, whole.items, whole.args, whole.args_bytes);
    second->a = whole.a;
    second->b = whole.b;
    memcpy(second->args, whole.args, sizeof whole.args);
    second->args[WORD(pair_prune, resume)] = 1;
}

void gen_pick_radius(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const flavour f = any_flavour(c);
    make_cosines(c, &s);
    if (f == TIED)
        make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, TIED);
    if (f == WILD)
        spoil_cosines(c, &s);
    const uint32_t rank = ranks(c, &s), order = array(c, s.n, WORDS);
    for (uint32_t k = 0; k < s.segs; ++k)
        for (uint32_t i = seg_begin(c, &s, k); i < seg_begin(c, &s, k + 1); ++i)
            c->w[order + i] = seg_begin(c, &s, k) + c->w[rank + i];
    describe(c, "n %u of %u, segments %u, flavour %u", s.n, s.n_max, s.segs, (unsigned)f);
    use_a(c, ADD(c, pick_radius, s.n_max, BOUNDED(s), .k_at = counts(c, &s), .order_at = order,
                 .least = below(c, 4), .more = value(c, PLAIN), .radius_at = reals(c, s.n, PLAIN),
                 .flag_at = chance(c, 70) ? flags(c, s.n, 30) : WN_NONE));
}
