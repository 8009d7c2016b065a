// dest: where merged tokens go. Rule 0 (ToMe): the k[s] sources of best rank, rule 1 (VisionZip): the sources that
// are not kept, rule 2: the flagged ones; p = src_pos[e]: dest[p] = arg[e], and rules 0 and 2 set keep[p] = 0.
// THREADS: an invocation a source. Shared: none. Cost: the search for the segment.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_dest
#include "common.glsl"

void main()
{
    uint e = item();
    if (e >= pc.n_max || e >= w_u(pc.src_seg_at + pc.segs)) return;
    uint p = pc.src_pos_at == WN_NONE ? e : w_u(pc.src_pos_at + e);
    if (pc.rule == 0u) {
        uint s = segment_of(e, pc.src_seg_at, pc.segs);
        if (w_u(pc.rank_at + e) >= w_u(pc.k_at + s)) return;
        w_set_u(pc.keep_at + p, 0u);
    } else if (pc.rule == 2u) {
        if (w_u(pc.rank_at + e) == 0u) return;
        w_set_u(pc.keep_at + p, 0u);
    } else if (w_u(pc.keep_at + p) != 0u) {
        return;
    }
    w_set_u(pc.dest_at + p, w_u(pc.arg_at + e));
}
