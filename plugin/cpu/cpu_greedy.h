/* cpu_greedy.h: what the selections that take one token at a time share. */
#ifndef WN_CPU_GREEDY_H
#define WN_CPU_GREEDY_H

#include "cpu_ops.h"

/* What a row gives to a gain (ops_args.h, greedy_coverage): d in units of 2^-45, cut off, in two whole numbers. */
typedef struct gain_part {
    int32_t high, low; /* high * 2^24 + low */
} gain_part;

/* min(d, 4 - 2^-22) where d > 0, else 0, by its bits alone: comparisons would keep compilers from using vectors. */
static inline float gain_held(float d)
{
    const int32_t infinity = 0x7f800000, most = 0x407fffff;
    const int32_t bits = (int32_t)f32_bits(d), above = bits & ~(bits >> 31);
    const int32_t number = above & ~((infinity - above) >> 31), over = number - most;
    return bits_f32((uint32_t)(number - (over & ~(over >> 31))));
}

static inline gain_part gain_part_of(float d)
{
    const float x = gain_held(d) * 0x1p21f;
    const int32_t high = (int32_t)x;
    const float rest = x - (float)high;
    return (gain_part){high, (int32_t)(rest * 0x1p24f)};
}

/* A sum of them as a float: its highest 24 bits. */
static inline float gain_value(uint64_t units)
{
    const uint32_t shift = units >> 24 ? 40u - (uint32_t)__builtin_clzll(units) : 0;
    return (float)(int32_t)(units >> shift) * bits_f32((shift + 82u) << 23);
}

/* units[n] += what rows first .. first+count, covered as far as cur[0 .. count] says, give to each column. */
void wn_cpu_add_gains(const wn_cpu_rows *from, uint32_t first, uint32_t count, const float *cur,
                      uint32_t n, uint64_t *units) WN_CPU_NAME(wn_cpu_add_gains);

/* units[n] follow: the row[n] was covered so far, and now is so far. */
void wn_cpu_move_gains(const float *row, float was, float now, uint32_t n, uint64_t *units)
    WN_CPU_NAME(wn_cpu_move_gains);

/* The position in [begin, end) of the best value at value_at whose flag is 0; there is one. */
static inline uint32_t best_unpicked(const wn_cpu_memory *m, uint32_t value_at, uint32_t flag_at,
                                     uint32_t begin, uint32_t end)
{
    uint32_t best = WN_NONE, best_key = 0;
    for (uint32_t j = begin; j < end; ++j) {
        if (m->w[flag_at + j])
            continue;
        const uint32_t key = score_key(real(m, value_at, j));
        if (best == WN_NONE || key > best_key) {
            best = j;
            best_key = key;
        }
    }
    return best;
}

static inline void take(const wn_cpu_memory *m, uint32_t flag_at, uint32_t order_at, uint32_t place,
                        uint32_t p)
{
    m->w[flag_at + p] = 1;
    if (order_at != WN_NONE)
        m->w[order_at + place] = p;
}

#endif
