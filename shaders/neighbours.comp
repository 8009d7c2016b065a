// neighbours: near[e*many + t] = the t-th best token u of the source's segment by A(e, u), itself and tokens with
// index < 0 left out; WN_NONE past the end.
// GROUPS: one workgroup a source. Each of `many` rounds takes the best candidate that comes strictly after the last
// one in the order (score key down, then position up), so nothing has to be marked.
// Shared: the reduction of a round. Cost: many * n loads of A.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_neighbours
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint e = group_index();
    if (e >= pc.n_max || e >= w_u(pc.src_seg_at + pc.segs)) return;
    uint s = segment_of(e, pc.src_seg_at, pc.segs);
    uint first = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - first;
    uint self = (pc.src_pos_at == WN_NONE ? e : w_u(pc.src_pos_at + e)) - first;

    uvec2 last = uvec2(0xffffffffu, 0u);    // above every key
    for (uint round = 0u; round < pc.many; ++round) {
        if (last.y != WN_NONE) {
            uvec2 own = uvec2(0u, WN_NONE);
            for (uint u = thread(); u < n; u += LOCAL) {
                if (u == self) continue;
                if (pc.index_at != WN_NONE && int(w_u(pc.index_at + first + u)) < 0) continue;
                uint key = score_key(load_a(e, u));
                if (key < last.x || (key == last.x && u > last.y)) own = better(own, uvec2(key, u));
            }
            last = group_best(own);
        }
        if (thread() == 0u) w_set_u(pc.near_at + e * pc.many + round, last.y == WN_NONE ? WN_NONE : first + last.y);
    }
}
