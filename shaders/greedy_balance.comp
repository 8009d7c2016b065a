// greedy_balance: again and again the token of the best sum of three criteria: how relevant it is, how much it covers of what
// the picked ones do not, and how unlike them it is; each over its mean or range among the tokens left.
// One workgroup a segment, which stays for all k picks. A token belongs to one invocation, its gain, flag and cur too; all read
// the list of the tokens whose cur has changed, and the first 32 invocations sum all gains, so each pick has two exchanges.
// Shared: dot32, its sum, counts, the best token. Cost: n*n loads of A, and n for each token that a pick covers better:
// some n/t of them at pick t, where tokens are spread out.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_greedy_balance
#include "common.glsl"
#include "reduce.glsl"
#include "coverage.glsl"

vec4 covered(uvec2 from, uint r, uvec4 j)
{
    uint row = a_row(from.y + r);
    return vec4(a_element(row + j.x), a_element(row + j.y), a_element(row + j.z), a_element(row + j.w));
}

// What makes values comparable: (x - low) * factor.
struct scale {
    float low, factor;
};
scale scale_of(float low, float size) { return scale(low, size > 1e-30 && !is_inf(size) ? recip_(size) : 0.0); }
float scaled(float x, scale by)
{
    precise float moved = x - by.low;
    precise float v = moved * by.factor;
    return v;
}

// Of `count` values by their sum, or by the keys of the least and the greatest.
scale by_mean(float sum, uint count)
{
    precise float mean = sum * recip_(float(max(count, 1u)));
    return scale_of(0.0, count == 0u ? 0.0 : mean);
}
scale by_range(uint least, uint most)
{
    float low = least == 0u ? INFINITY : number_of(~least);
    precise float size = number_of(most) - low;
    return scale_of(low, size);
}

// dot32 of the first 32 invocations, which alone have partial sums.
shared vec4 told;
vec4 first_dot32(vec4 sum)
{
    vec4 all = dot32(sum);
    if (thread() == 0u) told = all;
    barrier();
    return told;
}
uint summed_from(uint n) { return thread() < 32u ? lane() : n; }

scale rel_scale(uint begin, uint n)
{
    if (pc.range == 0u) {
        precise vec4 sum = vec4(0.0);
        uint count = 0u;
        for (uint j = summed_from(n); j < n; j += 32u) {
            float x = w_f(pc.rel_at + begin + j);
            sum = sum + vec4(x < INFINITY ? x : 0.0, 0.0, 0.0, 0.0);    // 0 of a NaN
        }
        for (uint j = thread(); j < n; j += LOCAL) count += w_f(pc.rel_at + begin + j) < INFINITY ? 1u : 0u;
        float all = first_dot32(sum).x;
        return by_mean(all, group_sum(count));
    }
    uint least = 0u, most = 0u;
    for (uint j = thread(); j < n; j += LOCAL) {
        float x = w_f(pc.rel_at + begin + j);
        if (!(x < INFINITY)) continue;
        most = max(most, score_key(x));
        least = max(least, score_key_smallest(x));
    }
    least = group_max(least);
    most = group_max(most);
    return by_range(least, most);
}

// The scales of diversity and coverage among the tokens left.
void find_scales(uint n, uint gain, uint cur, uint flag, out scale diversity, out scale coverage)
{
    if (pc.range == 0u) {
        precise vec4 sum = vec4(0.0);
        uint count = 0u;
        for (uint j = summed_from(n); j < n; j += 32u) {
            bool is_left = w_u(flag + j) == 0u && !is_nan(w_f(gain + j));
            precise float unlike = 1.0 - w_f(cur + j);
            sum = sum + (is_left ? vec4(unlike, w_f(gain + j), 0.0, 0.0) : vec4(0.0));
        }
        for (uint j = thread(); j < n; j += LOCAL) count += w_u(flag + j) == 0u && !is_nan(w_f(gain + j)) ? 1u : 0u;
        vec4 all = first_dot32(sum);
        count = group_sum(count);
        diversity = by_mean(all.x, count);
        coverage = by_mean(all.y, count);
        return;
    }
    uvec2 least = uvec2(0u), most = uvec2(0u);
    for (uint j = thread(); j < n; j += LOCAL) {
        if (w_u(flag + j) != 0u || is_nan(w_f(gain + j))) continue;
        precise float unlike = 1.0 - w_f(cur + j);
        float covers = w_f(gain + j);
        most = max(most, uvec2(score_key(unlike), score_key(covers)));
        least = max(least, uvec2(score_key_smallest(unlike), score_key_smallest(covers)));
    }
    least = uvec2(group_max(least.x), group_max(least.y));
    most = uvec2(group_max(most.x), group_max(most.y));
    diversity = by_range(least.x, most.x);
    coverage = by_range(least.y, most.y);
}

