// above: a flag for numbers above a limit, or for the others; NaN is never above.
// THREADS: an invocation a token. Shared: none. Cost: one load, one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_above
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    float v = w_f(pc.v_at + i);
    uint key = score_key(v), limit = score_key(pc.limit);
    bool yes = key > limit || (pc.equal != 0u && key == limit);
    w_set_u(pc.flag_at + i, yes != (pc.below != 0u) ? 1u : 0u);
    if (is_nan(v)) atomicAdd(W[pc.stats_at], 1u);
}
