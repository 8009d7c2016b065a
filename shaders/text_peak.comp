// text_peak: the most that any row of text attends to a token, a mean over heads.
// THREADS: an invocation a token; neighbours read neighbouring columns. Shared: none. Cost: heads * text_rows loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_text_peak
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint column = w_u(pc.index_at + i);
    if (!is_row(column)) {    // class token, pooled rest: always kept
        w_set_u(pc.score_at + i, 0x7f800000u);
        return;
    }
    float most = uintBitsToFloat(0x7fc00000u);
    for (uint m = 0u; m < pc.text_rows; ++m) {
        precise float sum = 0.0;
        for (uint h = 0u; h < pc.heads; ++h) sum = sum + load_a(h * pc.text_rows + m, column);
        precise float mean = sum * pc.scale;
        if (!is_nan(mean) && (is_nan(most) || mean > most)) most = mean;
    }
    w_set_f(pc.score_at + i, most);
}
