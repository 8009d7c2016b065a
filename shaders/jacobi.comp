// jacobi: eigenvectors of small symmetric matrices H by rotations of pairs: all pairs of a round are apart from each other.
// GROUPS: a workgroup a segment. Elements and the rotations pass between invocations through B and W: three phases a round,
// the rotations, the rows, the columns. Cost: 6*groups^3 multiply-adds a sweep.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_jacobi
#include "common.glsl"
#include "reduce.glsl"


// Pair k of a round in which each of m (even) players meets one other: the last stays, the others go round.
uvec2 pair_of(uint k, uint round, uint m)
{
    uint a = k == 0u ? m - 1u : (round + k) % (m - 1u), b = (round + (m - 1u) - k) % (m - 1u);
    return uvec2(min(a, b), max(a, b));
}

// c and s of the rotation that makes element (p, q) zero.
vec2 rotation(float a, float b, float d)
{
    if (!(abs(d) > 1e-15)) return vec2(1.0, 0.0);
    precise float half_ = (b - a) * 0.5;
    precise float hh = half_ * half_;
    precise float dd = d * d;
    precise float sum = hh + dd;
    precise float root = sum * rsqrt_(sum);
    root = abs(half_) + root;
    precise float t = d * recip_(root);
    if (half_ < 0.0) t = -t;
    precise float tt = t * t;
    tt = 1.0 + tt;
    float c = rsqrt_(tt);
    precise float sine = t * c;
    return vec2(c, sine);
}

// The two elements at `x` and `y` turned.
void turn(uint x, uint y, vec2 cs)
{
    float u = b_element(x), v = b_element(y);
    precise float cu = cs.x * u;
    precise float sv = cs.y * v;
    precise float su = cs.y * u;
    precise float cv = cs.x * v;
    precise float first = cu - sv;
    precise float second = su + cv;
    b_set_word(x, floatBitsToUint(first));
    b_set_word(y, floatBitsToUint(second));
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint n = w_u(pc.groups_at + s), m = (n + 1u) & ~1u, rows = s * pc.most, turns = pc.turns_at + 2u * rows;
    for (uint k = t; k < n * n && pc.first != 0u; k += LOCAL)
        store_b(rows + k / n, pc.most + k % n, k / n == k % n ? 1.0 : 0.0);
    exchange();
    for (uint k = 0u; k < pc.sweeps * (m - 1u) && n > 1u; ++k) {
        uint round = k % (m - 1u), pairs = m / 2u;
        for (uint q = t; q < pairs; q += LOCAL) {
            uvec2 pq = pair_of(q, round, m);
            vec2 cs = vec2(1.0, 0.0);
            if (pq.y < n) cs = rotation(load_b(rows + pq.x, pq.x), load_b(rows + pq.y, pq.y), load_b(rows + pq.x, pq.y));
            w_set_f(turns + 2u * q, cs.x);
            w_set_f(turns + 2u * q + 1u, cs.y);
        }
        exchange();
        for (uint e = t; e < pairs * n; e += LOCAL) {
            uint q = e / n, x = e % n;
            uvec2 pq = pair_of(q, round, m);
            vec2 cs = vec2(w_f(turns + 2u * q), w_f(turns + 2u * q + 1u));
            if (pq.y < n) turn(b_row(rows + pq.x) + x, b_row(rows + pq.y) + x, cs);
        }
        exchange();
        for (uint e = t; e < pairs * n; e += LOCAL) {
            uint q = e / n, row = b_row(rows + e % n);
            uvec2 pq = pair_of(q, round, m);
            vec2 cs = vec2(w_f(turns + 2u * q), w_f(turns + 2u * q + 1u));
            if (pq.y >= n) continue;
            turn(row + pq.x, row + pq.y, cs);
            turn(row + pc.most + pq.x, row + pc.most + pq.y, cs);
        }
        exchange();
    }
    for (uint g = t; g < n; g += LOCAL) {    // the largest first
        uint key = score_key(load_b(rows + g, g)), before = 0u;
        for (uint u = 0u; u < n; ++u) {
            uint other = score_key(load_b(rows + u, u));
            before += other > key || (other == key && u < g) ? 1u : 0u;
        }
        w_set_u(pc.order_at + rows + before, g);
    }
}
