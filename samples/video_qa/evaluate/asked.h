/* asked.h: pipelines that want to know what is asked: the language model reads the film with all its
 * tokens and the question, and what one of its layers attends to, its keys and the question's
 * embeddings go to the pipeline. What that leaves is shown to the language model from its first
 * layer on. The authors mostly drop tokens between layers instead, so that what is here is harder. */
#ifndef VIDEO_QA_ASKED_H
#define VIDEO_QA_ASKED_H

#include "../asker.h"
#include "look.h"
#include "seen.h"

/* True if a pipeline gets more than tokens behind the encoder: it needs text, the language model's
 * attention or an embedding of each frame, or its spec begins with "llm:" or "hidden:". */
bool asked_is(const film_encoder *e, const char *spec);

typedef struct asked {
    asker asker;
    look look;
    seen seen;
    bool is_seen;    /* of the film that is shown */
    uint32_t *cells; /* [visual], of the film's tokens */
    uint32_t visual;
    float *rows[WINNOW_ROLE_SLOTS]; /* what is given */
    double read_ms;                 /* of the question; asker.prefill_ms of the film */
} asked;

/* A pipeline that asked_is. With "llm:" keys and attention are the language model's; with "hidden:" the
 * tokens and `text` are what its layer gives of them, image_embeds the tokens before, and what is chosen
 * is shown as tokens again. Its option layer= says which layer of the language model; absent: the
 * second. False after a line on stderr. */
bool asked_pipeline_open(asked *a, film_pipeline *p, film_encoder *e, const char *spec);

/* Once all pipelines are known. asked_close in any case. */
bool asked_open(asked *a, asker_model *m);
void asked_close(asked *a, const film_encoder *e);

/* A film with all its rows, which are borrowed; then a question about it; then what each pipeline
 * leaves for that question, whose reduce_ms has the reading of film and question in it.
 * film_rows_free in any case. */
bool asked_show(asked *a, const prompt_media *media);
bool asked_read(asked *a, const char *question);
bool asked_reduce(asked *a, film_rows *out, film *f, film_encoder *e, film_pipeline *p,
                  const char *spec);

#endif /* VIDEO_QA_ASKED_H */
