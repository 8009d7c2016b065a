/* mtmd's side: a prompt with pictures and videos becomes text and media in order, media become rows
 * (fill.c), and all of it is decoded. */
#ifndef CHUNKS_H
#define CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include <llama.h>
#include <mtmd.h>

#include "llama_attention.h"
#include "llama_host.h"
#include "media.h"
#include "options.h"
#include "rows.h"

/* One run of text, or one of media: a view of a picture, or frames of a video without text between
 * them. */
typedef struct part {
    llama_token *tokens;        /* text: [before]; NULL: media */
    uint32_t before;            /* tokens that mtmd counts for it */
    uint32_t medium;            /* media: whose */
    uint32_t view;              /* of a picture */
    uint32_t first_unit, units; /* of the prompt: mtmd's chunks that it is encoded from */
    rows rows;                  /* media: what is decoded */
    uint32_t grid[3];           /* media, M-RoPE: of mtmd's tokens */
    double tick;                /* media, M-RoPE: places in time from one unit to the next */
    llama_pos n_pos;            /* media, M-RoPE */
    bool non_causal;            /* media */
    llama_pos at;               /* where prompt_decode put its first token */
} part;

typedef struct prompt {
    mtmd_context *mtmd;
    const struct llama_vocab *vocab;
    mtmd_input_chunks **lists; /* [list_count]: owners of the units */
    const mtmd_input_chunk **units;
    part *parts; /* [count] */
    uint32_t list_count, unit_count, count;
    uint32_t text, visual_before, visual_after; /* tokens */
    double encode_ms;                           /* mtmd's */
} prompt;

/* Loads the mmproj for `model`. False after a line, as all below; prompt_close in any case. */
bool prompt_open(prompt *p, const options *o, const struct llama_model *model);
void prompt_close(prompt *p);

/* Cuts `text`, which has a marker for each of `m`, into parts. `r`: how the model takes videos. */
bool prompt_split(prompt *p, const char *text, media_list *m, const reducer *r);

/* The rows of every media part, reduced. `width`: of the language model's embeddings. */
bool prompt_fill(prompt *p, const options *o, reducer *r, const media_list *m, uint32_t width);

/* Decodes everything; the last token's logits are there afterwards, and what it attends to where
 * `attention` is not NULL. */
bool prompt_decode(prompt *p, llama_host *host, llama_attention *attention);

/* A line for each media part: the sources that were kept, ascending as their rows. */
bool prompt_write_kept(const prompt *p, const char *path);

#endif /* CHUNKS_H */
