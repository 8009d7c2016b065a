// doubles.glsl: positive IEEE doubles for devices that have none, as far as counts need them: quotients and products as Python rounds
// them, to nearest even. The plain C twin uses C's double.
#ifndef DOUBLES_GLSL
#define DOUBLES_GLSL

// (high * 2^32 + low) * 2^e, the significand in 2^52 .. 2^53 - 1; 0 has a significand of 0.
struct wide { uint high; uint low; int e; };

uint bits_of(uint x) { return uint(findMSB(x) + 1); }

void double_(inout wide w)
{
    w.high = (w.high << 1) | (w.low >> 31);
    w.low <<= 1;
}

wide wide_of(uint x)
{
    wide w = wide(0u, x, 0);
    if (x == 0u) return w;
    while (w.high < 0x100000u) {
        double_(w);
        --w.e;
    }
    return w;
}

// From the words of a positive, normal double.
wide wide_of_words(uint high, uint low)
{
    return wide((high & 0xfffffu) | 0x100000u, low, int(high >> 20) - 1075);
}

bool not_below(wide a, wide b) { return a.high > b.high || (a.high == b.high && a.low >= b.low); }

// x / y, y not 0: long division, one bit a step; the remainder decides how the last one rounds.
wide quotient(wide x, wide y)
{
    if ((x.high | x.low) == 0u) return x;
    wide rest = x, q = wide(0u, 0u, x.e - y.e - 52);
    if (!not_below(rest, y)) {
        double_(rest);
        --q.e;
    }
    for (int i = 0; i < 53; ++i) {
        double_(q);
        if (not_below(rest, y)) {
            uint borrow;
            rest.low = usubBorrow(rest.low, y.low, borrow);
            rest.high -= y.high + borrow;
            q.low |= 1u;
        }
        double_(rest);
    }
    bool is_half = rest.high == y.high && rest.low == y.low;
    if (is_half ? (q.low & 1u) != 0u : not_below(rest, y)) {
        uint carry;
        q.low = uaddCarry(q.low, 1u, carry);
        q.high += carry;
    }
    if (q.high == 0x200000u) {
        q.high = 0x100000u;
        ++q.e;
    }
    return q;
}

// Bits of a number of three words, the lowest first.
bool bit_of(uvec3 p, uint i) { return i < 96u && (p[min(i >> 5, 2u)] >> (i & 31u) & 1u) != 0u; }
bool any_below(uvec3 p, uint i)
{
    bool any = false;
    for (uint k = 0u; k < 96u && k < i; ++k) any = any || bit_of(p, k);
    return any;
}
uvec3 add_bit(uvec3 p, uint i)
{
    for (; i < 96u; ++i) {
        bool carries = bit_of(p, i);
        p[i >> 5] ^= 1u << (i & 31u);
        if (!carries) break;
    }
    return p;
}
uint whole(uvec3 p, uint i)    // p >> i, which fits a word
{
    uint x = 0u;
    for (uint k = 0u; k < 32u; ++k) x |= bit_of(p, i + k) ? 1u << k : 0u;
    return x;
}

// n * w rounded as a double, then up (half_even false) or to the nearest whole number, half to even. w <= 1.
uint times(uint n, wide w, bool half_even)
{
    uint high, low, middle, top, carry;
    umulExtended(n, w.low, middle, low);
    umulExtended(n, w.high, top, high);
    middle = uaddCarry(middle, high, carry);
    top += carry;
    uvec3 p = uvec3(low, middle, top);

    uint length = top != 0u ? 64u + bits_of(top) : middle != 0u ? 32u + bits_of(middle) : bits_of(low);
    if (length > 53u) {
        uint drop = length - 53u;
        bool up = bit_of(p, drop - 1u) && (any_below(p, drop - 1u) || bit_of(p, drop));
        for (uint k = 0u; k < drop; ++k) p[k >> 5] &= ~(1u << (k & 31u));
        if (up) p = add_bit(p, drop);
    }
    uint point = uint(-w.e), x = whole(p, point);
    bool up;
    if (half_even) up = bit_of(p, point - 1u) && (any_below(p, point - 1u) || (x & 1u) != 0u);
    else up = any_below(p, point);
    return up ? x + 1u : x;
}
#endif