float score(float rel, float unlike, float covers, scale r, scale d, scale c)
{
    precise float diverse = pc.diversity * scaled(unlike, d);
    precise float two = scaled(rel, r) + diverse;
    precise float covering = pc.coverage * scaled(covers, c);
    precise float three = two + covering;
    return rel == INFINITY ? rel : three;
}

// The best token for pick number `pick`; a gain that is NaN is a token's that is NaN.
uint find_best(uint begin, uint n, uint pick, uint list, uint count, uint cur, uint flag, scale r)
{
    uint gain = pc.gain_at + begin;
    uvec2 best = uvec2(0u, WN_NONE);    // key, place in the segment
    scale d = scale(0.0, 0.0), c = scale(0.0, 0.0);
    if (pick > 0u) {
        follow_changes(uvec2(0u, begin), n, list, count, cur, pc.sum_at + 2u * begin, gain);
        exchange();
        find_scales(n, gain, cur, flag, d, c);
    }
    for (uint j = thread(); j < n; j += LOCAL) {
        if (w_u(flag + j) != 0u) continue;
        float rel = w_f(pc.rel_at + begin + j), covers = w_f(gain + j);
        precise float unlike = 1.0 - w_f(cur + j);
        float v = pick == 0u ? rel : score(rel, unlike, covers, r, d, c);
        best = better(best, uvec2(is_nan(covers) ? 0u : score_key(v), j));
    }
    return group_best(best).y;
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, k = min(w_u(pc.k_at + s), n);
    uint cur = pc.cur_at + begin, flag = pc.flag_at + begin, list = pc.list_at + 2u * (begin + s);
    for (uint j = t; j < n && pc.pick_from == 0u; j += LOCAL) {
        w_set_u(cur + j, 0xff800000u);
        w_set_u(flag + j, 0u);
        w_set_u(pc.sum_at + 2u * (begin + j), 0u);
        w_set_u(pc.sum_at + 2u * (begin + j) + 1u, 0u);
        w_set_f(pc.gain_at + begin + j, is_nan(a_element(a_row(begin + j) + j)) ? quiet_nan() : 0.0);
    }
    exchange();
    scale r = rel_scale(begin, n);
    uint count = w_u(list);
    uint stop = pc.picks == 0u ? k : min(k, pc.pick_from + pc.picks);
    for (uint pick = pc.pick_from; pick < stop; ++pick) {
        uint p = find_best(begin, n, pick, list, count, cur, flag, r), row = a_row(begin + p);
        begin_changes();
        for (uint j = t; j < n; j += LOCAL) {
            float like = a_element(row + j), was = w_f(cur + j);
            float now = j == p ? INFINITY : like > was ? like : was;
            if (j == p) {
                w_set_u(flag + j, 1u);
                if (pc.order_at != WN_NONE) w_set_u(pc.order_at + begin + pick, begin + p);
            }
            if (pick > 0u && !(now > was)) continue;
            w_set_f(cur + j, now);
            add_change(list, j, pick == 0u ? INFINITY : was);    // gains begin after the first pick
        }
        exchange();
        count = changed;
    }
    if (t == 0u) w_set_u(list, count);
}
