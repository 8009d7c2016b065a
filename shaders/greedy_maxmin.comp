// greedy_maxmin: farthest-point selection on the similarity matrix A: again and again the token whose nearest
// pick is the farthest, md[j] = min over the picks p of 1 - A(p, j); or whose value is largest after each pick's discount.
// One workgroup a segment, which stays for all k picks. A token belongs to one invocation, which alone touches
// its md and flag; only the best token goes through shared memory. Cost: k*n loads of A.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_greedy_maxmin
#include "common.glsl"
#include "reduce.glsl"

const float least_normal = 1.17549435e-38;    // drivers differ in what is below

// What is left of a token's value beside a pick so similar.
float discounted(float value, float similarity)
{
    precise float square = similarity * similarity;
    precise float unlike = 1.0 - square;
    precise float left = value * (unlike > 0.0 ? unlike : 0.0);
    if (is_nan(similarity) || is_inf(value)) left = value;
    return left < least_normal ? 0.0 : left;
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u), k = min(w_u(pc.k_at + s), end - begin);

    uvec2 best = uvec2(0u, WN_NONE);
    for (uint j = begin + t; j < end; j += LOCAL) {
        if (pc.pick_from != 0u) {    // go on where the picks before left
            if (w_u(pc.flag_at + j) == 0u) best = better(best, uvec2(score_key(w_f(pc.md_at + j)), j));
            continue;
        }
        float first = w_f(pc.first_at + j);
        if (pc.discount != 0u && first < least_normal) first = 0.0;
        w_set_u(pc.md_at + j, is_nan(first) ? 0x7fc00000u : pc.discount != 0u ? floatBitsToUint(first) : 0x7f800000u);
        w_set_u(pc.flag_at + j, 0u);
        best = better(best, uvec2(score_key(first), j));
    }
    uint stop = pc.picks == 0u ? k : min(k, pc.pick_from + pc.picks);
    for (uint pick = pc.pick_from; pick < stop; ++pick) {
        uint p = group_best(best).y;
        if (t == 0u && pc.order_at != WN_NONE) w_set_u(pc.order_at + begin + pick, p);

        best = uvec2(0u, WN_NONE);    // of the tokens left
        uint row = a_row(p);
        for (uint j = begin + t; j < end; j += LOCAL) {
            float md = w_f(pc.md_at + j);
            precise float distance = 1.0 - a_element(row + (j - begin));
            precise float weighted = distance * (pc.weighted != 0u ? w_f(pc.weight_at + j) : 1.0);
            if (pc.weighted != 0u) distance = weighted;
            if (pc.discount != 0u) {
                md = discounted(md, a_element(row + (j - begin)));
                w_set_f(pc.md_at + j, md);
            } else if (!is_nan(distance) && !is_nan(md) && distance < md) {
                md = distance;
                w_set_f(pc.md_at + j, md);
            }
            if (j == p) w_set_u(pc.flag_at + j, 1u);
            if (w_u(pc.flag_at + j) == 0u) best = better(best, uvec2(score_key(md), j));
        }
    }
}
