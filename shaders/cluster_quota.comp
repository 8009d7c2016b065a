// cluster_quota: how many tokens of each cluster stay by themselves; where there are too many clusters, which become one.
// GROUPS: one workgroup. Shared: sums. Cost: a few passes over the tokens, and for each cluster one over the others.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_cluster_quota
#include "common.glsl"
#include "reduce.glsl"

// a / b to the nearest float, ties to even, bit by bit: no driver's division matters.
float whole_ratio(uint a, uint b)
{
    uint rest = a, q = 0u, shift = 0u;
    if (a == 0u || b == 0u) return 0.0;
    for (; rest < b; ++shift) rest <<= 1;
    for (uint bit = 0u; bit < 24u; ++bit) {
        bool one = rest >= b;
        q = (q << 1) | (one ? 1u : 0u);
        rest = (one ? rest - b : rest) << 1;
    }
    q += rest > b || (rest == b && (q & 1u) != 0u) ? 1u : 0u;
    precise float ratio = float(q) * uintBitsToFloat((104u - shift) << 23);
    return ratio;
}

bool is_lead(uint i) { return w_u(pc.lead_at + i) == i; }

// Clusters with room, of smaller (largest: larger) sum than cluster i.
uint before(uint i, uint n, bool largest, bool by_room)
{
    float own = w_f(pc.sum_at + i);
    uint key = largest ? score_key(own) : score_key_smallest(own), count = 0u;
    for (uint j = 0u; j < n; ++j) {
        if (!is_lead(j)) continue;
        uint quota = w_u(pc.quota_at + j);
        if (by_room && (largest ? quota == 0u : quota + 1u >= w_u(pc.size_at + j))) continue;
        float sum = w_f(pc.sum_at + j);
        uint other = largest ? score_key(sum) : score_key_smallest(sum);
        count += other > key || (other == key && j < i) ? 1u : 0u;
    }
    return count;
}

void main()
{
    if (group_index() != 0u) return;
    uint n = w_u(pc.seg_at + pc.segs), t = thread(), clusters = 0u;
    uint want = min(max(w_u(pc.want_at), 1u), n);
    for (uint i = t; i < n; i += LOCAL) clusters += is_lead(i) ? 1u : 0u;
    clusters = group_sum(clusters);

    if (clusters > want) {
        uint first = 0u;    // as ~position: the largest is the first
        for (uint i = t; i < n; i += LOCAL) {
            if (!is_lead(i)) continue;
            bool stays = before(i, n, false, false) + 1u < want;
            w_set_u(pc.quota_at + i, 0u);
            w_set_u(pc.root_at + i, stays ? i : WN_NONE);
            first = max(first, stays ? 0u : ~i);
        }
        first = ~group_max(first);
        for (uint i = t; i < n; i += LOCAL)
            if (is_lead(i) && w_u(pc.root_at + i) == WN_NONE) w_set_u(pc.root_at + i, first);
        return;
    }

    uint all = 0u, free = want - clusters;
    for (uint i = t; i < n; i += LOCAL) {
        if (!is_lead(i)) continue;
        uint most = w_u(pc.size_at + i) - 1u;
        precise float share = whole_ratio(most, n - clusters) * float(free);
        uint quota = min(uint(round_even_(share)), most);
        w_set_u(pc.quota_at + i, quota);
        w_set_u(pc.root_at + i, i);
        all += quota;
    }
    all = group_sum(all);
    exchange();
    bool largest = all > free;
    uint apart = largest ? all - free : free - all;
    // Who changes is known before any quota does: it is noted in root's last bit until all have looked.
    for (uint i = t; i < n; i += LOCAL) {
        if (!is_lead(i)) continue;
        uint quota = w_u(pc.quota_at + i);
        bool room = largest ? quota > 0u : quota + 1u < w_u(pc.size_at + i);
        bool changes = room && apart > 0u && before(i, n, largest, true) < apart;
        w_set_u(pc.root_at + i, changes ? i | 0x80000000u : i);
    }
    exchange();
    for (uint i = t; i < n; i += LOCAL) {
        if (!is_lead(i)) continue;
        uint quota = w_u(pc.quota_at + i);
        if ((w_u(pc.root_at + i) & 0x80000000u) != 0u) w_set_u(pc.quota_at + i, largest ? quota - 1u : quota + 1u);
        w_set_u(pc.root_at + i, i);
    }
}
