#include <math.h>

#include "expect.h"

/* Tokens in rank order 4 2 0 1 3 5 (2 is flagged): L = 4 0 1 3 5, even places 4 1 5, odd 0 3.
 * Best similarities to the odd ones: 4: .5, 1: .9, 5: .5 (tie: the earlier, 4, is first). */
static void expect_pair_prune(expectations *e)
{
    static const float similarity[36] = {
        [4 * 6 + 0] = 0.5f, [4 * 6 + 3] = 0.1f, [1 * 6 + 0] = 0.2f,
        [1 * 6 + 3] = 0.9f, [5 * 6 + 0] = 0.0f, [5 * 6 + 3] = 0.5f,
    };
    for (uint32_t want = 0; want < 6; ++want) {
        static const uint32_t flags_by_want[6][6] = {
            {0, 0, 1, 0, 0, 0}, {0, 0, 1, 1, 0, 0}, {1, 0, 1, 1, 0, 0},
            {1, 0, 1, 1, 0, 1}, {1, 0, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1},
        };
        ops_case c;
        case_init(&c, 5, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 6), wants = WORDS_OF(&c, want);
        const uint32_t rank = WORDS_OF(&c, 2, 3, 1, 4, 0, 5), flag = WORDS_OF(&c, 0, 0, 1, 0, 0, 0);
        set_a(&c, 6, 6, similarity);
        use_a(&c, ADD(&c, pair_prune, 1, .segs = 1, .seg_at = seg, .rank_at = rank,
                      .want_at = wants, .flag_at = flag, .list_at = array(&c, 6, SCRATCH),
                      .list2_at = array(&c, 6, SCRATCH), .sc_at = array(&c, 6, SCRATCH)));
        outcome o = run_expected(e, &c);
        check_words(e, "pair_prune", o.w + flag, 6, flags_by_want[want]);
        outcome_free(&o);
    }
}

/* Points 0, 1, 5, 6 on a line as "distances" |a - b| / 10 = 1 - similarity. */
static void expect_maxmin(expectations *e)
{
    static const float at[4] = {0.0f, 1.0f, 5.0f, 6.0f};
    float similarity[16];
    for (uint32_t i = 0; i < 16; ++i) {
        const float d = at[i / 4] - at[i % 4];
        similarity[i] = 1.0f - (d < 0.0f ? -d : d) * 0.125f;
    }
    ops_case c;
    case_init(&c, 6, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4), k = WORDS_OF(&c, 3), second = array(&c, 4, REALS);
    const uint32_t flag = array(&c, 4, WORDS), order = array(&c, 4, WORDS);
    const uint32_t near = array(&c, 8, WORDS), index = WORDS_OF(&c, 0, 1, -1u, 3);
    set_a(&c, 4, 4, similarity);
    use_a(&c, ADD(&c, row_second, 4, .n_max = 4, .segs = 1, .seg_at = seg, .score_at = second));
    use_a(&c, ADD(&c, greedy_maxmin, 1, .segs = 1, .seg_at = seg, .k_at = k, .first_at = second,
                  .md_at = array(&c, 4, SCRATCH), .flag_at = flag, .order_at = order));
    const uint32_t radius = REALS_OF(&c, 9.0f, 9.0f, 9.0f, 9.0f);
    const uint32_t far = WORDS_OF(&c, 5, 5, 5, 5);
    use_a(&c,
          ADD(&c, pick_radius, 4, .n_max = 4, .segs = 1, .seg_at = seg, .k_at = k,
              .order_at = order, .least = 1, .more = 0.125f, .radius_at = radius, .flag_at = far));
    use_a(&c,
          ADD(&c, neighbours, 4, .n_max = 4, .segs = 1, .src_seg_at = seg, .src_pos_at = WN_NONE,
              .seg_at = seg, .index_at = index, .many = 2, .near_at = near));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "row_second", (float *)(void *)(o.w + second), 0.125f, 0.125f, 0.125f, 0.125f);
    CHECK_WORDS(e, "greedy_maxmin: order", o.w + order, 0, 3, 1);
    CHECK_WORDS(e, "greedy_maxmin: flags", o.w + flag, 1, 1, 0, 1);
    CHECK_REALS(e, "pick_radius", (float *)(void *)(o.w + radius), INFINITY, 0.125f, 9.0f, 0.75f);
    CHECK_WORDS(e, "pick_radius: far enough", o.w + far, 1, 0, 5, 1);
    CHECK_WORDS(e, "neighbours: not itself, not index < 0", o.w + near, 1, 3, 0, 3, 3, 1, 1, 0);
    outcome_free(&o);
}

/* Tokens 0 and 1 are the same, 2 is apart: the second pick must be 2, though 1 matters more. */
static void expect_dpp(expectations *e)
{
    static const float similarity[9] = {1.0f, 1.0f, 0.0f, 1.0f, 1.0f, 0.0f, 0.0f, 0.0f, 1.0f};
    ops_case c;
    case_init(&c, 7, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 3), k = WORDS_OF(&c, 2),
                   rel = REALS_OF(&c, 1.0f, 0.5f, 0.25f);
    const uint32_t flag = array(&c, 3, WORDS), order = array(&c, 3, WORDS);
    set_a(&c, 3, 3, similarity);
    make_pool(&c, 6, WINNOW_F32);
    wn_op *op =
        ADD(&c, greedy_dpp, 1, .segs = 1, .seg_at = seg, .k_at = k, .k_max = 2, .rel_at = rel,
            .d_at = array(&c, 3, SCRATCH), .flag_at = flag, .order_at = order, .mode = 0);
    use_a(&c, op);
    write_pool(&c, op, 0, 3);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "greedy_dpp: order", o.w + order, 0, 2);
    CHECK_WORDS(e, "greedy_dpp: flags", o.w + flag, 1, 0, 1);
    check_true(e, "greedy_dpp: the first row is K(0, j)",
               o.pool[0] > 0.9999f && o.pool[0] < 1.0001f && o.pool[1] > 0.4999f &&
                   o.pool[1] < 0.5001f && o.pool[2] == 0.0f);
    outcome_free(&o);
}

