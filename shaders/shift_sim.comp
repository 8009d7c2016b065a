// shift_sim: cosine of token j of frame t with the token `shift` away from its place in frame ref[t], for every shift
// up to the radius; B holds the frames of earlier pushes.
//   c = dot(x,y) * (inv(x) * inv(y)), the bits of frame_sim's
// LANES: a team a token and line of shifts (teams.glsl; where teams are smaller than an item, the last workgroups have none),
// four shifts at once, which share the loads of the token's own row.
// Shared: the tree of dot32, without subgroups. Cost: cols multiply-adds a shift for 5/4 as many loads; the same rows come
// (2*radius+1)^2 times, from caches: a frame and the one before are all that is read meanwhile.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_shift_sim
#include "common.glsl"
#include "reduce.glsl"
#include "teams.glsl"

// Rows y of four shifts: where they begin in A or B, which of them are there, their places in their frame.
struct four_rows { uvec4 at, from; bvec4 there; };

parts masked(parts p, bool there)
{
    return parts(mix(vec4(0.0), p.low, bvec4(there)), mix(vec4(0.0), p.high, bvec4(there)));
}

// Four dots of the row of A that begins at x with rows y of A (is_old: of B).
#define ADD_ROW(p, i, LOAD) p = add_products(p, x, masked(LOAD, y.there[i]));
#define ADD_FOUR(LOAD) ADD_ROW(p0, 0, LOAD(0)) ADD_ROW(p1, 1, LOAD(1)) ADD_ROW(p2, 2, LOAD(2)) ADD_ROW(p3, 3, LOAD(3))
#define A_QUADS(i) a_quads(y.at[i] + d)
#define B_QUADS(i) b_quads(y.at[i] + d)
#define A_PARTS(i) a_parts(y.at[i] + d, cols - d)
#define B_PARTS(i) b_parts(y.at[i] + d, cols - d)
vec4 four_dots(uint x_at, bool has_x, four_rows y, bool is_old, uint cols)
{
    parts p0 = no_parts, p1 = no_parts, p2 = no_parts, p3 = no_parts;
    uint places = y.at.x | y.at.y | y.at.z | y.at.w, d = 0u;
    bool quads = has_quads(x_at) && are_quads(places, is_old ? B_WIDE : A_WIDE);
    uint a_whole = quads && !is_old ? cols & ~31u : 0u, b_whole = quads && is_old ? cols & ~31u : 0u;
    uint a_cols = is_old ? 0u : cols, b_cols = is_old ? cols : 0u;
    for (; d < a_whole; d += 32u) {
        parts x = masked(a_quads(x_at + d), has_x);
        ADD_FOUR(A_QUADS)
    }
    for (; d < b_whole; d += 32u) {
        parts x = masked(a_quads(x_at + d), has_x);
        ADD_FOUR(B_QUADS)
    }
    for (; d < a_cols; d += 32u) {
        parts x = masked(a_parts(x_at + d, cols - d), has_x);
        ADD_FOUR(A_PARTS)
    }
    for (; d < b_cols; d += 32u) {
        parts x = masked(a_parts(x_at + d, cols - d), has_x);
        ADD_FOUR(B_PARTS)
    }
    return team_sums(vec4(sum_of(p0), sum_of(p1), sum_of(p2), sum_of(p3)));
}

// Rows of frame q at line `row` of its grid, at the columns given, clamped.
four_rows rows_at(int q, int row, ivec4 column)
{
    int w = int(pc.grid_w), h = int(pc.tokens) / w;
    uvec4 from = uvec4(clamp(row, 0, h - 1) * w + clamp(column, ivec4(0), ivec4(w - 1)));
    if (q <= -2) {
        uvec4 i = uint(-2 - q) * pc.tokens + from;
        return four_rows(uvec4(b_row(i.x), b_row(i.y), b_row(i.z), b_row(i.w)), from, bvec4(true));
    }
    uvec4 entries = list_entries(pc.rows_at, uint(max(q, 0)) * pc.tokens + from);
    bvec4 there = are_rows(entries);
    entries = mix(uvec4(0u), entries, there);
    return four_rows(uvec4(a_row(entries.x), a_row(entries.y), a_row(entries.z), a_row(entries.w)), from, there);
}

void main()
{
    uint side = 2u * pc.radius + 1u, i = group_index() * TEAMS_HERE + team();
    bool is_item = i < pc.frames * side * pc.tokens;
#ifdef WN_SUBGROUP
    if (!is_item) return;
#endif
    uint j = i % pc.tokens, line = i / pc.tokens % side, t = is_item ? i / (pc.tokens * side) : 0u;
    int q = is_item ? int(w_u(pc.ref_at + t)) : -1, radius = int(pc.radius);
    uint x_entry = q != -1 ? list_entry(pc.rows_at, t * pc.tokens + j) : WN_NONE;
    bool has_x = is_row(x_entry), is_old = q <= -2;
    uint x = has_x ? a_row(x_entry) : 0u, cols = q != -1 ? pc.cols : 0u;
    uint inv_at = is_old ? pc.inv_old_at + uint(-2 - q) * pc.tokens : pc.inv_at + uint(max(q, 0)) * pc.tokens;
    float x_inv = q != -1 ? w_f(pc.inv_at + t * pc.tokens + j) : 0.0;
    uint at = pc.sim_at + (t * side + line) * side * pc.tokens + j;
    for (uint s = 0u; s < side; s += 4u) {
        ivec4 dx = ivec4(min(s + uvec4(0u, 1u, 2u, 3u), uvec4(side - 1u))) - radius;
        four_rows y = rows_at(q, int(j / pc.grid_w) + int(line) - radius, int(j % pc.grid_w) + dx);
        vec4 dots = four_dots(x, has_x, y, is_old, cols);
        for (uint k = 0u; k < 4u; ++k) {
            if (!is_item || member() != 0u || s + k >= side) continue;
            precise float c = 0.0;
            if (q != -1) {
                precise float f = x_inv * w_f(inv_at + y.from[k]);
                c = dots[k] * f;
            }
            w_set_f(at + (s + k) * pc.tokens, c);
        }
    }
}
