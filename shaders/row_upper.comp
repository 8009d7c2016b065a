// row_upper: v[i] = sum of the similarities of token i with those behind it in its segment.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: half a row of loads.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_upper
#include "common.glsl"
#include "reduce.glsl"


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
    precise float p = 0.0;
    for (uint u = l; u < n; u += 32u) {
        float x = u > self ? a_element(row + u) : 0.0;
        p = p + (is_nan(x) ? 0.0 : x);
    }
    float sum = dot32(p);
    if (is_token && l == 0u) w_set_f(pc.v_at + i, sum);
}
