// rated_sum: what the rating rows of text attend to a token, all heads.
// THREADS: an invocation a token; neighbours read neighbouring columns. Shared: none. Cost: heads * text_rows loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_rated_sum
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint column = w_u(pc.index_at + i);
    if (!is_row(column)) {    // class token, pooled rest: always kept
        w_set_u(pc.score_at + i, 0x7f800000u);
        return;
    }

    precise float all = 0.0;
    for (uint m = 0u; m < pc.text_rows; ++m) all = all + w_f(pc.rate_at + m);
    precise float mean = all * recip_(float(pc.text_rows));
    bool rated = false;
    for (uint m = 0u; m < pc.text_rows; ++m) rated = rated || w_f(pc.rate_at + m) > mean;

    precise float sum = 0.0;
    for (uint m = 0u; m < pc.text_rows; ++m) {
        if (rated && !(w_f(pc.rate_at + m) > mean)) continue;
        precise float heads = 0.0;
        for (uint h = 0u; h < pc.heads; ++h) heads = heads + load_a(h * pc.text_rows + m, column);
        sum = sum + heads;
    }
    precise float score = sum * pc.scale;
    w_set_f(pc.score_at + i, score);
}
