// compact.glsl: the token set of the flagged tokens, by one workgroup; see compact.comp. The including shader has the
// arguments of compact by the same names, or defines FLAG_AT, INVERT, LAST and FRESH_ROWS for those that it lacks.
#ifndef COMPACT_GLSL
#define COMPACT_GLSL
#ifndef INVERT
#define FLAG_AT pc.flag_at
#define INVERT pc.invert
#define LAST pc.last
#define FRESH_ROWS pc.fresh_rows
#endif
#define TOKENS 4u

void put(uint array, uint i, uint value)
{
    if (array != WN_NONE) w_set_u(array + i, value);
}
bool is_taken(uint i) { return (w_u(FLAG_AT + i) != 0u) != (INVERT != 0u); }

// A row that stands for no token of the old set.
void put_added(uint row, uint index)
{
    put(pc.rows_out_at, row, FRESH_ROWS != 0u ? row : WN_NONE);
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
        put(pc.rows_out_at, row, FRESH_ROWS != 0u ? row : list_entry(pc.rows_at, i));
        put(pc.index_out_at, row, list_entry(pc.index_at, i));
        if (pc.sizes_at != WN_NONE) put(pc.sizes_out_at, row, w_u(pc.sizes_at + i));
        put(pc.from_at, row, i);
    }
}

// Uniform control flow only.
void compact_set()
{
    uint n = w_u(pc.seg_at + pc.segs);
    uint added = pc.first + LAST;

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
        for (uint i = 0u; i < LAST; ++i) put_added(end - 1u - i, 0xfffffffeu);
    }
}
#endif
