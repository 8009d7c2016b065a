// segment_gram: B(s*most + u, g) = sum over the tokens i of segment s of A(i, u) * C(i, g), in dot32's order.
// LANES: 32 invocations an element. Shared: the tree of dot32. Cost: n multiply-adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_segment_gram
#include "common.glsl"
#include "reduce.glsl"


void main()
{
    uint k = lanes_item(), l = lane(), s = k / (pc.most * pc.most), u = k / pc.most % pc.most, g = k % pc.most;
    uint groups = s < pc.segs ? w_u(pc.groups_at + s) : 0u, begin = 0u, n = 0u;
    bool is_element = u < groups && g < groups;
    if (is_element) {
        begin = w_u(pc.seg_at + s);
        n = w_u(pc.seg_at + s + 1u) - begin;
    }
    precise float p = 0.0;
    for (uint i = l; i < n; i += 32u) {
        precise float xy = load_a(begin + i, u) * load_c(begin + i, g);
        p = p + xy;
    }
    float sum = dot32(p);
    if (is_element && l == 0u) store_b(s * pc.most + u, g, sum);
}
