// shares: what merged tokens give to whom, as a set with most+1 slots a token, which `group` and `merge`
// then work on.
// THREADS: an invocation a token. Shared: none. Cost: two passes over the token's targets.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_shares
#include "common.glsl"

void slot(uint o, uint to, float weight, float size, uint row)
{
    w_set_u(pc.rows_out_at + o, row);
    w_set_u(pc.map_out_at + o, to);
    w_set_f(pc.weight_at + o, weight);
    w_set_f(pc.sizes_out_at + o, size);
}

// Where the share that goes to the token at position `near` of segment s ends up.
uint target(uint s, uint near)
{
    if (pc.within != 0u || pc.direct != 0u) return w_u(pc.map_at + near);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, k = w_u(pc.k_at + s);
    uint d = list_entry(pc.place_at, near) - begin;
    if (d >= n - k) d -= k;
    return w_u(pc.order_new_at + w_u(pc.seg_new_at + s) + d);
}

// What the token's t-th share is in proportion to; first: the number of the 0th.
float portion(uint value, float first)
{
    float v = w_f(value);
    precise float x = v - first;
    return pc.linear != 0u ? (v > 1e-30 ? v : 0.0) : exp_(x);
}

void main()
{
    uint i = item(), step = pc.most + 1u;
    if (i <= pc.segs) w_set_u(pc.seg_out_at + i, w_u(pc.seg_at + i) * step);
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint o = i * step, row = w_u(pc.rows_at + i);
    float size = pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + i);
    bool is_kept = w_u(pc.keep_at + i) != 0u;
    uint s = segment_of(i, pc.seg_at, pc.segs), count = 0u, goes = w_u(pc.map_at + i);
    if (is_kept) w_set_u(pc.from_out_at + goes, o);
    else count = w_u(pc.count_at + (pc.within != 0u ? i : s));
    slot(o, is_kept ? goes : WN_NONE, is_kept ? 1.0 : 0.0, is_kept ? size : 0.0, row);

    uint value = pc.value_at + i * pc.most;
    float first = count > 0u ? w_f(value) : 0.0;
    precise float sum = 0.0;
    for (uint t = 0u; t < count; ++t) sum = sum + portion(value + t, first);
    float factor = recip_(sum);
    uint taker = WN_NONE;
    for (uint t = 0u; t < pc.most; ++t) {
        float part = t < count ? portion(value + t, first) : 0.0;
        if (t >= count || (pc.linear != 0u && part == 0.0)) {
            slot(o + 1u + t, WN_NONE, 0.0, 0.0, row);
            continue;
        }
        precise float weight = part * factor;
        precise float mass = weight * size;
        uint to = target(s, w_u(pc.near_at + i * pc.most + t));
        if (t == 0u) taker = to;
        slot(o + 1u + t, to, weight, mass, row);
    }
    w_set_u(pc.map2_at + i, is_kept ? goes : taker);
}
