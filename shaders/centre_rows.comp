// centre_rows: tokens less the centre of their segment.
// THREADS: two neighbouring columns an invocation. Shared: none. Cost: two loads and a store a number.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_centre_rows
#define WN_C
#include "common.glsl"

void main()
{
    uint pairs = (pc.cols + 1u) >> 1, i = item() / pairs, c = item() % pairs * 2u;
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint row = list_entry(pc.list_at, i), s = segment_of(i, pc.seg_at, pc.segs);
    for (uint k = c; k < min(c + 2u, pc.cols); ++k) {
        precise float v = is_row(row) ? load_a(row, k) - load_c(s, k) : 0.0;
        store_b(i, k, v);
    }
}
