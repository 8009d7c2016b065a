/* All that is open while questions are asked: the model, and one side for each way to look. */
#ifndef VIDEO_QA_SESSION_H
#define VIDEO_QA_SESSION_H

#include "asker.h"
#include "film.h"
#include "options.h"

enum { SESSION_SIDES = 2 };

/* One pipeline and the context that its rows are in. */
typedef struct session_side {
    film_pipeline pipeline;
    film_rows rows[OPTIONS_LIST_MAX]; /* of each film */
    asker asker;
    double encode_ms, reduce_ms; /* of all films */
    bool asked;                  /* since it was last shown */
} session_side;

typedef struct session {
    const options *o;
    film_encoder encoder;
    film films[OPTIONS_LIST_MAX];
    uint32_t film_count;
    asker_model model;
    FILE *trace;
    session_side sides[SESSION_SIDES]; /* the pipeline; with --compare, nothing reduced first */
    uint32_t side_count;
} session;

/* Opens the models and pipelines. False after a line, as all below; session_close in any case. */
bool session_open(session *s, const options *o);
void session_close(session *s);

/* Encodes and reduces s->films, which the caller filled, and shows them to the language model. */
bool session_look(session *s);

/* Asks what is shown; prints answers on stdout and a line on stderr. */
bool session_ask(session *s, const char *question);

/* Forgets the films and their rows. */
void session_forget(session *s);

/* A copy of `text` without spaces around it; false after a line where nothing is left. Owner: the
 * caller, free. */
bool session_trim(const char *text, char **out);

/* Keeps a picture of what the session's pipeline left of its first film. */
bool picture_write(const session *s, const char *path);
/* Whether the path's ending says a kind of picture. False after a line. */
bool picture_check(const char *path);

#endif /* VIDEO_QA_SESSION_H */
