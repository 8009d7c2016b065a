/* cpu_memory.h: what an operation of the plain C backend sees, and how it reads and writes it. */
#ifndef WN_CPU_MEMORY_H
#define WN_CPU_MEMORY_H

#include "../numbers.h"
#include "../ops.h"

/* The same sources are compiled once more for each level of instructions (CMakeLists.txt), and each level's functions
 * get its name behind theirs. The bits are the same: no level contracts a*b+c or changes an order of sums. */
#ifndef WN_CPU_LEVEL
#    define WN_CPU_LEVEL ""
#endif
#define WN_CPU_NAME(name) __asm__(#name WN_CPU_LEVEL)

/* The matrix that an operation knows as A, B or C. */
typedef struct wn_cpu_rows {
    unsigned char *data; /* element (0, 0); NULL: the operation has no such matrix */
    uint32_t stride;     /* elements between rows */
    uint8_t dtype;       /* WINNOW_F32, F16, BF16 or I32 (words) */
} wn_cpu_rows;

typedef struct wn_cpu_memory {
    uint32_t *w;
    wn_cpu_rows a, b, c;
    const wn_host_rows *out; /* [WINNOW_OUT_COUNT], for emit_meta */
    void *scratch;        /* as much as wn_cpu_scratch_bytes() says, nobody's between operations */
    uint32_t part, parts; /* this call does part `part` of `parts`: see wn_cpu_share */
} wn_cpu_memory;

/* begin .. end. */
typedef struct wn_cpu_span {
    uint32_t begin, end;
} wn_cpu_span;

/* This call's share of begin .. end. The shares of all parts are the whole, and what an operation computes of a share
 * does not depend on where it was cut. */
static inline wn_cpu_span wn_cpu_share(const wn_cpu_memory *m, uint32_t begin, uint32_t end)
{
    const uint64_t n = end > begin ? end - begin : 0;
    return (wn_cpu_span){begin + (uint32_t)(n * m->part / m->parts),
                         begin + (uint32_t)(n * (m->part + 1) / m->parts)};
}

/* What lies in both. */
static inline wn_cpu_span wn_cpu_overlap(wn_cpu_span a, uint32_t begin, uint32_t end)
{
    const uint32_t from = a.begin > begin ? a.begin : begin, to = a.end < end ? a.end : end;
    return (wn_cpu_span){from, to > from ? to : from};
}

/* Row r as n floats: where it lies if it is f32, else converted into `room` [n]. A row that a list
 * gives as none (WN_NONE or negative) is all zeros. */
const float *wn_cpu_row(const wn_cpu_rows *rows, uint32_t r, uint32_t n, float *room)
    WN_CPU_NAME(wn_cpu_row);

/* The same, always into `x` [n]. */
void wn_cpu_load_row(const wn_cpu_rows *rows, uint32_t r, uint32_t n, float *x)
    WN_CPU_NAME(wn_cpu_load_row);

/* Elements (r, c .. c+n) = x [n], rounded to the matrix's type. */
void wn_cpu_store_row(const wn_cpu_rows *rows, uint32_t r, uint32_t c, uint32_t n, const float *x)
    WN_CPU_NAME(wn_cpu_store_row);

/* Rows on their way from one matrix into another. */
typedef struct wn_cpu_move {
    const wn_cpu_rows *from, *to;
    uint32_t n; /* elements of a row */
    bool
        past; /* written past the caches: there is more than they hold, and whoever reads it is not us */
    uint32_t next; /* the row that comes next, for a move past the caches; WN_NONE: not known */
    float *room;   /* [n] */
} wn_cpu_move;

/* A move of so many rows. */
wn_cpu_move wn_cpu_move_of(const wn_cpu_rows *from, const wn_cpu_rows *to, uint64_t rows,
                           uint32_t n, float *room) WN_CPU_NAME(wn_cpu_move_of);

