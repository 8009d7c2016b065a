// gather: rows of A to rows of B by lists of the device.
// THREADS: an invocation two neighbouring columns of a row. Shared: none. Cost: two elements.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_gather
#include "common.glsl"

void main()
{
    uint pairs = (pc.cols + 1u) >> 1, i = item() / pairs, c = 2u * (item() % pairs);
    if (i >= set_count(pc.n_max, pc.segs, pc.seg_at)) return;
    uint run = i / pc.run, k = i % pc.run;
    uint from = pc.rows_at == WN_NONE ? run * pc.run : w_u(pc.rows_at + run);
    uint to = pc.to_at == WN_NONE ? run * pc.run : w_u(pc.to_at + run);
    if (!is_row(from) || !is_row(to)) return;
    from += k;
    to += k;
    bool has_second = c + 1u < pc.cols;
    store_b2(to, c, load_a(from, c), has_second ? load_a(from, c + 1u) : 0.0, has_second);
}
