// anchors: how many centres each frame has (FastVID: every period-th frame of a span, counted from its end), and which tokens they collect.
// THREADS: an invocation a frame adds up the frames before. Shared: none. Cost: a few loads of W a pair of frames.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_anchors
#include "common.glsl"

// begin, number of sources, centres of frame t.
uvec3 anchor(uint t)
{
    uint k = w_u(pc.of_at + t), first = w_u(pc.starts_at + k), end = w_u(pc.starts_at + k + 1u);
    uint count = end - first, share = pc.context * count / ((count + pc.period - 1u) / pc.period);
    uint begin = w_u(pc.seg_at + t), n = w_u(pc.seg_at + t + 1u) - begin;
    uint centres = (end - 1u - t) % pc.period == 0u ? min(share, n) : 0u;
    if (centres == 0u) return uvec3(begin, 0u, 0u);
    if (share == pc.context) return uvec3(begin, n, centres);
    begin = w_u(pc.seg_at + first);
    return uvec3(begin, w_u(pc.seg_at + end) - begin, centres);
}

void main()
{
    uint t = item();
    if (t > pc.frames) return;
    uint before = 0u;
    for (uint q = 0u; q < t; ++q) before += anchor(q).y;
    w_set_u(pc.seg_out_at + t, before);
    w_set_u(pc.seg_far_at + t, before + pc.far);
    if (t == pc.frames) return;
    uvec3 own = anchor(t);
    w_set_u(pc.begin_at + t, own.x);
    w_set_u(pc.k_at + t, own.z);
}
