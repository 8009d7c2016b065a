/* numbers.h against definitions in double: every 16-bit number, and where rounding turns. */
#include <math.h>

#include "numbers.h"
#include "support.h"

/* A 16-bit float with `exponent_bits`, by its definition. */
static double value_of(uint32_t bits, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const uint32_t fraction = bits & ((1u << fraction_bits) - 1u);
    const double sign = bits & 0x8000u ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

/* Nearest of the type, ties to even; what rounds past the largest is infinite. */
static double rounded(double x, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent;
    if (x == 0 || !isfinite(x))
        return x;
    frexp(x, &exponent);
    if (exponent - 1 < 1 - bias)
        exponent = 2 - bias; /* subnormal: all have the step of the least normal */
    const double step = ldexp(1, exponent - 1 - fraction_bits);
    const double y = nearbyint(x / step) * step;
    return fabs(y) >= ldexp(1, bias + 1) ? copysign(INFINITY, x) : y;
}

typedef struct type {
    uint16_t (*narrow)(float);
    float (*widen)(uint16_t);
    int exponent_bits, fraction_bits;
} type;

static const type types[] = {{f32_to_f16, f16_to_f32, 5, 10}, {f32_to_bf16, bf16_to_f32, 8, 7}};

static void check_narrow(const type *t, float x)
{
    const double want = rounded(x, t->exponent_bits, t->fraction_bits);
    const uint16_t bits = t->narrow(x);
    const double got = value_of(bits, t->exponent_bits, t->fraction_bits);
    if (isnan(x) ? !isnan(got) : got != want || !signbit(got) != !signbit(x))
        fail_msg("%a becomes %a, not %a", (double)x, got, want);
}

static void every_16_bit_number_widens(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(types); ++i)
        for (uint32_t bits = 0; bits < 65536; ++bits) {
            const double want = value_of(bits, types[i].exponent_bits, types[i].fraction_bits);
            const float got = types[i].widen((uint16_t)bits);
            if (isnan(want) ? !isnan(got)
                            : (double)got != want || !signbit(got) != !(bits & 0x8000u))
                fail_msg("%04x becomes %a, not %a", bits, (double)got, want);
            if (!isnan(want) && types[i].narrow(got) != bits)
                fail_msg("%04x comes back as %04x", bits, types[i].narrow(got));
        }
}

static void narrowing_rounds_half_to_even(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(types); ++i)
        for (uint32_t bits = 0; bits < 65536; ++bits) {
            const float x = types[i].widen((uint16_t)bits),
                        y = types[i].widen((uint16_t)(bits + 1));
            const float middle = x + (y - x) / 2;
            const float at[] = {x, middle};
            for (size_t k = 0; k < LENGTH(at); ++k) {
                check_narrow(&types[i], at[k]);
                check_narrow(&types[i], nextafterf(at[k], INFINITY));
                check_narrow(&types[i], nextafterf(at[k], -INFINITY));
            }
        }
}

static void narrowing_takes_everything(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(types); ++i)
        for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 40503)
            check_narrow(&types[i], bits_f32((uint32_t)bits));
}

/* Distance in units of the last place of what is exact. */
static double ulps(float got, double exact)
{
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)got - exact) / ldexp(1, exponent - 24);
}

static void roots_and_inverses_are_close(void **state)
{
    (void)state;
    double worst_root = 0, worst_inverse = 0;
    for (uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 4001) {
        const float x = bits_f32(bits);
        worst_root = fmax(worst_root, ulps(rsqrt_(x), 1.0 / sqrt((double)x)));
        if (x < ldexpf(1, 125))
            worst_inverse = fmax(worst_inverse, ulps(recip_(x), 1.0 / (double)x));
    }
    assert_true(worst_root < 2.5);
    assert_true(worst_inverse < 1.5);
    for (uint32_t n = 1; n <= 65536; n *= 2) {
        assert_true(fabsf(recip_((float)n) * (float)n - 1.0f) < 2e-7f);
        assert_true(fabsf(rsqrt_((float)n * (float)n) * (float)n - 1.0f) < 3e-7f);
    }
    assert_true(isnan(rsqrt_(NAN)));
}

