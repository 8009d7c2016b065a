#include <math.h>

#include "expect.h"

/* Two heads of 2 x 3; rows 1 and none, columns 2 and 0; then turned, with the diagonal out. */
static void expect_head_mean(expectations *e)
{
    const float attention[12] = {1.0f, 2.0f, 3.0f, 4.0f,  5.0f,  6.0f,
                                 7.0f, 8.0f, 9.0f, 10.0f, 11.0f, 12.0f};
    for (uint32_t turn = 0; turn < 2; ++turn) {
        ops_case c;
        case_init(&c, 7, 0);
        set_a(&c, 4, 3, attention);
        make_pool(&c, 4, WINNOW_F32);
        const uint32_t seg = WORDS_OF(&c, 0, 2), rows = WORDS_OF(&c, 1, WN_NONE),
                       cols = WORDS_OF(&c, 2, 0);
        wn_op *op = ADD(&c, head_mean, 4, .rows = 2, .cols = 2, .segs = 1, .seg_at = seg,
                        .bound = 3, .rows_at = rows, .cols_at = cols, .heads = 2, .step = 2,
                        .width = 3, .alone = turn, .turn = turn, .scale = 0.5f);
        use_a(&c, op);
        write_pool(&c, op, 0, 2);
        outcome o = run_expected(e, &c);
        if (turn)
            CHECK_REALS(e, "head_mean: turned", o.pool, -INFINITY, 0.0f, 7.0f, -INFINITY);
        else
            CHECK_REALS(e, "head_mean", o.pool, 9.0f, 7.0f, 0.0f, 0.0f);
        outcome_free(&o);
    }
}

/* Four tokens, the last goes; what it is correlated with is 4, 1, 3 of the others. The quantile 0.5 of these is 3, so that two
 * are at or above it, the first of the segment among them; one is above alone. */
static void expect_whole(expectations *e)
{
    const float links[16] = {[12] = 4.0f, 1.0f, 3.0f, 9.0f};
    for (uint32_t whole = 0; whole < 2; ++whole) {
        ops_case c;
        case_init(&c, 8, 0);
        set_a(&c, 4, 4, links);
        const uint32_t seg = WORDS_OF(&c, 0, 4), rank = WORDS_OF(&c, 1, 2, 3, 0),
                       k = WORDS_OF(&c, 1);
        const uint32_t keep = array(&c, 4, WORDS), near = WORDS_OF(&c, 0, 0, 0, 0, 0, 0, 7, 7),
                       value = array(&c, 8, REALS), count = array(&c, 4, WORDS);
        wn_op *op = ADD(&c, correlate, 4, .n_max = 4, .segs = 1, .seg_at = seg, .rank_at = rank,
                        .k_at = k, .keep_at = keep, .near_at = near, .value_at = value,
                        .count_at = count, .most = 2, .within = 1, .q = 0.5f, .whole = whole);
        use_a(&c, op);
        outcome o = run_expected(e, &c);
        CHECK_WORDS(e, "correlate: kept", o.w + keep, 1, 1, 1, 0);
        if (whole) { /* 4 and 3 of 4, 3, 1 */
            CHECK_WORDS(e, "correlate: whole", o.w + near + 6, 0, 2);
            CHECK_WORDS(e, "correlate: at the quantile", o.w + count + 3, 2);
        } else { /* 3 of 3, 1: 2 is the quantile */
            CHECK_WORDS(e, "correlate: but the first", o.w + near + 6, 2, 7);
            CHECK_WORDS(e, "correlate: above the quantile", o.w + count + 3, 1);
        }
        outcome_free(&o);
    }
}

