/* cpu_greedy.h: what the selections that take one token at a time share. */
#ifndef WN_CPU_GREEDY_H
#define WN_CPU_GREEDY_H

#include "cpu_ops.h"

enum { WN_CPU_GAIN_COLUMNS = 256 }; /* whose sums stay near while the rows pass */

/* Adds to sums[4][n] what rows first .. first+count (of the rows to cover, from r on) give to columns 0 .. n. */
void wn_cpu_add_gains(const wn_cpu_rows *from, uint32_t first, uint32_t count, uint32_t r,
                      const float *cur, uint32_t column, uint32_t n,
                      float sums[4][WN_CPU_GAIN_COLUMNS]) WN_CPU_NAME(wn_cpu_add_gains);

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
