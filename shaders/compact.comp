// compact: the token set of the flagged tokens, in order, with rows added in front of and behind each segment.
// One workgroup scans the flags, TOKENS neighbours an invocation a round: new position = flagged tokens
// before + added rows before. Shared: the scan. Cost: one pass over the tokens, N/(TOKENS*LOCAL) scans.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_compact
#include "common.glsl"
#include "reduce.glsl"

#define TOKENS 4u

void put(uint array, uint i, uint value)
{
    if (array != WN_NONE) w_set_u(array + i, value);
}
bool is_taken(uint i) { return (w_u(pc.flag_at + i) != 0u) != (pc.invert != 0u); }

// A row that stands for no token of the old set.
void put_added(uint row, uint index)
{
    put(pc.rows_out_at, row, pc.fresh_rows != 0u ? row : WN_NONE);
    put(pc.index_out_at, row, index);
    if (pc.sizes_at != WN_NONE) put(pc.sizes_out_at, row, floatBitsToUint(1.0));
    put(pc.from_at, row, WN_NONE);
}

// Tokens begin .. end; before: taken tokens before them.
void place_tokens(uint begin, uint end, uint before, uint added)
{
    if (begin == end) return;
    uint s = segment_of(begin, pc.seg_at, pc.segs), next = w_u(pc.seg_at + s + 1u);
    for (uint i = begin; i < end; ++i) {
        while (next <= i) { ++s; next = w_u(pc.seg_at + s + 1u); }
        // The first token of a segment tells where this and the empty ones before it start.
        for (uint e = s; w_u(pc.seg_at + e) == i; --e) {
            w_set_u(pc.seg_out_at + e, before + e * added);
            if (e == 0u) break;
        }
        if (!is_taken(i)) {
            put(pc.map_at, i, WN_NONE);
            continue;
        }
        uint row = before + s * added + pc.first;
        ++before;
        put(pc.map_at, i, row);
        put(pc.rows_out_at, row, pc.fresh_rows != 0u ? row : list_entry(pc.rows_at, i));
        put(pc.index_out_at, row, list_entry(pc.index_at, i));
        if (pc.sizes_at != WN_NONE) put(pc.sizes_out_at, row, w_u(pc.sizes_at + i));
        put(pc.from_at, row, i);
    }
}

void main()
{
    if (group_index() != 0u) return;
    uint n = w_u(pc.seg_at + pc.segs);
    uint added = pc.first + pc.last;

    uint count = 0u;    // taken in earlier rounds
    for (uint round = 0u; round < n; round += TOKENS * LOCAL) {
        uint begin = min(round + thread() * TOKENS, n), end = min(begin + TOKENS, n);
        uint own = 0u, total;
        for (uint i = begin; i < end; ++i) own += is_taken(i) ? 1u : 0u;
        uint before = group_scan(own, total);
        place_tokens(begin, end, count + before, added);
        count += total;
    }
    for (uint s = thread(); s <= pc.segs; s += LOCAL)    // empty segments at the end, and the end itself
        if (w_u(pc.seg_at + s) == n) w_set_u(pc.seg_out_at + s, count + s * added);
    if (added == 0u) return;
    exchange();

    for (uint s = thread(); s < pc.segs; s += LOCAL) {
        uint begin = w_u(pc.seg_out_at + s), end = w_u(pc.seg_out_at + s + 1u);
        for (uint i = 0u; i < pc.first; ++i) put_added(begin + i, 0xffffffffu);
        for (uint i = 0u; i < pc.last; ++i) put_added(end - 1u - i, 0xfffffffeu);
    }
}
