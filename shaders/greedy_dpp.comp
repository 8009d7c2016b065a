// greedy_dpp: greedy MAP of a determinantal point process. Pick t is the token p of largest d; with
// x = 1/sqrt(d[p]), row t of the Cholesky factor is c_t[j] = (K(p,j) - sum over u of c_u[p] c_u[j]) * x and
// d[j] loses c_t[j]^2.
// One workgroup a segment, which stays for all k picks. A token belongs to one invocation; c_u[p], of a
// neighbour's token, comes through B, so each pick ends with an exchange. Four tokens at a time share the loads
// of c_u[p]. Shared: the best token. Cost: k^2*n/2 loads of B.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_greedy_dpp
#include "common.glsl"
#include "reduce.glsl"

// Drivers differ in numbers below 2^-126: none is left of entries from 2^-60 on and of d from 2^-126 on.
float entry_of(float e) { return abs(e) < 8.67361738e-19 ? 0.0 : e; }
float rest_of(float d) { return abs(d) < 1.17549435e-38 ? 0.0 : d; }

// The kernel at (p, j), given S(p, j).
float kernel(float similarity, float rel_p, float rel_j)
{
    precise float left = rel_p * similarity;
    precise float both = left * rel_j;
    if (pc.mode == 0u) return both;
    precise float plain = pc.one_minus_weight * similarity;
    precise float weighted = pc.weight * both;
    precise float sum = plain + weighted;
    return sum;
}

// The factor of row t: d[p] is a number unless no number is left.
float pivot_factor(float d)
{
    precise float left = d;
    if (pc.mode != 0u) left = d + 1e-6;
    return rsqrt_(!is_nan(left) && left > 1e-12 ? left : 1e-12);
}

// Entries c_t[j] of tokens place.x .. place.w (all below n) of the segment.
vec4 cholesky_entries(uint row_p, uint c_rows, uint t, uint p, uvec4 place, vec4 rel_j, float rel_p, float x)
{
    precise float a0 = kernel(a_element(row_p + place.x), rel_p, rel_j.x);
    precise float a1 = kernel(a_element(row_p + place.y), rel_p, rel_j.y);
    precise float a2 = kernel(a_element(row_p + place.z), rel_p, rel_j.z);
    precise float a3 = kernel(a_element(row_p + place.w), rel_p, rel_j.w);
    for (uint u = 0u; u < t; ++u) {
        uint c = b_row(c_rows + u);
        float at_p = b_element(c + p);
        a0 = a0 - at_p * b_element(c + place.x);
        a1 = a1 - at_p * b_element(c + place.y);
        a2 = a2 - at_p * b_element(c + place.z);
        a3 = a3 - at_p * b_element(c + place.w);
    }
    precise vec4 e = vec4(a0, a1, a2, a3) * x;
    return e;
}

void main()
{
    uint s = group_index(), t_own = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, k = min(w_u(pc.k_at + s), n);
    uint rel = pc.rel_at + begin, d_at = pc.d_at + begin, flag = pc.flag_at + begin, c_rows = s * pc.k_max;

    uvec2 best = uvec2(0u, WN_NONE);    // key, place in the segment
    for (uint j = t_own; j < n; j += LOCAL) {
        if (pc.pick_from != 0u) {    // go on where the picks before left
            if (w_u(flag + j) == 0u) best = better(best, uvec2(score_key(w_f(d_at + j)), j));
            continue;
        }
        float rel_j = w_f(rel + j), d = rest_of(kernel(load_a(begin + j, j), rel_j, rel_j));
        w_set_f(d_at + j, d);
        w_set_u(flag + j, 0u);
        best = better(best, uvec2(score_key(d), j));
    }
    exchange();

    uint stop = pc.picks == 0u ? k : min(k, pc.pick_from + pc.picks);
    for (uint t = pc.pick_from; t < stop; ++t) {
        uint p = group_best(best).y;
        float x = pivot_factor(w_f(d_at + p)), rel_p = w_f(rel + p);
        uint row_p = a_row(begin + p), row_t = b_row(c_rows + t);
        exchange();    // all have read d[p] before its invocation changes it
        if (t_own == 0u && pc.order_at != WN_NONE) w_set_u(pc.order_at + begin + t, begin + p);

        best = uvec2(0u, WN_NONE);    // of the tokens left
        for (uint j = t_own; j < n; j += 4u * LOCAL) {
            uvec4 place = min(uvec4(j, j + LOCAL, j + 2u * LOCAL, j + 3u * LOCAL), uvec4(n - 1u));
            vec4 e = cholesky_entries(row_p, c_rows, t, p, place, w_f4(rel, place), rel_p, x);
            for (uint m = 0u; m < 4u && j + m * LOCAL < n; ++m) {
                uint own = j + m * LOCAL;
                float entry = entry_of(m == 0u ? e.x : m == 1u ? e.y : m == 2u ? e.z : e.w);
                precise float square = entry * entry;
                precise float left = w_f(d_at + own) - square;
                float d = rest_of(left);
                b_set_word(row_t + own, floatBitsToUint(entry));
                w_set_f(d_at + own, d);
                if (own == p) w_set_u(flag + own, 1u);
                if (w_u(flag + own) == 0u) best = better(best, uvec2(score_key(d), own));
            }
        }
        exchange();
    }
}
