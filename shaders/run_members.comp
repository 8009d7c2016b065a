// run_members: tokens that are gone join the last one before them at their place that is not.
// THREADS: an invocation a place walks the frames, so the order needs no atomics. Shared: none. Cost: three loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_run_members
#include "common.glsl"

void main()
{
    uint j = item();
    if (j >= pc.tokens) return;
    uint row = WN_NONE, link = WN_NONE;
    precise float sum = 0.0;
    for (uint t = 0u; t < pc.frames; ++t) {
        uint i = t * pc.tokens + j;
        float size = pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + i);
        bool gone = w_u(pc.gone_at + i) != 0u;
        if (!gone) {
            row = w_u(pc.map_at + i);
            link = pc.head_at + row;
            sum = size;
        } else if (row != WN_NONE) {
            w_set_u(link, i);
            link = pc.next_at + i;
            sum = sum + size;
        }
        if (row != WN_NONE) {
            w_set_u(link, WN_NONE);
            w_set_f(pc.sizes_new_at + row, sum);
        }
        w_set_u(pc.map2_at + i, row);
    }
}
