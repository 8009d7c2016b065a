// peaks: a point's density times its distance to the nearest denser point; the densest has the segment's largest distance.
// GROUPS: one workgroup a point. Shared: the two reductions. Cost: n loads of A, two of W for each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_peaks
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint e = group_index();
    if (e >= pc.n_max || e >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(e, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    float density = w_f(pc.density_at + e);
    uint key = score_key(density), place = e - begin;

    uint near = 0u, far = 0u;
    for (uint u = thread(); u < n; u += LOCAL) {
        uint other = score_key(w_f(pc.density_at + begin + u));
        bool counts = pc.sparser != 0u ? other < key || (other == key && u > place) : other > key || (other == key && u < place);
        if (counts) near = max(near, score_key_smallest(load_a(e, u)));
        far = max(far, score_key(w_f(pc.far_at + begin + u)));
    }
    near = group_max(near);
    far = group_max(far);
    if (thread() != 0u) return;
    float v = near != 0u ? key_score(~near) : far != 0u ? key_score(far) : quiet_nan();
    precise float score = sqrt_(v) * density;
    w_set_f(pc.score_at + e, is_nan(density) ? density : score);
}
