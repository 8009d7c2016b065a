// segment_product: B(i, g) = sum over the tokens j of the segment of A(i, j) * C(j, g), ascending.
// One invocation an element; neighbours read neighbouring columns of C. Cost: n multiply-adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_segment_product
#include "common.glsl"


void main()
{
    uint k = item(), i = k / pc.most, g = k % pc.most;
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs);
    if (g >= w_u(pc.groups_at + s)) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, row = a_row(i);
    precise float sum = 0.0;
    for (uint j = 0u; j < n; ++j) {
        precise float xy = a_element(row + j) * c_element(c_row(begin + j) + g);
        sum = sum + xy;
    }
    store_b(i, g, sum);
}