/* Rows to cover: one of text, (0, 0, 1, 0), and four tokens: 0 and 1 cover both of them, 2 and 3 themselves; the text
 * wants 2. With weights 1: 0 (gain 2), then 2 (1 + 1), then 3. With weight 0.25 for 0: 1 (2; 2 as much,
 * but behind), 2, 3. */
static void expect_coverage(expectations *e)
{
    static const float similarity[16] = {1.0f,  1.0f, -1.0f, 0.0f, 1.0f, 1.0f, 0.0f, 0.0f,
                                         -1.0f, 0.0f, 1.0f,  0.0f, 0.0f, 0.0f, 0.0f, 1.0f};
    for (uint32_t weighted = 0; weighted < 2; ++weighted) {
        ops_case c;
        case_init(&c, 8, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 4), k = WORDS_OF(&c, 3);
        const uint32_t weight = REALS_OF(&c, 0.25f, 1.0f, 1.0f, 1.0f);
        const uint32_t flag = array(&c, 4, WORDS), order = array(&c, 4, WORDS);
        const uint32_t cur = array(&c, 5, REALS);
        set_a(&c, 4, 4, similarity);
        make_c(&c, 1, 4, WINNOW_F32, PLAIN, 0);
        for (uint32_t j = 0; j < 4; ++j)
            put_c(&c, 0, j, j == 2 ? 1.0f : 0.0f);
        wn_op *op = ADD(&c, greedy_coverage, 1, .segs = 1, .seg_at = seg, .k_at = k, .extra = 1,
                        .weight_at = weighted ? weight : WN_NONE, .cur_at = cur, .flag_at = flag,
                        .order_at = order);
        use_a(&c, op);
        use_c(&c, op);
        outcome o = run_expected(e, &c);
        if (weighted)
            CHECK_WORDS(e, "greedy_coverage: weighted order", o.w + order, 1, 2, 3);
        else
            CHECK_WORDS(e, "greedy_coverage: order", o.w + order, 0, 2, 3);
        CHECK_REALS(e, "greedy_coverage: covered", (float *)(void *)(o.w + cur), 1.0f, 1.0f, 1.0f,
                    1.0f, 1.0f);
        outcome_free(&o);
    }
}

/* Tokens 0 and 1 are the same, 2 half of them, 3 apart. The most relevant, 1, is first. Then div of 0, 2 and 3 is 0, 1/2 and 1,
 * cov 0, 1/2 and 1 (each itself; 2 and 3 do not know each other). By the range (rel 0..1: 5/8, 0, 3/8) 3 is next. By the mean
 * (rel over 1/2: 5/4, 0, 3/4; div and cov over 1/2 with weights 1/8: 0, 1/4, 1/2) 3 and 0 have 5/4: 0, the earlier. */
static void expect_balance(expectations *e)
{
    static const float similarity[16] = {1.0f, 1.0f, 0.5f, 0.0f, 1.0f, 1.0f, 0.5f, 0.0f,
                                         0.5f, 0.5f, 1.0f, 0.0f, 0.0f, 0.0f, 0.0f, 1.0f};
    for (uint32_t range = 0; range < 2; ++range) {
        ops_case c;
        case_init(&c, 9, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 4), k = WORDS_OF(&c, 2);
        const uint32_t rel = REALS_OF(&c, 0.625f, 1.0f, 0.0f, 0.375f);
        const uint32_t flag = array(&c, 4, WORDS), order = array(&c, 4, WORDS);
        const uint32_t cur = array(&c, 4, REALS);
        const float weight = range ? 1.0f : 0.125f;
        set_a(&c, 4, 4, similarity);
        use_a(&c, ADD(&c, greedy_balance, 1, .segs = 1, .seg_at = seg, .k_at = k, .rel_at = rel,
                      .cur_at = cur, .gain_at = array(&c, 4, SCRATCH), .flag_at = flag,
                      .order_at = order, .range = range, .diversity = weight, .coverage = weight));
        outcome o = run_expected(e, &c);
        if (range) {
            CHECK_WORDS(e, "greedy_balance: by range", o.w + order, 1, 3);
            CHECK_REALS(e, "greedy_balance: nearest picks", (float *)(void *)(o.w + cur), 1.0f,
                        INFINITY, 0.5f, INFINITY);
        } else {
            CHECK_WORDS(e, "greedy_balance: by mean", o.w + order, 1, 0);
            CHECK_WORDS(e, "greedy_balance: flags", o.w + flag, 1, 1, 0, 0);
        }
        outcome_free(&o);
    }
}

void expect_greedy(expectations *e)
{
    expect_balance(e);
    expect_pair_prune(e);
    expect_maxmin(e);
    expect_dpp(e);
    expect_coverage(e);
}
