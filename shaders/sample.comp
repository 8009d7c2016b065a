// sample: flag[i] = 1 at every step-th place of a segment, its last place left out. One invocation a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_sample
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), step = w_u(pc.step_at + s);
    uint place = i - w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s);
    if (step != WN_NONE && place < n - 1u && place % step == 0u) w_set_u(pc.flag_at + i, 1u);
}
