// label_nms: tokens in descending order of their scores; each that none of its label before it resembles stays.
// One workgroup a segment: a step a token, which all others of its label compare themselves with. `out` passes through W.
// Shared: dot32. Cost: n steps, n loads of A for each that stays.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_label_nms
#include "common.glsl"
#include "reduce.glsl"


// What resembles is above this (upper given), or at it too.
float bound_of(uint s, uint begin, uint n)
{
    if (pc.upper_at == WN_NONE) return pc.bound;
    precise float p = 0.0;
    for (uint i = lane(); i < n; i += 32u) p = p + w_f(pc.upper_at + begin + i);
    precise float pairs = float(n) * float(n - 1u);
    pairs = pairs * 0.5;
    precise float mean = dot32(p) * (n > 1u ? recip_(pairs) : 0.0);
    precise float bound = float(w_u(pc.want_at + s)) * 0.03125;
    bound = bound * mean;
    return bound;
}

void start(uint begin, uint n, uint t)
{
    for (uint i = t; i < n; i += LOCAL) {
        w_set_u(pc.list_at + begin + w_u(pc.rank_at + begin + i), i);
        w_set_u(pc.keep_at + begin + i, 0u);
        w_set_u(pc.out_at + begin + i, 0u);
    }
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    bool fixed_bound = pc.upper_at == WN_NONE, all_one = pc.label_at == WN_NONE;
    uint made = pc.from == 0u ? 0u : w_u(pc.made_at + s), most = fixed_bound ? w_u(pc.want_at + s) : n;
    uint end = pc.count == 0u ? n : min(n, pc.from + pc.count);
    if (pc.from == 0u) start(begin, n, t);
    float bound = bound_of(s, begin, n);
    exchange();
    for (uint r = pc.from; r < end && made < most; ++r) {
        uint own = w_u(pc.list_at + begin + r);
        if (!fixed_bound && !(w_f(pc.score_at + begin + own) > 0.0)) break;
        if (w_u(pc.out_at + begin + own) != 0u) continue;
        if (t == 0u) w_set_u(pc.keep_at + begin + own, 1u);
        ++made;
        uint label = all_one ? 0u : w_u(pc.label_at + begin + own), row = a_row(begin + own);
        for (uint j = t; j < n; j += LOCAL) {
            float alike = a_element(row + j);
            if (j != own && (all_one || w_u(pc.label_at + begin + j) == label) &&
                (alike > bound || (fixed_bound && alike == bound)))
                w_set_u(pc.out_at + begin + j, 1u);
        }
        exchange();
    }
    if (t == 0u) w_set_u(pc.made_at + s, made);
}
