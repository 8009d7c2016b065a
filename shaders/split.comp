// split: segments in `parts` runs each, the first n % parts of them one longer. One invocation a run.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_split
#include "common.glsl"


void main()
{
    uint c = item(), s = c / pc.parts, p = c % pc.parts;
    if (s > pc.segs || (s == pc.segs && p > 0u)) return;
    uint begin = w_u(pc.seg_at + s), at = begin;
    if (s < pc.segs) {
        uint n = w_u(pc.seg_at + s + 1u) - begin;
        at = begin + p * (n / pc.parts) + min(p, n % pc.parts);
    }
    w_set_u(pc.out_at + c, at);
}
