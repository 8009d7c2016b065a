/* What was asked and answered: a JSON object a line, or CSV where the path ends so. */
#ifndef VIDEO_QA_RESULTS_H
#define VIDEO_QA_RESULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct result_row {
    uint32_t clip; /* from 0 */
    const char *pipeline, *type, *question, *answer, *said;
    bool right;
    uint32_t tokens, tokens_before; /* visual ones */
    uint32_t cells;                 /* of the cache, when the answer began */
    uint64_t kv_bytes;              /* in them */
    double encode_ms, reduce_ms; /* of the clip; encode_ms is all of it where a stage is inside */
    double prefill_ms;           /* of the media in the language model */
    double question_ms;          /* from there to the first token */
} result_row;

typedef struct results {
    FILE *file;
    const char *path; /* borrowed */
    char part[4096];  /* what is written, and renamed at the end */
    bool csv;
} results;

/* False after a line on stderr, as below. */
bool results_open(results *r, const char *path);
bool results_write(results *r, const result_row *row);
/* `good`: what was written is whole, and takes its name; else it is removed. */
bool results_close(results *r, bool good);

#endif /* VIDEO_QA_RESULTS_H */
