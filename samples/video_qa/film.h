/* Frames to rows: a video or a picture through Winnow's own encoder and a pipeline, in the form that
 * a language model takes. Needs no llama.cpp.
 *
 *     film_encoder   a vision model's file on a device
 *     film           one video or picture, as views that the model sees; all frames of a video are
 *                    one call, so that a stage that compares frames sees them all
 *     film_pipeline  one spec. Where it needs tokens alone it runs behind the encoder, on an
 *                    encoding that is made once; else inside the encoder, which then runs again
 *     film_rows      what came out
 *
 * Functions that can fail return false after one line on stderr. One thread at a time for each
 * film_encoder and what was made with it. */
#ifndef VIDEO_QA_FILM_H
#define VIDEO_QA_FILM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <frames.h>
#include <winnow/winnow.h>

enum { FILM_MESSAGE_SIZE = 768 };

typedef struct film_options {
    const char *model;                /* path of the mmproj */
    const char *backend;              /* "auto", "gpu", "cpu" */
    const char *like;                 /* "llama", "llama-b10256", "transformers" */
    const winnow_device_desc *device; /* instead of backend, its host aside; NULL: backend */
} film_options;

/* An encoder that stays open from film to film, and is opened anew for a larger one. */
typedef struct film_run {
    winnow_encoder *encoder;
    winnow_encoder_info info;
    uint32_t frames, width, height;
} film_run;

typedef struct film_encoder {
    const winnow_api *api;
    const winnow_ext_encoder *ext;
    winnow_host host;
    winnow_device *device;
    winnow_model *model;
    winnow_model_info info;
    const char *path;                /* borrowed */
    uint32_t token;                  /* pixels a side of one of the language model's tokens */
    film_run plain;                  /* without a pipeline */
    char message[FILM_MESSAGE_SIZE]; /* the last thing that the library said */
    bool message_is_error;
} film_encoder;

/* Opens a device and the file. film_close in any case; the options' strings must outlive it. */
bool film_open(film_encoder *e, const film_options *o);
void film_close(film_encoder *e);

typedef struct film {
    uint8_t *rgb;        /* [count, height, width, 3] */
    double *seconds;     /* [count] */
    int32_t (*tiles)[2]; /* [count] (row, column) of a cut picture's tiles; -1: the overview */
    uint32_t count, width, height;
    uint32_t tiles_x; /* a row of tiles; 0: none */
    bool is_video;    /* views are frames, in time and encoded together */
    float *tokens;    /* [groups * grid_h * grid_w, dim], once film_encode made them */
    double encode_ms; /* that took */
} film;

/* Tokens of a film before any reduction: groups of frames, rows, columns. */
void film_grid(const film_encoder *e, const film *f, uint32_t grid[3]);

/* Which frames of a video, and how large. */
typedef struct film_choice {
    uint32_t frames;   /* evenly spread */
    uint32_t max_side; /* pixels; 0: as they are */
} film_choice;

/* Reads a video, a folder of frames, or a picture. film_free in any case, for both. */
bool film_read(film *f, film_encoder *e, const char *path, const film_choice *choice);
/* The same of frames in memory; `name` is for messages. */
bool film_take(film *f, film_encoder *e, const frames_frame *frames, uint32_t count, bool is_video,
               const char *name);
void film_free(film *f);

typedef struct film_pipeline {
    const char *spec;          /* borrowed; NULL: nothing is reduced */
    winnow_pipeline *pipeline; /* NULL: likewise */
    uint32_t given;            /* roles beside the tokens that film_reduce_with gives it */
    bool inside;               /* it needs more than tokens, and what is given */
    film_run run;              /* where it is inside: with the pipeline in it */
    winnow_plan *plan;         /* where it is behind: of the last film's shape */
    winnow_shape shape;
} film_pipeline;

/* `spec` NULL: none. film_pipeline_close in any case, before the encoder is closed. */
bool film_pipeline_open(film_pipeline *p, film_encoder *e, const char *spec);
/* Of `roles` (bits), which film_reduce_with can give, it will have those that it takes. */
bool film_pipeline_open_with(film_pipeline *p, film_encoder *e, const char *spec, uint32_t roles);
void film_pipeline_close(film_pipeline *p, film_encoder *e);

typedef struct film_rows {
    float *data;      /* [count, width] */
    int32_t *sources; /* [count], t*h*w + y*w + x on `grid`; -1 the class token, -2 the rest */
    int32_t *places;  /* [count, 3], (t, y, x) on `grid`; where sources are negative the first or
                         the last place */
    uint32_t count, width;
    uint32_t grid[3];
    uint32_t before;     /* rows without any reduction */
    winnow_shape shape;  /* what the two below count, which may be finer than `grid` */
    int32_t *indices;    /* [count] as Winnow gives them */
    int32_t *assignment; /* [frames * tokens of shape]: row that each source went to, -1 dropped */
    double encode_ms, reduce_ms; /* inside: all of it is encode_ms */
} film_rows;

/* The film's own tokens, unless it has them already. */
bool film_encode(film *f, film_encoder *e);

/* The rows that `p` leaves of a film; film_encode is called where it has to be. film_rows_free in
 * any case. */
bool film_reduce(film_rows *out, film *f, film_encoder *e, film_pipeline *p);

/* What a pipeline behind the encoder gets beside the tokens: the arrays of p->given. With
 * `attention` all frames are one. */
typedef struct film_inputs {
    const float *in[WINNOW_ROLE_SLOTS];
    uint32_t text_rows, text_dim, key_dim, frame_dim, heads, llm_heads; /* as in winnow_shape */
} film_inputs;

/* film_reduce for a pipeline that was opened with roles. */
bool film_reduce_with(film_rows *out, film *f, film_encoder *e, film_pipeline *p,
                      const film_inputs *inputs);
void film_rows_free(film_rows *r);

/* Room for `most` rows of `width` channels over `sources` source tokens, all zero. */
bool film_rows_room(film_rows *r, uint32_t most, uint32_t width, uint64_t sources);

/* Rows [count, heads * each] to the mean over the heads, [count, each]; `to` may be `rows`. */
void film_mean_of_heads(float *to, const float *rows, size_t count, uint32_t heads, uint32_t each);

/* For the files of this part: the library's own sentence, or `what` and the status. False. */
bool film_fail(film_encoder *e, const char *what, winnow_status status);
void film_forget(film_encoder *e);
/* Frames of a plan for `frames` of them. */
uint32_t film_frames(const film_pipeline *p, uint32_t frames);
/* A run's encoder for a film, with `pipeline` in it. */
bool film_run_open(film_run *run, film_encoder *e, const film *f, const winnow_pipeline *pipeline);
void film_run_close(film_run *run, film_encoder *e);

#endif /* VIDEO_QA_FILM_H */
