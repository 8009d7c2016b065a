// row_abs: v[i] = sum of |x|, x = A(list[i]), in dot32's order.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: cols loads and adds a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_abs
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
        for (uint d = l; d < pc.cols; d += 32u) p = p + uintBitsToFloat(floatBitsToUint(a_element(x + d)) & 0x7fffffffu);
    }
    float sum = dot32(p);
    if (is_token && l == 0u) w_set_f(pc.v_at + i, sum);
}
