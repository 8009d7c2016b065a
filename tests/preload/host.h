/* What host.c has opened, and decoding of its chunks. */
#ifndef HOST_H
#define HOST_H

#include <stdio.h>

#include "llama.h"
#include "mtmd.h"

typedef struct host {
    struct llama_model *model;
    mtmd_context *mtmd;
    mtmd_input_chunks *chunks;
    FILE *text, *one, *all;
} host;

_Noreturn void stop(const char *what, const char *which);

/* Each decodes all chunks in a new context and writes the last token's logits, f32. `kept` NULL:
 * all rows that there are; else a line of token numbers for each picture chunk. */
void decode_by_helper(host *h, FILE *out);
void decode_by_hand(host *h, FILE *kept, FILE *out);

#endif /* HOST_H */
