// attend_values: B(e, c) = sum over the tokens u of e's segment of C(e, u) * A(token u, c), u ascending.
// LANES: an item is eight rows of shares by 128 columns; a lane has two pairs of the columns and all eight rows in registers.
// Shares are the same in all lanes. Shared: none. Cost: per token 32 multiply-adds for 8 loads of C and 4 of A.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_attend_values
#include "common.glsl"
#include "reduce.glsl"
#include "same.glsl"

const uint ROWS = 8u, COLUMNS = 128u;
const float LEAST = 5.42101086e-20;    // 2^-64: products of less may be subnormal, where drivers differ

// sum + w*v, or sum where w has no part; NaN is below LEAST.
vec4 add(vec4 sum, float w, vec4 v)
{
    precise vec4 next = sum + w * v;
    return mix(sum, next, bvec4(w >= LEAST));
}

vec4 sum_before(uint d, uvec4 c)
{
    return vec4(load_b(d, c.x), load_b(d, c.y), load_b(d, c.z), load_b(d, c.w));
}

uint row_of(uint e) { return list_entry(pc.to_at, e); }

void store(uint e, uint count, uint i, uvec4 j, vec4 sum)
{
    if (i >= count) return;
    if (j.x < pc.cols) store_b2(row_of(e + i), j.x, sum.x, sum.y, j.y < pc.cols);
    if (j.z < pc.cols) store_b2(row_of(e + i), j.z, sum.z, sum.w, j.w < pc.cols);
}

void main()
{
    uint across = (pc.cols + COLUMNS - 1u) / COLUMNS, down = (pc.rows + ROWS - 1u) / ROWS;
    uint item_ = same(lanes_item()), r = item_ / across % down * ROWS, s = item_ / across / down;
    uvec4 j = item_ % across * COLUMNS + 2u * lane() + uvec4(0u, 1u, 64u, 65u);
    if (s >= pc.segs || j.x >= pc.cols) return;
    uvec4 c = min(j, uvec4(pc.cols - 1u));    // a column that is not there repeats the last one
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    uint end = pc.most != 0u ? min(n, pc.from + pc.most) : n;
    uint e = s * pc.rows + r, count = min(ROWS, pc.rows - r), last = count - 1u;
    uint w0 = c_row(e), w1 = c_row(e + min(1u, last)), w2 = c_row(e + min(2u, last)), w3 = c_row(e + min(3u, last));
    uint w4 = c_row(e + min(4u, last)), w5 = c_row(e + min(5u, last)), w6 = c_row(e + min(6u, last)), w7 = c_row(e + min(7u, last));

    vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    vec4 s4 = vec4(0.0), s5 = vec4(0.0), s6 = vec4(0.0), s7 = vec4(0.0);
    if (pc.from != 0u) {
        s0 = sum_before(row_of(e), c);
        s1 = sum_before(row_of(e + min(1u, last)), c);
        s2 = sum_before(row_of(e + min(2u, last)), c);
        s3 = sum_before(row_of(e + min(3u, last)), c);
        s4 = sum_before(row_of(e + min(4u, last)), c);
        s5 = sum_before(row_of(e + min(5u, last)), c);
        s6 = sum_before(row_of(e + min(6u, last)), c);
        s7 = sum_before(row_of(e + min(7u, last)), c);
    }
    for (uint u = pc.from; u < end; ++u) {
        uint entry = list_entry(pc.list_at, begin + u);
        if (!is_row(entry)) continue;
        uint at = same(a_row(entry));
        vec4 v = vec4(a_element(at + c.x), a_element(at + c.y), a_element(at + c.z), a_element(at + c.w));
        s0 = add(s0, c_element(w0 + u), v);
        if (count == 1u) continue;
        s1 = add(s1, c_element(w1 + u), v);
        s2 = add(s2, c_element(w2 + u), v);
        s3 = add(s3, c_element(w3 + u), v);
        s4 = add(s4, c_element(w4 + u), v);
        s5 = add(s5, c_element(w5 + u), v);
        s6 = add(s6, c_element(w6 + u), v);
        s7 = add(s7, c_element(w7 + u), v);
    }
    store(e, count, 0u, j, s0);
    store(e, count, 1u, j, s1);
    store(e, count, 2u, j, s2);
    store(e, count, 3u, j, s3);
    store(e, count, 4u, j, s4);
    store(e, count, 5u, j, s5);
    store(e, count, 6u, j, s6);
    store(e, count, 7u, j, s7);
}
