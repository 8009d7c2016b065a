/* Random programs around the operations that select tokens. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

void gen_topk(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const bool smallest = chance(c, 40), all = chance(c, 30);
    const uint32_t k = all ? words_below(c, 1, s.n + 2) : counts(c, &s);
    describe(c, "n %u, segments %u, smallest %d, global %d", s.n, s.segs, smallest, all);
    ADD(c, topk, all ? 1 : s.segs, SEG(s), .score_at = reals(c, s.n, any_flavour(c)),
        .flag_at = array(c, s.n_max, WORDS), .k_at = k, .smallest = smallest, .global = all,
        .stats_at = words_below(c, 1, 5));
}

void gen_rank(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    ADD(c, rank, s.n_max, BOUNDED(s), .score_at = reals(c, s.n, any_flavour(c)),
        .rank_at = array(c, s.n_max, WORDS),
        .stats_at = chance(c, 30) ? WN_NONE : array(c, 1, WORDS));
}

void gen_outlier_count(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t score = reals(c, s.n, any_flavour(c)), rank = array(c, s.n, WORDS);
    for (uint32_t i = 0; i < s.n; ++i) /* a long tail: some outliers in every segment */
        if (chance(c, 5))
            c->w[score + i] = f32_bits(10.0f + value(c, PLAIN));
    const uint32_t bit_row = s.width / 32 + 1, rows = s.width + 1;
    const uint32_t bits = array(c, rows * bit_row, WORDS), bits2 = array(c, rows * bit_row, WORDS);
    for (uint32_t row = 0; row < rows; ++row)
        c->w[bits + row * bit_row] &= ~1u; /* no outlier: no token kept */
    describe(c, "n %u, segments %u", s.n, s.segs);
    ADD(c, rank, s.n_max, BOUNDED(s), .score_at = score, .rank_at = rank, .stats_at = WN_NONE);
    ADD(c, outlier_count, s.segs, SEG(s), .score_at = score, .rank_at = rank,
        .sorted_at = array(c, s.n, REALS), .bits_at = bits, .bits2_at = bits2, .bit_row = bit_row,
        .n_base = 0, .keep_at = array(c, s.segs, WORDS), .step_at = array(c, s.segs, WORDS));
}

void gen_sample(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t step = array(c, s.segs, WORDS);
    for (uint32_t k = 0; k < s.segs; ++k)
        c->w[step + k] = chance(c, 20) ? WN_NONE : 1 + below(c, 9);
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    ADD(c, sample, s.n_max, BOUNDED(s), .step_at = step, .flag_at = flags(c, s.n_max, 20));
}

void gen_pick(ops_case *c)
{
    const segments set = any_segments(c, any_size(c, 1031));
    const uint32_t rule = c->round % 3, want = below(c, 20);
    const list l = any_list(c, &set, rule == WN_PICK_WINDOW || chance(c, 30) ? 100 : 60);
    const segments s = l.seg;
    struct wn_args_pick args = {.rule = rule, .want = want, SEG(s), .pos_at = l.pos};
    args.wants = rule == WN_PICK_STRIDE && chance(c, 40);
    args.want_at = counts(c, &s);
    args.seg1_at = args.pos1_at = args.seg2_at = args.pos2_at = args.flag_at = args.dest_at =
        WN_NONE;
    if (rule != WN_PICK_WINDOW) {
        args.seg1_at = array(c, s.segs + 1, WORDS);
        args.pos1_at = array(c, set.n, WORDS);
    }
    if (rule == WN_PICK_PARITY) {
        args.seg2_at = array(c, s.segs + 1, WORDS);
        args.pos2_at = array(c, set.n, WORDS);
    } else {
        args.flag_at = chance(c, 80) ? flags(c, set.n_max, 30) : WN_NONE;
        args.dest_at = rule == WN_PICK_WINDOW ? array(c, set.n, WORDS) : WN_NONE;
    }
    describe(c, "rule %u, want %u, n %u, segments %u, list %d", rule, want, s.n, s.segs,
             l.pos != WN_NONE);
    add_op(c, WN_OP_pick, 1, &args, sizeof args);
}

void gen_mark(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    ADD(c, mark, s.n_max, BOUNDED(s), .from_at = chance(c, 70) ? shuffled(c, s.n) : WN_NONE,
        .chosen_at = flags(c, s.n, 40), .flag_at = flags(c, s.n, 20));
}

void gen_compact(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t most = s.n + 6 * s.segs;
    struct wn_args_compact args = {BOUNDED(s),
                                   .flag_at = flags(c, s.n, chance(c, 15) ? 0 : 55),
                                   .invert = chance(c, 30),
                                   .rows_at = row_list(c, s.n, true),
                                   .index_at = array(c, s.n, WORDS),
                                   .sizes_at = chance(c, 70) ? positive(c, s.n) : WN_NONE,
                                   .seg_out_at = array(c, s.segs + 1, WORDS),
                                   .first = below(c, 4),
                                   .last = below(c, 4),
                                   .fresh_rows = chance(c, 40)};
    args.rows_out_at = chance(c, 80) ? array(c, most, WORDS) : WN_NONE;
    args.index_out_at = chance(c, 80) ? array(c, most, WORDS) : WN_NONE;
    args.sizes_out_at = chance(c, 80) ? array(c, most, REALS) : WN_NONE;
    args.from_at = chance(c, 80) ? array(c, most, WORDS) : WN_NONE;
    args.map_at = chance(c, 80) ? array(c, s.n, WORDS) : WN_NONE;
    describe(c, "n %u, segments %u, first %u, last %u, fresh %u", s.n, s.segs, args.first,
             args.last, args.fresh_rows);
    add_op(c, WN_OP_compact, 1, &args, sizeof args);
}
