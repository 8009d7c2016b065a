// density: e^-(mean of the k smallest squared distances of a point, itself among them), and its largest distance.
// GROUPS: one workgroup a point. Each of k rounds takes the nearest point that comes strictly after the last one in the
// order (distance up, then place up), so nothing has to be marked.
// Shared: the reduction of a round. Cost: (k + 1) * n loads of A.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_density
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint e = group_index();
    if (e >= pc.n_max || e >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(e, pc.seg_at, pc.segs);
    uint n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s);
    uint k = pc.k_at == WN_NONE ? pc.k : min(pc.k, w_u(pc.k_at + s));

    uint far = 0u;
    for (uint u = thread(); u < n; u += LOCAL) far = max(far, score_key(load_a(e, u)));
    far = group_max(far);

    uvec2 last = uvec2(0xffffffffu, 0u);    // above every key
    precise float sum = 0.0;
    uint count = 0u;
    for (uint round = 0u; round < max(k, 1u) && last.x != 0u; ++round) {
        uvec2 own = uvec2(0u, WN_NONE);
        for (uint u = thread(); u < n; u += LOCAL) {
            uint key = score_key_smallest(load_a(e, u));
            if (key < last.x || (key == last.x && u > last.y)) own = better(own, uvec2(key, u));
        }
        last = group_best(own);
        if (last.x == 0u) break;
        precise float distance = key_score(~last.x);
        sum = sum + distance;
        ++count;
    }
    if (thread() != 0u) return;
    precise float mean = count == 0u ? quiet_nan() : sum * recip_(float(count));
    w_set_f(pc.density_at + e, exp_(-mean));
    w_set_f(pc.far_at + e, far == 0u ? quiet_nan() : key_score(far));
}