/* A token that goes shares 3, 1, 0 of its correlations among three: 3/4, 1/4 and nothing. */
static void expect_linear(expectations *e)
{
    ops_case c;
    case_init(&c, 9, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4), keep = WORDS_OF(&c, 1, 1, 1, 0), rows = ramp(&c, 4),
                   map = WORDS_OF(&c, 0, 1, 2, WN_NONE), count = WORDS_OF(&c, 0, 0, 0, 3),
                   k = WORDS_OF(&c, 1), seg_new = WORDS_OF(&c, 0, 3), order = ramp(&c, 3);
    const uint32_t near = WORDS_OF(&c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1);
    const uint32_t value = REALS_OF(&c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3.0f, 1.0f, 0.0f);
    const uint32_t seg_out = array(&c, 2, WORDS), rows_out = array(&c, 16, WORDS),
                   weight = array(&c, 16, REALS), sizes = array(&c, 16, REALS),
                   map_out = array(&c, 16, WORDS), from = array(&c, 3, WORDS),
                   map2 = array(&c, 4, WORDS);
    ADD(&c, shares, 5, .n_max = 4, .segs = 1, .seg_at = seg, .keep_at = keep, .rows_at = rows,
        .sizes_at = WN_NONE, .map_at = map, .near_at = near, .value_at = value, .count_at = count,
        .most = 3, .within = 1, .k_at = k, .place_at = WN_NONE, .order_new_at = order,
        .seg_new_at = seg_new, .seg_out_at = seg_out, .rows_out_at = rows_out, .weight_at = weight,
        .sizes_out_at = sizes, .map_out_at = map_out, .from_out_at = from, .map2_at = map2,
        .direct = 1, .linear = 1);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "shares: linear", (float *)(void *)(o.w + weight + 12), 0.0f, 0.75f, 0.25f,
                0.0f);
    CHECK_WORDS(e, "shares: direct", o.w + map_out + 12, WN_NONE, 2, 0, WN_NONE);
    CHECK_WORDS(e, "shares: the largest", o.w + map2, 0, 1, 2, 2);
    outcome_free(&o);
}

/* Two heads of two rows of text: the means are 1, 3 | 4, 2 for tokens 0 and 1. */
static void expect_text_peak(expectations *e)
{
    const float attention[8] = {0.5f, 3.0f, 5.0f, 1.0f, 1.5f, 3.0f, 3.0f, 3.0f};
    ops_case c;
    case_init(&c, 10, 0);
    set_a(&c, 4, 2, attention);
    const uint32_t seg = WORDS_OF(&c, 0, 3), index = WORDS_OF(&c, 1, 0, -1u),
                   score = array(&c, 3, REALS);
    use_a(&c, ADD(&c, text_peak, 3, .n_max = 3, .segs = 1, .seg_at = seg, .index_at = index,
                  .heads = 2, .text_rows = 2, .score_at = score, .scale = 0.5f));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "text_peak", (float *)(void *)(o.w + score), 3.0f, 4.0f, INFINITY);
    outcome_free(&o);
}

/* Of 8 in all a quarter is 2: token 1 has it, token 2 has a peak, token 3 is protected, token 4 is a class token. With limits
 * that nobody reaches the largest stays. */
static void expect_dual_filter(expectations *e)
{
    for (uint32_t high = 0; high < 2; ++high) {
        ops_case c;
        case_init(&c, 11, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 5), index = WORDS_OF(&c, 0, 1, 2, 3, high ? 4 : -1u);
        const uint32_t all = REALS_OF(&c, 1.0f, 4.0f, 1.5f, 1.5f, high ? NAN : INFINITY);
        const uint32_t peak = REALS_OF(&c, 0.25f, 0.25f, 0.5f, 0.25f, 0.25f);
        const uint32_t flag = WORDS_OF(&c, 0, 0, 0, !high, 0);
        ADD(&c, dual_filter, 1, .segs = 1, .seg_at = seg, .index_at = index, .all_at = all,
            .peak_at = peak, .flag_at = flag, .share = high ? 1.0f : 0.25f,
            .least = high ? 2.0f : 0.5f);
        outcome o = run_expected(e, &c);
        if (high)
            CHECK_WORDS(e, "dual_filter: the largest", o.w + flag, 0, 1, 0, 0, 0);
        else
            CHECK_WORDS(e, "dual_filter", o.w + flag, 0, 1, 1, 1, 1);
        outcome_free(&o);
    }
}

