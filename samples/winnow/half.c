#include "half.h"

#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

uint16_t half_from_float(float value)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;

    if (rest > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u); /* NaN */
    }
    if (rest >= 0x477ff000u) {
        return (uint16_t)(sign | 0x7c00u); /* rounds to infinity */
    }
    if (rest < 0x33000001u) {
        return (uint16_t)sign; /* rounds to zero */
    }
    uint32_t shift = 13, mantissa = rest, base;
    if (rest < 0x38800000u) { /* subnormal: the implicit one becomes explicit */
        shift = 126 - (rest >> 23);
        mantissa = (rest & 0x7fffffu) | 0x800000u;
        base = 0;
    } else {
        base = 112u << 10; /* difference of the exponents' biases */
    }
    uint32_t kept = (mantissa >> shift) - base, cut = mantissa & ((1u << shift) - 1);
    uint32_t middle = 1u << (shift - 1);
    kept += cut > middle || (cut == middle && (kept & 1u));
    return (uint16_t)(sign | kept);
}

uint16_t bfloat_from_float(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
