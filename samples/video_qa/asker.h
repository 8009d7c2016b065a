/* Asking a language model about films: their rows are decoded once, and every question behind them.
 * After an answer the cache goes back to the end of the media; where it cannot, the media are decoded
 * again. Through llama.h and llama_host alone.
 *
 * Functions that can fail return false after one line on stderr. One thread at a time for each
 * asker; several may share an asker_model, one after another. */
#ifndef VIDEO_QA_ASKER_H
#define VIDEO_QA_ASKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <llama.h>

#include "film.h"
#include "llama_host.h"
#include "prompt.h"

typedef struct asker_options {
    const char *model;    /* path */
    const char *template; /* see prompt_template_open; NULL: the model's own */
    uint32_t context;     /* tokens; 0: as many as the model was trained on, at most 4096 */
    uint32_t batch;       /* tokens a llama_decode */
    uint32_t threads;     /* 0: one a processor, at most 4 */
    uint32_t answer;      /* most tokens of an answer */
    int32_t gpu_layers;   /* of the language model; -1: llama.cpp's choice */
    bool compact;         /* M-RoPE: places close up (llama_host.h) */
    FILE *trace;          /* NULL, or where everything that is decoded is written (see --trace) */
} asker_options;

typedef struct asker_model {
    struct llama_model *model;
    const struct llama_vocab *vocab;
    const prompt_family *family;
    prompt_template template;
    asker_options options; /* strings are borrowed */
} asker_model;

/* Loads the language model that belongs to the vision model. asker_model_close in any case. */
bool asker_model_open(asker_model *m, const asker_options *o, const film_encoder *e);
void asker_model_close(asker_model *m);

typedef struct asker {
    asker_model *model; /* borrowed */
    struct llama_context *context;
    llama_host host;
    prompt prompt; /* up to the end of the media */
    llama_pos end; /* host.n_past and host.cells there */
    uint32_t end_cells;
    double prefill_ms; /* of the media and what is before them */
    bool told;         /* that the cache cannot go back */
} asker;

/* Called at every node of the graphs that are run, as llama.h has it: flash attention goes off, which
 * would hide the attention. */
typedef struct asker_watch {
    ggml_backend_sched_eval_callback callback;
    void *user;
} asker_watch;

/* Takes the context's memory. `watch` may be NULL, and is copied. asker_close in any case. */
bool asker_open(asker *a, asker_model *m, const asker_watch *watch);
void asker_close(asker *a);

/* The media that questions are about from now on: what the cache held is forgotten, and they are
 * decoded. Films and rows are borrowed until the next call. */
bool asker_show(asker *a, const prompt_media *media, uint32_t count);

/* Decodes a question behind the media, up to where its answer begins. *count: its tokens and the
 * template's. *again, if the media had to be decoded once more for it. */
bool asker_read(asker *a, const char *question, uint32_t *count, bool *again);

typedef struct asker_answer {
    char *text;         /* whole, ended by 0. Owner: the caller, asker_answer_free */
    uint32_t size;      /* bytes of it */
    uint32_t question;  /* tokens of the question and the template behind the media */
    uint32_t tokens;    /* of the answer */
    uint32_t cells;     /* of the KV cache in use where the answer began */
    uint64_t kv_bytes;  /* of the sequence there; where asker_ask was told to look */
    bool again;         /* the media had to be decoded once more for it */
    double first_ms;    /* from the question to the answer's first token */
    double generate_ms; /* all tokens */
} asker_answer;

/* Called with each piece of an answer as it comes. */
typedef void (*asker_piece)(void *user, const char *piece, uint32_t size);

/* Greedy: the likeliest token each time. `piece` may be NULL. `kv`: measure kv_bytes. */
bool asker_ask(asker *a, const char *question, bool kv, asker_piece piece, void *user,
               asker_answer *out);
void asker_answer_free(asker_answer *answer);

#endif /* VIDEO_QA_ASKER_H */
