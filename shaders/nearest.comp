// nearest: a point that is no centre goes to the centre of its segment at the smallest distance, ties to the lower one.
// GROUPS: one workgroup a point. Shared: the reduction. Cost: a flag a point, a load of A a centre.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_nearest
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint e = group_index();
    if (e >= pc.n_max || e >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(e, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    bool is_centre = w_u(pc.flag_at + e) != 0u;

    uvec2 own = uvec2(0u, WN_NONE);
    for (uint u = thread(); u < n && !is_centre; u += LOCAL)
        if (w_u(pc.flag_at + begin + u) != 0u) own = better(own, uvec2(score_key_smallest(load_a(e, u)), u));
    uint best = group_best(own).y;
    if (thread() != 0u) return;
    uint p = list_entry(pc.pos_at, e);
    w_set_u(pc.keep_at + p, is_centre ? 1u : 0u);
    if (!is_centre) w_set_u(pc.dest_at + p, best == WN_NONE ? WN_NONE : list_entry(pc.pos_at, begin + best));
}
