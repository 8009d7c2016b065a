// correlate: for each token that is to be merged, the tokens that it is shared among: those of its row
// of logits above the row's q-quantile, and how many these are.
// GROUPS: one workgroup a row. Each round takes the best candidate that comes strictly after the last
// one in the order (score key down, then column up), down to the quantile's lower neighbour. Shared: the
// reduction of a round. Cost: about (1 - q) n + 2 passes over the row.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_correlate
#include "common.glsl"
#include "reduce.glsl"

bool is_candidate(uint begin, uint j, uint k)
{
    return pc.within == 0u || ((j != 0u || pc.whole != 0u) && w_u(pc.rank_at + begin + j) >= k);
}

void main()
{
    uint i = group_index(), t = thread();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, k = w_u(pc.k_at + s);
    bool is_merged = w_u(pc.rank_at + i) < k;
    if (t == 0u) w_set_u(pc.keep_at + i, is_merged ? 0u : 1u);
    if (!is_merged) return;
    uint count = pc.within == 0u ? n : n - k - (pc.whole != 0u ? 0u : 1u);
    if (count == 0u || (count == 1u && pc.whole == 0u)) {
        if (t == 0u && pc.within != 0u) w_set_u(pc.count_at + i, 0u);
        return;
    }

    precise float at = pc.q * float(count - 1u);
    float low = floor(at);
    precise float part = at - low;
    uint all = count - 1u - uint(low), rounds = min(pc.whole != 0u && part == 0.0 ? all + 1u : all, pc.most);
    float least = 0.0, bound = 0.0;    // the all-th best; the quantile
    uvec2 last = uvec2(0xffffffffu, 0u);    // above every key
    for (uint round = 0u; round <= all; ++round) {
        uvec2 own = uvec2(0u, WN_NONE);
        for (uint j = t; j < n; j += LOCAL) {
            if (!is_candidate(begin, j, k)) continue;
            uint key = score_key(load_a(i, j));
            if (key < last.x || (key == last.x && j > last.y)) own = better(own, uvec2(key, j));
        }
        last = group_best(own);
        float v = load_a(i, last.y);
        if (round < rounds && t == 0u) {
            w_set_u(pc.near_at + i * pc.most + round, begin + last.y);
            w_set_f(pc.value_at + i * pc.most + round, v);
        }
        if (round < all) {
            least = v;
            continue;
        }
        precise float b = part > 0.0 ? least : v;
        precise float range = b - v;
        precise float up = part * range;
        precise float from_low = v + up;
        precise float rest = 1.0 - part;
        precise float down = range * rest;
        precise float from_high = b - down;
        bound = part < 0.5 ? from_low : from_high;
    }
    if (t != 0u) return;
    uint above = 0u;
    for (uint round = 0u; round < rounds; ++round) {
        float v = load_a(i, w_u(pc.near_at + i * pc.most + round) - begin);
        above += v > bound || (pc.whole != 0u && v == bound) ? 1u : 0u;
    }
    if (pc.within != 0u) w_set_u(pc.count_at + i, above);
    else atomicMax(W[pc.count_at + s], above);
}
