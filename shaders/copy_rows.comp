// copy_rows: B(dst[s], c) = A(src[s], c); without a source list src[s] = s.
// THREADS: an invocation two neighbouring columns of a row. Shared: none. Cost: one load and one store a column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_copy_rows
#include "common.glsl"

void main()
{
    uint pairs = (pc.cols + 1u) >> 1, s = item() / pairs, c = 2u * (item() % pairs);
    if (s >= pc.n) return;
    uint to = w_u(pc.dst_at + s), row = pc.src_at == WN_NONE ? s : w_u(pc.src_at + s);
    if (to == WN_NONE) return;
    bool has_second = c + 1u < pc.cols;
    float v0 = is_row(row) ? load_a(row, c) : 0.0;
    float v1 = is_row(row) && has_second ? load_a(row, c + 1u) : 0.0;
    store_b2(to, c, v0, v1, has_second);
}
