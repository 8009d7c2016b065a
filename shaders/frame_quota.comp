// frame_quota: shares a total among frames by weight, whole tokens, no frame above its limit (DyToK).
// GROUPS: one workgroup, each invocation its strided frames. Shared: sums. Cost: for each frame a pass over the others, twice, and
// rounds of the frames that are not full, each of which fills one up at least.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_frame_quota
#include "common.glsl"
#include "reduce.glsl"

uint tokens_of(uint s) { return w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s); }
uint most_of(uint s) { return min(pc.limit, tokens_of(s)); }
float weight_of(uint s, bool flat_)
{
    float w = w_f(pc.w_at + s);
    return flat_ ? 1.0 : !is_nan(w) && !is_inf(w) && w > 0.0 ? w : 0.0;
}
uint taken()
{
    uint own = 0u;
    for (uint s = thread(); s < pc.segs; s += LOCAL) own += w_u(pc.k_at + s);
    return group_sum(own);
}

// One more for the `count` frames of best mark; NaN is not among them.
void give_to_best(uint count)
{
    exchange();
    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        uint key = score_key(w_f(pc.mark_at + s)), before = 0u;
        for (uint u = 0u; u < pc.segs; ++u) {
            uint other = score_key(w_f(pc.mark_at + u));
            before += other > key || (other == key && u < s) ? 1u : 0u;
        }
        if (key != 0u && before < count) w_set_u(pc.k_at + s, w_u(pc.k_at + s) + 1u);
    }
}

void main()
{
    if (group_index() != 0u) return;
    uint own = 0u;
    precise float p = 0.0;
    for (uint s = thread(); s < pc.segs; s += LOCAL) own += most_of(s);
    uint total = min(w_u(pc.total_at), group_sum(own));
    for (uint s = lane(); s < pc.segs; s += 32u) p = p + weight_of(s, false);
    float sum = dot32(p);
    bool flat_ = !(sum > 0.0);
    float factor = recip_(flat_ ? float(pc.segs) : sum);

    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        precise float share = weight_of(s, flat_) * factor;
        precise float raw = share * float(total);
        uint whole = raw < float(total) ? uint(raw) : total;
        precise float fraction = raw - float(whole);
        w_set_u(pc.k_at + s, whole);
        w_set_f(pc.mark_at + s, fraction);
    }
    uint given = taken();
    if (given > total) {
        for (uint s = thread(); s < pc.segs; s += LOCAL) w_set_u(pc.k_at + s, 0u);
        given = 0u;
    }
    give_to_best(total - given);
    for (uint s = thread(); s < pc.segs; s += LOCAL) w_set_u(pc.k_at + s, min(w_u(pc.k_at + s), most_of(s)));

    uint left = total - taken();
    while (left != 0u) {
        uint open = 0u, room = 0xffffffffu;
        for (uint s = thread(); s < pc.segs; s += LOCAL) {
            uint own_room = most_of(s) - w_u(pc.k_at + s);
            open += own_room != 0u ? 1u : 0u;
            if (own_room != 0u) room = min(room, own_room);
        }
        open = group_sum(open);
        room = ~group_max(~room);
        if (open == 0u) break;
        uint rounds = min(left / open, room);
        for (uint s = thread(); s < pc.segs; s += LOCAL) {
            uint k = w_u(pc.k_at + s);
            bool is_open = k < most_of(s);
            if (is_open) w_set_u(pc.k_at + s, k + rounds);
            w_set_f(pc.mark_at + s, is_open ? weight_of(s, flat_) : quiet_nan());
        }
        left -= rounds * open;
        if (rounds != 0u) continue;
        give_to_best(left);
        break;
    }
    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        uint k = w_u(pc.k_at + s), front = k * 6u / 7u;
        w_set_u(pc.front_at + s, front);
        w_set_u(pc.back_at + s, k - front);
    }
}
