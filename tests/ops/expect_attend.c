#include <math.h>

#include "expect.h"

/* Two queries over tokens (1, 2), (3, 4) and (NaN, 5), which no query has a share of: shares 1/4 3/4 and 1/2 1/2; rows go the
 * other way round. The third token goes nowhere, the first to the second query, the second to the first. */
static void expect_pooled(expectations *e)
{
    static const float tokens[6] = {1.0f, 2.0f, 3.0f, 4.0f, NAN, 5.0f};
    static const float shares[6] = {0.25f, 0.75f, 5e-20f, 0.5f, 0.5f, NAN};
    ops_case c;
    case_init(&c, 1, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 3), to = WORDS_OF(&c, 1, 0);
    set_a(&c, 3, 2, tokens);
    make_c(&c, 2, 3, WINNOW_F32, PLAIN, 0);
    for (uint32_t i = 0; i < 6; ++i)
        put_c(&c, i / 3, i % 3, shares[i]);
    make_pool(&c, 4, WINNOW_F32);
    wn_op *op = ADD(&c, attend_values, 1, .segs = 1, .seg_at = seg, .rows = 2, .width = 3,
                    .list_at = WN_NONE, .to_at = to, .cols = 2);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "attend_values", o.pool, 2.0f, 3.0f, 2.5f, 3.5f);
    outcome_free(&o);
}

/* Tokens of two queries' shares: a tie goes to the lower, NaN to none. Three tokens of mean size 2 are 3 for each. */
static void expect_map(expectations *e)
{
    static const float shares[6] = {0.25f, 0.5f, NAN, 0.5f, 0.5f, NAN};
    ops_case c;
    case_init(&c, 2, 0);
    const uint32_t map = array(&c, 3, WORDS), sizes = array(&c, 2, REALS);
    set_a(&c, 2, 3, shares);
    use_a(&c, ADD(&c, attend_map, 5, .n_max = 3, .segs = 1, .seg_at = WORDS_OF(&c, 0, 3), .rows = 2,
                  .map_at = map, .mean_at = REALS_OF(&c, 2.0f), .sizes_new_at = sizes,
                  .inv_rows = 0.5f));
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "attend_map", o.w + map, 1, 0, WN_NONE);
    CHECK_REALS(e, "attend_map: sizes", (float *)(void *)(o.w + sizes), 3.0f, 3.0f);
    outcome_free(&o);
}

/* (2, 4) * (0.5 + (0.5, 1)) + (1, 2) + (3, 4), and half of (8, 16) that stood there. */
static void expect_affine(expectations *e)
{
    static const float row[2] = {2.0f, 4.0f};
    ops_case c;
    case_init(&c, 3, 0);
    const uint32_t scale = REALS_OF(&c, 0.5f, 1.0f), tap = WORDS_OF(&c, 0, 1);
    const uint32_t table = REALS_OF(&c, 1.0f, 2.0f, 3.0f, 4.0f);
    set_a(&c, 1, 2, row);
    make_pool(&c, 2, WINNOW_F32);
    put_element(&c.pool, 0, 0, 8.0f);
    put_element(&c.pool, 0, 1, 16.0f);
    wn_op *op = ADD(&c, row_affine, 2, .n = 1, .cols = 2, .list_at = WN_NONE, .scale_at = scale,
                    .shift_at = table, .taps = 2, .tap_at = tap, .share = 0.5f, .keep = 0.5f);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "row_affine", o.pool, 10.0f, 20.0f);
    outcome_free(&o);
}

/* Each of two segments has its own query: (1, 0) and (0, 1) over one token (3, 4) each. */
static void expect_own(expectations *e)
{
    static const float tokens[4] = {3.0f, 4.0f, 3.0f, 4.0f};
    ops_case c;
    case_init(&c, 4, 0);
    const uint32_t ones = REALS_OF(&c, 1.0f, 1.0f);
    set_a(&c, 2, 2, tokens);
    make_c(&c, 2, 2, WINNOW_F32, PLAIN, 0);
    for (uint32_t i = 0; i < 4; ++i)
        put_c(&c, i / 2, i % 2, i % 3 ? 0.0f : 1.0f);
    make_pool(&c, 2, WINNOW_F32);
    wn_op *op = ADD(&c, cross_sim, 2, .segs = 2, .seg_at = WORDS_OF(&c, 0, 1, 2), .rows = 1,
                    .width = 1, .src_at = WN_NONE, .c_inv_at = ones, .list_at = WN_NONE,
                    .inv_at = ones, .cols = 2, .own = 1);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 1);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "cross_sim: a segment's own", o.pool, 3.0f, 4.0f);
    outcome_free(&o);
}

void expect_attend(expectations *e)
{
    expect_pooled(e);
    expect_map(e);
    expect_affine(e);
    expect_own(e);
}
