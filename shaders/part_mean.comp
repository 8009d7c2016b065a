// part_mean: the mean of `parts` elements of a row, part_stride apart: of heads, or of neighbouring channels.
// THREADS: an invocation an element of B. Shared: none. Cost: parts loads of A.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_part_mean
#include "common.glsl"

void main()
{
    uint i = item() / pc.cols, c = item() % pc.cols;
    if (i >= set_count(pc.n_max, pc.segs, pc.seg_at)) return;
    uint row = list_entry(pc.list_at, i), at = row_or_first(row) + pc.col + c * pc.step;
    precise float v = 0.0;
    for (uint h = 0u; is_row(row) && h < pc.parts; ++h) v = v + a_element(at + h * pc.part_stride);
    v = v * pc.inv_parts;
    if (pc.add != 0u) v = load_b(i, c) + v;
    store_b(i, c, v);
}
