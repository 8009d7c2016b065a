// matmul: B(r, j) = finish(sum over k of A(r, k) * C(k, j)), k ascending.
// With cooperative matrices see coop_matmul.glsl: another order of k. Without:
// LANES: an item is eight rows by 128 columns. A lane has four of the columns and all eight rows in registers; elements
// of A are the same in all lanes. Columns are neighbours in pairs where a word holds two of C or B, else 32 apart, so
// that the lanes' loads lie side by side. Shared: none. Cost: per k 32 multiply-adds for 8 loads of A and 4 of C (f16: half).
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_matmul
#define WN_C
#include "common.glsl"
#include "activation.glsl"

float finish(float sum, uint r, uint j)
{
    precise float v = sum;
    if (pc.bias_at != WN_NONE) v = v + c_f(pc.bias_at + j);
    v = act(pc.act, v);
    if (pc.scale_at != WN_NONE) v = v * c_f(pc.scale_at + j);
    if (pc.with == 1u) v = v * load_b(r, j);
    if (pc.with == 2u) v = load_b(r, j) + v;
    return v;
}

#ifdef WN_COOPERATIVE // another order of the sums: see there
#include "coop_matmul.glsl"
#else
#include "reduce.glsl"
#include "same.glsl"

const uint ROWS = 8u, COLUMNS = 128u;
const bool PAIRS = C_TYPE != TYPE_F32 || B_TYPE != TYPE_F32;

// C of the lane's columns, in the row that starts at `row`.
vec4 c_four(uint row, uvec4 j)
{
    if (C_TYPE == TYPE_F32) return vec4(c_element(row + j.x), c_element(row + j.y), c_element(row + j.z), c_element(row + j.w));
    uint w0 = c0[(row + j.x) >> 1], w1 = c0[(row + j.z) >> 1];
    if (C_TYPE == TYPE_F16)
        return vec4(f16_to_f32(w0 & 0xffffu), f16_to_f32(w0 >> 16), f16_to_f32(w1 & 0xffffu), f16_to_f32(w1 >> 16));
    return vec4(bf16_to_f32(w0 & 0xffffu), bf16_to_f32(w0 >> 16), bf16_to_f32(w1 & 0xffffu), bf16_to_f32(w1 >> 16));
}

void main()
{
    uint across = (pc.cols + COLUMNS - 1u) / COLUMNS, n = set_count(pc.n_max, pc.segs, pc.seg_at);
    uint item_ = same(lanes_item()), r = item_ / across * ROWS, l = lane();
    uvec4 j = item_ % across * COLUMNS + (PAIRS ? 2u * l + uvec4(0u, 1u, 64u, 65u) : l + uvec4(0u, 32u, 64u, 96u));
    if (r >= n || j.x >= pc.cols) return;
    // A column that is not there repeats the last one, or the last pair.
    uvec4 c = C_TYPE == TYPE_F32 ? min(j, uvec4(pc.cols - 1u)) : min(j, uvec4((pc.cols - 1u) & ~1u));
    uint last = n - 1u, x0 = a_row(r), x1 = a_row(min(r + 1u, last)), x2 = a_row(min(r + 2u, last));
    uint x3 = a_row(min(r + 3u, last)), x4 = a_row(min(r + 4u, last)), x5 = a_row(min(r + 5u, last));
    uint x6 = a_row(min(r + 6u, last)), x7 = a_row(min(r + 7u, last)), row = c_row(0u), k = 0u;

    precise vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    precise vec4 s4 = vec4(0.0), s5 = vec4(0.0), s6 = vec4(0.0), s7 = vec4(0.0);
    for (; k + 1u < pc.inner; k += 2u) {
        vec4 a = c_four(row, c), b = c_four(row + pc.c_stride, c);
        row += 2u * pc.c_stride;
        vec2 x = a_pair(x0 + k);
        s0 = s0 + x.x * a; s0 = s0 + x.y * b;
        x = a_pair(x1 + k);
        s1 = s1 + x.x * a; s1 = s1 + x.y * b;
        x = a_pair(x2 + k);
        s2 = s2 + x.x * a; s2 = s2 + x.y * b;
        x = a_pair(x3 + k);
        s3 = s3 + x.x * a; s3 = s3 + x.y * b;
        x = a_pair(x4 + k);
        s4 = s4 + x.x * a; s4 = s4 + x.y * b;
        x = a_pair(x5 + k);
        s5 = s5 + x.x * a; s5 = s5 + x.y * b;
        x = a_pair(x6 + k);
        s6 = s6 + x.x * a; s6 = s6 + x.y * b;
        x = a_pair(x7 + k);
        s7 = s7 + x.x * a; s7 = s7 + x.y * b;
    }
    if (k < pc.inner) {
        vec4 a = c_four(row, c);
        s0 = s0 + a_even(x0 + k) * a; s1 = s1 + a_even(x1 + k) * a;
        s2 = s2 + a_even(x2 + k) * a; s3 = s3 + a_even(x3 + k) * a;
        s4 = s4 + a_even(x4 + k) * a; s5 = s5 + a_even(x5 + k) * a;
        s6 = s6 + a_even(x6 + k) * a; s7 = s7 + a_even(x7 + k) * a;
    }

    // Two columns at a time, so that finish() is compiled once.
    for (uint i = 0u; i < min(ROWS, n - r); ++i) {
        vec4 sum = i < 4u ? (i < 2u ? (i == 0u ? s0 : s1) : (i == 2u ? s2 : s3))
                          : (i < 6u ? (i == 4u ? s4 : s5) : (i == 6u ? s6 : s7));
        for (uint half_ = 0u; half_ < 2u; ++half_) {
            uvec2 at = half_ == 0u ? j.xy : j.zw;
            vec2 v = half_ == 0u ? sum.xy : sum.zw;
            for (uint t = 0u; t < 2u; ++t) {
                uint column = t == 0u ? at.x : at.y;
                if (column >= pc.cols) continue;
                float y = finish(t == 0u ? v.x : v.y, r + i, column);
                if (t == 0u) v.x = y;
                else v.y = y;
                if (!PAIRS) store_b(r + i, column, y);
            }
            if (PAIRS && at.x < pc.cols) store_b2(r + i, at.x, v.x, v.y, at.y < pc.cols);
        }
    }
}
#endif
