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

static inline float f16_to_f32(uint16_t h)
{
    const uint32_t sign = ((uint32_t)h & 0x8000u) << 16, e = (h >> 10) & 31u;
    uint32_t m = h & 0x3ffu;
    if (e == 31u)
        return bits_f32(sign | 0x7f800000u | (m << 13) | (m ? 0x400000u : 0u));
    if (e)
        return bits_f32(sign | ((e + 112u) << 23) | (m << 13));
    if (!m)
        return bits_f32(sign);
    uint32_t top = 9;
    while (!(m >> top))
        --top;
    return bits_f32(sign | ((top + 103u) << 23) | ((m << (23u - top)) & 0x7fffffu));
}

#endif
