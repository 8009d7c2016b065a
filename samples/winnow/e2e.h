/* `winnow bench e2e`: from pixels to the first token, part by part. Shared by its files:
 *
 *     cmd_bench_e2e.c  options, opening, closing
 *     e2e_run.c        rounds: every row's parts, one after another
 *     e2e_alone.c      a pipeline by itself, on what the encoder shows of the frames
 *     e2e_stages.c     --stages: each stage beside the encoder
 *     e2e_times.c      clocks and quartiles
 *     e2e_report.c     tables and --json
 *     e2e_svg.c        --svg
 *
 * Functions that can fail return an exit code, or false after one line on stderr. */
#ifndef WINNOW_E2E_H
#define WINNOW_E2E_H

#include <cjson/cJSON.h>
#include <frames.h>

#include "bench_inputs.h"
#include "engine.h"
#include "film.h"
#include "prefill.h"

enum { E2E_ROWS_MAX = ARG_LIST_MAX + 1, E2E_ROUNDS_MAX = 99, E2E_STAGES_MAX = 64, E2E_REPEATS = 3 };

typedef struct e2e_options {
    engine_options engine;
    const char *model, *llm, *llama, *question, *like, *clock, *svg;
    arg_list pipelines;
    uint32_t frames, max_side, threads, rounds;
    bool stages, no_llm, quick, json;
} e2e_options;

/* ---- time ---- */

/* Milliseconds of the clock, and of all of the process's threads on their CPUs. */
typedef struct e2e_time {
    double wall, cpu;
} e2e_time;

e2e_time e2e_now(void);
e2e_time e2e_since(e2e_time start);
e2e_time e2e_minus(e2e_time a, e2e_time b);

typedef struct e2e_quartiles {
    double low, median, high;
} e2e_quartiles;

/* Of `count` samples, at least one, by the clock or by CPU time. */
e2e_quartiles e2e_quartiles_of(const e2e_time *samples, uint32_t count, bool cpu);

/* How many rounds after one that took `seconds`; `asked` 0: not said. */
uint32_t e2e_rounds(uint32_t asked, bool quick, double seconds);

/* ---- a pipeline by itself ---- */

/* What a model's encoder shows of the frames to stages: in front of the projector the patches, their
 * keys and attention; behind it the tokens, with keys and attention averaged where it joins patches. */
typedef struct e2e_shown {
    winnow_shape front, behind;
    float *at_front[WINNOW_ROLE_COUNT], *at_behind[WINNOW_ROLE_COUNT]; /* NULL: not shown */
    bench_inputs made_front, made_behind; /* text and the like, which no encoder shows: seeded */
} e2e_shown;

/* Encodes once more, with taps. e2e_shown_free in any case. */
bool e2e_show(e2e_shown *out, film_encoder *e, const film *f);
void e2e_shown_free(e2e_shown *s);

typedef struct e2e_alone {
    winnow_plan *plan; /* NULL: the pipeline does not run by itself */
    winnow_run run;
    float *tokens;
    int32_t *indices;
    uint32_t rows;
    bool seeded; /* some of its inputs are made up */
} e2e_alone;

/* Plans it where encoders run it. False, silently, where it is not for this; the library's sentence
 * is then in e->message. e2e_alone_close in any case. */
bool e2e_alone_open(e2e_alone *a, film_encoder *e, e2e_shown *s, const winnow_pipeline *pipeline);
winnow_status e2e_alone_run(e2e_alone *a, film_encoder *e);
void e2e_alone_close(e2e_alone *a, film_encoder *e);

/* ---- rows ---- */

typedef enum e2e_part {
    E2E_PREPARE,   /* pixels to the model's views */
    E2E_ENCODER,   /* views to tokens */
    E2E_REDUCTION, /* the pipeline */
    E2E_PREFILL,   /* rows, and the text around them, to the first token */
    E2E_PARTS
} e2e_part;

extern const char *const e2e_part_names[E2E_PARTS];

typedef struct e2e_row {
    const char *spec; /* NULL: none */
    film_pipeline pipeline;
    e2e_alone alone; /* of those inside the encoder */
    bool split;      /* the reduction's part is known by itself */
    uint32_t tokens, text, cells;
    e2e_time parts[E2E_PARTS][E2E_ROUNDS_MAX], all[E2E_ROUNDS_MAX];
} e2e_row;

typedef struct e2e_stage {
    char spec[128];
    const char *name;
    winnow_pipeline *pipeline;
    e2e_alone alone;
    char skipped[ENGINE_MESSAGE_SIZE];
    e2e_time times[E2E_ROUNDS_MAX * E2E_REPEATS];
} e2e_stage;

typedef struct e2e {
    const e2e_options *o;
    engine library; /* its table alone: no device */
    film_encoder encoder;
    winnow_device_info device;
    const char *model, *llm, *film;
    frames_list frames;
    bool is_video, cpu;                    /* cpu: CPU time is what is told */
    uint32_t views, width, height, before; /* of the film as the model sees it; tokens of all */
    void *object;                          /* libwinnow-prefill.so */
    const prefill_api *llama;
    prefill *prefill;
    uint32_t threads;
    char left_out[512]; /* why there is no prefill; "" there is */
    e2e_shown shown;
    e2e_row rows[E2E_ROWS_MAX];
    e2e_stage stages[E2E_STAGES_MAX];
    uint32_t row_count, stage_count, rounds, stage_samples;
    e2e_time encoder_times[E2E_ROUNDS_MAX]; /* --stages */
} e2e;

/* The frames as views. film_free in any case. */
bool e2e_take(e2e *b, film *f);

int e2e_run(e2e *b);
int e2e_run_stages(e2e *b);

/* The quartiles that are told: of a part, or of all parts. */
e2e_quartiles e2e_part_of(const e2e *b, const e2e_row *r, uint32_t part);
e2e_quartiles e2e_all_of(const e2e *b, const e2e_row *r);

int e2e_report(const e2e *b);
int e2e_report_stages(const e2e *b);
int e2e_draw(const e2e *b, const char *path);

#endif /* WINNOW_E2E_H */
