// pick_radius: the distance of each pick from the picks before it, by which picks of several sets are compared.
//   r_t = min over u < t of 1 - cos(p_t, p_u)
// THREADS: an invocation a pick. Shared: none. Cost: t loads of a row of the similarity matrix for pick t.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pick_radius
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), begin = w_u(pc.seg_at + s), t = i - begin;
    if (t >= w_u(pc.k_at + s)) return;
    uint p = w_u(pc.order_at + i), row = a_row(p);
    float r = uintBitsToFloat(0x7f800000u);
    for (uint u = 0u; t >= pc.least && u < t; ++u) {
        precise float distance = 1.0 - a_element(row + w_u(pc.order_at + begin + u) - begin);
        if (distance < r) r = distance;
    }
    if (is_nan(a_element(row + p - begin))) r = quiet_nan();
    w_set_f(pc.radius_at + p, r);
    if (pc.flag_at != WN_NONE) w_set_u(pc.flag_at + p, r > pc.more ? 1u : 0u);
}
