// load_f32: W.f32[dst + r*cols + c] = A(r, c). One invocation an element.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_load_f32
#include "common.glsl"

void main()
{
    uint i = item();
    if (i < pc.rows * pc.cols) w_set_f(pc.dst_at + i, load_a(i / pc.cols, i % pc.cols));
}
