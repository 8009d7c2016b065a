// power: v = v^p, e^(p ln v). One invocation a token. Cost: a logarithm and an exponential.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_power
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    float v = w_f(pc.v_at + i);
    uint u = floatBitsToUint(v);
    if (is_nan(v) || u == 0x7f800000u) return;
    precise float power = pc.p * log_(v);
    power = exp_(power);
    uint size = u & 0x7fffffffu;
    if (size < 0x00800000u) power = pc.p > 0.0 ? 0.0 : 1.0;
    else if (u != size) power = quiet_nan();
    w_set_f(pc.v_at + i, power);
}
