/* Pictures and videos as a host of a vision encoder sees them: sampled frames of one size, and the
 * encoder's tokens. */
#ifndef WINNOW_MEDIA_H
#define WINNOW_MEDIA_H

#include <stdint.h>

#include "args.h"
#include "engine.h"
#include "roles.h"

typedef struct media_options {
    const char *model; /* NULL: "patches" */
    uint32_t frames;   /* of each video at most; 0: 16, or all that --fps picks */
    double fps;
    arg_size size;
    uint32_t max_side;
} media_options;

/* The rows of an options table for a `media_options` member called `media`. */
#define MEDIA_OPTIONS(values)                                                     \
    {"model",  0,                                                                 \
     ARG_TEXT, offsetof(values, media.model),                                     \
     "MODEL",  "the encoder: patches[=patch=16:luma=24:chroma=4] (default)"},     \
        {"frames",  0,                                                            \
         ARG_COUNT, offsetof(values, media.frames),                               \
         "N",       "frames of each video, evenly spread; default 16"},           \
        {"fps",      0,                                                           \
         ARG_NUMBER, offsetof(values, media.fps),                                 \
         "R",        "frames a second instead; with --frames at most that many"}, \
        {"size",   0,                                                             \
         ARG_SIZE, offsetof(values, media.size),                                  \
         "WxH",    "size of the frames, multiples of the patch"},                 \
    {                                                                             \
        "max-side", 0, ARG_COUNT, offsetof(values, media.max_side), "N",          \
            "longest side instead; default 448"                                   \
    }

typedef struct media {
    uint8_t *rgb;    /* [T, height, width, 3] */
    double *seconds; /* [T], from the start of each input */
    float *tokens;   /* [T, N, dim] */
    uint32_t frames, width, height, patch, dim, grid_h, grid_w;
    uint32_t roles; /* bits that the encoder gives */
    double decode_ms, encode_ms;
} media;

/* Reads all paths as one sequence of frames and encodes them. Exit code; media_free in any case. */
int media_load(media *m, engine *e, const arg_list *paths, const media_options *options);
void media_free(media *m);

/* The inputs of a plan: tokens on their grid. Points into `m`. */
role_inputs media_inputs(const media *m);

/* Says which roles a pipeline needs that the encoder cannot give, and which stages would do. Exit
 * code: CLI_DONE if it can give all. */
int media_check_roles(uint32_t roles, engine *e, const winnow_pipeline *pipeline, const char *spec);

#endif /* WINNOW_MEDIA_H */
