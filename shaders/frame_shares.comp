// frame_shares: how many tokens each frame keeps: a common share, more for a frame that stands out (VidCom2).
// GROUPS: one workgroup; every 32 invocations sum the same. Shared: dot32. Cost: two passes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_frame_shares
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    if (group_index() != 0u) return;
    precise float p = 0.0;
    for (uint s = lane(); s < pc.segs; s += 32u) p = p + w_f(pc.p_at + s);
    precise float mean = dot32(p) * recip_(float(pc.segs));
    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        uint n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s);
        precise float more = 1.0 + w_f(pc.p_at + s);
        precise float part = more - mean;
        precise float share = pc.base * part;
        precise float tokens = min(share, 1.0) * float(n);
        w_set_u(pc.k_at + s, min(max(uint(round_even_(max(tokens, 0.0))), 1u), n));
    }
}
