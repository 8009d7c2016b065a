// common.glsl: the memory that every primitive sees (ops_args.h) and how its elements are read and written.
//
// A shader begins
//   #version 460
//   #extension GL_GOOGLE_include_directive : require
//   #define ARGS wn_args_NAME
//   #include "common.glsl"
// which gives it its arguments as `pc`, and adds reduce.glsl if its invocations work together. An operation
// whose invocations pass values to each other through W or B defines WN_EXCHANGE too and calls exchange()
// between the phases. One with a third matrix C defines WN_C.
//
// With WN_WINDOWS, A and B are each seen through up to four windows of 2^WINDOW_SHIFT words, for matrices above the
// device's largest storage buffer range: variants of their own, since their branches cost some compilers minutes. C
// has one binding.
#ifndef COMMON_GLSL
#define COMMON_GLSL
#ifdef WN_STORAGE16
#extension GL_EXT_shader_16bit_storage : require
#endif
#ifdef WN_EXCHANGE
#extension GL_KHR_memory_scope_semantics : require
#define WN_COHERENT coherent
#else
#define WN_COHERENT
#endif
// Two argument names of ops_args.h are keywords of GLSL: here they are pc.layout_ and pc.patch_.
#define layout layout_
#define patch patch_
#include "ops_args.h"
#undef layout
#undef patch
#include "numbers.glsl"

layout(push_constant, std430) uniform push_block { ARGS pc; };

#define TYPE_F32 0u
#define TYPE_F16 1u
#define TYPE_BF16 2u
#define TYPE_WORDS 3u

layout(local_size_x = 64, local_size_x_id = 0) in;
#define LOCAL gl_WorkGroupSize.x                    // invocations a workgroup: a power of two, 32..1024 (ROWS: from 8 on)
layout(constant_id = 1) const uint A_TYPE = TYPE_F32;
layout(constant_id = 2) const uint B_TYPE = TYPE_F32;
layout(constant_id = 3) const uint C_TYPE = TYPE_F32;      // WN_C only
layout(constant_id = 4) const uint WINDOW_SHIFT = 25u;     // WN_WINDOWS only
layout(constant_id = 5) const uint SUBGROUP_SIZE = 32u;    // WN_SUBGROUP only
layout(constant_id = 6) const uint BROADCASTS = 1u;        // WN_SUBGROUP only: same() tells the compiler what it knows
layout(constant_id = 10) const uint QUADS = 1u;            // rows.glsl: four words in one load come sooner than in four

layout(set = 0, binding = 0, std430) readonly buffer a0_block { uint a0[]; };
layout(set = 0, binding = 4, std430) WN_COHERENT buffer b0_block { uint b0[]; };
#ifdef WN_WINDOWS
layout(set = 0, binding = 1, std430) readonly buffer a1_block { uint a1[]; };
layout(set = 0, binding = 2, std430) readonly buffer a2_block { uint a2[]; };
layout(set = 0, binding = 3, std430) readonly buffer a3_block { uint a3[]; };
layout(set = 0, binding = 5, std430) WN_COHERENT buffer b1_block { uint b1[]; };
layout(set = 0, binding = 6, std430) WN_COHERENT buffer b2_block { uint b2[]; };
layout(set = 0, binding = 7, std430) WN_COHERENT buffer b3_block { uint b3[]; };
#endif
layout(set = 0, binding = 8, std430) WN_COHERENT buffer w_block { uint W[]; };
layout(set = 0, binding = 9, std430) buffer out1_block { uint out1[]; };
layout(set = 0, binding = 10, std430) buffer out2_block { uint out2[]; };
layout(set = 0, binding = 11, std430) buffer out3_block { uint out3[]; };
layout(set = 0, binding = 12, std430) buffer out4_block { uint out4[]; };
layout(set = 0, binding = 13, std430) buffer out5_block { uint out5[]; };
#ifdef WN_C
layout(set = 0, binding = 14, std430) readonly buffer c0_block { uint c0[]; };
#endif
#ifndef WN_WINDOWS    // the same memory four words at once, and two
layout(set = 0, binding = 0, std430) readonly buffer a0_quads_block { uvec4 a0_quads[]; };
layout(set = 0, binding = 0, std430) readonly buffer a0_twos_block { uvec2 a0_twos[]; };
layout(set = 0, binding = 4, std430) WN_COHERENT buffer b0_quads_block { uvec4 b0_quads[]; };
layout(set = 0, binding = 4, std430) WN_COHERENT buffer b0_twos_block { uvec2 b0_twos[]; };
#endif
#ifdef WN_STORAGE16    // the same memory in halves; never with WN_WINDOWS
layout(set = 0, binding = 0, std430) readonly buffer a0_halves { uint16_t a0h[]; };
layout(set = 0, binding = 4, std430) WN_COHERENT buffer b0_halves { uint16_t b0h[]; };
#endif

