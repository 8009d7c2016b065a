// attend_map: the row of queries that has most of each token, and the sizes of those rows.
// THREADS: an invocation a token, then one a row. Shared: none. Cost: `rows` loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_attend_map
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max) {
        uint e = i - pc.n_max, s = e / pc.rows;
        if (s >= pc.segs || pc.sizes_new_at == WN_NONE) return;
        precise float whole = float(w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s)) * pc.inv_rows;
        precise float size = (pc.mean_at == WN_NONE ? 1.0 : w_f(pc.mean_at + s)) * whole;
        w_set_f(pc.sizes_new_at + e, size);
        return;
    }
    if (pc.map_at == WN_NONE || i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), u = i - w_u(pc.seg_at + s), best = 0u, arg = WN_NONE;
    for (uint r = 0u; r < pc.rows; ++r) {
        uint key = score_key(load_a(s * pc.rows + r, u));
        if (key > best) {
            best = key;
            arg = s * pc.rows + r;
        }
    }
    w_set_u(pc.map_at + i, arg);
}
