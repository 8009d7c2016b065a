// coverage.glsl: what four tokens would cover of the rows that the picks leave uncovered, as greedy_coverage and
// greedy_balance have it. Include after common.glsl; the shader defines covered().
#ifndef COVERAGE_GLSL
#define COVERAGE_GLSL

// S(r, .) of four columns; `from` says where the rows of a segment lie.
vec4 covered(uvec2 from, uint r, uvec4 columns);

// One row's part in the sums of four tokens.
vec4 gain_of(uvec2 from, uint r, uvec4 j, float cur)
{
    vec4 s = covered(from, r, j);
    precise vec4 d = s - cur;
    return mix(vec4(0.0), d, greaterThan(d, vec4(0.0)));
}

vec4 gains(uvec2 from, uint rows, uvec4 j, uint cur_at)
{
    precise vec4 g0 = vec4(0.0), g1 = vec4(0.0), g2 = vec4(0.0), g3 = vec4(0.0);
    for (uint r = 0u; r < rows; r += 4u) {
        g0 = g0 + gain_of(from, r, j, w_f(cur_at + r));
        if (r + 1u < rows) g1 = g1 + gain_of(from, r + 1u, j, w_f(cur_at + r + 1u));
        if (r + 2u < rows) g2 = g2 + gain_of(from, r + 2u, j, w_f(cur_at + r + 2u));
        if (r + 3u < rows) g3 = g3 + gain_of(from, r + 3u, j, w_f(cur_at + r + 3u));
    }
    precise vec4 g01 = g0 + g1;
    precise vec4 g23 = g2 + g3;
    precise vec4 g = g01 + g23;
    return g;
}
#endif
