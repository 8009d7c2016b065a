// curvature: how sharply the path of the frames' unit vectors turns at each of them; 1 at both ends.
// LANES: 32 invocations a row. Shared: the tree of dot32. Cost: three loads a channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_curvature
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint t = lanes_item(), l = lane();
    bool is_inner = t > 0u && t + 1u < pc.n;
    precise vec3 p = vec3(0.0);
    if (is_inner) {
        float f0 = w_f(pc.inv_at + t - 1u), f1 = w_f(pc.inv_at + t), f2 = w_f(pc.inv_at + t + 1u);
        uint r0 = a_row(t - 1u), r1 = a_row(t), r2 = a_row(t + 1u);
        for (uint d = l; d < pc.cols; d += 32u) {
            precise float u0 = a_element(r0 + d) * f0, u1 = a_element(r1 + d) * f1, u2 = a_element(r2 + d) * f2;
            precise float x = u1 - u0, y = u2 - u1;
            precise vec3 products = vec3(x * x, x * y, y * y);
            p = p + products;
        }
    }
    vec4 dots = dot32(vec4(p, 0.0));
    if (t >= pc.n || l != 0u) return;
    precise float f = norm_factor(dots.x, 1e-12, 1e6) * norm_factor(dots.z, 1e-12, 1e6);
    precise float c = dots.y * f;
    precise float turn = 1.0 - c;
    w_set_f(pc.curve_at + t, is_inner ? turn : 1.0);
}
