/* llama_cells.h: which of its KV cells a sequence attends to, by the cache's own calls.
 *
 * A cell is named by its position, so none of this is possible under M-RoPE, where the tokens of a
 * picture share theirs, nor with a cache that is not made of cells (recurrent and hybrid models).
 * Positions of what is left stay as they were: text that follows goes on as if nothing had gone.
 *
 * forget    frees cells for good.
 * keep      puts cells into a second sequence of the same stream (n_seq_max 2, kv_unified), so that
 *           what the first one is made to forget stays in the cache.
 * show      makes the first sequence see some of them and not others; they may come back.
 *
 * Statuses and sentences as in llama_host.h. */
#ifndef LLAMA_CELLS_H
#define LLAMA_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "llama_host.h"

/* Why the cells of this model cannot be named, or NULL if they can. The functions below ask it. */
const char *llama_cells_why_not(const struct llama_model *model);

/* host->sequence forgets the cells at `positions` [count], ascending, behind which something stays.
 * `freed`: no other sequence holds them, so host->cells goes down. */
llama_host_status llama_cells_forget(llama_host *host, const llama_pos *positions, uint32_t count,
                                     bool freed);

/* What host->sequence has from position `from` on is in the sequence `store` too. Once for each. */
llama_host_status llama_cells_keep(llama_host *host, llama_seq_id store, llama_pos from);

/* Of the cells at `positions` [count], ascending and all in `store`, host->sequence sees those
 * whose `wanted` is 1. `shown` [count] is what it sees now, and is brought up to date. */
llama_host_status llama_cells_show(llama_host *host, llama_seq_id store, const llama_pos *positions,
                                   uint32_t count, const int32_t *wanted, int32_t *shown);

#endif /* LLAMA_CELLS_H */
