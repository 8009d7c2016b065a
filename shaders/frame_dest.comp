// frame_dest: dest[t*tokens + j] = ref[t]*tokens + j, WN_NONE where ref[t] < 0.
// THREADS: an invocation a token. Shared: none. Cost: one load, one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_frame_dest
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max) return;
    uint ref = w_u(pc.ref_at + i / pc.tokens);
    w_set_u(pc.dest_at + i, int(ref) >= 0 ? ref * pc.tokens + i % pc.tokens : WN_NONE);
}
