// relevance: rel[i] = scale * sum over the text rows m of cos(A(index[i]), B(m)).
// TEAMS: a team a token; two text rows at a time share the loads of x. Shared: dot32 without subgroups.
// Cost: 1.5 * cols * text_rows loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_relevance
#include "common.glsl"
#include "reduce.glsl"
#include "teams.glsl"

// x.y, y.y, x.z, z.z of a row of A and two of B.
vec4 products(uint x, uint y, uint z, bool has_x)
{
    parts xy = no_parts, yy = no_parts, xz = no_parts, zz = no_parts;
    uint d = has_x ? 0u : pc.cols, whole = pc.cols & ~31u;
    bool quads = has_quads(x) && are_quads(y | z, B_WIDE);
    for (; quads && d < whole; d += 32u) {
        parts a = a_quads(x + d), b = b_quads(y + d), c = b_quads(z + d);
        xy = add_products(xy, a, b);
        yy = add_products(yy, b, b);
        xz = add_products(xz, a, c);
        zz = add_products(zz, c, c);
    }
    for (; d < pc.cols; d += 32u) {
        parts a = a_parts(x + d, pc.cols - d), b = b_parts(y + d, pc.cols - d), c = b_parts(z + d, pc.cols - d);
        xy = add_products(xy, a, b);
        yy = add_products(yy, b, b);
        xz = add_products(xz, a, c);
        zz = add_products(zz, c, c);
    }
    return team_sums(vec4(sum_of(xy), sum_of(yy), sum_of(xz), sum_of(zz)));
}

void main()
{
    uint n = w_u(pc.seg_at + pc.segs);
    for (uint first = first_item(); first < n; first += items_step()) {
        uint i = first + team(), entry = i < n ? w_u(pc.index_at + i) : WN_NONE;
        bool has_x = is_row(entry);
        uint x = a_row(entry);
        float x_factor = norm_factor(square_of_row(x, pc.cols, has_x), COS_EPS2, COS_INV_EPS);

        precise float sum = 0.0;
        for (uint m = 0u; m < pc.text_rows; m += 2u) {
            bool has_second = m + 1u < pc.text_rows;
            vec4 dots = products(x, b_row(m), b_row(has_second ? m + 1u : m), has_x);
            precise float f = x_factor * norm_factor(dots.y, COS_EPS2, COS_INV_EPS);
            precise float c = dots.x * f;
            sum = sum + c;
            precise float g = x_factor * norm_factor(dots.w, COS_EPS2, COS_INV_EPS);
            precise float e = dots.z * g;
            precise float both = sum + e;
            sum = has_second ? both : sum;
        }
        precise float rel = sum * pc.scale;
        if (i < n && member() == 0u) w_set_f(pc.rel_at + i, has_x ? rel : 0.0);
    }
}
