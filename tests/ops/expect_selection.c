#include <math.h>

#include "expect.h"

/* Two segments, an empty one between them: scores with ties, both zeros and NaN. */
static void expect_topk(expectations *e)
{
    ops_case c;
    case_init(&c, 1, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 5, 5, 8), stats = WORDS_OF(&c, 10);
    const uint32_t score = REALS_OF(&c, 1.0f, NAN, 2.0f, 1.0f, -1.0f, -0.0f, 0.0f, NAN);
    const uint32_t best = array(&c, 8, WORDS), worst = array(&c, 8, WORDS);
    const uint32_t all = array(&c, 8, WORDS), rank = array(&c, 8, WORDS);
    const uint32_t k = WORDS_OF(&c, 2, 7, 1), four = WORDS_OF(&c, 4), many = WORDS_OF(&c, 4, 0, 9);
    struct wn_args_topk args = {
        .segs = 3, .seg_at = seg, .score_at = score, .flag_at = best, .k_at = k, .stats_at = stats};
    add_op(&c, WN_OP_topk, 3, &args, sizeof args);
    args.flag_at = worst;
    args.k_at = many;
    args.smallest = 1;
    args.stats_at = WN_NONE;
    add_op(&c, WN_OP_topk, 3, &args, sizeof args);
    args.flag_at = all;
    args.k_at = four;
    args.smallest = 0;
    args.global = 1;
    add_op(&c, WN_OP_topk, 1, &args, sizeof args);
    ADD(&c, rank, 8, .n_max = 8, .segs = 3, .seg_at = seg, .score_at = score, .rank_at = rank,
        .stats_at = stats);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "topk: the earlier of equals; -0 equals 0", o.w + best, 1, 0, 1, 0, 0, 1, 0, 0);
    CHECK_WORDS(e, "topk: smallest, NaN last; k above n", o.w + worst, 1, 0, 1, 1, 1, 1, 1, 1);
    CHECK_WORDS(e, "topk: all as one", o.w + all, 1, 0, 1, 1, 0, 1, 0, 0);
    CHECK_WORDS(e, "rank: NaN behind all numbers", o.w + rank, 1, 4, 0, 2, 3, 0, 1, 2);
    CHECK_WORDS(e, "NaN scores: counted by topk and by rank", o.w + stats, 14);
    outcome_free(&o);
}

/* numpy: percentile([0, 1, 2, x], [25, 75]) = .75, 1.5 + x/4, so x is above the bound if x > 7. */
static void expect_outliers(expectations *e)
{
    ops_case c;
    case_init(&c, 2, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4, 8, 8, 17);
    const uint32_t score = REALS_OF(&c, 1.0f, 7.5f, 0.0f, 2.0f, 6.5f, 2.0f, 1.0f, 0.0f, 3.0f, 5.0f,
                                    100.0f, 4.0f, 6.0f, 1.0f, 7.0f, 2.0f, 8.0f);
    const uint32_t rank = array(&c, 17, WORDS), sorted = array(&c, 17, REALS);
    uint32_t zeros[10] = {0}, ones[10] = {0};
    ones[9] = zeros[4] = 2; /* the bit of one outlier: n = 9 in bits2, n = 4 in bits */
    const uint32_t bits = words_of(&c, 10, zeros), bits2 = words_of(&c, 10, ones);
    const uint32_t keep = array(&c, 4, WORDS), step = array(&c, 4, WORDS), flag = flags(&c, 17, 0);
    ADD(&c, rank, 17, .n_max = 17, .segs = 4, .seg_at = seg, .score_at = score, .rank_at = rank,
        .stats_at = WN_NONE);
    ADD(&c, outlier_count, 4, .segs = 4, .seg_at = seg, .score_at = score, .rank_at = rank,
        .sorted_at = sorted, .bits_at = bits, .bits2_at = bits2, .bit_row = 1, .n_base = 0,
        .keep_at = keep, .step_at = step);
    ADD(&c, sample, 17, .n_max = 17, .segs = 4, .seg_at = seg, .step_at = step, .flag_at = flag);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "outlier_count: keep", o.w + keep, 0, 0, 0, 1);
    CHECK_WORDS(e, "outlier_count: step", o.w + step, 1, WN_NONE, WN_NONE, 2);
    CHECK_REALS(e, "outlier_count: sorted", (float *)(void *)(o.w + sorted), 0.0f, 1.0f, 2.0f,
                7.5f);
    CHECK_WORDS(e, "sample: never the last place", o.w + flag, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0,
                1, 0, 1, 0, 0);
    outcome_free(&o);
}

