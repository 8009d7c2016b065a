/* numbers.h: the arithmetic that every backend must agree on to the bit. Twin: shaders/numbers.glsl.
 * Compiled with -ffp-contract=off; every operation is one IEEE f32 operation. */
#ifndef WN_NUMBERS_H
#define WN_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float bits_f32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline bool is_nan(float x)
{
    return (f32_bits(x) & 0x7fffffffu) > 0x7f800000u;
}

static inline bool is_inf(float x)
{
    return (f32_bits(x) & 0x7fffffffu) == 0x7f800000u;
}

/* 1/sqrt(x) for x > 0 and finite: the bit guess and five Newton steps. */
static inline float rsqrt_(float x)
{
    if (is_nan(x))
        return x;
    float y = bits_f32(0x5f3759dfu - (f32_bits(x) >> 1));
    const float h = 0.5f * x;
    for (int i = 0; i < 5; ++i) {
        const float hy = h * y;
        const float hyy = hy * y;
        const float error = 0.5f - hyy;
        y = y + y * error;
    }
    return y;
}

/* 1/x for x > 0, normal and below 2^125. */
static inline float recip_(float x)
{
    float y = bits_f32(0x7ef311c7u - f32_bits(x));
    for (int i = 0; i < 5; ++i) {
        const float xy = x * y;
        const float error = 1.0f - xy;
        y = y + y * error;
    }
    return y;
}

/* e^x: 2^n * (1 + (r + r*r*q(r))), r = x - n*ln 2. From 88.7 on infinite, below -87.3 zero. The relative
 * error stays below 2e-7. */
static inline float exp_(float x)
{
    const float t = x * 1.44269504f + 12582912.0f; /* n in the low bits: rounded to nearest */
    const float n = t - 12582912.0f;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float q = 0.00138145348f * r + 0.00836874638f;
    q = q * r + 0.0416683927f;
    q = q * r + 0.166665196f;
    q = q * r + 0.49999994f;
    q = (q * r) * r + r;
    q = q + 1.0f;
    uint32_t bits = f32_bits(q) + (f32_bits(t) << 23);
    bits = x < -87.3f ? 0u : bits;
    bits = x > 88.7f ? 0x7f800000u : bits;
    return is_nan(x) ? x : bits_f32(bits);
}

/* ln x of a normal x > 0: x = 2^e * m, m in 0.7..1.4, ln m = f - f*f/2 + f*f*f*q(f), f = m - 1. */
static inline float log_(float x)
{
    const uint32_t u = f32_bits(x) - 0x3f350000u; /* 0.70703125 */
    const float e = (float)((int32_t)u >> 23);
    const float f = bits_f32((u & 0x7fffffu) + 0x3f350000u) - 1.0f;
    float q = 0.0703768363f * f + -0.115146103f;
    q = q * f + 0.116769987f;
    q = q * f + -0.124201408f;
    q = q * f + 0.142493228f;
    q = q * f + -0.166680577f;
    q = q * f + 0.200007148f;
    q = q * f + -0.24999994f;
    q = q * f + 0.333333312f;
    const float ff = f * f;
    float y = (q * f) * ff;
    y = y + e * -2.12194440e-4f;
    y = y - 0.5f * ff;
    return (f + y) + e * 0.693359375f;
}

/* erf(x): 1 - e^(-t q(t)), t = |x| at most 4, with the sign of x; within 2e-7. */
static inline float erf_(float x)
{
    const uint32_t u = f32_bits(x), size = u & 0x7fffffffu;
    const float t = size > 0x40800000u ? 4.0f : bits_f32(size);
    float q = 3.14401332e-05f * t + -0.000308801798f;
    q = q * t + 0.00103240006f;
    q = q * t + 0.000536936451f;
    q = q * t + -0.0195839629f;
    q = q * t + 0.102919616f;
    q = q * t + 0.636597753f;
    q = q * t + 1.1283803f;
    const float y = 1.0f - exp_(-(q * t));
    return is_nan(x) ? x : bits_f32(f32_bits(y) | (u & 0x80000000u));
}

#define COS_EPS2    1e-16f
#define COS_INV_EPS 1e8f

/* 1/max(|x|, eps) from the squared length s. */
static inline float norm_factor(float s, float eps2, float inv_eps)
{
    if (is_nan(s))
        return s;
    if (s <= eps2)
        return inv_eps;
    if (is_inf(s))
        return 0.0f;
    return rsqrt_(s);
}

/* Order of scores as unsigned integers, larger is better: NaN 0, -0 as +0. */
static inline uint32_t score_key(float x)
{
    uint32_t u = f32_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return 0u;
    if (u == 0x80000000u)
        u = 0u;
    return (u & 0x80000000u) ? ~u : u | 0x80000000u;
}

/* The same where the smallest is the best: still 0 for NaN. */
static inline uint32_t score_key_smallest(float x)
{
    const uint32_t k = score_key(x);
    return k == 0u ? 0u : ~k;
}

/* The number of a key of score_key (~key of score_key_smallest). */
static inline float key_score(uint32_t key)
{
    return bits_f32(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

/* sqrt(v), 0 for v <= 0. */
static inline float sqrt_(float v)
{
    if (v <= 0.0f)
        return 0.0f;
    return is_inf(v) ? v : v * rsqrt_(v);
}

/* The number of a score key; 0, the key of NaN, is below them all. */
static inline float number_of(uint32_t key)
{
    if (key == 0)
        return bits_f32(0xff800000u);
    return bits_f32((key & 0x80000000u) ? key & 0x7fffffffu : ~key);
}

/* The nearest whole number, ties to even; 0 <= x. */
static inline float round_even_(float x)
{
    const float up = x + 12582912.0f, whole = up - 12582912.0f;
    return x < 4194304.0f ? whole : x;
}

static inline uint16_t f32_to_bf16(float x)
{
    const uint32_t u = f32_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float bf16_to_f32(uint16_t h)
{
    return bits_f32((uint32_t)h << 16);
}

static inline uint16_t f32_to_f16(float x)
{
    const uint32_t u = f32_bits(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (a >= 0x477ff000u) /* rounds to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (a < 0x33000001u) /* at most half of the least subnormal */
        return (uint16_t)sign;
    if (a < 0x38800000u) { /* subnormal */
        const uint32_t shift = 126u - (a >> 23), m = (a & 0x7fffffu) | 0x800000u;
        uint32_t q = m >> shift;
        const uint32_t rest = m & ((1u << shift) - 1u), mid = 1u << (shift - 1u);
        if (rest > mid || (rest == mid && (q & 1u)))
            ++q;
        return (uint16_t)(sign | q);
    }
    return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13));
}

/* Without branches; a subnormal is (1 + m/1024) * 2^-14 - 2^-14. */
static inline float f16_to_f32(uint16_t h)
{
    const uint32_t m = ((uint32_t)h & 0x7fffu) << 13, e = m & 0x0f800000u;
    const float subnormal = bits_f32(m + 0x38800000u) - bits_f32(0x38800000u);
    const uint32_t large = (m + (e == 0x0f800000u ? 0x70000000u : 0x38000000u)) |
                           (m > 0x0f800000u ? 0x400000u : 0u);
    return bits_f32(((uint32_t)h & 0x8000u) << 16 | (e == 0u ? f32_bits(subnormal) : large));
}

#endif
