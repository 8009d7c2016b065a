// coverage.glsl: what each token would cover of the rows that the picks leave uncovered, as greedy_coverage and
// greedy_balance have it, kept from pick to pick. A gain is a sum of whole numbers (ops_args.h), so that what a row gives can
// be taken out again and another put in, in any order: after a pick only the rows that it covers better are gone through.
// Include after common.glsl and reduce.glsl; the shader defines covered(). Twin: plugin/cpu/cpu_greedy.h.
#ifndef COVERAGE_GLSL
#define COVERAGE_GLSL

#define INFINITY uintBitsToFloat(0x7f800000u)

// S(r, .) of four columns; `from` says where the rows of a segment lie.
vec4 covered(uvec2 from, uint r, uvec4 columns);

// A list of rows whose cur has changed, in words of W: their number (for the picks of a later operation), a word that is left, then
// two words each: row, cur before.
shared uint changed;
void begin_changes()
{
    if (thread() == 0u) changed = 0u;
    barrier();
}
void add_change(uint list, uint row, float was)
{
    uint at = list + 2u + 2u * atomicAdd(changed, 1u);
    w_set_u(at, row);
    w_set_f(at + 1u, was);
}

// 64-bit whole numbers: d of four tokens in units of 2^-45, cut off.
void to_units(vec4 d, out uvec4 low, out uvec4 high)
{
    precise vec4 x = min(mix(vec4(0.0), d, greaterThan(d, vec4(0.0))), vec4(uintBitsToFloat(0x407fffffu))) * 2097152.0;
    ivec4 whole = ivec4(x);
    precise vec4 rest = (x - vec4(whole)) * 16777216.0;
    low = (uvec4(whole) << 24u) + uvec4(ivec4(rest));
    high = uvec4(whole) >> 8u;
}

// The sums of four tokens follow the change `at`.
void follow_change(uvec2 from, uvec4 j, uint cur, uint at, inout uvec4 low, inout uvec4 high)
{
    uint r = w_u(at);
    vec4 s = covered(from, r, j);
    precise vec4 before = s - w_f(at + 1u);
    precise vec4 after = s - w_f(cur + r);
    uvec4 less_low, less_high, more_low, more_high;
    to_units(before, less_low, less_high);
    to_units(after, more_low, more_high);
    low += more_low;
    high += more_high + uvec4(lessThan(low, more_low));
    high -= less_high + uvec4(lessThan(low, less_low));
    low -= less_low;
}

// A sum as a float: its highest 24 bits.
float gain_value(uint low, uint high)
{
    int top = high != 0u ? 32 + findMSB(high) : findMSB(low);
    uint shift = uint(max(top - 23, 0));
    uint bits = shift < 32u ? low >> shift | high << ((32u - shift) & 31u) : high >> (shift - 32u);
    return float(int(bits)) * uintBitsToFloat((shift + 82u) << 23);
}

// The sums of the tokens follow the list of `count` rows, and gain[j] says what they are; a gain that is NaN stays that.
void follow_changes(uvec2 from, uint n, uint list, uint count, uint cur, uint sum, uint gain)
{
    for (uint first = thread(); first < n; first += 4u * LOCAL) {
        uvec4 j = uvec4(first, first + LOCAL, first + 2u * LOCAL, first + 3u * LOCAL);
        j = mix(uvec4(first), j, lessThan(j, uvec4(n)));
        uvec4 low = uvec4(w_u(sum + 2u * j.x), w_u(sum + 2u * j.y), w_u(sum + 2u * j.z), w_u(sum + 2u * j.w));
        uvec4 high = uvec4(w_u(sum + 2u * j.x + 1u), w_u(sum + 2u * j.y + 1u), w_u(sum + 2u * j.z + 1u),
                           w_u(sum + 2u * j.w + 1u));
        uint at = list + 2u;
        for (uint e = 0u; e < count; e += 4u) {    // four an iteration: some drivers count those
            follow_change(from, j, cur, at, low, high);
            if (e + 1u < count) follow_change(from, j, cur, at + 2u, low, high);
            if (e + 2u < count) follow_change(from, j, cur, at + 4u, low, high);
            if (e + 3u < count) follow_change(from, j, cur, at + 6u, low, high);
            at += 8u;
        }
        for (uint m = 0u; m < 4u && first + m * LOCAL < n; ++m) {
            uint own = first + m * LOCAL;
            uvec2 units = m == 0u ? uvec2(low.x, high.x) : m == 1u ? uvec2(low.y, high.y) :
                          m == 2u ? uvec2(low.z, high.z) : uvec2(low.w, high.w);
            w_set_u(sum + 2u * own, units.x);
            w_set_u(sum + 2u * own + 1u, units.y);
            if (!is_nan(w_f(gain + own))) w_set_f(gain + own, gain_value(units.x, units.y));
        }
    }
}
#endif
