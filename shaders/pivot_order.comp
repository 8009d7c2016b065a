// pivot_order: the order in which pivots choose: ascending, or as CPython iterates a set of their numbers.
// One invocation a segment: there are at most 16. Cost: a few loads.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pivot_order
#include "common.glsl"


const uint MOST = 16u, TABLE = 32u;

uint number[MOST], row[MOST];    // in the order in which they are put in
uint slots[TABLE], old[TABLE];   // which of them, or WN_NONE

// Numbers are hashes: the slot, up to nine further ones where those are in the table, then others.
void put(uint entry, uint size)
{
    uint mask = size - 1u, perturb = number[entry], i = perturb & mask;
    for (;;) {
        uint most = i + 9u <= mask ? 9u : 0u;
        for (uint probe = 0u; probe <= most; ++probe)
            if (slots[i + probe] == WN_NONE) {
                slots[i + probe] = entry;
                return;
            }
        perturb >>= 5;
        i = (i * 5u + 1u + perturb) & mask;
    }
}

// Adds the list's entries, best norm first.
void add_list(uint begin, uint count, uint pos_at, uint norm_at, uint offset, uint rows, inout uint filled)
{
    uvec2 last = uvec2(WN_NONE, 0u);
    for (uint turn = 0u; turn < count; ++turn) {
        uvec2 best = uvec2(0u, WN_NONE);
        for (uint e = 0u; e < count; ++e) {
            uvec2 own = uvec2(score_key(w_f(norm_at + w_u(pos_at + begin + e))), e);
            bool behind = turn == 0u || own.x < last.x || (own.x == last.x && own.y > last.y);
            if (behind && (best.y == WN_NONE || own.x > best.x)) best = own;
        }
        last = best;
        number[filled] = w_u(pos_at + begin + best.y) + offset;
        row[filled] = rows + best.y;
        ++filled;
    }
}

void main()
{
    uint s = item();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    uint first = w_u(pc.piv_seg_at + s), image = min(w_u(pc.piv_seg_at + s + 1u) - first, pc.image);
    uint out_at = pc.order_at + s * (pc.image + pc.text), text_row = pc.text_row + s * pc.text, count = 0u;
    for (uint o = 0u; o < pc.image + pc.text; ++o) w_set_u(out_at + o, WN_NONE);
    if (pc.by_set == 0u) {
        for (uint o = 0u; o < image; ++o) w_set_u(out_at + o, first + o);
        for (uint o = 0u; o < pc.text; ++o) w_set_u(out_at + image + o, text_row + o);
        return;
    }
    uint filled = 0u, size = 8u;
    add_list(first, image, pc.piv_pos_at, pc.norm_at, pc.start - begin, first, filled);
    add_list(0u, pc.text, pc.text_pos_at, pc.text_norm_at, pc.start + n, text_row, filled);
    for (uint i = 0u; i < TABLE; ++i) slots[i] = WN_NONE;
    for (uint entry = 0u; entry < filled; ++entry) {
        put(entry, size);
        if (entry != 4u) continue;
        for (uint i = 0u; i < 8u; ++i) {
            old[i] = slots[i];
            slots[i] = WN_NONE;
        }
        size = TABLE;
        for (uint i = 0u; i < 8u; ++i)
            if (old[i] != WN_NONE) put(old[i], size);
    }
    for (uint i = 0u; i < size; ++i)
        if (slots[i] != WN_NONE) w_set_u(out_at + count++, row[slots[i]]);
}
