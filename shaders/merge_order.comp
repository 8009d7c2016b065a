// merge_order: ToMe's official row order after a pass: of each segment first the sources that were not merged, by
// rank or by place, then the targets by place.
// THREADS: an invocation a source, and after them an invocation a target. Shared: none.
// Cost: the search for the segment.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_merge_order
#include "common.glsl"

void main()
{
    uint sources = w_u(pc.src_seg_at + pc.segs), targets = w_u(pc.dst_seg_at + pc.segs);
    uint e = item();
    if (e >= pc.n_max || e >= sources + targets) return;
    bool is_source = e < sources;
    uint u = e - sources;

    uint s = is_source ? segment_of(e, pc.src_seg_at, pc.segs) : segment_of(u, pc.dst_seg_at, pc.segs);
    uint own = w_u(pc.src_seg_at + s + 1u) - w_u(pc.src_seg_at + s);
    uint k = min(w_u(pc.k_at + s), own), place, p;
    if (is_source) {
        uint q = w_u(pc.rank_at + e);
        if (q < k) return;
        place = q - k;
        if (pc.by_place != 0u) {
            place = 0u;
            for (uint b = w_u(pc.src_seg_at + s); b < e; ++b) place += w_u(pc.rank_at + b) >= k ? 1u : 0u;
        }
        p = w_u(pc.src_pos_at + e);
    } else {
        place = own - k + (u - w_u(pc.dst_seg_at + s));
        p = w_u(pc.dst_pos_at + u);
    }
    w_set_u(pc.order_at + w_u(pc.seg_new_at + s) + place, w_u(pc.map_at + p));
}
