// runs: for how many frames, up to each, a place's score has stayed above a bound.
// THREADS: an invocation a place walks the frames. Shared: none. Cost: one load, one store of W a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_runs
#include "common.glsl"

void main()
{
    uint j = item();
    if (j >= pc.tokens) return;
    uint run = 0u;
    for (uint t = 0u; t < pc.frames; ++t) {
        float score = w_f(pc.score_at + t * pc.tokens + j);
        run = !is_nan(score) && score > pc.bound ? run + 1u : 0u;
        w_set_u(pc.run_at + t * pc.tokens + j, run);
    }
}
