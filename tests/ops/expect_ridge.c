#include <math.h>

#include "expect.h"

/* Eigenvalues 2, 6 and -1 (as 0): 6 is three quarters of all, 8 is all. */
static void expect_factors(expectations *e)
{
    static const float h[9] = {2.0f, 0.5f, 0.5f, 0.5f, 6.0f, 0.5f, 0.5f, 0.5f, -1.0f};
    static const float penalties[3] = {6.0f + 2.0f, 2.0f + 2.0f, 2.0f + 2.0f};
    static const float energies[3] = {0.75f, 0.8f, 1.0f};
    for (uint32_t k = 0; k < 3; ++k) {
        ops_case c;
        case_init(&c, 11, 0);
        const uint32_t order = WORDS_OF(&c, 1, 0, 2), factor = array(&c, 3, REALS);
        set_a(&c, 3, 3, h);
        use_a(&c, ADD(&c, ridge_factors, 1, .n = 3, .order_at = order, .factor_at = factor,
                      .energy = energies[k], .tiny = 2.0f));
        outcome o = run_expected(e, &c);
        const float *got = (float *)(void *)(o.w + factor);
        for (uint32_t g = 0; g < 3; ++g)
            check_true(e, "ridge_factors",
                       fabsf(got[g] * (fmaxf(h[4 * g], 0.0f) + penalties[k]) - 1.0f) < 1e-6f);
        outcome_free(&o);
    }
}

/* Eigenvectors (1, 0) and (0, 1) by 2 and 8, times -1/2; and columns 0 and 2 of two rows, one of a class token. */
static void expect_inverse(expectations *e)
{
    static const float vectors[8] = {9.0f, 9.0f, 1.0f, 0.0f, 9.0f, 9.0f, 0.0f, 1.0f};
    ops_case c;
    case_init(&c, 12, 0);
    const uint32_t factor = REALS_OF(&c, 2.0f, 8.0f), seg = WORDS_OF(&c, 0, 2);
    const uint32_t flag = WORDS_OF(&c, 1, 0, 1), index = WORDS_OF(&c, 5, -1u);
    const uint32_t sum = array(&c, 2, REALS);
    set_a(&c, 2, 4, vectors);
    make_pool(&c, 4, WINNOW_F32);
    wn_op *op = ADD(&c, ridge_inverse, 4, .n = 2, .factor_at = factor, .scale = -0.5f);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    use_a(&c, ADD(&c, flagged_sum, 2, .n_max = 2, .segs = 1, .seg_at = seg, .index_at = index,
                  .cols = 3, .flag_at = flag, .out_at = sum));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "ridge_inverse", o.pool, -1.0f, -0.0f, -0.0f, -4.0f);
    CHECK_REALS(e, "flagged_sum", (float *)(void *)(o.w + sum), 10.0f, INFINITY);
    outcome_free(&o);
}

/* Tokens 0 and 1 are nearly the same, 2 has half of 0's direction, 3 nothing. 0 first; 1 loses all, 2 a quarter: 3/4, 3 keeps 1/2. */
static void expect_discount(expectations *e)
{
    static const float similarity[16] = {1.0f, -1.0f, 0.5f, 0.0f, -1.0f, 1.0f, 0.0f, 0.0f,
                                         0.5f, 0.0f,  1.0f, 0.0f, 0.0f,  0.0f, 0.0f, 1.0f};
    ops_case c;
    case_init(&c, 13, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4), k = WORDS_OF(&c, 4);
    const uint32_t first = REALS_OF(&c, 2.0f, 1.5f, 1.0f, 0.5f), left = array(&c, 4, REALS);
    const uint32_t flag = array(&c, 4, WORDS), order = array(&c, 4, WORDS);
    set_a(&c, 4, 4, similarity);
    use_a(&c, ADD(&c, greedy_maxmin, 1, .segs = 1, .seg_at = seg, .k_at = k, .first_at = first,
                  .md_at = left, .flag_at = flag, .order_at = order, .discount = 1));
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "greedy_maxmin: discounted", o.w + order, 0, 2, 3, 1);
    outcome_free(&o);
}

void expect_ridge(expectations *e)
{
    expect_factors(e);
    expect_inverse(e);
    expect_discount(e);
}
