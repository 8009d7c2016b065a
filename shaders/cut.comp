// cut: where spans of frames begin: a similarity with the frame before below a bound, or one of the smallest.
// THREADS: an invocation a frame, by counting. Shared: none. Cost: two loads of W a pair of frames.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_cut
#include "common.glsl"

void main()
{
    uint t = item();
    if (t >= pc.frames) return;
    float score = w_f(pc.score_at + t);
    uint key = score_key_smallest(score), before = 0u;
    for (uint q = 1u; q < pc.frames; ++q) {
        uint other = score_key_smallest(w_f(pc.score_at + q));
        before += other > key || (other == key && q < t) ? 1u : 0u;
    }
    bool is_low = !is_nan(score) && score < pc.bound;
    w_set_u(pc.flag_at + t, t == 0u || is_low || before < pc.least ? 1u : 0u);
}
