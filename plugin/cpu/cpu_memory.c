#include "cpu_memory.h"
#include "cpu_tile.h"

#ifdef __SSE2__
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

/* f32_to_f16, NaNs included: the processor keeps a NaN's payload, which is put right. */
static void store_f16(unsigned char *to, uint32_t n, const float *x)
{
    uint32_t i = 0;
#ifdef __F16C__
    for (; n - i >= 8; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        const __m128i h = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT);
        const __m128i a = _mm_and_si128(h, _mm_set1_epi16(0x7fff));
        const __m128i nan = _mm_cmpgt_epi16(a, _mm_set1_epi16(0x7c00));
        const __m128i quiet =
            _mm_or_si128(_mm_and_si128(h, _mm_set1_epi16((short)0x8000)), _mm_set1_epi16(0x7e00));
        _mm_storeu_si128((__m128i_u *)(to + 2 * i),
                         _mm_or_si128(_mm_andnot_si128(nan, h), _mm_and_si128(nan, quiet)));
    }
#endif
    for (; i < n; ++i) {
        const uint16_t half = f32_to_f16(x[i]);
        memcpy(to + i * sizeof half, &half, sizeof half);
    }
}

static void store_bf16(unsigned char *to, uint32_t n, const float *x)
{
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t u = f32_bits(x[i]), nan = (u & 0x7fffffffu) > 0x7f800000u;
        const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
        const uint16_t half = (uint16_t)(nan ? (u >> 16) | 0x40u : rounded);
        memcpy(to + i * sizeof half, &half, sizeof half);
    }
}

void wn_cpu_store_row(const wn_cpu_rows *rows, uint32_t r, uint32_t c, uint32_t n, const float *x)
{
    unsigned char *to = element(rows, r, c);
    if (rows->dtype == WINNOW_F32)
        memcpy(to, x, n * sizeof *x);
    else if (rows->dtype == WINNOW_F16)
        store_f16(to, n, x);
    else
        store_bf16(to, n, x);
}

typedef uint16_t halves __attribute__((vector_size(WN_CPU_VECTOR)));

/* What becomes of 16-bit numbers that go to f32 and back: NaNs as store_f16 and store_bf16 leave them. */
static inline halves there_and_back(halves h, uint8_t dtype)
{
    if (dtype == WINNOW_F16) {
        const halves nan = (halves)((h & 0x7fff) > 0x7c00);
        return (h & ~nan) | (((h & 0x8000) | 0x7e00) & nan);
    }
    if (dtype == WINNOW_BF16)
        return h | ((halves)((h & 0x7fff) > 0x7f80) & 0x40);
    return h;
}

static inline void write_past(unsigned char *to, halves h)
{
#if defined(__AVX512F__)
    _mm512_stream_si512((__m512i *)(void *)to, (__m512i)h);
#elif defined(__AVX2__)
    _mm256_stream_si256((__m256i *)(void *)to, (__m256i)h);
#elif defined(__SSE2__)
    _mm_stream_si128((__m128i *)(void *)to, (__m128i)h);
#else
    memcpy(to, &h, sizeof h);
#endif
}

/* Fewer bytes than a vector. */
static void move_end(unsigned char *to, const unsigned char *from, size_t bytes, uint8_t dtype)
{
    halves h = {0};
    memcpy(&h, from, bytes);
    h = there_and_back(h, dtype);
    memcpy(to, &h, bytes);
}

/* Bytes of a row whose type stays. next: what is wanted next is asked for; NULL: by the caches, as any write. */
static inline __attribute__((always_inline)) void move_bytes(unsigned char *to,
                                                             const unsigned char *from,
                                                             const unsigned char *next,
                                                             size_t bytes, uint8_t dtype)
{
    size_t i = 0;
    if (next) {
        i = (size_t)(-(uintptr_t)to % WN_CPU_VECTOR);
        i = i < bytes ? i : bytes;
        move_end(to, from, i, dtype);
    }
    for (; bytes - i >= sizeof(halves); i += sizeof(halves)) {
        halves h;
        memcpy(&h, from + i, sizeof h);
        h = there_and_back(h, dtype);
        if (next) {
            __builtin_prefetch(next + i);
            write_past(to + i, h);
        } else {
            memcpy(to + i, &h, sizeof h);
        }
    }
    move_end(to + i, from + i, bytes - i, dtype);
}

enum { PAST_BYTES = 1 << 22 }; /* second-level caches are smaller */

