// value_mean: the mean of a number a token over each segment, NaN left out.
// LANES: 32 invocations a segment. Shared: the tree of dot32. Cost: a load a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_value_mean
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint s = lanes_item(), l = lane();
    bool is_segment = s < pc.segs;
    uint begin = is_segment ? w_u(pc.seg_at + s) : 0u, end = is_segment ? w_u(pc.seg_at + s + 1u) : 0u;

    precise vec2 p = vec2(0.0);
    for (uint i = begin + l; i < end; i += 32u) {
        float v = w_f(pc.v_at + i);
        if (!is_nan(v)) p = p + vec2(v, 1.0);
    }
    vec4 sums = dot32(vec4(p, 0.0, 0.0));
    if (!is_segment || l != 0u) return;
    precise float mean = sums.x * recip_(max(sums.y, 1.0));
    w_set_f(pc.mean_at + s, sums.y == 0.0 ? quiet_nan() : mean);
}
