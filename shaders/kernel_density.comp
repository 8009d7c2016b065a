// kernel_density: how dense the points are around each: the sum of e^-distance to all of its segment.
// LANES: 32 invocations a point. Shared: the tree of dot32. Cost: a row of loads.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_kernel_density
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint e = lanes_item(), l = lane();
    bool is_point = e < w_u(pc.seg_at + pc.segs);
    uint self = 0u, n = 0u, row = 0u;
    if (is_point) {
        uint s = segment_of(e, pc.seg_at, pc.segs), begin = w_u(pc.seg_at + s);
        n = w_u(pc.seg_at + s + 1u) - begin;
        self = e - begin;
        row = a_row(e);
    }
    precise float p = 0.0;
    float numbers = 0.0;
    for (uint u = l; u < n; u += 32u) {
        float distance = a_element(row + u);
        bool counts = !is_nan(distance);
        float near = counts && (pc.others == 0u || u != self) ? exp_(-distance) : 0.0;
        p = p + near;
        numbers += counts ? 1.0 : 0.0;
    }
    vec4 sums = dot32(vec4(p, numbers, 0.0, 0.0));
    if (is_point && l == 0u) w_set_f(pc.density_at + e, sums.y == 0.0 ? quiet_nan() : sums.x);
}
