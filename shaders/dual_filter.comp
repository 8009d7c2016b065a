// dual_filter: keeps tokens that have a share of all attention, or much of one row's.
// GROUPS: one workgroup; every 32 invocations sum the same. Shared: dot32, the best. Cost: three passes over the tokens.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_dual_filter
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    if (group_index() != 0u) return;
    uint n = w_u(pc.seg_at + pc.segs), t = thread();
    precise float part = 0.0;
    for (uint i = lane(); i < n; i += 32u) {
        float x = w_f(pc.all_at + i);
        part = part + (is_row(w_u(pc.index_at + i)) && !is_nan(x) ? x : 0.0);
    }
    precise float limit = dot32(part) * pc.share;

    uint flags = 0u;
    uvec2 own = uvec2(0u, WN_NONE);
    for (uint i = t; i < n; i += LOCAL) {
        float x = w_f(pc.all_at + i);
        bool keeps = w_u(pc.flag_at + i) != 0u || !is_row(w_u(pc.index_at + i)) || x >= limit ||
                     w_f(pc.peak_at + i) >= pc.least;
        w_set_u(pc.flag_at + i, keeps ? 1u : 0u);
        flags += keeps ? 1u : 0u;
        own = better(own, uvec2(score_key(x), i));
    }
    flags = group_sum(flags);
    own = group_best(own);
    if (flags == 0u && own.y == WN_NONE && n > 0u) own.y = 0u;    // all NaN
    if (flags == 0u && n > 0u && own.y % LOCAL == t) w_set_u(pc.flag_at + own.y, 1u);
}
