// outlier_count: PruMerge's adaptive count: the scores above Q3 + 1.5*(Q3 - Q1), quartiles as numpy
// interpolates them; what Python's doubles make of that count is tabled in bits and bits2.
// One workgroup a segment: sort by rank, exchange, count. Shared: a sum. Cost: two passes over the scores.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_outlier_count
#include "common.glsl"
#include "reduce.glsl"

float quartile(uint sorted, uint n, uint q)
{
    uint p = (n - 1u) * q, low = p >> 2, high = min(low + 1u, n - 1u);
    float g = float(p & 3u) * 0.25;
    float a = w_f(sorted + low), b = w_f(sorted + high);
    precise float d = b - a;
    if (g < 0.5) {
        precise float dg = d * g;
        precise float v = a + dg;
        return v;
    }
    float rest = 1.0 - g;
    precise float dr = d * rest;
    precise float v = b - dr;
    return v;
}

uint bit_of(uint table, uint n, uint c)
{
    uint word = w_u(table + (n - pc.n_base) * pc.bit_row + (c >> 5));
    return (word >> (c & 31u)) & 1u;
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u), n = end - begin;
    uint sorted = pc.sorted_at + begin;
    if (n == 0u) {
        if (t == 0u) {
            w_set_u(pc.keep_at + s, 0u);
            w_set_u(pc.step_at + s, WN_NONE);
        }
        return;
    }
    for (uint i = begin + t; i < end; i += LOCAL)
        w_set_f(sorted + n - 1u - w_u(pc.rank_at + i), w_f(pc.score_at + i));
    exchange();

    float q1 = quartile(sorted, n, 1u), q3 = quartile(sorted, n, 3u);
    precise float spread = q3 - q1;
    precise float reach = 1.5 * spread;
    precise float bound = q3 + reach;
    uint bound_key = is_nan(bound) ? WN_NONE : score_key(bound);    // nothing is above NaN
    uint c = 0u;
    for (uint i = begin + t; i < end; i += LOCAL) c += score_key(w_f(pc.score_at + i)) > bound_key ? 1u : 0u;
    c = group_sum(c);
    if (t != 0u) return;

    w_set_u(pc.keep_at + s, c - bit_of(pc.bits_at, n, c));
    w_set_u(pc.step_at + s, c == 0u ? WN_NONE : max(1u, (n / c - bit_of(pc.bits2_at, n, c)) / 3u));
}
