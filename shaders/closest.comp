// closest: of the centres of all anchors that collect a token, the one that it resembles most.
// THREADS: an invocation a token walks the frames of its span. Shared: none. Cost: four loads of W a frame.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_closest
#include "common.glsl"

void main()
{
    uint e = item();
    if (e >= pc.n_max || e >= w_u(pc.seg_at + pc.frames)) return;
    uint p = w_u(pc.pos_at + e);
    if (w_u(pc.keep_at + p) != 0u) return;
    uint k = w_u(pc.of_at + segment_of(e, pc.seg_at, pc.frames)), dest = WN_NONE, best = 0u;
    for (uint t = w_u(pc.starts_at + k); t < w_u(pc.starts_at + k + 1u); ++t) {
        uint x = w_u(pc.src_seg_at + t) + e - w_u(pc.begin_at + t);
        if (e < w_u(pc.begin_at + t) || x >= w_u(pc.src_seg_at + t + 1u)) continue;
        uint key = score_key(w_f(pc.best_at + x));
        if (dest != WN_NONE && key <= best) continue;
        best = key;
        dest = w_u(pc.arg_at + x);
    }
    w_set_u(pc.dest_at + p, dest);
}
