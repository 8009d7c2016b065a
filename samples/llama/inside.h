/* Stages that work inside the language model, by what it attends to: fastv behind the prompt,
 * dycoke-kv at every token of the answer. They come last in a pipeline, behind those on rows. */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <llama.h>

#include "chunks.h"
#include "llama_attention.h"
#include "llama_host.h"
#include "options.h"
#include "rows.h"

typedef struct inside {
    char *rows_spec;         /* the stages in front of these, or NULL */
    winnow_pipeline *prune;  /* fastv; NULL: not asked for */
    winnow_pipeline *attend; /* dycoke-kv */
    int32_t prune_layer;     /* from 0; below 0: from behind */
    winnow_kv *kv;           /* of attend */
    llama_attention attention;
    /* Visual tokens that are left: where they are, which of the prompt's they were, and whether the
     * next token sees them. [visual] */
    llama_pos *positions;
    int32_t *sources, *shown, *mask;
    uint32_t visual, text;   /* cells of each; the answer's are text */
    uint32_t *cells;         /* [visual + text]: all that count, ascending; room for the context */
    float *rows, *row_order; /* [heads, cells] as they are read, and with visual tokens in front */
    size_t rows_room;        /* floats in each of the two */
    uint32_t room;           /* cells that fit */
    uint32_t pruned_to;      /* visual tokens that prune left */
    uint32_t steps, changes; /* of attend */
    uint64_t seen;           /* visual tokens seen, over the steps */
    FILE *log;               /* --seen */
} inside;

/* Splits o->pipeline and opens its rear. False after a line, as all below; inside_close in any
 * case. */
bool inside_open(inside *in, reducer *r, const options *o);
void inside_close(inside *in, const reducer *r);

/* Whether there is anything to do. */
bool inside_is_asked(const inside *in);

/* What the stages need of the model, and of the context that is made next. */
bool inside_check_model(const inside *in, const options *o, const struct llama_model *model);
void inside_set_context(inside *in, const struct llama_model *model,
                        struct llama_context_params *params);

/* What they need of a prompt. */
bool inside_check_prompt(const inside *in, const prompt *p);

/* What prompt_decode reads; NULL: nothing. */
llama_attention *inside_attention(inside *in);

/* Behind the prompt: the visual tokens are found, and pruned. */
bool inside_prune(inside *in, reducer *r, const prompt *p, llama_host *host);

/* Around the decode of one token of the answer. */
void inside_before(inside *in);
bool inside_after(inside *in, reducer *r, llama_host *host);

/* ", 144 in the cache" and the like, for the report. */
void inside_report(const inside *in, char *text, size_t size);

#endif /* INSIDE_H */
