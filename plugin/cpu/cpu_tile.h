/* cpu_tile.h: the inner loop of products. Each sum is dotseq's: in one order, whatever goes on beside it. */
#ifndef WN_CPU_TILE_H
#define WN_CPU_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Rows and vectors of columns at a time: as many as leave the sums in registers. */
#if defined(__AVX512F__)
enum { WN_CPU_TILE = 8, WN_CPU_VECTOR = 64, WN_CPU_TILE_WIDE = 2 };
#elif defined(__AVX2__)
enum { WN_CPU_TILE = 4, WN_CPU_VECTOR = 32, WN_CPU_TILE_WIDE = 2 };
#else
enum { WN_CPU_TILE = 1, WN_CPU_VECTOR = 16, WN_CPU_TILE_WIDE = 8 };
#endif
enum {
    WN_CPU_TILE_COLUMNS = 32,
    WN_CPU_TILE_VECTORS = WN_CPU_TILE_COLUMNS * 4 / WN_CPU_VECTOR,
    WN_CPU_MOST_TILE = 8 /* of all levels: what scratch has room for */
};

/* Loops over a tile are no loops any more before the compiler decides what lives in registers. */
#ifdef __clang__
#    define WN_CPU_UNROLL _Pragma("unroll")
#else
#    define WN_CPU_UNROLL _Pragma("GCC unroll 8")
#endif

/* Four of the eight lanes of two vectors. */
#if defined(__clang__) || __GNUC__ >= 12
#    define WN_CPU_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t wn_cpu_places __attribute__((vector_size(16)));
#    define WN_CPU_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (wn_cpu_places){__VA_ARGS__})
#endif

typedef float wn_cpu_lanes __attribute__((vector_size(WN_CPU_VECTOR)));

/* x times every lane of c. Zen 4 brings a float into all lanes of 64 bytes with a unit that adds, unless the multiplication
 * itself reads it from memory: then products and sums run side by side, as fast as fused ones. */
static inline __attribute__((always_inline)) wn_cpu_lanes wn_cpu_times(const float *x,
                                                                       wn_cpu_lanes c)
{
#ifdef __AVX512F__
    wn_cpu_lanes product;
    __asm__("vmulps %2%{1to16%}, %1, %0" : "=v"(product) : "v"(c), "m"(*x));
    return product;
#else
    return *x * c;
#endif
}

/* wn_cpu_tile_rows of `wide` vectors of columns. */
static inline __attribute__((always_inline)) void
wn_cpu_tile_part(int rows, int wide, const float *const *x, const float *columns, size_t stride,
                 uint32_t n, bool more, float (*sums)[WN_CPU_TILE_COLUMNS], int from)
{
    enum { LANES = WN_CPU_VECTOR / 4 };
    const float *row[WN_CPU_TILE];
    wn_cpu_lanes acc[WN_CPU_TILE][WN_CPU_TILE_VECTORS];
    WN_CPU_UNROLL
    for (int r = 0; r < rows; ++r) {
        row[r] = x[r];
        WN_CPU_UNROLL
        for (int v = 0; v < wide; ++v) {
            acc[r][v] = (wn_cpu_lanes){0};
            if (more)
                memcpy(&acc[r][v], &sums[r][from + v * LANES], sizeof acc[r][v]);
        }
    }
    for (uint32_t k = 0; k < n; ++k) {
        wn_cpu_lanes c[WN_CPU_TILE_VECTORS];
        WN_CPU_UNROLL
        for (int v = 0; v < wide; ++v)
            memcpy(&c[v], columns + k * stride + from + v * LANES, sizeof c[v]);
        WN_CPU_UNROLL
        for (int r = 0; r < rows; ++r)
            WN_CPU_UNROLL
        for (int v = 0; v < wide; ++v)
            acc[r][v] += wn_cpu_times(row[r] + k, c[v]);
    }
    WN_CPU_UNROLL
    for (int r = 0; r < rows; ++r) /* one by one: a copy of them all would keep them in memory */
        WN_CPU_UNROLL
    for (int v = 0; v < wide; ++v)
        memcpy(&sums[r][from + v * LANES], &acc[r][v], sizeof acc[r][v]);
}

/* sums[r][c] = sum over k < n, ascending from 0 (more: from sums[r][c]), of x[r][k] * columns[k * stride + c], for
 * r < rows, which is known to the compiler: at most WN_CPU_TILE. */
static inline __attribute__((always_inline)) void
wn_cpu_tile_rows(int rows, const float *const *x, const float *columns, size_t stride, uint32_t n,
                 bool more, float (*sums)[WN_CPU_TILE_COLUMNS])
{
    const int wide = rows == 1 ? WN_CPU_TILE_VECTORS : WN_CPU_TILE_WIDE;
    for (int v = 0; v < WN_CPU_TILE_VECTORS; v += wide)
        wn_cpu_tile_part(rows, wide, x, columns, stride, n, more, sums, v * WN_CPU_VECTOR / 4);
}

static inline void wn_cpu_tile(const float *const *x, const float *columns, size_t stride,
                               uint32_t n, bool more, float (*sums)[WN_CPU_TILE_COLUMNS])
{
    wn_cpu_tile_rows(WN_CPU_TILE, x, columns, stride, n, more, sums);
}

/* to[d * stride + l] = x[l][d] of four rows, for d < n. */
static inline void wn_cpu_turn4(const float *const x[4], uint32_t n, float *to, size_t stride)
{
    typedef float four __attribute__((vector_size(16)));
    uint32_t d = 0;
    for (; n - d >= 4; d += 4) {
        four a[4], b[4], c[4];
        WN_CPU_UNROLL
        for (int l = 0; l < 4; ++l)
            memcpy(&a[l], x[l] + d, sizeof a[l]);
        b[0] = WN_CPU_SHUFFLE(a[0], a[1], 0, 4, 1, 5);
        b[1] = WN_CPU_SHUFFLE(a[0], a[1], 2, 6, 3, 7);
        b[2] = WN_CPU_SHUFFLE(a[2], a[3], 0, 4, 1, 5);
        b[3] = WN_CPU_SHUFFLE(a[2], a[3], 2, 6, 3, 7);
        WN_CPU_UNROLL
        for (int k = 0; k < 2; ++k) {
            c[2 * k] = WN_CPU_SHUFFLE(b[k], b[k + 2], 0, 1, 4, 5);
            c[2 * k + 1] = WN_CPU_SHUFFLE(b[k], b[k + 2], 2, 3, 6, 7);
        }
        WN_CPU_UNROLL
        for (int k = 0; k < 4; ++k)
            memcpy(to + (d + (uint32_t)k) * stride, &c[k], sizeof c[k]);
    }
    for (; d < n; ++d)
        for (int l = 0; l < 4; ++l)
            to[d * stride + (size_t)l] = x[l][d];
}

#endif
