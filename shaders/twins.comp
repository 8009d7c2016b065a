// twins: a set in which the flagged tokens of frames that are a span of their own stand twice.
// THREADS: an invocation a token counts what comes before it in its frame, and the frames before. Shared: none.
// Cost: some loads of W a token of the frame.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_twins
#include "common.glsl"

bool is_single(uint t)
{
    uint k = w_u(pc.of_at + t);
    return w_u(pc.starts_at + k + 1u) - w_u(pc.starts_at + k) == 1u;
}
uint added_before(uint t)
{
    uint added = 0u;
    for (uint q = 0u; q < t; ++q) added += is_single(q) ? pc.many : 0u;
    return added;
}

void put(uint i, uint to, uint flag)
{
    w_set_u(pc.rows_out_at + to, list_entry(pc.rows_at, i));
    w_set_u(pc.index_out_at + to, list_entry(pc.index_at, i));
    w_set_u(pc.sizes_out_at + to, w_u(pc.sizes_at + i));
    w_set_u(pc.flag_out_at + to, flag);
}

void main()
{
    uint i = item();
    if (i <= pc.segs) w_set_u(pc.seg_out_at + i, w_u(pc.seg_at + i) + added_before(i));
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint t = segment_of(i, pc.seg_at, pc.segs), flag = w_u(pc.flag_at + i), to = i + added_before(t);
    bool single = is_single(t);
    for (uint p = w_u(pc.seg_at + t); p < i && single; ++p) to += w_u(pc.flag_at + p) != 0u ? 1u : 0u;
    w_set_u(pc.map_at + i, to);
    put(i, to, flag != 0u ? 1u : 0u);
    if (single && flag != 0u) put(i, to + 1u, 0u);
}
