// centre_gauss: how like a token, made a unit vector, is to the centre of its segment and to that of all:
// Gaussians of five widths of the distance.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: three loads a channel, ten exp_ a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_centre_gauss
#define WN_C
#include "common.glsl"
#include "reduce.glsl"

vec2 e(vec2 z) { return vec2(exp_(-z.x), exp_(-z.y)); }

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? list_entry(pc.list_at, i) : WN_NONE;
    uint s = is_token ? segment_of(i, pc.seg_at, pc.segs) : 0u;
    uint n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s);
    float fs = recip_(float(max(n, 1u)));
    float fa = pc.factor_at != WN_NONE ? w_f(pc.factor_at) : recip_(float(max(w_u(pc.seg_at + pc.segs), 1u)));
    float inv = is_token ? w_f(pc.inv_at + i) : 0.0;

    precise vec2 p = vec2(0.0);
    if (is_token) {
        uint x = is_row(entry) ? a_row(entry) : 0u, all = c_row(pc.segs), own = c_row(s);
        for (uint d = l; d < pc.cols; d += 32u) {
            if (pc.mask_at != WN_NONE && w_u(pc.mask_at + d) == 0u) continue;
            float v = is_row(entry) ? a_element(x + d) : 0.0;
            precise float u = v * inv;
            precise vec2 centre = vec2(c_element(all + d) * fa, c_element(own + d) * fs);
            precise vec2 gap = vec2(u) - centre;
            precise vec2 square = gap * gap;
            p = p + square;
        }
    }
    vec4 far = dot32(vec4(p, 0.0, 0.0));
    if (!is_token || l != 0u) return;

    precise vec2 y = far.xy;
    precise vec2 g = e(4.0 * y);
    g = g + e(2.0 * y);
    g = g + e(y);
    g = g + e(0.5 * y);
    g = g + e(0.25 * y);
    w_set_f(pc.all_at + i, g.x);
    w_set_f(pc.sum_at + i, g.x + g.y);
}
