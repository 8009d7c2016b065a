// spans: frames as runs, from flags at the frames where one begins.
// THREADS: an invocation a frame, by counting. Shared: none. Cost: a load of W a pair of frames.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_spans
#include "common.glsl"

void put(uint k, uint start)
{
    w_set_u(pc.starts_at + k, start);
    if (pc.inner_at == WN_NONE) return;
    w_set_u(pc.inner_at + 2u * k, start);
    if (k < pc.frames) w_set_u(pc.inner_at + 2u * k + 1u, min(start + 1u, pc.frames));
}

void main()
{
    uint t = item();
    if (t > pc.frames) return;
    uint before = 0u, count = 0u;
    for (uint q = 0u; q < pc.frames; ++q) {
        uint begins = q == 0u || w_u(pc.flag_at + q) != 0u ? 1u : 0u;
        count += begins;
        if (q < t) before += begins;
    }
    if (t >= count) put(t, pc.frames);    // no such span
    if (t == pc.frames) return;
    bool begins = t == 0u || w_u(pc.flag_at + t) != 0u;
    if (begins) put(before, t);
    w_set_u(pc.of_at + t, begins ? before : before - 1u);
}
