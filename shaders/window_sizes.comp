// window_sizes: sizes_new[o] = the sum of the sizes in the window of output cell o (the tables of pool), rows first.
// THREADS: an invocation an output cell. Shared: none. Cost: one load a cell of the window.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_window_sizes
#include "common.glsl"

void main()
{
    uint o = item();
    if (o >= pc.frames * pc.oh * pc.ow) return;
    uint t = o / (pc.oh * pc.ow), y = o / pc.ow % pc.oh, x = o % pc.ow;
    uint y0 = w_u(pc.ystart_at + y), height = w_u(pc.ycount_at + y);
    uint x0 = w_u(pc.xstart_at + x), width = w_u(pc.xcount_at + x);

    precise float sum = 0.0;
    for (uint yy = y0; yy < y0 + height; ++yy)
        for (uint xx = x0; xx < x0 + width; ++xx)
            sum = sum + (pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + (t * pc.h + yy) * pc.w + xx));
    w_set_f(pc.sizes_new_at + o, sum);
}
