// row_affine: rows times a factor a column, plus rows of a table, plus what stands there already times `keep`.
// THREADS: an invocation an element. Shared: none. Cost: a load of A, `taps` of W, one of B.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_affine
#include "common.glsl"

void main()
{
    uint r = item() / pc.cols, c = item() % pc.cols;
    if (r >= pc.n) return;
    uint row = list_entry(pc.list_at, r);
    float x = is_row(row) ? load_a(row, c) : 0.0;
    precise float factor = pc.share;
    if (pc.scale_at != WN_NONE) factor = pc.share + w_f(pc.scale_at + c);
    precise float v = x * factor;
    for (uint k = 0u; k < pc.taps; ++k) {
        uint tap = pc.tap_at == WN_NONE ? 0u : w_u(pc.tap_at + r * pc.taps + k);
        v = v + w_f(pc.shift_at + tap * pc.cols + c);
    }
    if (pc.keep != 0.0) v = v + load_b(r, c) * pc.keep;
    store_b(r, c, v);
}
