// head_sum: score[i] = scale * sum over the heads of A(t*rows_per_frame + h, c); (t, c) from index[i].
// One invocation a token; neighbours read neighbouring columns. Cost: `heads` loads and adds a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_head_sum
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;

    uint token = w_u(pc.index_at + i);
    if (!is_row(token)) {    // class token, pooled rest: always kept
        w_set_u(pc.score_at + i, 0x7f800000u);
        return;
    }
    uint row = token / pc.cols_per_frame * pc.rows_per_frame, col = token % pc.cols_per_frame;
    precise float sum = 0.0;
    for (uint h = 0u; h < pc.heads; ++h) sum = sum + load_a(row + h, col);
    precise float score = sum * pc.scale;
    w_set_f(pc.score_at + i, score);
}
