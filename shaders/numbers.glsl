// numbers.glsl: the arithmetic that every backend must agree on to the bit. Twin: plugin/numbers.h.
#ifndef NUMBERS_GLSL
#define NUMBERS_GLSL

bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }
bool is_inf(float x) { return (floatBitsToUint(x) & 0x7fffffffu) == 0x7f800000u; }
float quiet_nan() { return uintBitsToFloat(0x7fc00000u); }

// 1/sqrt(x) for x > 0 and finite: the bit guess and five Newton steps.
float rsqrt_(float x)
{
    if (is_nan(x)) return x;
    precise float y = uintBitsToFloat(0x5f3759dfu - (floatBitsToUint(x) >> 1));
    precise float h = 0.5 * x;
    for (int i = 0; i < 5; ++i) {
        precise float hy = h * y;
        precise float hyy = hy * y;
        precise float error = 0.5 - hyy;
        precise float change = y * error;
        y = y + change;
    }
    return y;
}

// 1/x for x > 0, normal and below 2^125: the bit guess and five Newton steps.
float recip_(float x)
{
    precise float y = uintBitsToFloat(0x7ef311c7u - floatBitsToUint(x));
    for (int i = 0; i < 5; ++i) {
        precise float xy = x * y;
        precise float error = 1.0 - xy;
        precise float change = y * error;
        y = y + change;
    }
    return y;
}

// 1/max(|x|, eps) from the squared length s; eps2 = eps*eps.
float norm_factor(float s, float eps2, float inv_eps)
{
    if (is_nan(s)) return s;
    if (s <= eps2) return inv_eps;
    if (is_inf(s)) return 0.0;
    return rsqrt_(s);
}
#define COS_EPS2 1e-16
#define COS_INV_EPS 1e8

// Order of scores as unsigned integers, larger is better: NaN 0, -0 as +0.
uint score_key(float x)
{
    uint u = floatBitsToUint(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return 0u;
    if (u == 0x80000000u) u = 0u;
    return (u & 0x80000000u) != 0u ? ~u : u | 0x80000000u;
}
// The same where the smallest is the best: still 0 for NaN.
uint score_key_smallest(float x)
{
    uint k = score_key(x);
    return k == 0u ? 0u : ~k;
}

// Round to nearest even by integers: no driver's rounding mode matters.
uint f32_to_bf16(float x)
{
    uint u = floatBitsToUint(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (u >> 16) | 0x40u;
    return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}
float bf16_to_f32(uint h) { return uintBitsToFloat(h << 16); }

uint f32_to_f16(float x)
{
    uint u = floatBitsToUint(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u) return sign | 0x7e00u;
    if (a >= 0x477ff000u) return sign | 0x7c00u;          // rounds to infinity
    if (a < 0x33000001u) return sign;                      // at most half of the least subnormal
    if (a < 0x38800000u) {                                 // subnormal
        uint shift = 126u - (a >> 23), m = (a & 0x7fffffu) | 0x800000u;
        uint q = m >> shift, rest = m & ((1u << shift) - 1u), mid = 1u << (shift - 1u);
        if (rest > mid || (rest == mid && (q & 1u) != 0u)) ++q;
        return sign | q;
    }
    return sign | ((a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13);
}
float f16_to_f32(uint h)
{
    uint sign = (h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 0x3ffu;
    if (e == 31u) return uintBitsToFloat(sign | 0x7f800000u | (m << 13) | (m != 0u ? 0x400000u : 0u));
    if (e != 0u) return uintBitsToFloat(sign | ((e + 112u) << 23) | (m << 13));
    if (m == 0u) return uintBitsToFloat(sign);
    int top = findMSB(m);
    return uintBitsToFloat(sign | ((uint(top) + 103u) << 23) | ((m << uint(23 - top)) & 0x7fffffu));
}
#endif
