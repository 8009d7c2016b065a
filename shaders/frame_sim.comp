// frame_sim: cosine similarity (or distance) of token j of frame t with token j of frame ref[t]; B holds the
// frames of earlier pushes.
//   exact: c = dot(x,y) * (f(dot(x,x)) * f(dot(y,y)))
//   bf16 (flags & 2): what torch.nn.functional.cosine_similarity does with bf16 tensors, rounding by rounding.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: 2*cols loads a token, twice that in bf16.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_frame_sim
#include "common.glsl"
#include "reduce.glsl"

float rounded(float x) { return bf16_to_f32(f32_to_bf16(x)); }

// 1 / a row's norm, the norm rounded to bf16 and at least 1e-8; 0 for an infinite one. Of two bf16 numbers no
// quotient is so near the middle of two others that the last bits of the reciprocal decide how it rounds.
float norm_factor_bf16(float s)
{
    if (is_inf(s)) return 0.0;
    precise float root = s * rsqrt_(s);
    float norm = s == 0.0 ? 0.0 : rounded(root);
    return recip_(norm < 1e-8 ? 1e-8 : norm);
}

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < pc.n_max;
    uint t = i / pc.tokens, j = i % pc.tokens;
    int q = is_token ? int(w_u(pc.ref_at + t)) : -1;
    uint x_entry = is_token ? list_entry(pc.rows_at, i) : WN_NONE;
    uint y_entry = q >= 0 ? list_entry(pc.rows_at, uint(q) * pc.tokens + j) : WN_NONE;
    bool is_old = q <= -2;
    bool has_x = q != -1 && is_row(x_entry), has_y = is_old || is_row(y_entry);
    uint x = has_x ? a_row(x_entry) : 0u;
    uint y = is_old ? b_row(uint(-2 - q) * pc.tokens + j) : has_y ? a_row(y_entry) : 0u;
    bool as_bf16 = (pc.flags & 2u) != 0u;

    precise vec3 p = vec3(0.0);
    for (uint d = l; d < pc.cols; d += 32u) {
        float xd = has_x ? a_element(x + d) : 0.0;
        float yd = is_old ? b_element(y + d) : has_y ? a_element(y + d) : 0.0;
        if (as_bf16) { xd = rounded(xd); yd = rounded(yd); }
        precise vec3 products = vec3(xd * yd, xd * xd, yd * yd);
        p = p + products;
    }
    vec4 dots = dot32(vec4(p, 0.0));

    precise float c;
    if (!as_bf16) {
        precise float f = norm_factor(dots.y, COS_EPS2, COS_INV_EPS) * norm_factor(dots.z, COS_EPS2, COS_INV_EPS);
        c = dots.x * f;
    } else {
        float x_factor = norm_factor_bf16(dots.y), y_factor = norm_factor_bf16(dots.z);
        precise float sum = 0.0;
        for (uint d = l; d < pc.cols; d += 32u) {
            float xd = has_x ? a_element(x + d) : 0.0;
            float yd = is_old ? b_element(y + d) : has_y ? a_element(y + d) : 0.0;
            precise float x_unit = rounded(xd) * x_factor, y_unit = rounded(yd) * y_factor;
            precise float product = rounded(x_unit) * rounded(y_unit);
            sum = sum + rounded(product);
        }
        c = rounded(dot32(sum));
    }
    if (!is_token || l != 0u) return;

    precise float distance = 1.0 - c;
    if (as_bf16) distance = rounded(distance);
    float score = (pc.flags & 1u) != 0u ? distance : c;
    w_set_f(pc.score_at + i, q == -1 ? pc.none_value : score);
}
