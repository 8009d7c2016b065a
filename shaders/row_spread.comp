// row_spread: v[i] = sum of (x - mean)^2 / (n - 1), x the similarities of token i with the others of its segment, 0 with
// itself; mean = sum of x / (n - 1).
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: two passes over a row.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_spread
#include "common.glsl"
#include "reduce.glsl"


// NaN counts as 0, as does the token itself.
float other(uint row, uint u, uint self)
{
    float x = a_element(row + u);
    return u == self || is_nan(x) ? 0.0 : x;
}

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint self = 0u, n = 0u, row = 0u;
    if (is_token) {
        uint s = segment_of(i, pc.seg_at, pc.segs), begin = w_u(pc.seg_at + s);
        n = w_u(pc.seg_at + s + 1u) - begin;
        self = i - begin;
        row = a_row(i);
    }
    float share = n > 1u ? recip_(float(n - 1u)) : 0.0;
    precise float p = 0.0;
    for (uint u = l; u < n; u += 32u) p = p + other(row, u, self);
    precise float mean = dot32(p) * share;
    p = 0.0;
    for (uint u = l; u < n; u += 32u) {
        precise float d = other(row, u, self) - mean;
        precise float dd = d * d;
        p = p + dd;
    }
    precise float v = dot32(p) * share;
    if (is_token && l == 0u) w_set_f(pc.v_at + i, n > 1u ? v : 0.0);
}
