#include <math.h>

#include "expect.h"

/* A grid of 2 x 2: what a column's other token gives is told from its own by the weights. The third token has no row. */
static void expect_score(expectations *e)
{
    const float filtered[] = {301.0f, 402.0f, 13.0f, 24.0f}; /* low of the first channel */
    for (uint32_t taps = 0; taps <= 2; taps += 2) {
        ops_case c;
        case_init(&c, 31, 0);
        set_a(&c, 3, 2, (float[]){1.0f, -2.0f, 301.0f, 5.0f, 30.0f, -1.0f});
        make_matrix(&c, &c.b_in, 4, 2, WINNOW_F32, PLAIN);
        for (uint32_t r = 0; r < 4; ++r) {
            put_element(&c.b_in, r, 0, (float)(r + 1));
            put_element(&c.b_in, r, 1, 0.0f);
        }
        const uint32_t rows = WORDS_OF(&c, 1, 0, WN_NONE, 2), v = array(&c, 4, REALS);
        wn_op *op =
            ADD(&c, spectral_score, 4, .frames = 1, .h = 2, .grid_w = 2, .cols = 2, .rows_at = rows,
                .taps = taps, .weight_at = REALS_OF(&c, 10.0f, 1.0f, 100.0f) + 1, .v_at = v,
                .scale = 0.5f);
        use_a(&c, op);
        use_b_in(&c, op);
        outcome o = run_expected(e, &c);
        const float *got = (float *)(void *)(o.w + v);
        if (taps)
            CHECK_REALS(e, "spectral_score", got, (301.0f - filtered[0] + 5.0f) / 2,
                        (filtered[1] - 1.0f + 2.0f) / 2, filtered[2] / 2,
                        (30.0f - filtered[3] + 1.0f) / 2);
        else
            CHECK_REALS(e, "spectral_score: nothing is taken away", got, 153.0f, 1.5f, 0.0f, 15.5f);
        outcome_free(&o);
    }
}

static bool is_near(float got, double want)
{
    return fabs(got - want) < 1e-5;
}

/* Changes of 0, 1, 1 (four, held to one) and 0 with a deviation of sqrt(1/3) around a half; one token is no number. */
static void expect_change(expectations *e)
{
    const double gate = 1 / (1 + exp(-0.5 / sqrt(1.0 / 3)));
    ops_case c;
    case_init(&c, 32, 0);
    const uint32_t x = REALS_OF(&c, 1.0f, 1.0f, NAN, 1.0f, 1.0f),
                   y = REALS_OF(&c, 1.0f, 3.0f, 1.0f, 9.0f, 1.0f),
                   weight = REALS_OF(&c, 2.0f, 1.0f, 1.0f, 0.5f, 2e-38f),
                   score = array(&c, 5, REALS);
    ADD(&c, spectral_change, 1, .segs = 2, .seg_at = WORDS_OF(&c, 0, 3, 5), .x_at = x, .y_at = y,
        .weight_at = weight, .score_at = score, .sharp = 1.0f);
    outcome o = run_expected(e, &c);
    const float *got = (float *)(void *)(o.w + score);
    check_true(e, "spectral_change: none", is_near(got[0], 2 * (1 - gate)));
    check_true(e, "spectral_change: one", is_near(got[1], gate));
    check_true(e, "spectral_change: no number", is_nan(got[2]));
    check_true(e, "spectral_change: more than one", is_near(got[3], gate / 2));
    check_true(e, "spectral_change: too small", f32_bits(got[4]) == 0);
    outcome_free(&o);
}

/* One token alone, and infinities alone. */
static void expect_alone(expectations *e)
{
    ops_case c;
    case_init(&c, 33, 0);
    const uint32_t x = REALS_OF(&c, 1.0f, INFINITY, 2.0f), y = REALS_OF(&c, 3.0f, 2.0f, INFINITY),
                   one = array(&c, 1, REALS), none = array(&c, 2, REALS);
    ADD(&c, spectral_change, 1, .segs = 1, .seg_at = WORDS_OF(&c, 0, 1), .x_at = x, .y_at = y,
        .weight_at = WN_NONE, .score_at = one, .sharp = 10.0f);
    ADD(&c, spectral_change, 1, .segs = 1, .seg_at = WORDS_OF(&c, 0, 2), .x_at = x + 1,
        .y_at = y + 1, .weight_at = WN_NONE, .score_at = none, .sharp = 10.0f);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "spectral_change: one token", (float *)(void *)(o.w + one), 0.5f);
    CHECK_REALS(e, "spectral_change: no numbers", (float *)(void *)(o.w + none), NAN, NAN);
    outcome_free(&o);
}

void expect_spectral(expectations *e)
{
    expect_score(e);
    expect_change(e);
    expect_alone(e);
}
