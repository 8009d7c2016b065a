// frame_sim: cosine similarity (or distance) of token j of frame t with token j of frame ref[t]; B holds the
// frames of earlier pushes.
//   exact: c = dot(x,y) * (f(dot(x,x)) * f(dot(y,y)))
//   bf16 (flags & 2): what torch.nn.functional.cosine_similarity does with bf16 tensors, rounding by rounding.
// TEAMS: a team a token. Shared: dot32 without subgroups. Cost: 2*cols loads a token, twice that in bf16.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_frame_sim
#include "common.glsl"
#include "reduce.glsl"
#include "teams.glsl"

float rounded(float x) { return bf16_to_f32(f32_to_bf16(x)); }
vec4 rounded(vec4 v) { return vec4(rounded(v.x), rounded(v.y), rounded(v.z), rounded(v.w)); }
parts rounded(parts p) { return parts(rounded(p.low), rounded(p.high)); }
parts scaled(parts p, float factor)
{
    precise vec4 low = p.low * factor, high = p.high * factor;
    return parts(low, high);
}

// 1 / a row's norm, the norm rounded to bf16 and at least 1e-8; 0 for an infinite one. Of two bf16 numbers no
// quotient is so near the middle of two others that the last bits of the reciprocal decide how it rounds.
float norm_factor_bf16(float s)
{
    if (is_inf(s)) return 0.0;
    precise float root = s * rsqrt_(s);
    float norm = s == 0.0 ? 0.0 : rounded(root);
    return recip_(norm < 1e-8 ? 1e-8 : norm);
}

// Two rows: where each begins, and how many of its elements are there (none: 0). y may be one of B.
struct pair_of_rows {
    uint x, y, x_cols, y_cols;
    bool is_old;
};

parts x_parts(pair_of_rows r, uint d) { return a_parts(r.x + d, max(r.x_cols, d) - d); }
parts y_parts(pair_of_rows r, uint d)
{
    uint n = max(r.y_cols, d) - d;
    parts v = a_parts(r.y + d, r.is_old ? 0u : n);
    for (bool old = r.is_old; old; old = false) v = b_parts(r.y + d, n);    // a jump, where branches are none
    return v;
}

// x.y, x.x, y.y
vec3 products(pair_of_rows r)
{
    parts xy = no_parts, xx = no_parts, yy = no_parts;
    uint d = 0u, most = max(r.x_cols, r.y_cols), whole = min(r.x_cols, r.y_cols) & ~31u;
    bool quads = !r.is_old && has_quads(r.x) && has_quads(r.y);
    for (; quads && d < whole; d += 32u) {
        parts x = a_quads(r.x + d), y = a_quads(r.y + d);
        xy = add_products(xy, x, y);
        xx = add_products(xx, x, x);
        yy = add_products(yy, y, y);
    }
    for (; d < most; d += 32u) {
        parts x = x_parts(r, d), y = y_parts(r, d);
        xy = add_products(xy, x, y);
        xx = add_products(xx, x, x);
        yy = add_products(yy, y, y);
    }
    return team_sums(vec4(sum_of(xy), sum_of(xx), sum_of(yy), 0.0)).xyz;
}

// The same of the elements rounded to bf16.
vec3 products_bf16(pair_of_rows r)
{
    parts xy = no_parts, xx = no_parts, yy = no_parts;
    for (uint d = 0u, most = max(r.x_cols, r.y_cols); d < most; d += 32u) {
        parts x = rounded(x_parts(r, d)), y = rounded(y_parts(r, d));
        xy = add_products(xy, x, y);
        xx = add_products(xx, x, x);
        yy = add_products(yy, y, y);
    }
    return team_sums(vec4(sum_of(xy), sum_of(xx), sum_of(yy), 0.0)).xyz;
}

float cosine_bf16(pair_of_rows r)
{
    const parts one = parts(vec4(1.0), vec4(1.0));
    vec3 dots = products_bf16(r);
    float x_factor = norm_factor_bf16(dots.y), y_factor = norm_factor_bf16(dots.z);
    parts sum = no_parts;
    for (uint d = 0u, most = max(r.x_cols, r.y_cols); d < most; d += 32u) {
        parts x = rounded(scaled(rounded(x_parts(r, d)), x_factor));
        parts y = rounded(scaled(rounded(y_parts(r, d)), y_factor));
        sum = add_products(sum, rounded(add_products(no_parts, x, y)), one);
    }
    return rounded(team_sum(sum));
}

float cosine(pair_of_rows r)
{
    vec3 dots = products(r);
    precise float f = norm_factor(dots.y, COS_EPS2, COS_INV_EPS) * norm_factor(dots.z, COS_EPS2, COS_INV_EPS);
    precise float c = dots.x * f;
    return c;
}

void main()
{
    bool as_bf16 = (pc.flags & 2u) != 0u;
    for (uint first = first_item(); first < pc.n_max; first += items_step()) {
        uint i = first + team(), t = i / pc.tokens, j = i - t * pc.tokens;
        bool is_token = i < pc.n_max;
        int q = is_token ? int(w_u(pc.ref_at + t)) : -1;
        uint x_entry = is_token ? list_entry(pc.rows_at, i) : WN_NONE;
        uint y_entry = q >= 0 ? list_entry(pc.rows_at, uint(q) * pc.tokens + j) : WN_NONE;
        bool is_old = q <= -2, has_x = q != -1 && is_row(x_entry), has_y = is_old || is_row(y_entry);
        pair_of_rows r = pair_of_rows(a_row(x_entry), is_old ? b_row(uint(-2 - q) * pc.tokens + j) : a_row(y_entry),
                                      has_x ? pc.cols : 0u, has_y ? pc.cols : 0u, is_old);
        float c = 0.0;
        for (bool once = as_bf16; once; once = false) c = cosine_bf16(r);
        for (bool once = !as_bf16; once; once = false) c = cosine(r);

        precise float distance = 1.0 - c;
        if (as_bf16) distance = rounded(distance);
        float score = (pc.flags & 1u) != 0u ? distance : c;
        if (is_token && member() == 0u) w_set_f(pc.score_at + i, q == -1 ? pc.none_value : score);
    }
}
