// norm: rows less their mean (rms: as they are), over the root of their mean square, times a gain, plus a bias.
// LANES: 32 invocations a row; sums are dot32 (reduce.glsl), then a lane writes pairs of columns. Cost: three loads of A
// an element.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_norm
#define WN_C
#include "common.glsl"
#include "reduce.glsl"
#include "activation.glsl"

float normed(uint at, uint c, float mean, float s)
{
    precise float y = a_element(at + c) - mean;
    y = y * s;
    if (pc.gain_at != WN_NONE) y = y * c_f(pc.gain_at + c);
    if (pc.bias_at != WN_NONE) y = y + c_f(pc.bias_at + c);
    return act(pc.act, y);
}

void main()
{
    uint r = lanes_item(), l = lane();
    bool is_token = r < set_count(pc.n_max, pc.segs, pc.seg_at);
    uint at = a_row(is_token ? r : 0u), cols = is_token ? pc.cols : 0u;
    float mean = 0.0;
    precise float p = 0.0;
    if (pc.rms == 0u) {
        for (uint d = l; d < cols; d += 32u) p = p + a_element(at + d);
        precise float average = dot32(p) * pc.inv_cols;
        mean = average;
        p = 0.0;
    }
    for (uint d = l; d < cols; d += 32u) {
        precise float y = a_element(at + d) - mean;
        y = y * y;
        p = p + y;
    }
    precise float variance = dot32(p) * pc.inv_cols;
    variance = variance + pc.eps;
    float s = rsqrt_(variance);
    for (uint c = 2u * l; c < cols; c += 64u) {
        bool has_second = c + 1u < cols;
        store_b2(r, c, normed(at, c, mean, s), has_second ? normed(at, c + 1u, mean, s) : 0.0, has_second);
    }
}
