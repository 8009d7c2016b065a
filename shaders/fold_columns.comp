// fold_columns: B(i, g) = sum of A(i, j) over the columns j = g, g + groups, g + 2*groups, ... of the segment.
// One invocation an element. Cost: n / groups loads.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_fold_columns
#include "common.glsl"


void main()
{
    uint k = item(), i = k / pc.most, g = k % pc.most;
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), groups = w_u(pc.groups_at + s);
    if (g >= groups) return;
    uint n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s), row = a_row(i);
    precise float sum = 0.0;
    for (uint j = g; j < n; j += groups) sum = sum + a_element(row + j);
    store_b(i, g, sum);
}
