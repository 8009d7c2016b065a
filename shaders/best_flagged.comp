// best_flagged: the most similar of the flagged tokens of its segment, for each token.
// GROUPS: one workgroup a token. Shared: the reduction. Cost: a flag a token, a load of A a flagged one.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_best_flagged
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = group_index();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    bool skipped = pc.skip_at != WN_NONE && w_u(pc.skip_at + i) != 0u;

    uvec2 own = uvec2(0u, WN_NONE);
    for (uint u = thread(); u < n && !skipped; u += LOCAL) {
        if (w_u(pc.flag_at + begin + u) == 0u || (pc.but_at != WN_NONE && w_u(pc.but_at + begin + u) != 0u)) continue;
        uint key = score_key(load_a(i, u));
        if (key != 0u) own = better(own, uvec2(key, u));
    }
    own = group_best(own);
    if (thread() != 0u) return;
    bool none = own.y == WN_NONE;
    precise float distance = 1.0 - key_score(own.x);
    float v = pc.apart != 0u ? (none ? quiet_nan() : distance) : none ? uintBitsToFloat(0xff800000u) : key_score(own.x);
    w_set_f(pc.v_at + i, v);
    if (pc.arg_at != WN_NONE) w_set_u(pc.arg_at + i, none ? WN_NONE : begin + own.y);
}
