// near_peaks: a point's density times its distance to the nearest denser point of its surroundings, which it follows.
// GROUPS: one workgroup a point. Shared: the reductions. Cost: n loads of A, two of W for each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_near_peaks
#include "common.glsl"
#include "reduce.glsl"

uvec2 place_of(uint e)
{
    uint p = w_u(pc.index_at + list_entry(pc.pos_at, e)) % pc.tokens;
    return uvec2(p / pc.grid_w, p % pc.grid_w);
}

uint apart(uint a, uint b) { return a > b ? a - b : b - a; }

void main()
{
    uint e = group_index();
    if (e >= pc.n_max || e >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(e, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, self = e - begin;
    float density = w_f(pc.density_at + e);
    uint key = score_key(density), far = 0u;
    uvec2 place = place_of(e), near = uvec2(0u, WN_NONE), anywhere = uvec2(0u, WN_NONE);
    for (uint u = thread(); u < n; u += LOCAL) {
        uint other = score_key(w_f(pc.density_at + begin + u));
        float distance = load_a(e, u);
        uvec2 candidate = uvec2(score_key_smallest(distance), u);
        far = max(far, score_key(distance));
        if (candidate.x == 0u || !(other > key || (other == key && u < self))) continue;
        anywhere = better(anywhere, candidate);
        uvec2 there = place_of(begin + u);
        if (apart(there.y, place.y) < w_u(pc.reach_at + apart(there.x, place.x))) near = better(near, candidate);
    }
    near = group_best(near);
    anywhere = group_best(anywhere);
    far = group_max(far);
    if (thread() != 0u) return;

    uint goes = near.y;
    float v = key_score(~near.x);
    if (goes == WN_NONE) {
        goes = pc.first != 0u ? 0u : anywhere.y;
        v = pc.first != 0u || goes == WN_NONE ? uintBitsToFloat(0x7f800000u) : key_score(far);
    }
    bool alone = near.y == WN_NONE && (pc.first != 0u || goes == WN_NONE);
    precise float score = sqrt_(v) * density;
    w_set_f(pc.score_at + e, is_nan(density) ? density : alone ? v : score);
    w_set_u(pc.dest_at + list_entry(pc.pos_at, e), goes == WN_NONE ? WN_NONE : list_entry(pc.pos_at, begin + goes));
}
