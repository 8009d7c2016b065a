// remap: assign_out[i] = map[assign[i]] (assign absent: map[i]); WN_NONE stays.
// THREADS: an invocation a source token. Shared: none. Cost: two loads, one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_remap
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n) return;
    uint a = pc.assign_at == WN_NONE ? i : w_u(pc.assign_at + i);
    w_set_u(pc.assign_out_at + i, a == WN_NONE ? WN_NONE : w_u(pc.map_at + a));
}
