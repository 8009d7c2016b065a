// cross_sim: B(s*rows + r, u) = cos of a row of C with token u of segment s, dotseq(x, y) * (c_inv * inv).
// One invocation four neighbouring columns of a row, which share the loads of x. Shared: none. Cost: 4*cols multiply-adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_cross_sim
#include "common.glsl"


void main()
{
    uint k = item(), across = (pc.width + 3u) / 4u, e = k / across, u = k % across * 4u, s = e / pc.rows;
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    if (u >= n) return;
    uint c = list_entry(pc.src_at, pc.own != 0u ? e : e % pc.rows);
    uvec4 q = begin + min(uvec4(u, u + 1u, u + 2u, u + 3u), uvec4(n - 1u));
    uvec4 entries = list_entries(pc.list_at, q);
    uint x = c_row(is_row(c) ? c : 0u), y0 = row_or_first(entries.x), y1 = row_or_first(entries.y);
    uint y2 = row_or_first(entries.z), y3 = row_or_first(entries.w);
    precise float d0 = 0.0, d1 = 0.0, d2 = 0.0, d3 = 0.0;
    for (uint d = 0u; d < pc.cols; ++d) {
        float a = c_element(x + d);
        d0 = d0 + a * a_element(y0 + d); d1 = d1 + a * a_element(y1 + d);
        d2 = d2 + a * a_element(y2 + d); d3 = d3 + a * a_element(y3 + d);
    }
    vec4 dots = is_row(c) ? mix(vec4(0.0), vec4(d0, d1, d2, d3), are_rows(entries)) : vec4(0.0);
    float c_inv = is_row(c) ? w_f(pc.c_inv_at + c) : 0.0;
    precise vec4 factor = c_inv * w_f4(pc.inv_at, q);
    precise vec4 cosine = dots * factor;
    store_b(e, u, cosine.x);
    if (u + 1u < n) store_b(e, u + 1u, cosine.y);
    if (u + 2u < n) store_b(e, u + 2u, cosine.z);
    if (u + 3u < n) store_b(e, u + 3u, cosine.w);
}
