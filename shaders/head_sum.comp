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
    uint frame = token / pc.cols_per_frame, x = a_row(frame * pc.rows_per_frame) + token - frame * pc.cols_per_frame;
    precise float sum = 0.0;
    uint h = 0u;
    for (; h + 4u <= pc.heads; h += 4u) {    // loads that do not wait for each other
        float v0 = a_element(x), v1 = a_element(x + pc.a_stride);
        float v2 = a_element(x + 2u * pc.a_stride), v3 = a_element(x + 3u * pc.a_stride);
        sum = sum + v0;
        sum = sum + v1;
        sum = sum + v2;
        sum = sum + v3;
        x += 4u * pc.a_stride;
    }
    for (; h < pc.heads; ++h, x += pc.a_stride) sum = sum + a_element(x);
    precise float score = sum * pc.scale;
    w_set_f(pc.score_at + i, score);
}
