// greedy_coverage: again and again the token that covers most of what the picked ones do not: gain of j = w[j] * sum over
// the rows r of max(0, S(r, j) - cur[r]); cur[r] is the best that a pick covers row r with.
// One workgroup a segment, which stays for all k picks. A token belongs to one invocation, its gain and flag too, and so does a
// row's cur; all read the list of the rows whose cur has changed, so that each pick ends with an exchange. Four tokens at a time
// share the loads of the list. Shared: the best token. Cost: n*(n + extra) loads of A and C, and n for each row that a pick
// covers better: some (n + extra)/t of them at pick t, where tokens are spread out.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define WN_C
#define ARGS wn_args_greedy_coverage
#include "common.glsl"
#include "reduce.glsl"
#include "coverage.glsl"

// S of row r of the segment's rows (first those of C, from row from.x on, then those of A, from row from.y on) with column j.
float covers(uvec2 from, uint r, uint j)
{
    float s;
    if (r < pc.extra) s = c_element(c_row(from.x + r) + j);
    else s = a_element(a_row(from.y + r - pc.extra) + j);
    return s;
}
vec4 covered(uvec2 from, uint r, uvec4 j)
{
    return vec4(covers(from, r, j.x), covers(from, r, j.y), covers(from, r, j.z), covers(from, r, j.w));
}

// With its weight.
float weighted(float gain, uint token)
{
    if (pc.weight_at == WN_NONE || is_nan(gain)) return gain;
    float weight = w_f(pc.weight_at + token);
    precise float product = weight * gain;
    return floatBitsToUint(weight) == 0x7f800000u ? weight : product;
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, k = min(w_u(pc.k_at + s), n);
    uint rows = pc.extra + n, first_row = begin + s * pc.extra, cur = pc.cur_at + first_row;
    uint list = pc.list_at + 2u * (first_row + s), sum = pc.sum_at + 2u * begin, gain = pc.gain_at + begin;
    uint flag = pc.flag_at + begin;
    uvec2 from = uvec2(s * pc.extra, begin);
    if (pc.pick_from == 0u) {
        for (uint r = t; r < rows; r += LOCAL) {    // nothing was uncovered, now everything is
            w_set_f(cur + r, 0.0);
            w_set_u(list + 2u + 2u * r, r);
            w_set_f(list + 2u + 2u * r + 1u, INFINITY);
        }
        for (uint j = t; j < n; j += LOCAL) {
            w_set_u(flag + j, 0u);
            w_set_u(sum + 2u * j, 0u);
            w_set_u(sum + 2u * j + 1u, 0u);
            w_set_f(gain + j, is_nan(a_element(a_row(begin + j) + j)) ? quiet_nan() : 0.0);
        }
    }
    exchange();
    uint count = pc.pick_from == 0u ? rows : w_u(list);
    uint stop = pc.picks == 0u ? k : min(k, pc.pick_from + pc.picks);
    for (uint pick = pc.pick_from; pick < stop; ++pick) {
        follow_changes(from, n, list, count, cur, sum, gain);
        uvec2 best = uvec2(0u, WN_NONE);    // key, place in the segment
        for (uint j = t; j < n; j += LOCAL)
            if (w_u(flag + j) == 0u) best = better(best, uvec2(score_key(weighted(w_f(gain + j), begin + j)), j));
        uint p = group_best(best).y;
        begin_changes();
        for (uint r = t; r < rows; r += LOCAL) {
            float s_rp = covers(from, r, p), was = w_f(cur + r);
            if (!(s_rp > was)) continue;
            w_set_f(cur + r, s_rp);
            add_change(list, r, was);
        }
        if (t == 0u) {
            w_set_u(flag + p, 1u);
            if (pc.order_at != WN_NONE) w_set_u(pc.order_at + begin + pick, begin + p);
        }
        exchange();
        count = changed;
    }
    if (t == 0u) w_set_u(list, count);
}
