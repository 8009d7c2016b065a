// prefer: numbers of tokens without a flag times a factor, so that they come behind the others.
// THREADS: an invocation a token. Shared: none. Cost: two loads, one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_prefer
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    float v = w_f(pc.v_at + i);
    precise float behind = v * pc.factor;
    w_set_f(pc.out_at + i, w_u(pc.flag_at + i) != 0u ? v : behind);
}
