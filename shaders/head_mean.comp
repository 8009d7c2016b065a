// head_mean: attention of listed rows to listed columns, the mean of all heads.
// THREADS: an invocation an element of B; neighbours read neighbouring columns. Shared: none. Cost: `heads` loads.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_head_mean
#include "common.glsl"

void main()
{
    uint r = item() / pc.cols, c = item() % pc.cols, n = w_u(pc.seg_at + pc.segs);
    if (r >= pc.rows || ((pc.bound & 1u) != 0u && r >= n) || ((pc.bound & 2u) != 0u && c >= n)) return;
    uint p = list_entry(pc.rows_at, r), q = list_entry(pc.cols_at, c);
    precise float sum = 0.0;
    for (uint h = 0u; is_row(p) && is_row(q) && h < pc.heads; ++h) sum = sum + load_a(h * pc.step + p, q);
    precise float mean = sum * pc.scale;
    float v = pc.alone != 0u && r == c ? uintBitsToFloat(0xff800000u) : mean;
    if (pc.turn != 0u) store_b(c, r, v);
    else store_b(r, c, v);
}
