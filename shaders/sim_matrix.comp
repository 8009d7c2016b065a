// sim_matrix: B(e, u) = cos of source e with token u of its segment, dotseq(x, y) * (inv_x * inv_y).
// One invocation a tile of four sources by four columns, in registers; four sources of several segments have
// different tokens in their columns and are done one by one. Shared: none. Cost: 16*cols multiply-adds a tile.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_sim_matrix
#include "common.glsl"

// Row e, columns u .. u+3, of them those below n.
void put(uint e, uint u, uint n, vec4 dots, float x_inv, vec4 y_inv)
{
    precise vec4 factor = x_inv * y_inv;
    precise vec4 c = dots * factor;
    if (u < n) store_b(e, u, c.x);
    if (u + 1u < n) store_b(e, u + 1u, c.y);
    if (u + 2u < n) store_b(e, u + 2u, c.z);
    if (u + 3u < n) store_b(e, u + 3u, c.w);
}

void main()
{
    uint k = item(), across = (pc.width + 3u) / 4u;
    uint e = k / across * 4u, u = k % across * 4u, count = w_u(pc.src_seg_at + pc.segs);
    if (e >= count) return;
    uint last = min(e + 3u, count - 1u);
    uint s = segment_of(e, pc.src_seg_at, pc.segs);
    uvec4 columns = uvec4(u, u + 1u, u + 2u, u + 3u);

    if (last < w_u(pc.src_seg_at + s + 1u)) {    // one segment
        uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
        if (u >= n) return;
        uvec4 p = list_entries(pc.src_pos_at, min(uvec4(e, e + 1u, e + 2u, e + 3u), uvec4(last)));
        uvec4 q = begin + min(columns, uvec4(n - 1u));
        vec4 dots0, dots1, dots2, dots3;
        dot_tile(list_entries(pc.list_at, p), list_entries(pc.list_at, q), pc.cols, dots0, dots1, dots2, dots3);
        vec4 x_inv = w_f4(pc.inv_at, p), y_inv = w_f4(pc.inv_at, q);
        put(e, u, n, dots0, x_inv.x, y_inv);
        if (e + 1u <= last) put(e + 1u, u, n, dots1, x_inv.y, y_inv);
        if (e + 2u <= last) put(e + 2u, u, n, dots2, x_inv.z, y_inv);
        if (e + 3u <= last) put(e + 3u, u, n, dots3, x_inv.w, y_inv);
        return;
    }
    for (; e <= last; ++e) {
        s = segment_of(e, pc.src_seg_at, pc.segs);
        uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
        if (u >= n) continue;
        uint p = list_entry(pc.src_pos_at, e);
        uvec4 q = begin + min(columns, uvec4(n - 1u));
        vec4 dots = dot_row(list_entry(pc.list_at, p), list_entries(pc.list_at, q), pc.cols);
        put(e, u, n, dots, w_f(pc.inv_at + p), w_f4(pc.inv_at, q));
    }
}
