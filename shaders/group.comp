// group: the members of new row r: old positions i of the segments s .. s+span-1, or of a range, with map2[i] == r and i != from[r],
// ascending, as the list head[r], next[i], ...; sizes_new[r] = size[from[r]] + the members' sizes.
// THREADS: an invocation a new row walks the old segments, so the order needs no atomics. Shared: none.
// Cost: as many loads as the segments have tokens.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_group
#include "common.glsl"

float size_of(uint i) { return pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + i); }

void main()
{
    uint r = item();
    if (r >= pc.n_max || r >= w_u(pc.seg_new_at + pc.segs)) return;
    uint s = segment_of(r, pc.seg_new_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + min(pc.span, pc.segs - s));
    if (pc.ranged != 0u) {
        begin = w_u(pc.begin_at + s);
        end = w_u(pc.end_at + s);
    }

    uint base = w_u(pc.from_at + r), link = pc.head_at + r;
    precise float size = base == WN_NONE ? 1.0 : size_of(base);
    for (uint i = begin; i < end; ++i) {
        bool is_base = i == base;
        if (w_u(pc.map2_at + i) != r || (is_base && (pc.own == 0u || w_u(pc.own_at + i) == 0u))) continue;
        w_set_u(link, i);
        link = pc.next_at + i;
        if (!is_base) size = size + size_of(i);
    }
    w_set_u(link, WN_NONE);
    if (pc.sizes_new_at != WN_NONE) w_set_f(pc.sizes_new_at + r, size);
}
