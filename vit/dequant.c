/* dequant.c: elements of a model file as f32, to the bit as ggml's dequantize_row_* gives them.
 * One block at a time; a product and a difference round once each (-ffp-contract=off). Twin: the
 * shader of `unpack`. */
#include <string.h>

#include "numbers.h"
#include "ops_args.h"
#include "weights_private.h"

enum { BLOCK_MOST = 256 };

static uint16_t half_at(const unsigned char *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

static void block_f32(const unsigned char *b, float *y)
{
    *y = bits_f32((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                  (uint32_t)b[3] << 24);
}

static void block_f16(const unsigned char *b, float *y)
{
    *y = f16_to_f32(half_at(b));
}

static void block_bf16(const unsigned char *b, float *y)
{
    *y = bf16_to_f32(half_at(b));
}

static float signed_byte(unsigned char b)
{
    return (float)(b < 128 ? b : b - 256);
}

/* d, then 16 bytes: low nibbles are elements 0..15, high ones 16..31. */
static void block_q4_0(const unsigned char *b, float *y)
{
    const float d = f16_to_f32(half_at(b));
    for (int i = 0; i < 16; ++i) {
        y[i] = (float)((b[2 + i] & 15) - 8) * d;
        y[i + 16] = (float)((b[2 + i] >> 4) - 8) * d;
    }
}

static void block_q8_0(const unsigned char *b, float *y)
{
    const float d = f16_to_f32(half_at(b));
    for (int i = 0; i < 32; ++i)
        y[i] = signed_byte(b[2 + i]) * d;
}

/* Scale and minimum j of eight: six bits each, packed in twelve bytes. */
static void scale_and_min(const unsigned char *s, int j, int *scale, int *least)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *least = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        *least = s[j + 4] >> 4 | (s[j] >> 6) << 4;
    }
}

/* d, dmin, scales[12], for q5_K a fifth bit each in 32 bytes, then nibbles: of each 32 bytes the
 * low ones are 32 elements and the high ones the next 32. */
static void block_q45_k(const unsigned char *b, const unsigned char *fifth,
                        const unsigned char *nibbles, float *y)
{
    const float d = f16_to_f32(half_at(b)), dmin = f16_to_f32(half_at(b + 2));
    for (int j = 0; j < 8; ++j) {
        int scale, least;
        scale_and_min(b + 4, j, &scale, &least);
        const float d1 = d * (float)scale, m1 = dmin * (float)least;
        for (int i = 0; i < 32; ++i) {
            const int pair = nibbles[j / 2 * 32 + i];
            const int q = (j % 2 ? pair >> 4 : pair & 15) + (fifth ? (fifth[i] >> j & 1) * 16 : 0);
            y[j * 32 + i] = d1 * (float)q - m1;
        }
    }
}

static void block_q4_k(const unsigned char *b, float *y)
{
    block_q45_k(b, NULL, b + 16, y);
}

static void block_q5_k(const unsigned char *b, float *y)
{
    block_q45_k(b, b + 16, b + 48, y);
}

/* ql[128], qh[64], scales[16], d. Each half of 128 elements is four rows of 32: rows 0 and 1 in
 * the low nibbles of 64 bytes, 2 and 3 in the high ones; row r's upper two bits are bits 2r of 32
 * bytes; a scale for 16 elements. */
static void block_q6_k(const unsigned char *b, float *y)
{
    const float d = f16_to_f32(half_at(b + 208));
    for (int e = 0; e < 256; ++e) {
        const int half = e / 128, row = e % 128 / 32, i = e % 32;
        const int pair = b[half * 64 + row % 2 * 32 + i];
        const int low = row < 2 ? pair & 15 : pair >> 4;
        const int high = b[128 + half * 32 + i] >> 2 * row & 3;
        y[e] = d * signed_byte(b[192 + e / 16]) * (float)((low | high << 4) - 32);
    }
}

typedef struct file_type {
    const char *name;
    uint32_t elements, bytes; /* of a block */
    void (*block)(const unsigned char *bytes, float *out);
} file_type;

static const file_type file_types[] = {
    [WN_FILE_F32] = {"F32", 1, 4, block_f32},
    [WN_FILE_F16] = {"F16", 1, 2, block_f16},
    [WN_FILE_BF16] = {"BF16", 1, 2, block_bf16},
    [WN_FILE_Q4_0] = {"Q4_0", 32, 18, block_q4_0},
    [WN_FILE_Q8_0] = {"Q8_0", 32, 34, block_q8_0},
    [WN_FILE_Q4_K] = {"Q4_K", 256, 144, block_q4_k},
    [WN_FILE_Q5_K] = {"Q5_K", 256, 176, block_q5_k},
    [WN_FILE_Q6_K] = {"Q6_K", 256, 210, block_q6_k},
};

enum { FILE_TYPES = sizeof file_types / sizeof *file_types };

const char *wn_file_type_name(uint32_t type)
{
    return type < FILE_TYPES ? file_types[type].name : "unknown";
}

uint32_t wn_file_type_block(uint32_t type, uint32_t *bytes)
{
    if (bytes)
        *bytes = type < FILE_TYPES ? file_types[type].bytes : 0;
    return type < FILE_TYPES ? file_types[type].elements : 0;
}

/* A row may start and end inside a block: blocks are unpacked whole and what is wanted is copied.
 * Past the tensor's end there are zeros: the caller's row count is not the file's business, an
 * overread would be. */
void wn_tensor_row(const wn_tensor *tensor, uint64_t row, uint64_t cols, float *out)
{
    const file_type *type = &file_types[tensor->type];
    const bool inside = cols == 0 || row < tensor->elements / cols + 1;
    uint64_t at = inside ? row * cols : tensor->elements, done = 0;
    float y[BLOCK_MOST];
    while (done < cols && at < tensor->elements) {
        const uint64_t in_block = at % type->elements;
        uint64_t take = type->elements - in_block;
        if (take > cols - done)
            take = cols - done;
        type->block(tensor->data + at / type->elements * type->bytes, y);
        memcpy(out + done, y + in_block, (size_t)take * sizeof *out);
        at += take;
        done += take;
    }
    memset(out + done, 0, (size_t)(cols - done) * sizeof *out);
}
