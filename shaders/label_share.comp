// label_share: how many tokens of each label PruneSID keeps: in proportion to those that label_nms left, within bounds.
// One invocation a segment: labels are few. Cost: n loads, some passes over the labels.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_label_share
#include "common.glsl"


uint rounded(uint part, uint times, uint whole)    // part * times / whole, half to even
{
    uint product = part * times, low = product / whole, rest = product % whole;
    bool up = rest > whole - rest || (rest == whole - rest && (low & 1u) != 0u);
    return up ? low + 1u : low;
}

void main()
{
    uint s = item();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u), groups = w_u(pc.groups_at + s), want = w_u(pc.want_at + s);
    uint quota = pc.quota_at + s * pc.most, all = pc.room_at + 3u * s * pc.most, left = all + pc.most, most = left + pc.most;
    for (uint g = 0u; g < groups; ++g) {
        w_set_u(all + g, 0u);
        w_set_u(left + g, 0u);
    }
    for (uint i = begin; i < end; ++i) {
        uint label = w_u(pc.label_at + i);
        w_set_u(all + label, w_u(all + label) + 1u);
        w_set_u(left + label, w_u(left + label) + (w_u(pc.keep_at + i) != 0u ? 1u : 0u));
    }
    uint room = 0u, least = 0u, total = 0u, ceiling = 5u * ((want + 63u) / 64u);
    for (uint g = 0u; g < groups; ++g) {
        uint bound = min(min(ceiling, w_u(all + g)), w_u(left + g));
        w_set_u(most + g, bound);
        room += bound;
        least += min(1u, w_u(all + g));
        total += w_u(left + g);
    }
    while (room < want) {
        uint before = room;
        for (uint g = 0u; g < groups; ++g)
            if (w_u(most + g) < w_u(all + g)) {
                w_set_u(most + g, w_u(most + g) + 1u);
                ++room;
            }
        if (room == before) break;
    }
    uint others = want > least + 1u ? want - least - 1u : 0u, running = 0u, last = 0u, given = 0u;
    for (uint g = 0u; g < groups; ++g) {
        running += w_u(left + g);
        uint upto = total > 0u ? rounded(running, others, total) : 0u;
        uint own = min(upto - last + min(1u, w_u(all + g)), w_u(most + g));
        last = upto;
        w_set_u(quota + g, own);
        given += own;
    }
    uvec2 at = uvec2(WN_NONE, 0u);    // fill up, the label with most left first
    for (uint turn = 0u; turn < groups && given < others + least; ++turn) {
        uvec2 best = uvec2(0u, WN_NONE);
        for (uint g = 0u; g < groups; ++g) {
            uvec2 own = uvec2(w_u(left + g), g);
            bool behind = turn == 0u || own.x < at.x || (own.x == at.x && own.y > at.y);
            if (behind && (best.y == WN_NONE || own.x > best.x)) best = own;
        }
        at = best;
        uint more = min(w_u(most + best.y) - w_u(quota + best.y), others + least - given);
        w_set_u(quota + best.y, w_u(quota + best.y) + more);
        given += more;
    }
}
