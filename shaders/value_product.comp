// value_product: the product of two values a token.
// THREADS: an invocation a token. Shared: none.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_value_product
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    precise float v = w_f(pc.x_at + i) * w_f(pc.y_at + i);
    w_set_f(pc.out_at + i, v);
}
