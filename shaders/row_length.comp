// row_length: a row's length, or its inverse, over the channels of a mask.
// LANES: 32 invocations a token, each sums its strided part. Shared: the tree of dot32 (reduce.glsl).
// Cost: cols loads and multiply-adds a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_length
#include "common.glsl"
#include "reduce.glsl"

float length_of(float s)
{
    if (is_nan(s) || is_inf(s)) return s;
    precise float root = s * rsqrt_(s);
    return s <= pc.eps2 ? 0.0 : root;
}

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? list_entry(pc.list_at, i) : WN_NONE;

    precise float p = 0.0;
    if (is_row(entry)) {
        uint x = a_row(entry);
        for (uint d = l; d < pc.cols; d += 32u) {
            if (pc.mask_at != WN_NONE && w_u(pc.mask_at + d) == 0u) continue;
            float v = a_element(x + d);
            precise float vv = v * v;
            p = p + vv;
        }
    }
    float s = dot32(p);
    if (!is_token || l != 0u) return;
    w_set_f(pc.out_at + i, pc.inverse != 0u ? norm_factor(s, pc.eps2, pc.inv_eps) : length_of(s));
}
