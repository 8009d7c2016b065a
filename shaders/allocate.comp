// allocate: shares a total among segments by weight, whole tokens, no more than each has; what is left goes to
// the largest fraction until it is full, then to the next (V-CAST).
// GROUPS: one workgroup, each invocation its strided segments. Shared: sums and the best. Cost: a pass for each
// segment that is filled up.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_allocate
#include "common.glsl"
#include "reduce.glsl"

// An invocation reads and writes the counts and marks of its own segments alone.
uint tokens_of(uint s) { return w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s); }
float weight_of(uint s, bool flat_)
{
    float w = w_f(pc.w_at + s);
    return flat_ ? 1.0 : !is_nan(w) && w > 0.0 ? w : 0.0;
}
uint taken()
{
    uint own = 0u;
    for (uint s = thread(); s < pc.segs; s += LOCAL) own += w_u(pc.k_at + s);
    return group_sum(own);
}
// The segment whose mark is best; WN_NONE: all marks are NaN.
uint best_mark(bool smallest)
{
    uvec2 own = uvec2(0u, WN_NONE);
    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        float mark = w_f(pc.mark_at + s);
        uint key = smallest ? score_key_smallest(mark) : score_key(mark);
        if (key != 0u) own = better(own, uvec2(key, s));
    }
    return group_best(own).y;
}
bool is_mine(uint s) { return s % LOCAL == thread(); }

void give_rest(uint rest)
{
    while (rest != 0u) {
        uint s = best_mark(false);
        if (s == WN_NONE) break;
        uint full = tokens_of(s), give = 0u;
        if (is_mine(s)) {
            uint k = w_u(pc.k_at + s);
            give = min(rest, full - k);
            w_set_u(pc.k_at + s, k + give);
            w_set_f(pc.mark_at + s, quiet_nan());
        }
        rest -= group_sum(give);
    }
}

void take_back(uint over, uint floor_, bool flat_)
{
    while (over != 0u) {
        for (uint s = thread(); s < pc.segs; s += LOCAL) w_set_f(pc.mark_at + s, weight_of(s, flat_));
        while (over != 0u) {
            uint s = best_mark(true);
            if (s == WN_NONE) break;
            uint back = 0u;
            if (is_mine(s)) {
                uint k = w_u(pc.k_at + s);
                back = k > min(floor_, tokens_of(s)) ? 1u : 0u;
                w_set_u(pc.k_at + s, k - back);
                w_set_f(pc.mark_at + s, quiet_nan());
            }
            over -= group_sum(back);
        }
    }
}

void main()
{
    if (group_index() != 0u) return;
    uint total = w_u(pc.total_at), floor_ = pc.least;
    for (uint s = thread(); s < pc.segs; s += LOCAL) w_set_u(pc.k_at + s, min(floor_, tokens_of(s)));
    uint bases = taken();
    if (bases > total) {
        floor_ = 0u;
        bases = 0u;
        for (uint s = thread(); s < pc.segs; s += LOCAL) w_set_u(pc.k_at + s, 0u);
    }
    uint rest = total - bases;
    if (rest == 0u) return;

    precise float p = 0.0;
    for (uint s = lane(); s < pc.segs; s += 32u) p = p + weight_of(s, false);
    float sum = dot32(p);
    bool flat_ = !(sum > 0.0);
    float factor = recip_(max(flat_ ? float(pc.segs) : sum, 1e-6));
    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        precise float share = weight_of(s, flat_) * factor;
        precise float raw = share * float(rest);
        uint k = w_u(pc.k_at + s), room = tokens_of(s) - k, whole = room;
        if (raw < float(room)) whole = raw > 0.0 ? uint(raw) : 0u;
        precise float fraction = raw - float(whole);
        w_set_u(pc.k_at + s, k + min(whole, room));
        w_set_f(pc.mark_at + s, whole < room ? fraction : quiet_nan());
    }
    uint sum_k = taken();
    if (sum_k < total) give_rest(total - sum_k);
    else take_back(sum_k - total, floor_, flat_);
}
