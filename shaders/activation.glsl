// activation.glsl: the activations of ops_args.h (WN_ACT_*). Include after common.glsl.
#ifndef ACTIVATION_GLSL
#define ACTIVATION_GLSL

float sigmoid(float x)
{
    precise float e = 1.0 + exp_(x < -60.0 ? 60.0 : -x);
    return recip_(e);
}

float half_of(float v) { return f16_to_f32(f32_to_f16(v)); }

float plain_act(uint kind, float v)
{
    precise float y = v, t;
    if (kind == WN_ACT_GELU_ERF) {
        t = v * 0.70710678;
        t = 1.0 + erf_(t);
        y = 0.5 * v;
        y = y * t;
    } else if (kind == WN_ACT_GELU_TANH) {
        t = v * v;
        t = t * v;
        t = 0.044715 * t;
        t = v + t;
        t = 1.59576912 * t;
        y = v * sigmoid(t);
    } else if (kind == WN_ACT_QUICK) {
        t = 1.702 * v;
        y = v * sigmoid(t);
    } else if (kind == WN_ACT_SILU) {
        y = v * sigmoid(v);
    } else if (kind == WN_ACT_RELU) {
        y = v < 0.0 ? 0.0 : v;
    }
    return y;
}

float act(uint kind, float v)
{
    if (kind == WN_ACT_GELU_TANH_HALF)
        return v <= -10.0 ? 0.0 : v >= 10.0 ? v : half_of(plain_act(WN_ACT_GELU_TANH, half_of(v)));
    if (kind == WN_ACT_QUICK_HALF) return half_of(plain_act(WN_ACT_QUICK, half_of(v)));
    return plain_act(kind, v);
}
#endif
