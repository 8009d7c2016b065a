// pair_prune (VisPruner, duplicate removal): list L = the unflagged tokens in descending score order. While |L| > want:
// score of each even place a = max over the odd places b of A(a, b); drop the best r = min(8, |L| - want) of them;
// L = the other a by descending score, then all b in order. At the end flag = 1 for the tokens of L.
// GROUPS: one workgroup a segment, all rounds; an invocation takes every LOCAL-th place. The list alternates between
// list1 and list2; sc holds the score keys of the even places (integers: ranks by counting, no float compares).
// Shared: the scan of the first list. Cost: |L|^2/4 loads of A and as many compares a round, (|L| - want)/8 rounds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pair_prune
#define WN_EXCHANGE
#include "common.glsl"
#include "reduce.glsl"

// The unflagged tokens of [first, first + n) by rank, into `list`; `scratch` takes all of them. Returns |L|.
uint first_list(uint first, uint n, uint list, uint scratch)
{
    for (uint i = thread(); i < n; i += LOCAL) w_set_u(scratch + w_u(pc.rank_at + first + i), first + i);
    exchange();
    uint length = 0u;
    for (uint chunk = 0u; chunk < n; chunk += LOCAL) {
        uint q = chunk + thread();
        uint p = q < n ? w_u(scratch + q) : WN_NONE;
        bool taken = q < n && w_u(pc.flag_at + p) == 0u;
        uint total, before = group_scan(taken ? 1u : 0u, total);
        if (taken) w_set_u(list + length + before, p);
        length += total;
    }
    exchange();
    return length;
}

// The score key of a row and the y-th odd place of the list.
uint pair_key(uint row, uint list, uint y, uint first)
{
    return score_key(load_a(row, w_u(list + 2u * y + 1u) - first));
}

// 1 if even place z comes before place x, whose key is `key`.
uint before(uint score, uint z, uint key, uint x)
{
    uint other = w_u(score + z);
    return other > key || (other == key && z < x) ? 1u : 0u;
}

void main()
{
    uint s = group_index();
    if (s >= pc.segs) return;
    uint t = thread(), first = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - first;
    uint want = w_u(pc.want_at + s), score = pc.sc_at + first;
    uint list = pc.list_at + first, next = pc.list2_at + first;

    uint length;
    if (pc.resume != 0u) length = w_u(pc.len_at + s);
    else length = first_list(first, n, list, next);
    uint rounds = pc.rounds == 0u ? WN_NONE : pc.rounds;
    for (uint round = 0u; round < rounds && length > want; ++round) {
        uint evens = (length + 1u) >> 1, odds = length >> 1;
        uint drop = min(min(8u, length - want), evens);

        for (uint x = t; x < evens; x += LOCAL) {
            uint row = w_u(list + 2u * x), key = 0u;
            uint y = 0u;    // eight places an iteration: some drivers count those
            for (; y + 8u <= odds; y += 8u) {
                key = max(max(max(key, pair_key(row, list, y, first)), max(pair_key(row, list, y + 1u, first),
                    pair_key(row, list, y + 2u, first))), pair_key(row, list, y + 3u, first));
                key = max(max(max(key, pair_key(row, list, y + 4u, first)), max(pair_key(row, list, y + 5u, first),
                    pair_key(row, list, y + 6u, first))), pair_key(row, list, y + 7u, first));
            }
            for (; y < odds; ++y) key = max(key, pair_key(row, list, y, first));
            w_set_u(score + x, key);
        }
        exchange();

        for (uint x = t; x < evens; x += LOCAL) {
            uint key = w_u(score + x), rank = 0u;
            uint z = 0u;
            for (; z + 8u <= evens; z += 8u)
                rank += before(score, z, key, x) + before(score, z + 1u, key, x) + before(score, z + 2u, key, x) +
                        before(score, z + 3u, key, x) + before(score, z + 4u, key, x) + before(score, z + 5u, key, x) +
                        before(score, z + 6u, key, x) + before(score, z + 7u, key, x);
            for (; z < evens; ++z) rank += before(score, z, key, x);
            if (rank >= drop) w_set_u(next + rank - drop, w_u(list + 2u * x));
        }
        for (uint y = t; y < odds; y += LOCAL)
            w_set_u(next + evens - drop + y, w_u(list + 2u * y + 1u));
        exchange();

        uint swap = list;
        list = next;
        next = swap;
        length -= drop;
    }
    if (pc.more != 0u) {    // the next part finds L at list_at
        if (list != pc.list_at + first)
            for (uint x = t; x < length; x += LOCAL) w_set_u(pc.list_at + first + x, w_u(list + x));
        if (t == 0u) w_set_u(pc.len_at + s, length);
        return;
    }
    for (uint x = t; x < length; x += LOCAL) w_set_u(pc.flag_at + w_u(list + x), 1u);
}