// The workgroup's number and (THREADS operations) the invocation's; large dispatches fold into y.
uint group_index() { return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x; }
uint item() { return group_index() * LOCAL + gl_LocalInvocationIndex; }

#ifdef WN_EXCHANGE
// What any invocation of the workgroup wrote to W, B or shared memory is seen by all of them afterwards.
// Uniform control flow only.
void exchange()
{
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsBuffer | gl_StorageSemanticsShared,
                   gl_SemanticsAcquireRelease);
}
#endif

// Words of A and B, counted from the start of the binding.
#ifdef WN_WINDOWS
uint window_of(uint at) { return at >> WINDOW_SHIFT; }
uint within(uint at) { return at & ((1u << WINDOW_SHIFT) - 1u); }
uint a_word(uint at)
{
    uint k = window_of(at), o = within(at), word;
    if (k == 0u) word = a0[o];
    else if (k == 1u) word = a1[o];
    else if (k == 2u) word = a2[o];
    else word = a3[o];
    return word;
}
uint b_word(uint at)
{
    uint k = window_of(at), o = within(at), word;
    if (k == 0u) word = b0[o];
    else if (k == 1u) word = b1[o];
    else if (k == 2u) word = b2[o];
    else word = b3[o];
    return word;
}
void b_set_word(uint at, uint value)
{
    uint k = window_of(at), o = within(at);
    if (k == 0u) b0[o] = value;
    else if (k == 1u) b1[o] = value;
    else if (k == 2u) b2[o] = value;
    else b3[o] = value;
}
#else
uint a_word(uint at) { return a0[at]; }
uint b_word(uint at) { return b0[at]; }
void b_set_word(uint at, uint value) { b0[at] = value; }
#endif

// Halves of A and B, counted from the start of the binding.
#ifdef WN_STORAGE16
uint a_half(uint at) { return uint(a0h[at]); }
uint b_half(uint at) { return uint(b0h[at]); }
void b_set_half(uint at, uint value) { b0h[at] = uint16_t(value); }
#else
uint a_half(uint at) { return (a_word(at >> 1) >> ((at & 1u) * 16u)) & 0xffffu; }
uint b_half(uint at) { return (b_word(at >> 1) >> ((at & 1u) * 16u)) & 0xffffu; }
#endif

// Elements by their distance from the start of the binding (the base included).
float a_element(uint at)
{
    if (A_TYPE == TYPE_F16) return f16_to_f32(a_half(at));
    if (A_TYPE == TYPE_BF16) return bf16_to_f32(a_half(at));
    return uintBitsToFloat(a_word(at));
}
float b_element(uint at)
{
    if (B_TYPE == TYPE_F16) return f16_to_f32(b_half(at));
    if (B_TYPE == TYPE_BF16) return bf16_to_f32(b_half(at));
    return uintBitsToFloat(b_word(at));
}
uint a_row(uint row) { return pc.a_base + row * pc.a_stride; }
uint b_row(uint row) { return pc.b_base + row * pc.b_stride; }

float load_a(uint row, uint col) { return a_element(a_row(row) + col); }
float load_b(uint row, uint col) { return b_element(b_row(row) + col); }

#ifdef WN_C
// C by its elements, and its f32 words counted from element (0, 0).
float c_element(uint at)
{
    if (C_TYPE == TYPE_F32 || C_TYPE == TYPE_WORDS) return uintBitsToFloat(c0[at]);
    uint half_ = (c0[at >> 1] >> ((at & 1u) * 16u)) & 0xffffu;
    return C_TYPE == TYPE_F16 ? f16_to_f32(half_) : bf16_to_f32(half_);
}
uint c_row(uint row) { return pc.c_base + row * pc.c_stride; }
float load_c(uint row, uint col) { return c_element(c_row(row) + col); }
uint c_words() { return C_TYPE == TYPE_F32 || C_TYPE == TYPE_WORDS ? pc.c_base : pc.c_base >> 1; }
float c_f(uint at) { return uintBitsToFloat(c0[c_words() + at]); }
#endif

