// spectral_score: v[i] = scale * the sum of |x - low|, x a token, low what a circular kernel along its column gives of B.
// LANES: 32 invocations a token, each with four channels at a time; neighbours in number are neighbours in a column, whose
// rows of B they share. Shared: the tree of dot32. Cost: taps loads of B a channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_spectral_score
#include "common.glsl"
#include "reduce.glsl"
#include "same.glsl"

// Channels c, c + 32, c + 64 and c + 96 of a row; past the last one zero.
vec4 a_columns(uint row, uint c)
{
    vec4 v = vec4(0.0);
    v.x = a_element(row + c);
    if (c + 32u < pc.cols) v.y = a_element(row + c + 32u);
    if (c + 64u < pc.cols) v.z = a_element(row + c + 64u);
    if (c + 96u < pc.cols) v.w = a_element(row + c + 96u);
    return v;
}
vec4 b_columns(uint row, uint c)
{
    vec4 v = vec4(0.0);
    v.x = b_element(row + c);
    if (c + 32u < pc.cols) v.y = b_element(row + c + 32u);
    if (c + 64u < pc.cols) v.z = b_element(row + c + 64u);
    if (c + 96u < pc.cols) v.w = b_element(row + c + 96u);
    return v;
}

void main()
{
    uint q = lanes_item(), l = lane(), y = q % pc.h, column = q / pc.h;
    uint t = column / pc.grid_w, x = column - t * pc.grid_w, i = (t * pc.h + y) * pc.grid_w + x;
    bool is_token = t < pc.frames;
    uint entry = is_token ? list_entry(pc.rows_at, i) : WN_NONE;
    uint row = is_row(entry) ? a_row(entry) : 0u, first = b_row(t * pc.h * pc.grid_w + x), step_ = pc.grid_w * pc.b_stride;
    precise float p = 0.0;
    for (uint c = l; c < pc.cols && is_token; c += 128u) {
        precise vec4 low = vec4(0.0);
        for (uint k = 0u; k < pc.taps; ++k) {
            precise vec4 part = w_f(same(pc.weight_at - y + k)) * b_columns(first + k * step_, c);
            low = low + part;
        }
        precise vec4 gap = (is_row(entry) ? a_columns(row, c) : vec4(0.0)) - low;
        vec4 size = uintBitsToFloat(floatBitsToUint(gap) & 0x7fffffffu);
        p = p + size.x;
        p = p + size.y;
        p = p + size.z;
        p = p + size.w;
    }
    precise float v = dot32(p) * pc.scale;
    if (is_token && l == 0u) w_set_f(pc.v_at + i, v);
}
