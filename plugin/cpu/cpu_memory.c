#include "cpu_memory.h"

#ifdef __F16C__
#    include <immintrin.h>
#endif

enum { LANES = 32 };

static void load_bf16(const unsigned char *from, uint32_t n, float *x)
{
    for (uint32_t i = 0; i < n; ++i) {
        uint16_t half;
        memcpy(&half, from + i * sizeof half, sizeof half);
        x[i] = bf16_to_f32(half);
    }
}

/* The processor's conversion gives f16_to_f32's bits, NaNs included. */
static void load_f16(const unsigned char *from, uint32_t n, float *x)
{
    uint32_t i = 0;
#ifdef __F16C__
    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(x + i,
                         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)(from + 2 * i))));
#endif
    for (; i < n; ++i) {
        uint16_t half;
        memcpy(&half, from + i * sizeof half, sizeof half);
        x[i] = f16_to_f32(half);
    }
}

void wn_cpu_load_row(const wn_cpu_rows *rows, uint32_t r, uint32_t n, float *x)
{
    if (is_none(r)) {
        memset(x, 0, n * sizeof *x);
        return;
    }
    const unsigned char *from = element(rows, r, 0);
    if (rows->dtype == WINNOW_F32) {
        memcpy(x, from, n * sizeof *x);
        return;
    }
    if (rows->dtype == WINNOW_F16)
        load_f16(from, n, x);
    else
        load_bf16(from, n, x);
}

const float *wn_cpu_row(const wn_cpu_rows *rows, uint32_t r, uint32_t n, float *room)
{
    if (rows->dtype == WINNOW_F32 && !is_none(r))
        return f32_row(rows, r);
    wn_cpu_load_row(rows, r, n, room);
    return room;
}

void wn_cpu_store_row(const wn_cpu_rows *rows, uint32_t r, uint32_t c, uint32_t n, const float *x)
{
    unsigned char *to = element(rows, r, c);
    if (rows->dtype == WINNOW_F32) {
        memcpy(to, x, n * sizeof *x);
        return;
    }
    const bool f16 = rows->dtype == WINNOW_F16;
    for (uint32_t i = 0; i < n; ++i) {
        const uint16_t half = f16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
        memcpy(to + i * sizeof half, &half, sizeof half);
    }
}

static float add_lanes(float sums[LANES])
{
    for (uint32_t step = 1; step < LANES; step *= 2)
        for (uint32_t l = 0; l < LANES; l += 2 * step) /* the other lanes never reach lane 0 */
            sums[l] += sums[l + step];
    return sums[0];
}

float wn_cpu_sum32(const float *x, uint32_t n)
{
    float sums[LANES] = {0};
    for (uint32_t d = 0; d < n; ++d)
        sums[d % LANES] += x[d];
    return add_lanes(sums);
}

float wn_cpu_dot32(const float *x, const float *y, uint32_t n)
{
    float sums[LANES] = {0};
    uint32_t d = 0;
    for (; n - d >= LANES; d += LANES)
        for (uint32_t l = 0; l < LANES; ++l)
            sums[l] += x[d + l] * y[d + l];
    for (uint32_t l = 0; d + l < n; ++l)
        sums[l] += x[d + l] * y[d + l];
    return add_lanes(sums);
}

void wn_cpu_dots32(const float *x, const float *y, uint32_t n, float *xx, float *xy, float *yy)
{
    float sums[3][LANES] = {{0}};
    uint32_t d = 0;
    for (; n - d >= LANES; d += LANES)
        for (uint32_t l = 0; l < LANES; ++l) {
            sums[0][l] += x[d + l] * x[d + l];
            sums[1][l] += x[d + l] * y[d + l];
            sums[2][l] += y[d + l] * y[d + l];
        }
    for (uint32_t l = 0; d + l < n; ++l) {
        sums[0][l] += x[d + l] * x[d + l];
        sums[1][l] += x[d + l] * y[d + l];
        sums[2][l] += y[d + l] * y[d + l];
    }
    *xx = add_lanes(sums[0]);
    *xy = add_lanes(sums[1]);
    *yy = add_lanes(sums[2]);
}

static uint32_t key_of(uint32_t score_bits, bool smallest)
{
    const float score = bits_f32(score_bits);
    return smallest ? score_key_smallest(score) : score_key(score);
}

/* The k-th largest key, 1 <= k <= n, by radix select: a digit of 8 bits a pass, the highest first.
 * *ties: how many of the scores with this key are among the k. */
static uint32_t kth_key(const uint32_t *score, uint32_t n, uint32_t k, bool smallest,
                        uint32_t *ties)
{
    uint32_t found = 0, mask = 0;
    for (uint32_t shift = 32; shift > 0;) {
        uint32_t counts[256] = {0}, digit = 255;
        shift -= 8;
        for (uint32_t i = 0; i < n; ++i) {
            const uint32_t key = key_of(score[i], smallest);
            if ((key & mask) == found)
                ++counts[(key >> shift) & 255u];
        }
        while (counts[digit] < k)
            k -= counts[digit--];
        found |= digit << shift;
        mask |= 255u << shift;
    }
    *ties = k;
    return found;
}

void wn_cpu_flag_best(const uint32_t *score, uint32_t *flag, uint32_t n, uint32_t k, bool smallest)
{
    uint32_t ties = 0, last = UINT32_MAX;
    if (k > 0)
        last = kth_key(score, n, k, smallest, &ties);
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t key = key_of(score[i], smallest);
        flag[i] = k > 0 && (key > last || (key == last && ties > 0));
        if (key == last && ties > 0)
            --ties;
    }
}
