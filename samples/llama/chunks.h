/* mtmd's side: a prompt with a picture becomes text and media in order, media become rows, and all
 * of it is decoded. */
#ifndef CHUNKS_H
#define CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include <llama.h>
#include <mtmd.h>

#include "llama_host.h"
#include "options.h"
#include "rows.h"

/* One chunk of the prompt. */
typedef struct part {
    const mtmd_input_chunk *chunk;
    bool is_text;
    uint32_t before;         /* tokens that mtmd counts for it */
    uint32_t view;           /* media: which of the picture's views */
    rows rows;               /* media: what is decoded */
    uint32_t grid_h, grid_w; /* media, M-RoPE: of mtmd's tokens */
} part;

typedef struct prompt {
    mtmd_context *mtmd;
    mtmd_input_chunks *chunks;
    part *parts; /* [count] */
    uint32_t count, views;
    uint32_t text, visual_before, visual_after; /* tokens */
    double encode_ms;                           /* mtmd's */
} prompt;

/* Loads the mmproj for `model`. False after a line, as all below; prompt_close in any case. */
bool prompt_open(prompt *p, const options *o, const struct llama_model *model);
void prompt_close(prompt *p);

/* Cuts o->prompt with its one picture [height, width, 3] into parts. */
bool prompt_split(prompt *p, const options *o, const uint8_t *rgb, uint32_t width, uint32_t height);

/* The rows of every media part, reduced. `width`: of the language model's embeddings. */
bool prompt_fill(prompt *p, const options *o, reducer *r, uint32_t width);

/* Decodes everything; the last token's logits are there afterwards. */
bool prompt_decode(const prompt *p, llama_host *host);

/* A line for each media part: the sources that were kept, ascending as their rows. */
bool prompt_write_kept(const prompt *p, const char *path);

#endif /* CHUNKS_H */
