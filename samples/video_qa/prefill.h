/* What `winnow bench e2e` asks of llama.cpp: how long rows take to become an answer's first token.
 * It is a library of its own, libwinnow-prefill.so, which exports winnow_prefill alone and is opened
 * with dlopen: winnow is not linked to llama.cpp and does without. Films and rows are those of
 * film.h, so that the library must be of the same build; `abi` and the sizes tell.
 *
 * Functions that can fail return false after one line on stderr. One thread at a time. */
#ifndef VIDEO_QA_PREFILL_H
#define VIDEO_QA_PREFILL_H

#include <stdbool.h>
#include <stdint.h>

#include "film.h"

enum { PREFILL_ABI = 1 };
#define PREFILL_FILE   "libwinnow-prefill.so"
#define PREFILL_SYMBOL "winnow_prefill"

typedef struct prefill_options {
    const char *model;    /* path of the language model */
    const char *question; /* behind the media */
    uint32_t threads;     /* 0: one a processor, at most 4 */
} prefill_options;

/* Tokens of what was decoded before the first one of the answer. */
typedef struct prefill_counts {
    uint32_t visual, text; /* text: in front of the media, around and behind them */
    uint32_t cells;        /* of the KV cache in use */
} prefill_counts;

typedef struct prefill prefill;

typedef struct prefill_api {
    uint32_t abi, film_bytes, rows_bytes;
    const char *llama; /* the llama.cpp that it was built for */
    /* Loads the language model of a vision model and takes a context. `most`: visual tokens. Owner of
     * *out: the caller, close; options' strings and `e` must outlive it. */
    bool (*open)(prefill **out, const prefill_options *options, const film_encoder *e,
                 uint32_t most);
    void (*close)(prefill *p); /* NULL is fine */
    /* Decodes the media and the question with an empty cache, up to the first token. */
    bool (*first_token)(prefill *p, const film *f, const film_rows *rows, prefill_counts *out);
} prefill_api;

typedef const prefill_api *(*prefill_get)(void);

#endif /* VIDEO_QA_PREFILL_H */
