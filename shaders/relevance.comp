// relevance: rel[i] = scale * sum over the text rows m of cos(A(index[i]), B(m)).
// LANES: 32 invocations a token; two text rows at a time share the loads of x. Shared: the tree of dot32.
// Cost: 1.5 * cols * text_rows loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_relevance
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? w_u(pc.index_at + i) : WN_NONE;
    bool has_x = is_row(entry);
    uint x = has_x ? a_row(entry) : 0u;

    precise float p = 0.0;
    if (has_x) {
        for (uint d = l; d < pc.cols; d += 32u) {
            float v = a_element(x + d);
            precise float vv = v * v;
            p = p + vv;
        }
    }
    float x_factor = norm_factor(dot32(p), COS_EPS2, COS_INV_EPS);

    precise float sum = 0.0;
    for (uint m = 0u; m < pc.text_rows; m += 2u) {
        bool has_second = m + 1u < pc.text_rows;
        uint y = b_row(m), z = has_second ? b_row(m + 1u) : y;
        precise vec4 parts = vec4(0.0);    // x.y, y.y, x.z, z.z
        if (has_x) {
            for (uint d = l; d < pc.cols; d += 32u) {
                float xd = a_element(x + d), yd = b_element(y + d), zd = b_element(z + d);
                precise vec4 products = vec4(xd * yd, yd * yd, xd * zd, zd * zd);
                parts = parts + products;
            }
        }
        vec4 dots = dot32(parts);
        precise float f = x_factor * norm_factor(dots.y, COS_EPS2, COS_INV_EPS);
        precise float c = dots.x * f;
        sum = sum + c;
        if (has_second) {
            f = x_factor * norm_factor(dots.w, COS_EPS2, COS_INV_EPS);
            c = dots.z * f;
            sum = sum + c;
        }
    }
    precise float rel = sum * pc.scale;
    if (is_token && l == 0u) w_set_f(pc.rel_at + i, has_x ? rel : 0.0);
}