// The bits of a float in B's 16-bit type.
uint to_half(float value) { return B_TYPE == TYPE_F16 ? f32_to_f16(value) : f32_to_bf16(value); }

// B of f32 or words.
void store_b(uint row, uint col, float value) { b_set_word(b_row(row) + col, floatBitsToUint(value)); }
void store_b_u(uint row, uint col, uint value) { b_set_word(b_row(row) + col, value); }

// B of any float type, two neighbouring columns from an even one; has_second = false: v1 is not written.
// 16-bit rows have an even base and an even stride, so a word belongs to one invocation.
void store_b2(uint row, uint col_even, float v0, float v1, bool has_second)
{
    uint at = b_row(row) + col_even;
    if (B_TYPE == TYPE_F32 || B_TYPE == TYPE_WORDS) {
        b_set_word(at, floatBitsToUint(v0));
        if (has_second) b_set_word(at + 1u, floatBitsToUint(v1));
        return;
    }
#ifdef WN_STORAGE16
    b_set_half(at, to_half(v0));
    if (has_second) b_set_half(at + 1u, to_half(v1));
#else
    uint high = has_second ? to_half(v1) << 16 : b_word(at >> 1) & 0xffff0000u;
    b_set_word(at >> 1, to_half(v0) | high);
#endif
}

// The workspace.
uint w_u(uint at) { return W[at]; }
float w_f(uint at) { return uintBitsToFloat(W[at]); }
void w_set_u(uint at, uint value) { W[at] = value; }
void w_set_f(uint at, float value) { W[at] = floatBitsToUint(value); }

// What a list says of token i: an absent list (WN_NONE) names i itself; WN_NONE and negative entries name no row.
uint list_entry(uint list_at, uint i) { return list_at == WN_NONE ? i : W[list_at + i]; }
bool is_row(uint entry) { return (entry & 0x80000000u) == 0u; }

// The segment of position i < seg[segs]: the last s with seg[s] <= i, which is never an empty one.
uint segment_of(uint i, uint seg_at, uint segs)
{
    uint low = 0u, high = segs;
    while (high - low > 1u) {
        uint middle = (low + high) >> 1;
        if (W[seg_at + middle] <= i) low = middle;
        else high = middle;
    }
    return low;
}

// The tokens of a set whose segments may be absent, and those of segment s (absent: all are one segment).
uint set_count(uint n_max, uint segs, uint seg_at) { return seg_at == WN_NONE ? n_max : W[seg_at + segs]; }
uvec2 segment_range(uint s, uint n_max, uint seg_at)
{
    return seg_at == WN_NONE ? uvec2(0u, n_max) : uvec2(W[seg_at + s], W[seg_at + s + 1u]);
}

// One element of A from an even distance on, and it with its neighbour; of 16-bit types they share a word. Few loads to
// compile: for loops that are written out.
const bool A_WIDE = A_TYPE == TYPE_F32 || A_TYPE == TYPE_WORDS;
vec2 a_halves(uint word)
{
    vec2 pair;
    if (A_TYPE == TYPE_F16) pair = vec2(f16_to_f32(word & 0xffffu), f16_to_f32(word >> 16));
    else pair = vec2(bf16_to_f32(word & 0xffffu), bf16_to_f32(word >> 16));
    return pair;
}
float a_even(uint at)
{
    uint word = a_word(A_WIDE ? at : at >> 1);
    return A_WIDE ? uintBitsToFloat(word) : a_halves(word).x;
}
vec2 a_pair(uint at)
{
    uint word = a_word(A_WIDE ? at : at >> 1);
    vec2 pair;
    if (A_WIDE) pair = vec2(uintBitsToFloat(word), uintBitsToFloat(a_word(at + 1u)));
    else pair = a_halves(word);
    return pair;
}

