// label_nms: tokens in descending order of their scores; each that none of its label before it resembles stays.
// One workgroup a segment: a step a token, which all others of its label compare themselves with. `out` passes through W.
// Shared: dot32. Cost: n steps, n loads of A for each that stays.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_label_nms
#include "common.glsl"
#include "reduce.glsl"


void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    for (uint i = t; i < n; i += LOCAL) {
        w_set_u(pc.list_at + begin + w_u(pc.rank_at + begin + i), i);
        w_set_u(pc.keep_at + begin + i, 0u);
        w_set_u(pc.out_at + begin + i, 0u);
    }
    precise float p = 0.0;
    for (uint i = lane(); i < n; i += 32u) p = p + w_f(pc.upper_at + begin + i);
    precise float pairs = float(n) * float(n - 1u);
    pairs = pairs * 0.5;
    precise float mean = dot32(p) * (n > 1u ? recip_(pairs) : 0.0);
    precise float bound = float(w_u(pc.want_at + s)) * 0.03125;
    bound = bound * mean;
    exchange();
    for (uint r = 0u; r < n; ++r) {
        uint p_own = w_u(pc.list_at + begin + r);
        if (!(w_f(pc.score_at + begin + p_own) > 0.0)) break;
        if (w_u(pc.out_at + begin + p_own) != 0u) continue;
        if (t == 0u) w_set_u(pc.keep_at + begin + p_own, 1u);
        uint label = w_u(pc.label_at + begin + p_own), row = a_row(begin + p_own);
        for (uint j = t; j < n; j += LOCAL)
            if (j != p_own && w_u(pc.label_at + begin + j) == label && a_element(row + j) > bound)
                w_set_u(pc.out_at + begin + j, 1u);
        exchange();
    }
}
