/* llama_host.h: decoding fewer visual tokens than llama.cpp's encoder made.
 *
 * For hosts that have a llama_context and rows that Winnow kept. It fills llama_batches with the
 * right positions, decodes them, and leaves the KV cache as it was when something fails. Needs
 * llama.h alone: what mtmd knows of a picture comes as numbers.
 *
 * Positions
 *   Without M-RoPE  llama.cpp asks for consecutive positions, so the kept rows are renumbered
 *                   n_past, n_past + 1, ... and text goes on behind them.
 *   With M-RoPE     (Qwen2-VL and later) a token has a place (t, y, x). There are two ways:
 *     original      kept rows stay where they were and text goes on where the whole picture would
 *                   have ended. Distances are those that the model was trained on, so answers about
 *                   where things are stay true: for pruning, and the default.
 *     compact       the rows and columns that are left are closed up: what remains of a 2x2-pooled
 *                   32x32 grid looks like a picture of 16x16, and text follows sooner. For pooling
 *                   and merging that leave a smaller regular grid, and for videos whose places
 *                   would go beyond what the model was trained on. It never takes more positions.
 *
 * Every function returns LLAMA_HOST_OK or a status with one sentence in host->why. One thread at a
 * time for each llama_context. */
#ifndef LLAMA_HOST_H
#define LLAMA_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <llama.h>

enum {
    LLAMA_HOST_WHY_SIZE = 512,
    /* Tokens a picture under which Qwen-VL's models, those with M-RoPE, still tell what there is but
     * not reliably where (llama.cpp issue 16842): worth a warning where a budget goes under. */
    LLAMA_HOST_GROUNDING = 1000
};

typedef enum llama_host_status {
    LLAMA_HOST_OK = 0,
    LLAMA_HOST_E_ARGUMENT = -1, /* the caller's mistake; nothing was decoded */
    LLAMA_HOST_E_CONTEXT = -2,  /* it does not fit the context; nothing was decoded */
    LLAMA_HOST_E_MEMORY = -3,   /* out of host memory; nothing was decoded */
    LLAMA_HOST_E_DECODE = -4,   /* llama_decode failed; the cache is as it was before the call */
    LLAMA_HOST_E_CACHE = -5     /* llama_decode failed and this kind of cache cannot forget a part:
                                   clear the sequence (llama_memory_seq_rm from 0) */
} llama_host_status;

/* One sequence of a context. Zero: sequence 0, the context's own n_batch, original positions,
 * nothing decoded yet. The functions below move n_past and cells, on success alone. */
typedef struct llama_host {
    struct llama_context *context; /* borrowed */
    llama_seq_id sequence;
    int32_t n_batch;  /* most tokens a llama_decode; 0: what the context takes */
    bool compact;     /* M-RoPE: see above */
    llama_pos n_past; /* position of what comes next */
    uint32_t cells;   /* KV cells in use. Under M-RoPE a picture takes more cells than positions.
                         Where sequences share a cache (kv_unified), add the others' */
    char why[LLAMA_HOST_WHY_SIZE];
} llama_host;

/* The rows of one media chunk, and where they come from. */
typedef struct llama_host_media {
    const float *rows;      /* [count, width] */
    uint32_t count, width;  /* width: llama_model_n_embd_inp */
    const int32_t *sources; /* [count], Winnow's OUT_INDICES: t*h*w + y*w + x on the grid below, -1
                                the class token, -2 the pooled rest; NULL: row i is source i */
    const int32_t *places;  /* [count, 3], (t, y, x) where `sources` count something finer than
                                tokens, as patches (OUT_POSITIONS, scaled); negative: see `sources`.
                                NULL: places follow from `sources` */
    uint32_t grid[3];       /* M-RoPE: frames, rows, columns of the unreduced media */
    llama_pos n_pos;        /* M-RoPE: positions of the unreduced media
                                (mtmd_input_chunk_get_n_pos) */
    bool non_causal;        /* mtmd_decode_use_non_causal: rows see each other whatever their order.
                                The context's attention is causal again afterwards */
} llama_host_media;

/* True if the context's model takes M-RoPE positions. */
bool llama_host_uses_mrope(const struct llama_context *context);

/* Whether `tokens` more cells fit the sequence; asked by the functions below for themselves. Ask it
 * for a whole prompt and its answer before the first of them is decoded. */
llama_host_status llama_host_fits(llama_host *host, uint32_t tokens);

/* Decodes text. `logits`: those of the last token are wanted (llama_get_logits_ith(ctx, -1)). */
llama_host_status llama_host_text(llama_host *host, const llama_token *tokens, uint32_t count,
                                  bool logits);

/* Decodes the rows of a picture, at least one. Under M-RoPE rows must not go back in time. A class
 * token takes the place of the grid's first token, the pooled rest that of its last. */
llama_host_status llama_host_decode_media(llama_host *host, const llama_host_media *media,
                                          bool logits);

/* The positions that llama_host_decode_media gives the rows, and how many the media takes.
 * planes: [4, count] (t, y, x, z) with M-RoPE, else [1, count]. For hosts that fill their own
 * batches. */
llama_host_status llama_host_positions(llama_host *host, const llama_host_media *media,
                                       llama_pos *planes, llama_pos *n_pos);

#endif /* LLAMA_HOST_H */
