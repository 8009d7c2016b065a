// matmul: B(r, j) = finish(sum over k of A(r, k) * C(k, j)), k ascending.
// With cooperative matrices see coop_matmul.glsl: another order of k. Without:
// LANES: an item is eight rows by 128 columns. A lane has four of the columns and all eight rows in registers; elements
// of A are the same in all lanes. Columns are neighbours in pairs where a word holds two of C or B, else 32 apart, so
// that the lanes' loads lie side by side. With BROADCAST_TILES each lane loads its part of A's rows, four of k at a time, which
// the others have by broadcasts, and columns are four neighbours where loads are by fours (C_QUADS). Shared: none.
// Cost: per k 32 multiply-adds for 8 loads of A (BROADCAST_TILES: one, or two of 4 lanes) and 4 of C (f16: half).
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
#include "four.glsl"

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

#ifdef WN_SUBGROUP
// The same of four neighbours, if the lane has such.
const bool C_QUADS = QUADS != 0u && LOOPED_LOADS == 0u;
layout(set = 0, binding = 14, std430) readonly buffer c0_pairs_block { uvec2 c0_pairs[]; };
layout(set = 0, binding = 14, std430) readonly buffer c0_quads_block { uvec4 c0_quads[]; };
vec4 c_quad(uint row, uvec4 j)
{
    if (!C_QUADS) return c_four(row, j);
    if (C_TYPE == TYPE_F32) return uintBitsToFloat(c0_quads[(row + j.x) >> 2]);
    uvec2 w = c0_pairs[(row + j.x) >> 2];
    if (C_TYPE == TYPE_F16)
        return vec4(f16_to_f32(w.x & 0xffffu), f16_to_f32(w.x >> 16), f16_to_f32(w.y & 0xffffu), f16_to_f32(w.y >> 16));
    return vec4(bf16_to_f32(w.x & 0xffffu), bf16_to_f32(w.x >> 16), bf16_to_f32(w.y & 0xffffu), bf16_to_f32(w.y >> 16));
}

// A lane's rows of A: one of 8 lanes, two of 4.
#define EIGHT_LOADS vec4 a = a_four(x + k);
#define FOUR_LOADS vec4 a = a_four(x + k), b = a_four(z + k);
#define EIGHT_ADD(e) \
    s0 = s0 + subgroupBroadcast(a.e, 0u) * c_; s1 = s1 + subgroupBroadcast(a.e, 1u) * c_; \
    s2 = s2 + subgroupBroadcast(a.e, 2u) * c_; s3 = s3 + subgroupBroadcast(a.e, 3u) * c_; \
    s4 = s4 + subgroupBroadcast(a.e, 4u) * c_; s5 = s5 + subgroupBroadcast(a.e, 5u) * c_; \
    s6 = s6 + subgroupBroadcast(a.e, 6u) * c_; s7 = s7 + subgroupBroadcast(a.e, 7u) * c_;
#define FOUR_ADD(e) \
    s0 = s0 + subgroupBroadcast(a.e, 0u) * c_; s1 = s1 + subgroupBroadcast(a.e, 1u) * c_; \
    s2 = s2 + subgroupBroadcast(a.e, 2u) * c_; s3 = s3 + subgroupBroadcast(a.e, 3u) * c_; \
    s4 = s4 + subgroupBroadcast(b.e, 0u) * c_; s5 = s5 + subgroupBroadcast(b.e, 1u) * c_; \
    s6 = s6 + subgroupBroadcast(b.e, 2u) * c_; s7 = s7 + subgroupBroadcast(b.e, 3u) * c_;
#define ROWS_STEP(how, e) { vec4 c_ = c_quad(row, c); how##_ADD(e) row += pc.c_stride; }
#define ROWS_LOOP(how) \
    for (; k < fours; k += 4u) { \
        how##_LOADS \
        ROWS_STEP(how, x) ROWS_STEP(how, y) ROWS_STEP(how, z) ROWS_STEP(how, w) \
    }
#endif

void main()
{
    uint across = (pc.cols + COLUMNS - 1u) / COLUMNS, n = set_count(pc.n_max, pc.segs, pc.seg_at);
    uint item_ = same(lanes_item()), r = item_ / across * ROWS, l = lane();
    uvec4 j = item_ % across * COLUMNS + (PAIRS ? 2u * l + uvec4(0u, 1u, 64u, 65u) : l + uvec4(0u, 32u, 64u, 96u));
    uint least_ = j.x;
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) {    // the lanes of a subgroup stay together
        if (C_QUADS) j = item_ % across * COLUMNS + 4u * l + uvec4(0u, 1u, 2u, 3u);
        least_ = j.x - (C_QUADS ? 4u : PAIRS ? 2u : 1u) * (l % SUB_SIZE);
    }
#endif
    if (r >= n || least_ >= pc.cols) return;
    // A column that is not there repeats the last one, or the last pair.
    uvec4 c = C_TYPE == TYPE_F32 ? min(j, uvec4(pc.cols - 1u)) : min(j, uvec4((pc.cols - 1u) & ~1u));
    uint last = n - 1u, x0 = a_row(r), x1 = a_row(min(r + 1u, last)), x2 = a_row(min(r + 2u, last));
    uint x3 = a_row(min(r + 3u, last)), x4 = a_row(min(r + 4u, last)), x5 = a_row(min(r + 5u, last));
    uint x6 = a_row(min(r + 6u, last)), x7 = a_row(min(r + 7u, last)), row = c_row(0u), k = 0u;

    precise vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    precise vec4 s4 = vec4(0.0), s5 = vec4(0.0), s6 = vec4(0.0), s7 = vec4(0.0);
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) {
        uint mine = thread() % SUB_SIZE, x = a_row(min(r + mine, last)), z = a_row(min(r + mine + 4u, last));
        uint fours = !C_QUADS || ((pc.c_base | pc.c_stride | pc.cols) & 3u) == 0u ? by_fours(pc.inner) : 0u;
        if (SUB_SIZE == 8u) { ROWS_LOOP(EIGHT) }
        else { ROWS_LOOP(FOUR) }
    }
#endif
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
