// numbers.glsl: the arithmetic that every backend must agree on to the bit. Twin: plugin/numbers.h.
// Choices are by mix() rather than branches: a few of these in a loop take some compilers (SwiftShader's) minutes.
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

// e^x: 2^n * (1 + (r + r*r*q(r))), r = x - n*ln 2. From 88.7 on infinite, below -87.3 zero.
float exp_(float x)
{
    precise float t = x * 1.44269504 + 12582912.0;    // n in the low bits: rounded to nearest
    precise float n = t - 12582912.0;
    precise float r = (x - n * 0.693359375) - n * -2.12194440e-4;
    precise float q = 0.00138145348 * r + 0.00836874638;
    q = q * r + 0.0416683927;
    q = q * r + 0.166665196;
    q = q * r + 0.49999994;
    q = (q * r) * r + r;
    q = q + 1.0;
    uint bits = floatBitsToUint(q) + (floatBitsToUint(t) << 23);
    bits = mix(mix(bits, 0u, x < -87.3), 0x7f800000u, x > 88.7);
    return mix(uintBitsToFloat(bits), x, is_nan(x));
}

// ln x of a normal x > 0: x = 2^e * m, m in 0.7..1.4, ln m = f - f*f/2 + f*f*f*q(f), f = m - 1.
float log_(float x)
{
    uint u = floatBitsToUint(x) - 0x3f350000u;    // 0.70703125
    float e = float(int(u) >> 23);
    precise float f = uintBitsToFloat((u & 0x7fffffu) + 0x3f350000u) - 1.0;
    precise float q = 0.0703768363 * f + -0.115146103;
    q = q * f + 0.116769987;
    q = q * f + -0.124201408;
    q = q * f + 0.142493228;
    q = q * f + -0.166680577;
    q = q * f + 0.200007148;
    q = q * f + -0.24999994;
    q = q * f + 0.333333312;
    precise float ff = f * f;
    precise float y = (q * f) * ff;
    y = y + e * -2.12194440e-4;
    y = y - 0.5 * ff;
    precise float ln = (f + y) + e * 0.693359375;
    return ln;
}

// erf(x): 1 - e^(-t q(t)), t = |x| at most 4, with the sign of x.
float erf_(float x)
{
    uint u = floatBitsToUint(x), size = u & 0x7fffffffu;
    float t = size > 0x40800000u ? 4.0 : uintBitsToFloat(size);
    precise float q = 3.14401332e-05 * t + -0.000308801798;
    q = q * t + 0.00103240006;
    q = q * t + 0.000536936451;
    q = q * t + -0.0195839629;
    q = q * t + 0.102919616;
    q = q * t + 0.636597753;
    q = q * t + 1.1283803;
    q = q * t;
    precise float y = 1.0 - exp_(-q);
    return is_nan(x) ? x : uintBitsToFloat(floatBitsToUint(y) | (u & 0x80000000u));
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
// The number of a key of score_key (~key of score_key_smallest).
float key_score(uint key) { return uintBitsToFloat(mix(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u)); }

// sqrt(v), 0 for v <= 0.
float sqrt_(float v)
{
    precise float root = v * rsqrt_(v);
    return v <= 0.0 ? 0.0 : is_inf(v) ? v : root;
}

// The number of a score key; 0, the key of NaN, is below them all.
float number_of(uint key)
{
    if (key == 0u) return uintBitsToFloat(0xff800000u);
    return uintBitsToFloat((key & 0x80000000u) != 0u ? key & 0x7fffffffu : ~key);
}

// The nearest whole number, ties to even; 0 <= x.
float round_even_(float x)
{
    precise float up = x + 12582912.0;
    precise float whole = up - 12582912.0;
    return x < 4194304.0 ? whole : x;
}

// Round to nearest even by integers: no driver's rounding mode matters.
uint f32_to_bf16(float x)
{
    uint u = floatBitsToUint(x), rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return mix(rounded, (u >> 16) | 0x40u, is_nan(x));
}
float bf16_to_f32(uint h) { return uintBitsToFloat(h << 16); }

uint f32_to_f16(float x)
{
    uint u = floatBitsToUint(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    uint half_ = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
    // Subnormal: the significand shifted, rounded to nearest even.
    uint shift = clamp(126u - (a >> 23), 1u, 31u), m = (a & 0x7fffffu) | 0x800000u;
    uint q = m >> shift, rest = m & ((1u << shift) - 1u), mid = 1u << (shift - 1u);
    q += uint(rest > mid) | (uint(rest == mid) & q);
    half_ = mix(half_, q, a < 0x38800000u);
    half_ = mix(half_, 0u, a < 0x33000001u);         // at most half of the least subnormal
    half_ = mix(half_, 0x7c00u, a >= 0x477ff000u);    // rounds to infinity
    half_ = mix(half_, 0x7e00u, a > 0x7f800000u);
    return sign | half_;
}
// A subnormal is (1 + m/1024) * 2^-14 - 2^-14.
float f16_to_f32(uint h)
{
    uint m = (h & 0x7fffu) << 13, e = m & 0x0f800000u;
    precise float subnormal = uintBitsToFloat(m + 0x38800000u) - uintBitsToFloat(0x38800000u);
    uint large = m + mix(0x38000000u, 0x70000000u, e == 0x0f800000u);
    large |= uint(m > 0x0f800000u) << 22;    // NaN stays quiet
    return uintBitsToFloat((h & 0x8000u) << 16 | mix(large, floatBitsToUint(subnormal), e == 0u));
}
#endif
