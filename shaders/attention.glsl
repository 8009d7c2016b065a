// attention.glsl: what the attention operations share. Include after same.glsl.
//
// An invocation has four tokens of its own, neighbours in a segment (rows `own`); all 32 lanes of an item look at the
// same eight others at a time (`other0`, `other1`), whose elements are so loaded once. Vectors run over the own four.
#ifndef ATTENTION_GLSL
#define ATTENTION_GLSL

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

// dotseq over `dim` (even) columns of each own row with each other one, times scale.
scores score_block(uvec4 own, uvec4 other0, uvec4 other1, uint dim, float scale)
{
    precise vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    precise vec4 s4 = vec4(0.0), s5 = vec4(0.0), s6 = vec4(0.0), s7 = vec4(0.0);
    for (uint d = 0u; d < dim; d += 2u) {
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