/* Groups of three and two tokens, of which two and one stay; then the frames, one of each. */
static void expect_group_top(expectations *e)
{
    for (uint32_t frames = 0; frames < 2; ++frames) {
        ops_case c;
        case_init(&c, 12, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 6), index = WORDS_OF(&c, 0, 1, 2, 3, 5, -1u);
        const uint32_t group = REALS_OF(&c, 7.0f, -0.0f, 7.0f, 0.0f, 1.0f, 7.0f),
                       score = REALS_OF(&c, 0.5f, 0.25f, 0.75f, 0.25f, 0.5f, 0.0f);
        const uint32_t table = WORDS_OF(&c, 0, 1, 1, frames ? 1 : 2), flag = array(&c, 6, WORDS);
        ADD(&c, group_top, 6, .n_max = 6, .segs = 1, .seg_at = seg, .index_at = index, .tokens = 3,
            .group_at = frames ? WN_NONE : group, .score_at = score, .table_at = table,
            .flag_at = flag);
        outcome o = run_expected(e, &c);
        if (frames)
            CHECK_WORDS(e, "group_top: frames", o.w + flag, 0, 0, 1, 0, 1, 1);
        else
            CHECK_WORDS(e, "group_top", o.w + flag, 1, 1, 1, 0, 0, 1);
        outcome_free(&o);
    }
}

/* Two segments about their centres (1, 2) and (0, 4); a row that is none. */
static void expect_centre(expectations *e)
{
    const float tokens[6] = {1.0f, 3.0f, 5.0f, 2.0f, 2.0f, 4.0f};
    ops_case c;
    case_init(&c, 13, 0);
    set_a(&c, 3, 2, tokens);
    make_c(&c, 2, 2, WINNOW_F32, PLAIN, 0);
    put_c(&c, 0, 0, 1.0f);
    put_c(&c, 0, 1, 2.0f);
    put_c(&c, 1, 0, 0.0f);
    put_c(&c, 1, 1, 4.0f);
    make_pool(&c, 8, WINNOW_F32);
    const uint32_t seg = WORDS_OF(&c, 0, 2, 4), rows = WORDS_OF(&c, 1, 0, 2, WN_NONE),
                   x = REALS_OF(&c, 2.0f, 0.5f, -1.0f, 3.0f),
                   y = REALS_OF(&c, 4.0f, 0.5f, 2.0f, 0.0f);
    wn_op *op =
        ADD(&c, centre_rows, 4, .n_max = 4, .segs = 2, .seg_at = seg, .list_at = rows, .cols = 2);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 2);
    ADD(&c, value_product, 4, .n_max = 4, .segs = 2, .seg_at = seg, .x_at = x, .y_at = y,
        .out_at = x);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "centre_rows", o.pool, 4.0f, 0.0f, 0.0f, 1.0f, 2.0f, 0.0f, 0.0f, 0.0f);
    CHECK_REALS(e, "value_product", (float *)(void *)(o.w + x), 8.0f, 0.25f, -2.0f, 0.0f);
    outcome_free(&o);
}

/* Three points in a row, 2 and 1 apart, each less dense than the one before: to the next one, and the last to the farthest. */
static void expect_sparser(expectations *e)
{
    const float squared[9] = {0.0f, 4.0f, 9.0f, 4.0f, 0.0f, 1.0f, 9.0f, 1.0f, 0.0f};
    ops_case c;
    case_init(&c, 14, 0);
    set_a(&c, 3, 3, squared);
    const uint32_t seg = WORDS_OF(&c, 0, 3), density = REALS_OF(&c, 1.0f, 0.5f, 0.25f),
                   far = REALS_OF(&c, 9.0f, 4.0f, 9.0f), score = array(&c, 3, REALS);
    use_a(&c, ADD(&c, peaks, 3, .n_max = 3, .segs = 1, .seg_at = seg, .density_at = density,
                  .far_at = far, .score_at = score, .sparser = 1));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "peaks: sparser", (float *)(void *)(o.w + score), 2.0f, 0.5f, 0.75f);
    outcome_free(&o);
}

void expect_links(expectations *e)
{
    expect_sparser(e);
    expect_centre(e);
    expect_text_peak(e);
    expect_dual_filter(e);
    expect_group_top(e);
    expect_head_mean(e);
    expect_whole(e);
    expect_linear(e);
}
