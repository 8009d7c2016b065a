// pick: positions chosen by a rule: the even and the odd places of each segment, every step-th place, or the
// heads of windows over the whole sequence.
// One workgroup: a scan over the segments gives the sizes of the new lists, then one invocation an entry.
// Shared: the scan. Cost: one pass.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_pick
#include "common.glsl"
#include "reduce.glsl"

uint tokens(uint s) { return w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s); }
uint want_of(uint s) { return pc.wants != 0u ? w_u(pc.want_at + s) : pc.want; }
uint step_of(uint n, uint want) { return max(1u, n / want); }

// How many places of segment s go to the first list.
uint first_count(uint s)
{
    uint n = tokens(s), want = want_of(s);
    if (pc.rule == WN_PICK_PARITY) return (n + 1u) / 2u;
    if (want == 0u) return 0u;
    uint step = step_of(n, want);
    return min(want, (n + step - 1u) / step);
}

// Windows of `want` tokens: the head is flagged, all of a whole window point to it.
void pick_windows()
{
    uint n = w_u(pc.seg_at + pc.segs);
    uint whole = pc.want == 0u ? 0u : n / pc.want * pc.want;
    for (uint i = thread(); i < n; i += LOCAL) {
        uint head = i < whole ? i - i % pc.want : WN_NONE;
        if (pc.flag_at != WN_NONE) w_set_u(pc.flag_at + i, head == i ? 1u : 0u);
        if (pc.dest_at != WN_NONE) w_set_u(pc.dest_at + i, head);
    }
}

void main()
{
    if (group_index() != 0u) return;
    if (pc.rule == WN_PICK_WINDOW) {
        pick_windows();
        return;
    }
    bool is_parity = pc.rule == WN_PICK_PARITY;

    // seg1[s], and seg2[s]: what is not in the first list.
    uint count = 0u;
    for (uint first = 0u; first <= pc.segs; first += LOCAL) {
        uint s = first + thread(), total;
        uint before = count + group_scan(s < pc.segs ? first_count(s) : 0u, total);
        if (s <= pc.segs) {
            w_set_u(pc.seg1_at + s, before);
            if (is_parity) w_set_u(pc.seg2_at + s, w_u(pc.seg_at + s) - before);
        }
        count += total;
    }
    exchange();

    if (is_parity) {
        uint n = w_u(pc.seg_at + pc.segs);
        for (uint i = thread(); i < n; i += LOCAL) {
            uint s = segment_of(i, pc.seg_at, pc.segs), place = i - w_u(pc.seg_at + s);
            uint list = (place & 1u) == 0u ? pc.pos1_at + w_u(pc.seg1_at + s) : pc.pos2_at + w_u(pc.seg2_at + s);
            w_set_u(list + place / 2u, list_entry(pc.pos_at, i));
        }
    } else {
        for (uint e = thread(); e < count; e += LOCAL) {
            uint s = segment_of(e, pc.seg1_at, pc.segs);
            uint i = w_u(pc.seg_at + s) + (e - w_u(pc.seg1_at + s)) * step_of(tokens(s), want_of(s));
            uint p = list_entry(pc.pos_at, i);
            w_set_u(pc.pos1_at + e, p);
            if (pc.flag_at != WN_NONE) w_set_u(pc.flag_at + p, 1u);
        }
    }
}
