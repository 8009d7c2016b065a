// ridge_inverse: a symmetric matrix from its eigenvectors and a factor for each.
// THREADS: an invocation an element. Shared: none. Cost: n multiply-adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_ridge_inverse
#include "common.glsl"

void main()
{
    uint u = item() / pc.n, w = item() % pc.n;
    if (u >= pc.n) return;
    precise float sum = 0.0;
    for (uint g = 0u; g < pc.n; ++g) {
        precise float part = load_a(u, pc.n + g) * w_f(pc.factor_at + g);
        precise float product = part * load_a(w, pc.n + g);
        sum = sum + product;
    }
    precise float v = sum * pc.scale;
    store_b(u, w, v);
}
