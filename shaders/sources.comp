// sources: the tokens that each anchor collects, one after the other.
// THREADS: an invocation a source. Shared: none. Cost: the search for the anchor.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_sources
#include "common.glsl"

void main()
{
    uint e = item();
    if (e >= pc.n_max || e >= w_u(pc.seg_at + pc.frames)) return;
    uint f = segment_of(e, pc.seg_at, pc.frames);
    uint p = w_u(pc.pos_at + w_u(pc.begin_at + f) + e - w_u(pc.seg_at + f));
    w_set_u(pc.pos_out_at + e, p);
    w_set_u(pc.rows_out_at + e, list_entry(pc.rows_at, p));
}