static void expect_pick(expectations *e)
{
    ops_case c;
    case_init(&c, 3, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 5, 5, 8),
                   pos = WORDS_OF(&c, 10, 11, 13, 14, 16, 20, 21, 24);
    const uint32_t seg1 = array(&c, 4, WORDS), seg2 = array(&c, 4, WORDS);
    const uint32_t pos1 = array(&c, 8, WORDS), pos2 = array(&c, 8, WORDS);
    const uint32_t seg3 = array(&c, 4, WORDS), pos3 = array(&c, 8, WORDS), flag = flags(&c, 25, 0);
    const uint32_t head = array(&c, 8, WORDS), dest = array(&c, 8, WORDS);
    struct wn_args_pick args = {.rule = WN_PICK_PARITY,
                                .segs = 3,
                                .seg_at = seg,
                                .pos_at = pos,
                                .seg1_at = seg1,
                                .pos1_at = pos1,
                                .seg2_at = seg2,
                                .pos2_at = pos2,
                                .flag_at = WN_NONE,
                                .dest_at = WN_NONE};
    add_op(&c, WN_OP_pick, 1, &args, sizeof args);
    args.rule = WN_PICK_STRIDE;
    args.want = 2; /* 5 / 2 = 2: places 0 and 2, not 4; 3 / 2 = 1: places 0 and 1 */
    args.seg1_at = seg3;
    args.pos1_at = pos3;
    args.flag_at = flag;
    add_op(&c, WN_OP_pick, 1, &args, sizeof args);
    args.rule = WN_PICK_WINDOW;
    args.want = 3;
    args.flag_at = head;
    args.dest_at = dest;
    add_op(&c, WN_OP_pick, 1, &args, sizeof args);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "pick parity: even", o.w + pos1, 10, 13, 16, 20, 24);
    CHECK_WORDS(e, "pick parity: even segments", o.w + seg1, 0, 3, 3, 5);
    CHECK_WORDS(e, "pick parity: odd", o.w + pos2, 11, 14, 21);
    CHECK_WORDS(e, "pick parity: odd segments", o.w + seg2, 0, 2, 2, 3);
    CHECK_WORDS(e, "pick stride", o.w + pos3, 10, 13, 20, 21);
    CHECK_WORDS(e, "pick stride: segments", o.w + seg3, 0, 2, 2, 4);
    CHECK_WORDS(e, "pick stride: flags", o.w + flag + 10, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0);
    CHECK_WORDS(e, "pick window: heads", o.w + head, 1, 0, 0, 1, 0, 0, 0, 0);
    CHECK_WORDS(e, "pick window: destinations", o.w + dest, 0, 0, 0, 3, 3, 3, WN_NONE, WN_NONE);
    outcome_free(&o);
}

/* Two rows in front of each segment and one behind, the empty one too. */
static void expect_compact(expectations *e)
{
    ops_case c;
    case_init(&c, 4, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 3, 3, 5), flag = WORDS_OF(&c, 0, 7, 1, 0, 1);
    const uint32_t rows = WORDS_OF(&c, 40, 41, 42, 43, 44), index = WORDS_OF(&c, 0, 2, 4, 6, 8);
    const uint32_t sizes = REALS_OF(&c, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f);
    struct wn_args_compact args = {.n_max = 12,
                                   .segs = 3,
                                   .seg_at = seg,
                                   .flag_at = flag,
                                   .rows_at = rows,
                                   .index_at = index,
                                   .sizes_at = sizes,
                                   .first = 2,
                                   .last = 1};
    args.seg_out_at = array(&c, 4, WORDS);
    args.rows_out_at = array(&c, 12, WORDS);
    args.index_out_at = array(&c, 12, WORDS);
    args.sizes_out_at = array(&c, 12, REALS);
    args.from_at = array(&c, 12, WORDS);
    args.map_at = array(&c, 5, WORDS);
    add_op(&c, WN_OP_compact, 1, &args, sizeof args);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "compact: segments", o.w + args.seg_out_at, 0, 5, 8, 12);
    CHECK_WORDS(e, "compact: rows", o.w + args.rows_out_at, WN_NONE, WN_NONE, 41, 42, WN_NONE,
                WN_NONE, WN_NONE, WN_NONE, WN_NONE, WN_NONE, 44, WN_NONE);
    CHECK_WORDS(e, "compact: index", o.w + args.index_out_at, -1u, -1u, 2, 4, -2u, -1u, -1u, -2u,
                -1u, -1u, 8, -2u);
    CHECK_REALS(e, "compact: sizes", (float *)(void *)(o.w + args.sizes_out_at), 1.0f, 1.0f, 2.0f,
                3.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 5.0f, 1.0f);
    CHECK_WORDS(e, "compact: from", o.w + args.from_at, WN_NONE, WN_NONE, 1, 2, WN_NONE, WN_NONE,
                WN_NONE, WN_NONE, WN_NONE, WN_NONE, 4, WN_NONE);
    CHECK_WORDS(e, "compact: map", o.w + args.map_at, WN_NONE, 2, 3, WN_NONE, 10);
    outcome_free(&o);
}

