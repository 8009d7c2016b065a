/* The text around the media: a model's chat template, and what its family puts around a picture.
 * Text becomes tokens piece by piece, as llama.cpp's own multimodal code does it, so that the same
 * prompt is the same tokens. */
#ifndef VIDEO_QA_PROMPT_H
#define VIDEO_QA_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

#include <llama.h>

#include "film.h"

/* How a family of vision models shows pictures to its language model. */
typedef struct prompt_family {
    const char *name;           /* winnow_model_info.family */
    const char *before, *after; /* special tokens around a picture; "" none */
    bool tiled;                 /* SmolVLM's marks before tiles and around overviews */
    bool each_frame;            /* frames of a video are pictures of their own */
    bool stamps;                /* and each one's time is said before it */
    bool non_causal;            /* rows of a picture see each other */
    double places_a_second;     /* M-RoPE: a frame's place is its time; 0: its number */
} prompt_family;

/* NULL: none that is known. */
const prompt_family *prompt_family_of(const char *name);

/* The text in front of the media, and behind them with a place for the question. */
typedef struct prompt_template {
    char *before, *between, *after; /* BEFORE media BETWEEN question AFTER */
} prompt_template;

/* `given`: "USER: <media>\n<question>" or so; NULL: the model's own, or a plain one where it has
 * none that llama.cpp knows, which is said in one line. False after a line; _free in any case. */
bool prompt_template_open(prompt_template *t, const struct llama_model *model, const char *given,
                          const char *model_path);
void prompt_template_free(prompt_template *t);

/* Text or rows, in the order in which they are decoded. */
typedef struct prompt_part {
    llama_token *tokens;   /* [count], text; NULL: rows */
    const film_rows *rows; /* borrowed */
    uint32_t first, count; /* of the rows */
    int32_t *places;       /* [count, 3] */
    uint32_t grid[3];      /* that places lie on */
} prompt_part;

typedef struct prompt {
    prompt_part *parts;
    uint32_t count, room;
    uint32_t text, visual, visual_before; /* tokens */
} prompt;

/* One film's rows and what they were made of. */
typedef struct prompt_media {
    const film *film;
    const film_rows *rows;
} prompt_media;

/* The prompt up to the end of the media. The media are borrowed. prompt_free in any case. */
bool prompt_build(prompt *p, const struct llama_vocab *vocab, const prompt_template *t,
                  const prompt_family *family, const prompt_media *media, uint32_t media_count);
void prompt_free(prompt *p);

/* The tokens behind the media, up to where an answer begins. Owner: the caller, free. */
bool prompt_question(const struct llama_vocab *vocab, const prompt_template *t,
                     const char *question, llama_token **tokens, uint32_t *count);

#endif /* VIDEO_QA_PROMPT_H */
