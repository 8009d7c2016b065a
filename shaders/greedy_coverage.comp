// greedy_coverage: again and again the token that covers most of what the picked ones do not: gain of j = w[j] * sum over
// the rows r of max(0, S(r, j) - cur[r]); cur[r] is the best that a pick covers row r with.
// One workgroup a segment, which stays for all k picks. A token belongs to one invocation, a row's cur too, and all read
// every cur: each pick ends with an exchange. Four tokens at a time share the loads of cur. Shared: the best token.
// Cost: k*n*(n + extra) loads of A and C.
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

// With its weight; a token that is not even like itself is NaN.
float weighted(float gain, uint token, float own)
{
    if (is_nan(own)) return quiet_nan();
    if (pc.weight_at == WN_NONE) return gain;
    float weight = w_f(pc.weight_at + token);
    precise float product = weight * gain;
    return floatBitsToUint(weight) == 0x7f800000u ? weight : product;
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, k = min(w_u(pc.k_at + s), n);
    uint rows = pc.extra + n, cur = pc.cur_at + begin + s * pc.extra, flag = pc.flag_at + begin;
    uvec2 from = uvec2(s * pc.extra, begin);
    if (pc.pick_from == 0u) {
        for (uint r = t; r < rows; r += LOCAL) w_set_f(cur + r, 0.0);
        for (uint j = t; j < n; j += LOCAL) w_set_u(flag + j, 0u);
    }
    exchange();
    uint stop = pc.picks == 0u ? k : min(k, pc.pick_from + pc.picks);
    for (uint pick = pc.pick_from; pick < stop; ++pick) {
        uvec2 best = uvec2(0u, WN_NONE);    // key, place in the segment
        for (uint j = t; j < n; j += 4u * LOCAL) {
            uvec4 place = min(uvec4(j, j + LOCAL, j + 2u * LOCAL, j + 3u * LOCAL), uvec4(n - 1u));
            vec4 gain = gains(from, rows, place, cur);
            for (uint m = 0u; m < 4u && j + m * LOCAL < n; ++m) {
                uint own = j + m * LOCAL;
                if (w_u(flag + own) != 0u) continue;
                float g = m == 0u ? gain.x : m == 1u ? gain.y : m == 2u ? gain.z : gain.w;
                g = weighted(g, begin + own, a_element(a_row(begin + own) + own));
                best = better(best, uvec2(score_key(g), own));
            }
        }
        uint p = group_best(best).y;
        for (uint r = t; r < rows; r += LOCAL) {
            float s_rp = covers(from, r, p);
            if (s_rp > w_f(cur + r)) w_set_f(cur + r, s_rp);
        }
        if (t == 0u) {
            w_set_u(flag + p, 1u);
            if (pc.order_at != WN_NONE) w_set_u(pc.order_at + begin + pick, begin + p);
        }
        exchange();
    }
}
