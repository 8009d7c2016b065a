// row_second: score[i] = the second smallest distance 1 - A(i, u) in the segment of i: with the smallest, that
// of i to itself, left out, how far its nearest neighbour is.
// One workgroup a token: each invocation keeps the two nearest of its columns, then the workgroup finds the
// nearest of all, and the nearest without that one. Shared: the two maxima. Cost: n loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_second
#include "common.glsl"
#include "reduce.glsl"

// The distance as a key: the nearest is the largest; NaN counts as infinity.
uint nearness(float similarity, float weight)
{
    precise float distance = 1.0 - similarity;
    precise float weighted = distance * weight;
    if (pc.weighted != 0u) distance = weighted;
    return score_key_smallest(is_nan(distance) ? uintBitsToFloat(0x7f800000u) : distance);
}
float distance_of(uint nearness)
{
    uint key = ~nearness;
    return uintBitsToFloat((key & 0x80000000u) != 0u ? key & 0x7fffffffu : ~key);
}

void main()
{
    uint i = group_index();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;

    float weight = pc.weighted != 0u ? w_f(pc.weight_at + i) : 1.0;
    uvec2 nearest = uvec2(0u, WN_NONE);    // key, column
    uint second = 0u;
    for (uint u = thread(); u < n; u += LOCAL) {
        uint key = nearness(load_a(i, u), weight);
        if (key > nearest.x) {
            second = nearest.x;
            nearest = uvec2(key, u);
        } else {
            second = max(second, key);
        }
    }
    uvec2 best = group_best(nearest);
    uint other = group_max(best.y == nearest.y ? second : nearest.x);
    if (thread() != 0u) return;

    float own = is_nan(weight) ? weight : load_a(i, i - begin);
    w_set_f(pc.score_at + i, is_nan(own) ? own : distance_of(n == 1u ? best.x : other));
}
