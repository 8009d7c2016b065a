// flagged_sum: the sum of a row's flagged columns.
// THREADS: an invocation a row. Shared: none. Cost: a row and its flags.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_flagged_sum
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    precise float sum = 0.0;
    for (uint c = 0u; c < pc.cols; ++c)
        if (w_u(pc.flag_at + c) != 0u) sum = sum + load_a(i, c);
    bool is_token = is_row(w_u(pc.index_at + i));    // class token, pooled rest: always kept
    w_set_f(pc.out_at + i, is_token ? sum : uintBitsToFloat(0x7f800000u));
}
