/* Clips and their questions, a JSON object a line:
 *     {"video": "a.mp4", "questions": [{"type": "colour", "question": "...", "answer": "red"}]}
 *     {"frames": "0.rgb", "count": 8, "width": 96, "height": 96, "fps": 2, "questions": [...]}
 * Paths are relative to the file that names them. */
#ifndef VIDEO_QA_CLIPS_H
#define VIDEO_QA_CLIPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../film.h"

typedef struct clip_question {
    char *type, *question, *answer;
} clip_question;

typedef struct clip {
    char *path;                    /* from where the program runs */
    bool raw;                      /* frames of rgb24, one after another */
    uint32_t count, width, height; /* of these */
    double fps;
    clip_question *questions; /* [question_count] */
    uint32_t question_count;
} clip;

typedef struct clip_file {
    FILE *file;
    const char *path; /* borrowed */
    char *line;
    size_t room;
    unsigned number; /* of the line that was read last */
} clip_file;

/* False after a line on stderr, as below; clip_file_close in any case. */
bool clip_file_open(clip_file *f, const char *path);
void clip_file_close(clip_file *f);

/* The next clip; *end: there is none. clip_free in any case. */
bool clip_next(clip_file *f, clip *out, bool *end);
void clip_free(clip *c);

/* The clip's frames as the encoder sees them. film_free in any case. */
bool clip_read(const clip *c, film *out, film_encoder *e, const film_choice *choice);

#endif /* VIDEO_QA_CLIPS_H */
