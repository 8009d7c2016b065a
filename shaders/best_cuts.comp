// best_cuts: the spans of the largest sum of gains, by a dynamic program over frames: the best of frames 0 .. t is that of
// the frames before the last span, and its gain.
// One workgroup: for each frame the invocations try the lengths of the last span. Shared: the reduction.
// Cost: frames^2 / 2 loads of W.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_best_cuts
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    if (group_index() != 0u) return;
    for (uint t = 0u; t < pc.frames; ++t) {
        uvec2 own = uvec2(0u, WN_NONE);    // sum, frames before t that the last span holds
        for (uint w = thread(); w <= min(t, pc.most - 1u); w += LOCAL) {
            uint sum = w < t ? w_u(pc.total_at + t - w - 1u) : 0u;
            own = better(own, uvec2(sum + w * w_u(pc.count_at + t * pc.frames + w), w));
        }
        uvec2 best = group_best(own);
        if (thread() == 0u) {
            w_set_u(pc.total_at + t, best.x);
            w_set_u(pc.from_at + t, t - best.y);
        }
        exchange();
    }
    for (uint t = thread(); t < pc.frames; t += LOCAL) w_set_u(pc.flag_at + t, 0u);
    exchange();
    if (thread() != 0u) return;
    w_set_u(pc.gain_at, w_u(pc.total_at + pc.frames - 1u));
    for (uint end = pc.frames; end > 0u; end = w_u(pc.from_at + end - 1u)) w_set_u(pc.flag_at + w_u(pc.from_at + end - 1u), 1u);
}
