/* What was measured of each stage, for `winnow stages` and docs/methods.md. stage_figures.def holds the numbers;
 * stage_figures.py makes it from a bench and the answers of winnow-evaluate. */
#ifndef WINNOW_STAGE_FIGURES_H
#define WINNOW_STAGE_FIGURES_H

#include <cjson/cJSON.h>
#include <stddef.h>

/* Right answers in percent of the held-out questions; 0: none were asked with the stage at about this share. */
typedef struct stage_answers {
    double right;
    const char *pipeline; /* that was asked */
} stage_answers;

typedef struct stage_figures {
    const char *stage;
    double image_ms, video_ms; /* 0: it does not run on these shapes */
    stage_answers quarter, tenth;
} stage_figures;

#define STAGE_FIGURES_IMAGE "1 x 576 x 1024"
#define STAGE_FIGURES_VIDEO "32 x 196 x 3584"

extern const char *const stage_figures_machine; /* where the times were taken */
extern const double stage_figures_all;          /* right answers with all tokens */

/* NULL: nothing was measured. */
const stage_figures *stage_figures_of(const char *stage);

/* A figure as text in `out`, "-" where there is none; returns out. */
const char *stage_figures_ms(double ms, char *out, size_t size);
const char *stage_figures_right(const stage_answers *answers, char *out, size_t size);

/* Adds "measured" to a stage's object. */
void stage_figures_json(cJSON *object, const char *stage);

#endif /* WINNOW_STAGE_FIGURES_H */
