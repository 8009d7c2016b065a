// fill: W[at .. at+n) = value. One invocation a word.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_fill
#include "common.glsl"

void main()
{
    uint i = item();
    if (i < pc.n) w_set_u(pc.at + i, pc.value);
}