wn_cpu_move wn_cpu_move_of(const wn_cpu_rows *from, const wn_cpu_rows *to, uint64_t rows,
                           uint32_t n, float *room)
{
    const bool past = rows * n * element_bytes(to->dtype) >= PAST_BYTES;
    return (wn_cpu_move){from, to, n, past, WN_NONE, room};
}

void wn_cpu_move_row(const wn_cpu_move *move, uint32_t row, uint32_t r, uint32_t c)
{
    const wn_cpu_rows *from = move->from, *to = move->to;
    unsigned char *out = element(to, r, c);
    const size_t bytes = move->n * element_bytes(to->dtype);
    if (is_none(row)) {
        memset(out, 0, bytes);
        return;
    }
    if (from->dtype != to->dtype) {
        wn_cpu_store_row(to, r, c, move->n, wn_cpu_row(from, row, move->n, move->room));
        return;
    }
    const unsigned char *in = element(from, row, 0), *next = NULL;
    if (move->past)
        next = is_none(move->next) ? in : element(from, move->next, 0);
    if (to->dtype == WINNOW_F16)
        move_bytes(out, in, next, bytes, WINNOW_F16);
    else if (to->dtype == WINNOW_BF16)
        move_bytes(out, in, next, bytes, WINNOW_BF16);
    else if (next)
        move_bytes(out, in, next, bytes, WINNOW_F32);
    else
        memcpy(out, in, bytes);
}

void wn_cpu_move_end(const wn_cpu_move *move)
{
#ifdef __SSE2__
    if (move->past)
        _mm_sfence();
#else
    (void)move;
#endif
}

/* Neighbours first, then neighbours of the sums. */
static float add_lanes(float sums[LANES])
{
    for (uint32_t left = LANES / 2; left > 0; left /= 2)
        for (uint32_t l = 0; l < left; ++l)
            sums[l] = sums[2 * l] + sums[2 * l + 1];
    return sums[0];
}

float wn_cpu_sum32(const float *x, uint32_t n)
{
    float sums[LANES] = {0};
    for (uint32_t d = 0; d < n; ++d)
        sums[d % LANES] += x[d];
    return add_lanes(sums);
}

enum { DOT_LANES = WN_CPU_VECTOR / 4, DOT_VECTORS = LANES / DOT_LANES };

float wn_cpu_dot32(const float *x, const float *y, uint32_t n)
{
    wn_cpu_lanes acc[DOT_VECTORS];
    float sums[LANES];
    uint32_t d = 0;
    WN_CPU_UNROLL
    for (int v = 0; v < DOT_VECTORS; ++v)
        acc[v] = (wn_cpu_lanes){0};
    for (; n - d >= LANES; d += LANES) {
        WN_CPU_UNROLL
        for (int v = 0; v < DOT_VECTORS; ++v) {
            wn_cpu_lanes a, b;
            memcpy(&a, x + d + v * DOT_LANES, sizeof a);
            memcpy(&b, y + d + v * DOT_LANES, sizeof b);
            acc[v] += a * b;
        }
    }
    WN_CPU_UNROLL
    for (int v = 0; v < DOT_VECTORS; ++v)
        memcpy(sums + v * DOT_LANES, &acc[v], sizeof acc[v]);
    for (uint32_t l = 0; d + l < n; ++l)
        sums[l] += x[d + l] * y[d + l];
    return add_lanes(sums);
}

void wn_cpu_dots32(const float *x, const float *y, uint32_t n, float *xx, float *xy, float *yy)
{
    wn_cpu_lanes acc[3][DOT_VECTORS];
    float sums[3][LANES];
    uint32_t d = 0;
    WN_CPU_UNROLL
    for (int v = 0; v < DOT_VECTORS; ++v)
        acc[0][v] = acc[1][v] = acc[2][v] = (wn_cpu_lanes){0};
    for (; n - d >= LANES; d += LANES) {
        WN_CPU_UNROLL
        for (int v = 0; v < DOT_VECTORS; ++v) {
            wn_cpu_lanes a, b;
            memcpy(&a, x + d + v * DOT_LANES, sizeof a);
            memcpy(&b, y + d + v * DOT_LANES, sizeof b);
            acc[0][v] += a * a;
            acc[1][v] += a * b;
            acc[2][v] += b * b;
        }
    }
    for (int k = 0; k < 3; ++k) {
        WN_CPU_UNROLL
        for (int v = 0; v < DOT_VECTORS; ++v)
            memcpy(sums[k] + v * DOT_LANES, &acc[k][v], sizeof acc[k][v]);
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
