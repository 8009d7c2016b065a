// unpack: a tensor of a model file to numbers, B(r, c) or turned B(c, r). Blocks as in ggml's ggml-quants.
// THREADS: an invocation two neighbouring columns of a row of B. Shared: none. Cost: two elements of one to four words each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_unpack
#include "common.glsl"

// Bytes of the tensor, and halves at even ones.
uint byte_at(uint at) { return (a_word(pc.a_base + (at >> 2)) >> (8u * (at & 3u))) & 0xffu; }
uint half_at(uint at) { return (a_word(pc.a_base + (at >> 2)) >> (8u * (at & 2u))) & 0xffffu; }
float f16_at(uint at) { return f16_to_f32(half_at(at)); }
float signed_byte(uint b) { return float(int(b << 24) >> 24); }

// Scale and minimum of the group-th 32 of a q4_K or q5_K block whose 12 bytes of them start at `at`: six bits each, of the
// last four groups the upper two bits lie above those of the first four.
vec2 scale_min(uint at, uint group)
{
    uint low = byte_at(at + group), high = byte_at(at + group + 4u);
    if (group < 4u) return vec2(float(low & 63u), float(high & 63u));
    uint first = byte_at(at + group - 4u);
    return vec2(float((high & 15u) | (first >> 6) << 4), float((high >> 4) | (low >> 6) << 4));
}

// q4_K and q5_K: d, min, 12 bytes of scales, (q5_K: 32 bytes of fifth bits,) then nibbles: a group of 32 the low ones
// of 32 bytes, the next group their high ones.
float k_quant(uint block, uint e, bool five)
{
    uint group = e >> 5, i = e & 31u, at = block * (five ? 176u : 144u);
    vec2 sm = scale_min(at + 4u, group);
    uint q = byte_at(at + (five ? 48u : 16u) + (group >> 1) * 32u + i);
    q = (group & 1u) == 0u ? q & 15u : q >> 4;
    if (five) q |= ((byte_at(at + 16u + i) >> group) & 1u) << 4;
    precise float d = f16_at(at) * sm.x, m = f16_at(at + 2u) * sm.y;
    precise float x = d * float(q);
    x = x - m;
    return x;
}

// q6_K: 128 bytes of low nibbles, 64 of upper two bits, 16 scales of 16 elements, d.
float q6_k(uint block, uint e)
{
    uint at = block * 210u, part = e >> 7, quarter = (e >> 5) & 3u, i = e & 31u;
    uint low = byte_at(at + part * 64u + (quarter & 1u) * 32u + i), high = byte_at(at + 128u + part * 32u + i);
    uint q = ((quarter & 2u) == 0u ? low & 15u : low >> 4) | ((high >> (2u * quarter)) & 3u) << 4;
    precise float d = f16_at(at + 208u) * signed_byte(byte_at(at + 192u + (e >> 4)));
    precise float x = d * float(int(q) - 32);
    return x;
}

float small_block(uint block, uint e)    // q4_0 and q8_0: d, then 32 numbers
{
    precise float x;
    if (pc.type == WN_FILE_Q8_0) {
        x = signed_byte(byte_at(block * 34u + 2u + e)) * f16_at(block * 34u);
        return x;
    }
    uint q = byte_at(block * 18u + 2u + (e & 15u));
    x = float(int(e < 16u ? q & 15u : q >> 4) - 8) * f16_at(block * 18u);
    return x;
}

float value(uint r, uint c)
{
    uint i = r * pc.cols + c;
    if (pc.type == WN_FILE_F32) return uintBitsToFloat(a_word(pc.a_base + i));
    if (pc.type == WN_FILE_F16) return f16_at(2u * i);
    if (pc.type == WN_FILE_BF16) return bf16_to_f32(half_at(2u * i));
    if (pc.type == WN_FILE_Q4_0 || pc.type == WN_FILE_Q8_0) return small_block(i >> 5, i & 31u);
    if (pc.type == WN_FILE_Q6_K) return q6_k(i >> 8, i & 255u);
    return k_quant(i >> 8, i & 255u, pc.type == WN_FILE_Q5_K);
}

void main()
{
    uint rows = pc.turn != 0u ? pc.cols : pc.rows, cols = pc.turn != 0u ? pc.rows : pc.cols;
    uint pairs = (cols + 1u) >> 1, r = item() / pairs, c = 2u * (item() % pairs);
    if (r >= rows) return;
    bool has_second = c + 1u < cols;
    float x = pc.turn != 0u ? value(c, r) : value(r, c), y = 0.0;
    if (has_second) y = pc.turn != 0u ? value(c + 1u, r) : value(r, c + 1u);
    store_b2(r, c, x, y, has_second);
}