// dotseq of rows x of A with rows y of A, given as entries of a list: an entry that is no row has dot 0, and
// reads the first row instead. Products stay in registers: 8 loads a dimension for the 16 of a tile.
uint row_or_first(uint entry) { return a_row(is_row(entry) ? entry : 0u); }
uvec4 rows_or_first(uvec4 x) { return uvec4(row_or_first(x.x), row_or_first(x.y), row_or_first(x.z), row_or_first(x.w)); }
bvec4 are_rows(uvec4 entries) { return lessThan(entries, uvec4(0x80000000u)); }

vec4 dot_row(uint x_entry, uvec4 y_entries, uint cols)
{
    uint x = row_or_first(x_entry), y0 = row_or_first(y_entries.x), y1 = row_or_first(y_entries.y);
    uint y2 = row_or_first(y_entries.z), y3 = row_or_first(y_entries.w);
    precise float d0 = 0.0, d1 = 0.0, d2 = 0.0, d3 = 0.0;
    for (uint d = 0u; d < cols; ++d) {
        float a = a_element(x + d);
        d0 = d0 + a * a_element(y0 + d); d1 = d1 + a * a_element(y1 + d);
        d2 = d2 + a * a_element(y2 + d); d3 = d3 + a * a_element(y3 + d);
    }
    return is_row(x_entry) ? mix(vec4(0.0), vec4(d0, d1, d2, d3), are_rows(y_entries)) : vec4(0.0);
}

void dot_tile(uvec4 x_entries, uvec4 y_entries, uint cols, out vec4 dots0, out vec4 dots1, out vec4 dots2,
              out vec4 dots3)
{
    uint x0 = row_or_first(x_entries.x), x1 = row_or_first(x_entries.y);
    uint x2 = row_or_first(x_entries.z), x3 = row_or_first(x_entries.w);
    uint y0 = row_or_first(y_entries.x), y1 = row_or_first(y_entries.y);
    uint y2 = row_or_first(y_entries.z), y3 = row_or_first(y_entries.w);
    precise float d00 = 0.0, d01 = 0.0, d02 = 0.0, d03 = 0.0, d10 = 0.0, d11 = 0.0, d12 = 0.0, d13 = 0.0;
    precise float d20 = 0.0, d21 = 0.0, d22 = 0.0, d23 = 0.0, d30 = 0.0, d31 = 0.0, d32 = 0.0, d33 = 0.0;
    for (uint d = 0u; d < cols; ++d) {
        float a0 = a_element(x0 + d), a1 = a_element(x1 + d), a2 = a_element(x2 + d), a3 = a_element(x3 + d);
        float b0 = a_element(y0 + d), b1 = a_element(y1 + d), b2 = a_element(y2 + d), b3 = a_element(y3 + d);
        d00 = d00 + a0 * b0; d01 = d01 + a0 * b1; d02 = d02 + a0 * b2; d03 = d03 + a0 * b3;
        d10 = d10 + a1 * b0; d11 = d11 + a1 * b1; d12 = d12 + a1 * b2; d13 = d13 + a1 * b3;
        d20 = d20 + a2 * b0; d21 = d21 + a2 * b1; d22 = d22 + a2 * b2; d23 = d23 + a2 * b3;
        d30 = d30 + a3 * b0; d31 = d31 + a3 * b1; d32 = d32 + a3 * b2; d33 = d33 + a3 * b3;
    }
    bvec4 has_x = are_rows(x_entries), has_y = are_rows(y_entries);
    vec4 none = vec4(0.0);
    dots0 = has_x.x ? mix(none, vec4(d00, d01, d02, d03), has_y) : none;
    dots1 = has_x.y ? mix(none, vec4(d10, d11, d12, d13), has_y) : none;
    dots2 = has_x.z ? mix(none, vec4(d20, d21, d22, d23), has_y) : none;
    dots3 = has_x.w ? mix(none, vec4(d30, d31, d32, d33), has_y) : none;
}

// Four entries of a list at positions p.
uvec4 list_entries(uint list_at, uvec4 p)
{
    return uvec4(list_entry(list_at, p.x), list_entry(list_at, p.y), list_entry(list_at, p.z),
                 list_entry(list_at, p.w));
}
vec4 w_f4(uint at, uvec4 i) { return vec4(w_f(at + i.x), w_f(at + i.y), w_f(at + i.z), w_f(at + i.w)); }
#endif
