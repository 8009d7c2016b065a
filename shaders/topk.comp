// topk: flag[i] = 1 for the k best scores of a segment (or of all tokens), ties to the lower position.
// One workgroup a segment. Radix select on the score keys: four rounds of 8 bits find the k-th best key, each
// by a histogram of the keys that share the bits found so far; then one pass writes the flags, with a scan
// where only some of the tokens that have just this key are taken.
// Shared: 256 counters, integer atomics. Cost: six passes over the scores.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_topk
#include "common.glsl"
#include "reduce.glsl"

shared uint histogram[256];
shared uint chosen_digit, chosen_above, chosen_count;

uint key_of(uint i)
{
    float score = w_f(pc.score_at + i);
    return pc.smallest != 0u ? score_key_smallest(score) : score_key(score);
}

void main()
{
    uint s = group_index(), t = thread();
    bool is_global = pc.global != 0u;
    if (s >= (is_global ? 1u : pc.segs)) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + (is_global ? pc.segs : s + 1u));
    uint n = end - begin, k = min(w_u(pc.k_at + s), n);

    if (pc.stats_at != WN_NONE) {
        uint nans = 0u;
        for (uint i = begin + t; i < end; i += LOCAL) nans += is_nan(w_f(pc.score_at + i)) ? 1u : 0u;
        nans = group_sum(nans);
        if (t == 0u && nans > 0u) atomicAdd(W[pc.stats_at], nans);
    }
    if (k == 0u || k == n) {
        for (uint i = begin + t; i < end; i += LOCAL) w_set_u(pc.flag_at + i, k == 0u ? 0u : 1u);
        return;
    }

    // An invocation owns `per` neighbouring digits of the histogram, from the highest down.
    uint per = max(256u / LOCAL, 1u), top = 255u - t * per;
    uint prefix = 0u, wanted = k, ties = 0u;
    for (int shift = 24; shift >= 0; shift -= 8) {
        for (uint b = t; b < 256u; b += LOCAL) histogram[b] = 0u;
        barrier();
        for (uint i = begin + t; i < end; i += LOCAL) {
            uint key = key_of(i);
            if (shift == 24 || key >> uint(shift + 8) == prefix)
                atomicAdd(histogram[(key >> uint(shift)) & 255u], 1u);
        }
        barrier();
        uint own = 0u, total;
        if (t * per < 256u)
            for (uint b = 0u; b < per; ++b) own += histogram[top - b];
        uint above = group_scan(own, total);
        if (above < wanted && wanted <= above + own) {    // true for one invocation
            uint b = top;
            while (above + histogram[b] < wanted) { above += histogram[b]; --b; }
            chosen_digit = b;
            chosen_above = above;
            chosen_count = histogram[b];
        }
        barrier();
        prefix = (prefix << 8) | chosen_digit;
        wanted -= chosen_above;
        ties = chosen_count;
    }

    // `wanted` of the `ties` tokens with the key `prefix` are taken, the first ones.
    if (wanted == ties) {
        for (uint i = begin + t; i < end; i += LOCAL) w_set_u(pc.flag_at + i, key_of(i) >= prefix ? 1u : 0u);
        return;
    }
    uint taken = 0u;
    for (uint first = 0u; first < n; first += LOCAL) {
        uint i = begin + first + t, key = i < end ? key_of(i) : 0u;
        bool is_tie = i < end && key == prefix;
        uint total, before = group_scan(is_tie ? 1u : 0u, total);
        bool is_best = key > prefix || (is_tie && taken + before < wanted);
        if (i < end) w_set_u(pc.flag_at + i, is_best ? 1u : 0u);
        taken += total;
    }
}
