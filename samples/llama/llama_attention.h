/* llama_attention.h: what the last token of a decode attends to in one layer of the language model.
 *
 * For hosts of llama.cpp. The object is handed to a context's evaluation callback and copies the
 * last query row of all heads of one layer, at decodes that are wanted, and nothing else: other
 * nodes are not asked for, so that the backend does not stop behind them, and other decodes run as
 * if there were no callback. Rows are fetched through the backend, so buffers may lie on a GPU.
 *
 *     llama_attention attention = {.layer = 1};
 *     struct llama_context_params params = llama_context_default_params();
 *     llama_attention_attach(&attention, &params);      // flash attention goes off: it has no rows
 *     ... llama_init_from_model, llama_decode of all but the end of the prompt ...
 *     llama_attention_want(&attention);
 *     ... llama_decode of the end ...
 *     llama_attention_read(&attention, &host, cells, count, out);
 *
 * Cells count in the order of decoding, from 0. That is their order in the cache as long as none
 * was freed, and the context has one stream (kv_unified or one sequence) and, where the model has
 * sliding windows, swa_full. */
#ifndef LLAMA_ATTENTION_H
#define LLAMA_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include <llama.h>

#include "llama_host.h"

typedef struct llama_attention {
    int32_t layer; /* from 0 */
    bool hidden; /* false: the layer's own softmax, where cells that its mask hides are 0. true: the
                      softmax of its scores before the mask, so that cells which the sequence does
                      not see get what they would if it did */
    bool wanted; /* see llama_attention_want */
    float *rows; /* [heads, cells] of the last decode that was wanted */
    uint32_t heads, cells;
    float scale;         /* hidden: of the scores */
    size_t room;         /* floats in rows */
    const char *trouble; /* NULL, or why there are no rows */
    char node[64];       /* hidden: the last scores that were copied */
    bool seen;           /* the layer's softmax was met */
} llama_attention;

/* True if the llama.cpp that was loaded lays out tensors and context parameters as this file was
 * built for: ask before anything else. */
bool llama_attention_is_the_version(void);

/* Sets the callback, and switches flash attention off. `a` must outlive the context, and stay where
 * it is. */
void llama_attention_attach(llama_attention *a, struct llama_context_params *params);

/* The callback itself, for hosts whose own callback calls several. */
bool llama_attention_callback(struct ggml_tensor *node, bool ask, void *attention);

/* From here on decodes are copied, each in place of the one before. */
void llama_attention_want(llama_attention *a);

/* The rows of `cells` [count], ascending, as out [heads, count], and no more decodes are copied.
 * With `hidden` each row is a softmax over just these cells: give all that count. LLAMA_HOST_OK or
 * a status with a sentence in host->why. */
llama_host_status llama_attention_read(llama_attention *a, llama_host *host, const uint32_t *cells,
                                       uint32_t count, float *out);

void llama_attention_free(llama_attention *a);

#endif /* LLAMA_ATTENTION_H */
