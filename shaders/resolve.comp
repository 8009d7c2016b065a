// resolve: map2[i] = map[i] for kept tokens; for the others map[q], q the first kept token on the way
// i -> dest[i] -> dest[dest[i]] ... (at most so many steps), WN_NONE if there is none.
// THREADS: an invocation a token. Shared: none. Cost: two loads a step.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_resolve
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint to = w_u(pc.map_at + i);
    if (to == WN_NONE && w_u(pc.keep_at + i) == 0u) {
        uint q = i, steps = pc.steps == 0u ? 64u : pc.steps;
        for (uint step = 0u; pc.dest_at != WN_NONE && step < steps; ++step) {
            q = w_u(pc.dest_at + q);
            if (q == WN_NONE) break;
            if (w_u(pc.keep_at + q) != 0u) {
                to = w_u(pc.map_at + q);
                break;
            }
        }
        if (to == WN_NONE && pc.pooled != 0u)
            to = w_u(pc.seg_new_at + segment_of(i, pc.seg_at, pc.segs) + 1u) - 1u;
    }
    w_set_u(pc.map2_at + i, to);
}
