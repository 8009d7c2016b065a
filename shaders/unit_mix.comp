// unit_mix: v = (x*fx)*wx + (y*fy)*wy over each segment, fx and fy the factors that make x and y unit
// vectors, or 1; place 0 of the segment counts as 0 and gets -infinity, unless whole is set.
// GROUPS: one workgroup a segment; every 32 invocations sum the same. Shared: dot32. Cost: two passes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_unit_mix
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint s = group_index();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u);
    if (begin == end) return;
    uint head = list_entry(pc.order_at, begin);

    float fx = 1.0, fy = 1.0;
    if (pc.unit != 0u) {
        precise vec4 p = vec4(0.0);
        for (uint i = begin + lane(); i < end; i += 32u) {
            vec4 xy = i == head ? vec4(0.0) : vec4(w_f(pc.x_at + i), w_f(pc.y_at + i), 0.0, 0.0);
            precise vec4 squares = xy * xy;
            p = p + squares;
        }
        vec4 sums = dot32(p);
        fx = norm_factor(sums.x, 1e-24, 1e12);
        fy = norm_factor(sums.y, 1e-24, 1e12);
    }
    for (uint i = begin + thread(); i < end; i += LOCAL) {
        precise float x = w_f(pc.x_at + i) * fx;
        precise float y = w_f(pc.y_at + i) * fy;
        precise float xw = x * pc.wx;
        precise float yw = y * pc.wy;
        precise float v = xw + yw;
        w_set_f(pc.v_at + i, i == head && pc.whole == 0u ? uintBitsToFloat(0xff800000u) : v);
    }
}
