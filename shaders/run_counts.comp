// run_counts: how many places of frame t have a run of w frames or more.
// THREADS: an invocation a (frame, length). Shared: none. Cost: a load of W a place.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_run_counts
#include "common.glsl"

void main()
{
    uint t = item() / pc.frames, w = item() % pc.frames;
    if (t >= pc.frames) return;
    uint count = 0u;
    if (w > 0u && w <= t)
        for (uint j = 0u; j < pc.tokens; ++j) count += w_u(pc.run_at + t * pc.tokens + j) >= w ? 1u : 0u;
    w_set_u(pc.count_at + t * pc.frames + w, count);
}
