// row_norm: inv[i] = 1 / max(|x|, eps), x = A(list[i]), from s = dot32(x, x).
// LANES: 32 invocations a token, each sums its strided part. Shared: the tree of dot32 (reduce.glsl).
// Cost: cols loads and multiply-adds a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_norm
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? list_entry(pc.list_at, i) : WN_NONE;

    precise float p = 0.0;
    if (is_row(entry)) {
        uint x = a_row(entry);
        for (uint d = l; d < pc.cols; d += 32u) {
            float v = a_element(x + d);
            precise float vv = v * v;
            p = p + vv;
        }
    }
    float s = dot32(p);
    if (is_token && l == 0u) w_set_f(pc.inv_at + i, is_row(entry) ? norm_factor(s, pc.eps2, pc.inv_eps) : 0.0);
}
