// count_map: out[s*parts + p] = table[p][n - base], n the tokens of `span` neighbouring segments, the s-th of
// such groups. One invocation a count.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_count_map
#include "common.glsl"

void main()
{
    uint k = item();
    if (k >= pc.segs * pc.parts) return;
    uint s = k / pc.parts, p = k % pc.parts;
    uint n = w_u(pc.seg_at + (s + 1u) * pc.span) - w_u(pc.seg_at + s * pc.span);
    w_set_u(pc.out_at + k, w_u(pc.table_at + p * pc.rows + (n - pc.base)));
}
