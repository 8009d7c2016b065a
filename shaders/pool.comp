// pool: B(o, c) = scale * sum over ty, tx of (wy[ty]*wx[tx]) * x(ystart + ty, xstart + tx), separable windows given by
// tables for each output row and column.
// THREADS: an invocation two neighbouring columns of an output cell. Shared: none.
// Cost: one load of A a cell of the window and column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pool
#include "common.glsl"

void main()
{
    uint pairs = (pc.cols + 1u) >> 1, o = item() / pairs, c = 2u * (item() % pairs);
    if (o >= pc.frames * pc.oh * pc.ow) return;
    uint t = o / (pc.oh * pc.ow), y = o / pc.ow % pc.oh, x = o % pc.ow;
    uint y0 = w_u(pc.ystart_at + y), height = w_u(pc.ycount_at + y);
    uint x0 = w_u(pc.xstart_at + x), width = w_u(pc.xcount_at + x);
    bool has_second = c + 1u < pc.cols;

    precise vec2 sum = vec2(0.0);
    for (uint ty = 0u; ty < height; ++ty) {
        float wy = w_f(pc.yweight_at + y * pc.ytaps + ty);
        uint cells = pc.rows_at + (t * pc.h + y0 + ty) * pc.w + x0;
        for (uint tx = 0u; tx < width; ++tx) {
            precise float w = wy * w_f(pc.xweight_at + x * pc.xtaps + tx);
            uint row = w_u(cells + tx);
            vec2 v = vec2(0.0);
            if (is_row(row)) v = vec2(load_a(row, c), has_second ? load_a(row, c + 1u) : 0.0);
            precise vec2 wv = vec2(w) * v;
            sum = sum + wv;
        }
    }
    precise vec2 mean = sum * vec2(pc.scale);
    store_b2(o, c, mean.x, mean.y, has_second);
}
