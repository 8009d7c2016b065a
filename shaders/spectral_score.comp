// spectral_score: v[i] = scale * the sum of |x - low|, x a token, low what a circular kernel along its column gives of B.
// LANES: a team a token (teams.glsl); with small subgroups there are more teams than tokens. Neighbours in number are neighbours
// in a column, whose rows of B they share. Shared: dot32 without subgroups. Cost: taps loads of B a channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_spectral_score
#include "common.glsl"
#include "reduce.glsl"
#include "teams.glsl"
#include "same.glsl"

// A token's first channel, the first of its column's rows of B, from each of those to the next, and weight[-y].
struct place {
    uint x, column, next, weight;
    bool is_row;
};

float weight_of(place o, uint k) { return w_f(same(o.weight + k)); }
vec4 size_of(vec4 v) { return uintBitsToFloat(floatBitsToUint(v) & 0x7fffffffu); }

// ---- large subgroups: one channel of every 32 a lane, four of them at a time ---------------------------------------
vec4 a_columns(uint row, uint c)
{
    vec4 v = vec4(a_element(row + c), 0.0, 0.0, 0.0);
    if (c + 32u < pc.cols) v.y = a_element(row + c + 32u);
    if (c + 64u < pc.cols) v.z = a_element(row + c + 64u);
    if (c + 96u < pc.cols) v.w = a_element(row + c + 96u);
    return v;
}
vec4 b_columns(uint row, uint c)
{
    vec4 v = vec4(b_element(row + c), 0.0, 0.0, 0.0);
    if (c + 32u < pc.cols) v.y = b_element(row + c + 32u);
    if (c + 64u < pc.cols) v.z = b_element(row + c + 64u);
    if (c + 96u < pc.cols) v.w = b_element(row + c + 96u);
    return v;
}
parts gaps_by_lanes(place o)
{
    precise float p = 0.0;
    for (uint c = member(); c < pc.cols; c += 128u) {
        precise vec4 low = vec4(0.0);
        for (uint k = 0u; k < pc.taps; ++k) {
            precise vec4 part = weight_of(o, k) * b_columns(o.column + k * o.next, c);
            low = low + part;
        }
        precise vec4 gap = (o.is_row ? a_columns(o.x, c) : vec4(0.0)) - low;
        vec4 size = size_of(gap);
        p = p + size.x;
        p = p + size.y;
        p = p + size.z;
        p = p + size.w;
    }
    return parts(vec4(p, 0.0, 0.0, 0.0), vec4(0.0));
}

// ---- small ones: a member's neighbouring channels of every 32 -------------------------------------------------------
parts with_gaps(parts sum, parts a, parts low)
{
    precise vec4 x = a.low - low.low, y = a.high - low.high;
    precise vec4 new_low = sum.low + size_of(x), new_high = sum.high + size_of(y);
    return parts(new_low, new_high);
}
parts with_row(parts sum, parts row, float w)
{
    precise vec4 x = row.low * w, y = PARTS == 8u ? row.high * w : vec4(0.0);
    precise vec4 new_low = sum.low + x, new_high = sum.high + y;
    return parts(new_low, new_high);
}
parts gaps_by_parts(place o)
{
    parts p = no_parts;
    uint c = 0u, whole = pc.cols & ~31u;
    bool quads = has_quads(o.x) && are_quads(o.column | o.next, B_WIDE);
    for (; quads && c < whole; c += 32u) {
        parts low = no_parts;
        for (uint k = 0u; k < pc.taps; ++k) low = with_row(low, b_quads(o.column + k * o.next + c), weight_of(o, k));
        parts x = no_parts;
        if (o.is_row) x = a_quads(o.x + c);
        p = with_gaps(p, x, low);
    }
    for (; c < pc.cols; c += 32u) {
        parts low = no_parts;
        for (uint k = 0u; k < pc.taps; ++k)
            low = with_row(low, b_parts(o.column + k * o.next + c, pc.cols - c), weight_of(o, k));
        parts x = no_parts;
        if (o.is_row) x = a_parts(o.x + c, pc.cols - c);
        p = with_gaps(p, x, low);
    }
    return p;
}

void main()
{
    uint q = group_index() * TEAMS_HERE + team(), y = q % pc.h, column = q / pc.h;
    uint t = column / pc.grid_w, x = column - t * pc.grid_w, i = (t * pc.h + y) * pc.grid_w + x;
    bool is_token = t < pc.frames;
    uint entry = is_token ? list_entry(pc.rows_at, i) : WN_NONE;
    place o = place(is_row(entry) ? a_row(entry) : 0u, b_row(t * pc.h * pc.grid_w + x), pc.grid_w * pc.b_stride,
                    pc.weight_at - y, is_row(entry));
    parts p = no_parts;
    if (is_token) {
        if (PARTS == 1u) p = gaps_by_lanes(o);
        else p = gaps_by_parts(o);
    }
    precise float v = team_sum(p) * pc.scale;
    if (is_token && member() == 0u) w_set_f(pc.v_at + i, v);
}
