// attention.glsl: what the attention operations share. Include after same.glsl.
//
// With BROADCAST_TILES (four.glsl) a lane loads its part of the others, which the rest of its subgroup has by broadcasts: all
// lanes of a subgroup that has a token have to come along (is_idle).
// An invocation has four tokens of its own, neighbours in a segment (rows `own`); all 32 lanes of an item look at the
// same eight others at a time (`other0`, `other1`), whose elements are so loaded once. Vectors run over the own four.
#ifndef ATTENTION_GLSL
#define ATTENTION_GLSL
#include "four.glsl"

const uint OWN = 4u, OTHERS = 8u, ITEM_TOKENS = 32u * OWN;

struct scores { vec4 s0, s1, s2, s3, s4, s5, s6, s7; };

// Chosen by mix(), not by branches, here and below: SwiftShader takes minutes to compile branches inside these loops.
vec4 score_of(scores s, uint j)
{
    bvec4 odd = bvec4((j & 1u) != 0u), upper = bvec4((j & 2u) != 0u);
    vec4 low = mix(mix(s.s0, s.s1, odd), mix(s.s2, s.s3, odd), upper);
    vec4 high = mix(mix(s.s4, s.s5, odd), mix(s.s6, s.s7, odd), upper);
    return mix(low, high, bvec4(j > 3u));
}

// list_entry() with the load in any case: entry 0 of the workspace, where there is no list.
uint entry_of(uint list_at, uint i)
{
    bool there = list_at != WN_NONE;
    return mix(i, W[mix(0u, list_at + i, there)], there);
}
uvec4 entries_of(uint list_at, uvec4 p)
{
    return uvec4(entry_of(list_at, p.x), entry_of(list_at, p.y), entry_of(list_at, p.z), entry_of(list_at, p.w));
}

// Distances of column `col` in the rows of the tokens first .. first+3, those past `last` being `last`.
uvec4 token_rows(uint list_at, uint first, uint last, uint col)
{
    uvec4 e = entries_of(list_at, min(uvec4(first, first + 1u, first + 2u, first + 3u), uvec4(last)));
    return uvec4(a_row(e.x), a_row(e.y), a_row(e.z), a_row(e.w)) + col;
}
uvec4 same4(uvec4 x) { return uvec4(same(x.x), same(x.y), same(x.z), same(x.w)); }

// Whether an invocation whose first token is `first` can leave.
bool is_idle(uint first, uint end)
{
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) first -= thread() % SUB_SIZE * OWN;
#endif
    return first >= end;
}

// How many of the columns from col on, of a head, can be loaded by fours.
uint head_fours(uint col, uint dim) { return ((col | dim) & 3u) == 0u ? by_fours(dim) : 0u; }

#ifdef WN_SUBGROUP
// A lane's others: one of 8 lanes, two of 4.
#define OTHER_ADD(s, x, k, l) y = subgroupBroadcast(x.k, l); s = s + c##k * y;
#define OTHER_EIGHT(k) OTHER_ADD(s0, x, k, 0u) OTHER_ADD(s1, x, k, 1u) OTHER_ADD(s2, x, k, 2u) OTHER_ADD(s3, x, k, 3u) \
    OTHER_ADD(s4, x, k, 4u) OTHER_ADD(s5, x, k, 5u) OTHER_ADD(s6, x, k, 6u) OTHER_ADD(s7, x, k, 7u)
#define OTHER_FOUR(k) OTHER_ADD(s0, x, k, 0u) OTHER_ADD(s1, x, k, 1u) OTHER_ADD(s2, x, k, 2u) OTHER_ADD(s3, x, k, 3u) \
    OTHER_ADD(s4, z, k, 0u) OTHER_ADD(s5, z, k, 1u) OTHER_ADD(s6, z, k, 2u) OTHER_ADD(s7, z, k, 3u)
#define OTHERS_OWN vec4 o0 = a_four(own.x + d), o1 = a_four(own.y + d), o2 = a_four(own.z + d), o3 = a_four(own.w + d), \
    cx = vec4(o0.x, o1.x, o2.x, o3.x), cy = vec4(o0.y, o1.y, o2.y, o3.y), cz = vec4(o0.z, o1.z, o2.z, o3.z), \
    cw = vec4(o0.w, o1.w, o2.w, o3.w);
#endif

