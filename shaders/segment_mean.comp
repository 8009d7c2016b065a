// segment_mean: the mean row of each segment.
// THREADS: an invocation a (segment, column). Shared: none. Cost: one load of A for each token and column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_segment_mean
#include "common.glsl"

void main()
{
    uint s = item() / pc.cols, c = item() % pc.cols;
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u);
    precise float sum = 0.0;
    for (uint i = begin; i < end; ++i) {
        uint row = list_entry(pc.list_at, i);
        float x = is_row(row) ? load_a(row, c) : 0.0;
        sum = sum + x;
    }
    precise float mean = sum * recip_(float(max(end - begin, 1u)));
    store_b(s, c, mean);
}