static void exponentials_are_close(void **state)
{
    (void)state;
    double worst = 0;
    for (int64_t i = -87300000; i <= 88700000;
         i += 37) { /* 1e-6 apart, and closer around 0 below */
        const float x = (float)((double)i * 1e-6);
        worst = fmax(worst, fabs((double)exp_(x) / exp((double)x) - 1.0));
    }
    for (uint32_t bits = 0; bits < 0x42ae0000u; bits += 1009) {
        const float x = bits_f32(bits);
        worst = fmax(worst, fabs((double)exp_(x) / exp((double)x) - 1.0));
        worst = fmax(worst, fabs((double)exp_(-x) / exp(-(double)x) - 1.0));
    }
    assert_true(worst < 1e-7);
    assert_true(exp_(0.0f) == 1.0f && exp_(-0.0f) == 1.0f);
    assert_true(isinf(exp_(88.8f)) && isinf(exp_(3e38f)) && isinf(exp_(INFINITY)));
    assert_true(exp_(-87.4f) == 0.0f && exp_(-3e38f) == 0.0f && exp_(-INFINITY) == 0.0f);
    assert_true(isnan(exp_(NAN)) && isnan(exp_(-NAN)));
}

static void logarithms_are_close(void **state)
{
    (void)state;
    double worst = 0, least = 0;
    for (uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 997) {
        const float x = bits_f32(bits);
        const double exact = log((double)x), error = fabs((double)log_(x) - exact);
        worst = fmax(worst, error / fmax(fabs(exact), 1.0));
        if (fabs(exact) < 0.3)
            least = fmax(least, exact == 0.0 ? error : error / fabs(exact));
    }
    assert_true(worst < 1.5e-7);
    assert_true(least < 2e-7); /* near 1 too */
    assert_true(log_(1.0f) == 0.0f);
}

static void error_functions_are_close(void **state)
{
    (void)state;
    double worst = 0;
    for (int32_t i = 0; i <= 6000000; ++i) {
        const float x = (float)i * 1e-6f, y = erf_(x);
        worst = fmax(worst, fabs((double)y - erf((double)x)));
        if (f32_bits(erf_(-x)) != (f32_bits(y) ^ 0x80000000u))
            fail_msg("erf_(-%a) is not -erf_(%a)", (double)x, (double)x);
    }
    assert_true(worst < 1.5e-7);
    assert_true(erf_(INFINITY) == 1.0f && erf_(-INFINITY) == -1.0f && erf_(3e38f) == 1.0f);
    assert_true(isnan(erf_(NAN)));
}

static void lengths_have_their_edges(void **state)
{
    (void)state;
    assert_true(norm_factor(0.0f, COS_EPS2, COS_INV_EPS) == 1e8f);
    assert_true(norm_factor(1e-16f, COS_EPS2, COS_INV_EPS) == 1e8f);
    assert_true(norm_factor(INFINITY, COS_EPS2, COS_INV_EPS) == 0.0f);
    assert_true(isnan(norm_factor(NAN, COS_EPS2, COS_INV_EPS)));
    assert_true(fabsf(norm_factor(4.0f, COS_EPS2, COS_INV_EPS) - 0.5f) < 1e-7f);
}

static void keys_order_as_numbers_do(void **state)
{
    (void)state;
    const float order[] = {-INFINITY, -3e38f, -1.0f, -1e-45f, 0.0f, 1e-45f, 1.0f, 3e38f, INFINITY};
    for (size_t i = 0; i < LENGTH(order); ++i)
        for (size_t k = 0; k < LENGTH(order); ++k) {
            assert_int_equal(score_key(order[i]) < score_key(order[k]), order[i] < order[k]);
            assert_int_equal(score_key_smallest(order[i]) < score_key_smallest(order[k]),
                             order[i] > order[k]);
        }
    assert_int_equal(score_key(-0.0f), score_key(0.0f));
    const uint32_t nans[] = {0x7f800001u, 0x7fc00000u, 0xffc00000u, 0xffffffffu};
    for (size_t i = 0; i < LENGTH(nans); ++i) {
        assert_int_equal(score_key(bits_f32(nans[i])), 0);
        assert_int_equal(score_key_smallest(bits_f32(nans[i])), 0);
    }
    assert_true(score_key(-INFINITY) > 0 && score_key_smallest(INFINITY) > 0);
    uint32_t before = score_key(-INFINITY);
    for (int32_t bits = INT32_MIN; bits < INT32_MAX - 21400;
         bits += 21400) { /* a walk up the line */
        const uint32_t size = (uint32_t)(bits < 0 ? -(bits + 1) : bits);
        const float x = bits_f32(bits < 0 ? size | 0x80000000u : size);
        if (is_nan(x))
            continue;
        assert_true(score_key(x) >= before);
        before = score_key(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_16_bit_number_widens),
        cmocka_unit_test(narrowing_rounds_half_to_even),
        cmocka_unit_test(narrowing_takes_everything),
        cmocka_unit_test(roots_and_inverses_are_close),
        cmocka_unit_test(exponentials_are_close),
        cmocka_unit_test(logarithms_are_close),
        cmocka_unit_test(error_functions_are_close),
        cmocka_unit_test(lengths_have_their_edges),
        cmocka_unit_test(keys_order_as_numbers_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