/* Elements (r, c .. c+n) of `to` = row `row` of `from` as f32, rounded to its type. */
void wn_cpu_move_row(const wn_cpu_move *move, uint32_t row, uint32_t r, uint32_t c)
    WN_CPU_NAME(wn_cpu_move_row);

/* After the last row: makes what was written past the caches known to other threads. */
void wn_cpu_move_end(const wn_cpu_move *move) WN_CPU_NAME(wn_cpu_move_end);

/* The dot product of ops_args.h with its 32 partial sums. */
float wn_cpu_dot32(const float *x, const float *y, uint32_t n) WN_CPU_NAME(wn_cpu_dot32);

/* dot32 of x with x, of x with y and of y with y, reading each once. */
void wn_cpu_dots32(const float *x, const float *y, uint32_t n, float *xx, float *xy, float *yy)
    WN_CPU_NAME(wn_cpu_dots32);

/* dot32(x, 1). */
float wn_cpu_sum32(const float *x, uint32_t n) WN_CPU_NAME(wn_cpu_sum32);

/* The end of dot32: the partial sums, pairwise. */
static inline float tree32(float p[32])
{
    for (uint32_t step = 1; step < 32; step *= 2)
        for (uint32_t l = 0; l < 32; l += 2 * step)
            p[l] += p[l + step];
    return p[0];
}

/* flag[i] = 1 for the k best of score[n] (floats by their bits), else 0; k <= n. */
void wn_cpu_flag_best(const uint32_t *score, uint32_t *flag, uint32_t n, uint32_t k, bool smallest)
    WN_CPU_NAME(wn_cpu_flag_best);

static inline bool is_none(uint32_t row)
{
    return row >= 0x80000000u;
}

static inline size_t element_bytes(uint8_t dtype)
{
    return dtype == WINNOW_F16 || dtype == WINNOW_BF16 ? 2 : 4;
}

static inline unsigned char *element(const wn_cpu_rows *rows, uint32_t r, uint32_t c)
{
    return rows->data + ((size_t)r * rows->stride + c) * element_bytes(rows->dtype);
}

static inline float load(const wn_cpu_rows *rows, uint32_t r, uint32_t c)
{
    const unsigned char *from = element(rows, r, c);
    uint16_t half;
    float x;
    if (rows->dtype == WINNOW_F32) {
        memcpy(&x, from, sizeof x);
        return x;
    }
    memcpy(&half, from, sizeof half);
    return rows->dtype == WINNOW_F16 ? f16_to_f32(half) : bf16_to_f32(half);
}

/* Row r of an f32 matrix: the similarities and the workspaces of the greedy methods. */
static inline float *f32_row(const wn_cpu_rows *rows, uint32_t r)
{
    return (float *)(void *)element(rows, r, 0);
}

/* f32 words of C from its first element on. */
static inline const float *c_words(const wn_cpu_memory *m, uint32_t at)
{
    return (const float *)(const void *)m->c.data + at;
}

/* W.f32[at + i]. */
static inline float real(const wn_cpu_memory *m, uint32_t at, uint32_t i)
{
    return bits_f32(m->w[(size_t)at + i]);
}

static inline void set_real(const wn_cpu_memory *m, uint32_t at, uint32_t i, float x)
{
    m->w[(size_t)at + i] = f32_bits(x);
}

/* W[at + i] of a list that may be absent: then i itself. */
static inline uint32_t entry(const wn_cpu_memory *m, uint32_t at, uint32_t i)
{
    return at == WN_NONE ? i : m->w[(size_t)at + i];
}

/* W.f32[at + i] of weights or sizes that may be absent: then 1. */
static inline float real_or_one(const wn_cpu_memory *m, uint32_t at, uint32_t i)
{
    return at == WN_NONE ? 1.0f : real(m, at, i);
}

/* The segment of position i, given that seg[0] <= i < seg[segs]. */
static inline uint32_t segment_of(const uint32_t *seg, uint32_t segs, uint32_t i)
{
    uint32_t low = 0, high = segs;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (seg[middle] <= i)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

#endif
