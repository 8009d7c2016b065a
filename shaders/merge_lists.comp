// merge_lists: who is merged where, the new set, and the members of its rows: dest, compact, resolve and group in one.
// One workgroup, an invocation every LOCAL-th source, token or row. Shared: the scan. Cost: that of the four, without the
// three waits between them; the search for members is N tokens an invocation, so that many rows want `group` by itself.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_merge_lists
#include "common.glsl"
#include "reduce.glsl"
#define FLAG_AT pc.keep_at
#define INVERT 0u
#define LAST 0u
#define FRESH_ROWS 1u
#include "compact.glsl"

#define STEPS 64u

void send(uint e)
{
    uint p = pc.src_pos_at == WN_NONE ? e : w_u(pc.src_pos_at + e);
    if (pc.rank_at != WN_NONE) {
        if (w_u(pc.rank_at + e) >= w_u(pc.k_at + segment_of(e, pc.src_seg_at, pc.segs))) return;
        w_set_u(pc.keep_at + p, 0u);
    } else if (w_u(pc.keep_at + p) != 0u) {
        return;
    }
    w_set_u(pc.dest_at + p, w_u(pc.arg_at + e));
}

uint goal(uint i)
{
    uint to = w_u(pc.map_at + i);
    for (uint step = 0u; to == WN_NONE && step < STEPS; ++step) {
        i = w_u(pc.dest_at + i);
        if (i == WN_NONE) break;
        to = w_u(pc.map_at + i);
    }
    return to;
}

float size_of(uint i) { return pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + i); }

void link_members(uint r)
{
    uint s = segment_of(r, pc.seg_out_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + min(pc.span, pc.segs - s));

    uint base = w_u(pc.from_at + r), link = pc.head_at + r;
    precise float size = base == WN_NONE ? 1.0 : size_of(base);
    for (uint i = begin; i < end; ++i) {
        if (i == base || w_u(pc.map2_at + i) != r) continue;
        w_set_u(link, i);
        link = pc.next_at + i;
        size = size + size_of(i);
    }
    w_set_u(link, WN_NONE);
    w_set_f(pc.sizes_out_at + r, size);
}

void main()
{
    if (group_index() != 0u) return;
    if (pc.arg_at != WN_NONE) {
        uint sources = w_u(pc.src_seg_at + pc.segs);
        for (uint e = thread(); e < sources; e += LOCAL) send(e);
        exchange();
    }
    compact_set();
    exchange();

    uint n = w_u(pc.seg_at + pc.segs);
    for (uint i = thread(); i < n; i += LOCAL) w_set_u(pc.map2_at + i, goal(i));
    if (pc.head_at == WN_NONE) return;
    exchange();

    uint rows = w_u(pc.seg_out_at + pc.segs);
    for (uint r = thread(); r < rows; r += LOCAL) link_members(r);
}