/* Places 2 and 0 are told, 1 was there before; what lies behind the set is not. */
static void expect_mark(expectations *e)
{
    ops_case c;
    case_init(&c, 4, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 3), from = WORDS_OF(&c, 2, 3, 0, 4);
    const uint32_t chosen = WORDS_OF(&c, 7, 0, 1, 1), flag = WORDS_OF(&c, 0, 1, 0, 0, 0);
    ADD(&c, mark, 4, .n_max = 4, .segs = 1, .seg_at = seg, .from_at = from, .chosen_at = chosen,
        .flag_at = flag);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "mark", o.w + flag, 1, 1, 1, 0, 0);
    outcome_free(&o);
}

/* Products 0 and 0, then 200 and 0, of which e^-200 is nothing; a row that is none has all alike. */
static void expect_text_shares(expectations *e)
{
    ops_case c;
    case_init(&c, 5, 0);
    const float tokens[4] = {0.0f, 0.0f, 2.0f, 5.0f}, text[4] = {100.0f, 0.0f, 0.0f, 0.0f};
    set_a(&c, 2, 2, tokens);
    make_c(&c, 2, 2, WINNOW_F32, PLAIN, 0);
    for (uint32_t i = 0; i < 4; ++i)
        put_c(&c, i / 2, i % 2, text[i]);
    make_pool(&c, 6, WINNOW_F32);
    const uint32_t seg = WORDS_OF(&c, 0, 3), order = WORDS_OF(&c, 1, WN_NONE, 0);
    wn_op *op = ADD(&c, text_shares, 4, .n_max = 4, .segs = 1, .seg_at = seg, .list_at = order,
                    .cols = 2, .text_rows = 2);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "text_shares", o.pool, 1.0f, 0.0f, 0.5f, 0.5f, 0.5f, 0.5f);
    outcome_free(&o);
}

/* Two heads, three rows of text, four tokens: row 1 rates; then all do, as none is above the mean. */
static void expect_rated_sum(expectations *e)
{
    ops_case c;
    case_init(&c, 6, 0);
    const float attention[24] = {1.0f, 2.0f,  3.0f, 4.0f,  10.0f, 20.0f, 30.0f, 40.0f,
                                 5.0f, 6.0f,  7.0f, 8.0f,  2.0f,  2.0f,  2.0f,  2.0f,
                                 8.0f, 16.0f, 0.0f, -2.0f, 1.0f,  1.0f,  1.0f,  1.0f};
    set_a(&c, 6, 4, attention);
    const uint32_t seg = WORDS_OF(&c, 0, 3), index = WORDS_OF(&c, 3, -1u, 0);
    const uint32_t one = REALS_OF(&c, 0.25f, 0.5f, 0.25f), none = REALS_OF(&c, 0.5f, 0.5f, 0.5f);
    const uint32_t rated = array(&c, 3, REALS), all = array(&c, 3, REALS);
    struct wn_args_rated_sum args = {.n_max = 3,
                                     .segs = 1,
                                     .seg_at = seg,
                                     .index_at = index,
                                     .rate_at = one,
                                     .heads = 2,
                                     .text_rows = 3,
                                     .score_at = rated,
                                     .scale = 0.5f};
    use_a(&c, add_op(&c, WN_OP_rated_sum, 3, &args, sizeof args));
    args.rate_at = none;
    args.score_at = all;
    use_a(&c, add_op(&c, WN_OP_rated_sum, 3, &args, sizeof args));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "rated_sum: one row", (float *)(void *)(o.w + rated), 19.0f, INFINITY, 9.0f);
    CHECK_REALS(e, "rated_sum: all rows", (float *)(void *)(o.w + all), 26.5f, INFINITY, 13.5f);
    outcome_free(&o);
}

void expect_selection(expectations *e)
{
    expect_topk(e);
    expect_outliers(e);
    expect_pick(e);
    expect_compact(e);
    expect_mark(e);
    expect_text_shares(e);
    expect_rated_sum(e);
}
