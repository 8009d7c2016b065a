// softmax of a list of numbers, times a scale; NaN counts as nothing.
// GROUPS: one workgroup; every 32 invocations sum the same. Shared: dot32. Cost: three passes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_softmax
#include "common.glsl"
#include "reduce.glsl"

float power(uint i, float m)
{
    precise float far = w_f(pc.x_at + i) - m;
    precise float z = far * pc.scale;
    return is_nan(z) ? 0.0 : exp_(z);
}

void main()
{
    if (group_index() != 0u) return;
    bool least = pc.scale < 0.0;
    uint key = 0u;
    for (uint i = thread(); i < pc.n; i += LOCAL) {
        float x = w_f(pc.x_at + i);
        key = max(key, least ? score_key_smallest(x) : score_key(x));
    }
    key = group_max(key);
    float m = number_of(least && key != 0u ? ~key : key);

    precise float p = 0.0;
    for (uint i = lane(); i < pc.n; i += 32u) p = p + power(i, m);
    float l = dot32(p);
    float factor = l == 0.0 ? 0.0 : recip_(l);
    for (uint i = thread(); i < pc.n; i += LOCAL) {
        precise float share = power(i, m) * factor;
        w_set_f(pc.p_at + i, share < 1.17549435e-38 ? 0.0 : share);    // drivers differ in what is below
    }
}
