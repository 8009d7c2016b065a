// spectral_change: how much each token's high frequencies changed, beside the others': its relative change as a sigmoid of how
// far from the mean it is, times a weight.
// GROUPS: one workgroup; every 32 invocations sum the same. Shared: dot32. Cost: four passes over two numbers a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_spectral_change
#include "common.glsl"
#include "reduce.glsl"

const float LEAST = 1.17549435e-38;    // 2^-126: drivers differ in what is below

bool is_number(float v) { return !is_nan(v) && !is_inf(v); }
bool counts(uint i) { return is_number(w_f(pc.x_at + i)) && is_number(w_f(pc.y_at + i)); }

// NaN: the token does not count.
float change(uint i, float mean)
{
    float x = w_f(pc.x_at + i);
    precise float gap = w_f(pc.y_at + i) - x;
    gap = abs(gap) < LEAST ? 0.0 : abs(gap);
    precise float divisor = mean + x;
    divisor = divisor + 1e-6;
    precise float e = gap * recip_(divisor);
    e = e > 1.0 ? 1.0 : e;
    return counts(i) && divisor < 1.2676506e30 ? e : quiet_nan();
}

float sigmoid(float u)
{
    precise float e = 1.0 + exp_(u < -60.0 ? 60.0 : -u);
    return is_nan(u) ? u : recip_(e);
}

void main()
{
    if (group_index() != 0u) return;
    uint n = w_u(pc.seg_at + pc.segs);
    precise vec4 p = vec4(0.0);
    for (uint i = lane(); i < n; i += 32u)
        if (counts(i)) p = p + vec4(w_f(pc.x_at + i), 1.0, 0.0, 0.0);
    vec4 sums = dot32(p);
    float share = recip_(max(sums.y, 1.0)), rest = recip_(max(sums.y - 1.0, 1.0));
    precise float mean = sums.x * share;

    precise float q = 0.0;
    for (uint i = lane(); i < n; i += 32u) {
        float e = change(i, mean);
        if (!is_nan(e)) q = q + e;
    }
    precise float middle = dot32(q) * share;

    precise float r = 0.0;
    for (uint i = lane(); i < n; i += 32u) {
        precise float off = change(i, mean) - middle;
        precise float square = off * off;
        if (!is_nan(square)) r = r + square;
    }
    precise float variance = dot32(r) * rest;
    precise float spread = sqrt_(variance) + 1e-6;
    float steep = recip_(spread);

    for (uint i = thread(); i < n; i += LOCAL) {
        precise float off = change(i, mean) - middle;
        precise float z = off * steep;
        precise float u = z * pc.sharp;
        float f = sigmoid(u);
        precise float score = pc.weight_at == WN_NONE ? f : f * w_f(pc.weight_at + i);
        w_set_f(pc.score_at + i, abs(score) < LEAST ? 0.0 : score);
    }
}
