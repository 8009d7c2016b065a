/* Tensors of model files to numbers; blocks of quantised types as in ggml's ggml-quants. */
#include "cpu_ops.h"

static float f16_at(const unsigned char *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return f16_to_f32(half);
}

static float bf16_at(const unsigned char *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return bf16_to_f32(half);
}

/* Scale and minimum of one of the eight groups of 32 of a q4_K or q5_K block: six bits each; of the last
 * four groups the upper two bits lie above those of the first four. */
static void scale_min(const unsigned char *packed, uint32_t group, float *scale, float *min)
{
    const uint32_t low = packed[group], high = packed[group + 4];
    if (group < 4) {
        *scale = (float)(low & 63u);
        *min = (float)(high & 63u);
    } else {
        const uint32_t first = packed[group - 4];
        *scale = (float)((high & 15u) | (first >> 6) << 4);
        *min = (float)((high >> 4) | (low >> 6) << 4);
    }
}

/* d, min, 12 bytes of scales, (q5_K: 32 bytes of fifth bits,) then nibbles: a group of 32 the low ones of 32 bytes,
 * the next group their high ones. */
static float k_quant(const unsigned char *block, uint32_t e, bool five)
{
    const uint32_t group = e / 32, i = e % 32;
    float scale, min;
    scale_min(block + 4, group, &scale, &min);
    uint32_t q = block[(five ? 48 : 16) + group / 2 * 32 + i];
    q = group % 2 ? q >> 4 : q & 15u;
    if (five)
        q |= ((uint32_t)block[16 + i] >> group & 1u) << 4;
    const float d = f16_at(block) * scale, m = f16_at(block + 2) * min;
    return d * (float)q - m;
}

/* 128 bytes of low nibbles, 64 of upper two bits, 16 scales of 16 elements, d. */
static float q6_k(const unsigned char *block, uint32_t e)
{
    const uint32_t part = e / 128, quarter = e / 32 % 4, i = e % 32;
    const uint32_t low = block[part * 64 + quarter % 2 * 32 + i], high = block[128 + part * 32 + i];
    const uint32_t q = (quarter < 2 ? low & 15u : low >> 4) | (high >> (2 * quarter) & 3u) << 4;
    const float d = f16_at(block + 208) * (float)(int8_t)block[192 + e / 16];
    return d * (float)((int32_t)q - 32);
}

static float q4_0(const unsigned char *block, uint32_t e)
{
    const uint32_t byte = block[2 + e % 16], q = e < 16 ? byte & 15u : byte >> 4;
    return (float)((int32_t)q - 8) * f16_at(block);
}

static float value(const unsigned char *tensor, uint32_t type, size_t i)
{
    float x;
    const uint32_t e32 = (uint32_t)(i % 32), e256 = (uint32_t)(i % 256);
    switch (type) {
    case WN_FILE_F16: return f16_at(tensor + 2 * i);
    case WN_FILE_BF16: return bf16_at(tensor + 2 * i);
    case WN_FILE_Q4_0: return q4_0(tensor + i / 32 * 18, e32);
    case WN_FILE_Q8_0:
        return (float)(int8_t)tensor[i / 32 * 34 + 2 + e32] * f16_at(tensor + i / 32 * 34);
    case WN_FILE_Q4_K: return k_quant(tensor + i / 256 * 144, e256, false);
    case WN_FILE_Q5_K: return k_quant(tensor + i / 256 * 176, e256, true);
    case WN_FILE_Q6_K: return q6_k(tensor + i / 256 * 210, e256);
    default: memcpy(&x, tensor + 4 * i, sizeof x); return x;
    }
}

void cpu_unpack(const struct wn_args_unpack *pc, const wn_cpu_memory *m)
{
    float *x = m->scratch;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->rows);
    for (uint32_t r = own.begin; r < own.end; ++r) {
        for (uint32_t c = 0; c < pc->cols; ++c)
            x[c] = value(m->a.data, pc->type, (size_t)r * pc->cols + c);
        if (!pc->turn)
            wn_cpu_store_row(&m->b, r, 0, pc->cols, x);
        for (uint32_t c = 0; pc->turn && c < pc->cols; ++c)
            wn_cpu_store_row(&m->b, c, r, 1, x + c);
    }
}