// dotseq over `dim` (even) columns of each own row with each other one, times scale; the first `fours` of them may be loaded by
// fours.
scores score_block(uvec4 own, uvec4 other0, uvec4 other1, uint dim, uint fours, float scale)
{
    uint d = 0u;
    precise vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    precise vec4 s4 = vec4(0.0), s5 = vec4(0.0), s6 = vec4(0.0), s7 = vec4(0.0);
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) {
        uint l = thread() % SUB_SIZE, part = l & 3u;
        float y;
        if (SUB_SIZE == 8u) {
            uint at = l < 4u ? other0[part] : other1[part];
            for (; d < fours; d += 4u) {
                vec4 x = a_four(at + d);
                OTHERS_OWN
                OTHER_EIGHT(x) OTHER_EIGHT(y) OTHER_EIGHT(z) OTHER_EIGHT(w)
            }
        } else {
            uint at = other0[part], at2 = other1[part];
            for (; d < fours; d += 4u) {
                vec4 x = a_four(at + d), z = a_four(at2 + d);
                OTHERS_OWN
                OTHER_FOUR(x) OTHER_FOUR(y) OTHER_FOUR(z) OTHER_FOUR(w)
            }
        }
    }
#endif
    for (; d < dim; d += 2u) {
        vec2 x0 = a_pair(own.x + d), x1 = a_pair(own.y + d), x2 = a_pair(own.z + d), x3 = a_pair(own.w + d);
        vec4 a = vec4(x0.x, x1.x, x2.x, x3.x), b = vec4(x0.y, x1.y, x2.y, x3.y);
        vec2 y = a_pair(other0.x + d);
        s0 = s0 + a * y.x; s0 = s0 + b * y.y;
        y = a_pair(other0.y + d);
        s1 = s1 + a * y.x; s1 = s1 + b * y.y;
        y = a_pair(other0.z + d);
        s2 = s2 + a * y.x; s2 = s2 + b * y.y;
        y = a_pair(other0.w + d);
        s3 = s3 + a * y.x; s3 = s3 + b * y.y;
        y = a_pair(other1.x + d);
        s4 = s4 + a * y.x; s4 = s4 + b * y.y;
        y = a_pair(other1.y + d);
        s5 = s5 + a * y.x; s5 = s5 + b * y.y;
        y = a_pair(other1.z + d);
        s6 = s6 + a * y.x; s6 = s6 + b * y.y;
        y = a_pair(other1.w + d);
        s7 = s7 + a * y.x; s7 = s7 + b * y.y;
    }
    s0 = s0 * scale; s1 = s1 * scale; s2 = s2 * scale; s3 = s3 * scale;
    s4 = s4 * scale; s5 = s5 * scale; s6 = s6 * scale; s7 = s7 * scale;
    return scores(s0, s1, s2, s3, s4, s5, s6, s7);
}

vec4 exp4(vec4 x) { return vec4(exp_(x.x), exp_(x.y), exp_(x.z), exp_(x.w)); }

// The larger, "s > m ? s : m": NaN never counts.
vec4 larger(vec4 m, vec4 s) { return mix(m, s, greaterThan(s, m)); }
vec4 largest(vec4 m, scores s, uint count)
{
    m = larger(m, s.s0);
    m = mix(m, larger(m, s.s1), bvec4(count > 1u));
    m = mix(m, larger(m, s.s2), bvec4(count > 2u));
    m = mix(m, larger(m, s.s3), bvec4(count > 3u));
    m = mix(m, larger(m, s.s4), bvec4(count > 4u));
    m = mix(m, larger(m, s.s5), bvec4(count > 5u));
    m = mix(m, larger(m, s.s6), bvec4(count > 6u));
    return mix(m, larger(m, s.s7), bvec4(count > 7u));
}

// What the sums of a block before shrink by when the maximum grows from m to next.
vec4 shrink(vec4 m, vec4 next)
{
    precise vec4 x = m - next;
    return mix(exp4(x), vec4(1.0), equal(floatBitsToUint(next), uvec4(0xff800000u)));
}

// p = size * e^(s - m) of token j; without sizes they are 1.
vec4 weights_of(vec4 s, vec4 m, uint sizes_at, uint j)
{
    bool there = sizes_at != WN_NONE;
    precise vec4 x = s - m;
    precise vec4 p = mix(1.0, w_f(mix(0u, sizes_at + j, there)), there) * exp4(x);
    return p;
}
#endif
