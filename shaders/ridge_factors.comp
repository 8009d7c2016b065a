// ridge_factors: how much of each eigenvector a ridge regression takes, the penalty being the eigenvalue that completes a share
// of the energy. THREADS: one invocation. Shared: none. Cost: three passes over the eigenvalues.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_ridge_factors
#include "common.glsl"

float eigenvalue(uint g)
{
    float e = load_a(g, g);
    return e > 0.0 ? e : 0.0;
}

void main()
{
    if (item() != 0u) return;
    precise float total = 0.0;
    for (uint r = 0u; r < pc.n; ++r) total = total + eigenvalue(w_u(pc.order_at + r));
    precise float wanted = pc.energy * total;
    precise float sum = 0.0;
    float last = 0.0;
    bool is_done = false;
    for (uint r = 0u; r < pc.n && !is_done; ++r) {
        last = eigenvalue(w_u(pc.order_at + r));
        sum = sum + last;
        is_done = sum >= wanted;
    }
    precise float penalty = pc.tiny + last;
    for (uint g = 0u; g < pc.n; ++g) {
        precise float divisor = eigenvalue(g) + penalty;
        w_set_f(pc.factor_at + g, recip_(divisor));
    }
}
