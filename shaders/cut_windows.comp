// cut_windows: flags of taken frames alone, and no more of them than a limit: every window loses as many at its
// end, and what still is too much goes at the end of all.
// GROUPS: one workgroup, each invocation its strided tokens. Shared: sums and scans. Cost: four passes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_cut_windows
#include "common.glsl"
#include "reduce.glsl"

bool is_taken(uint t) { return pc.taken_at == WN_NONE || w_u(pc.taken_at + t) != 0u; }

// Of the flags of begin .. end the first `most` stay.
void keep_first(uint begin, uint end, uint most)
{
    uint before = 0u;
    for (uint first = begin; first < end; first += LOCAL) {
        uint i = first + thread();
        bool flag = i < end && w_u(pc.flag_at + i) != 0u;
        uint total, place = before + group_scan(flag ? 1u : 0u, total);
        if (flag && place >= most) w_set_u(pc.flag_at + i, 0u);
        before += total;
    }
}

void main()
{
    if (group_index() != 0u) return;
    uint all = pc.frames * pc.tokens, flags = 0u, whole = 0u;
    for (uint i = thread(); i < all; i += LOCAL) {
        bool taken = is_taken(i / pc.tokens), flag = taken && w_u(pc.flag_at + i) != 0u;
        w_set_u(pc.flag_at + i, flag ? 1u : 0u);
        flags += flag ? 1u : 0u;
        whole += taken ? 1u : 0u;
    }
    if (pc.limit == WN_NONE) return;
    flags = group_sum(flags);
    whole = group_sum(whole);
    if (whole <= pc.limit) {
        for (uint i = thread(); i < all; i += LOCAL) w_set_u(pc.flag_at + i, is_taken(i / pc.tokens) ? 1u : 0u);
        return;
    }
    if (flags <= pc.limit) return;
    exchange();

    uint windows = w_u(pc.count_at), cut = (flags - pc.limit + windows - 1u) / windows, left = pc.limit;
    for (uint k = 0u; k < windows; ++k) {
        uint begin = w_u(pc.begin_at + k) * pc.tokens, end = w_u(pc.begin_at + k + 1u) * pc.tokens, own = 0u;
        for (uint i = begin + thread(); i < end; i += LOCAL) own += w_u(pc.flag_at + i);
        uint inside = group_sum(own), most = min(inside > cut ? inside - cut : 0u, left);
        keep_first(begin, end, most);
        left -= most;
    }
}
