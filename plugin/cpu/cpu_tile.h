/* cpu_tile.h: the inner loop of products. Each sum is dotseq's: in one order, whatever goes on beside it. */
#ifndef WN_CPU_TILE_H
#define WN_CPU_TILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Rows at a time: as many as leave the sums in registers, so that columns are loaded once for all of them. */
#if defined(__AVX512F__)
enum { WN_CPU_TILE = 4, WN_CPU_VECTOR = 64 };
#elif defined(__AVX2__)
enum { WN_CPU_TILE = 2, WN_CPU_VECTOR = 32 };
#else
enum { WN_CPU_TILE = 1, WN_CPU_VECTOR = 16 };
#endif
enum {
    WN_CPU_TILE_COLUMNS = 32,
    WN_CPU_TILE_VECTORS = WN_CPU_TILE_COLUMNS * 4 / WN_CPU_VECTOR,
    WN_CPU_MOST_TILE = 4 /* of all levels: what scratch has room for */
};

/* Loops over a tile are no loops any more before the compiler decides what lives in registers. */
#ifdef __clang__
#    define WN_CPU_UNROLL _Pragma("unroll")
#else
#    define WN_CPU_UNROLL _Pragma("GCC unroll 8")
#endif

typedef float wn_cpu_lanes __attribute__((vector_size(WN_CPU_VECTOR)));

/* sums[r][c] = sum over k < n, ascending from 0, of x[r][k] * columns[k * stride + c], for r < rows, which is known to
 * the compiler: at most WN_CPU_TILE. */
static inline __attribute__((always_inline)) void
wn_cpu_tile_rows(int rows, const float *const *x, const float *columns, size_t stride, uint32_t n,
                 float (*sums)[WN_CPU_TILE_COLUMNS])
{
    enum { LANES = WN_CPU_VECTOR / 4, VECTORS = WN_CPU_TILE_VECTORS };
    wn_cpu_lanes acc[WN_CPU_TILE][VECTORS];
    WN_CPU_UNROLL
    for (int r = 0; r < rows; ++r)
        WN_CPU_UNROLL
    for (int v = 0; v < VECTORS; ++v)
        acc[r][v] = (wn_cpu_lanes){0};
    for (uint32_t k = 0; k < n; ++k) {
        wn_cpu_lanes c[VECTORS];
        WN_CPU_UNROLL
        for (int v = 0; v < VECTORS; ++v)
            memcpy(&c[v], columns + k * stride + v * LANES, sizeof c[v]);
        WN_CPU_UNROLL
        for (int r = 0; r < rows; ++r)
            WN_CPU_UNROLL
        for (int v = 0; v < VECTORS; ++v)
            acc[r][v] += x[r][k] * c[v];
    }
    WN_CPU_UNROLL
    for (int r = 0; r < rows; ++r) /* one by one: a copy of them all would keep them in memory */
        WN_CPU_UNROLL
    for (int v = 0; v < VECTORS; ++v)
        memcpy(&sums[r][v * LANES], &acc[r][v], sizeof acc[r][v]);
}

static inline void wn_cpu_tile(const float *const *x, const float *columns, size_t stride,
                               uint32_t n, float (*sums)[WN_CPU_TILE_COLUMNS])
{
    wn_cpu_tile_rows(WN_CPU_TILE, x, columns, stride, n, sums);
}

#endif
