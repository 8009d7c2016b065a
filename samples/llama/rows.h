/* Winnow's side: the views of a picture, or the frames of a video, to rows, by its own encoder or
 * from rows that another made. */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <frames.h>
#include <winnow/winnow.h>

#include "options.h"

/* The rows of one view, or of all frames of a video, that the language model gets. */
typedef struct rows {
    float *data;      /* [count, width] */
    int32_t *sources; /* [count], as OUT_INDICES */
    int32_t *places;  /* [count, 3], (t, y, x) in tokens; -1: none */
    uint32_t count, width;
} rows;

/* The most that an encoder takes. */
typedef struct encoder_room {
    uint32_t frames, width, height;
} encoder_room;

typedef struct reducer {
    const winnow_api *api;
    const winnow_ext_encoder *ext;
    winnow_host host;
    winnow_device *device;     /* NULL: nothing for it to do */
    winnow_pipeline *pipeline; /* NULL: nothing is reduced */
    winnow_model *model;       /* NULL: the mmproj is of a family that Winnow does not know */
    winnow_model_info info;    /* of model */
    winnow_views *views;       /* of the picture, or of one frame */
    uint8_t *clip;             /* [clip_frames, height, width, 3]: a video's; NULL: a picture */
    uint32_t clip_frames;
    winnow_encoder *encoder; /* NULL: mtmd encodes */
    encoder_room room;       /* of encoder */
    uint32_t token;          /* pixels a side of a token */
    double encode_ms, reduce_ms;
    char message[768]; /* the last thing that the library said */
    bool message_is_error;
} reducer;

/* The library. False after a line, as all below; reducer_close in any case. */
bool reducer_load(reducer *r);

/* The library's own sentence about a call, or else its status. Gives false. */
bool reducer_failed(reducer *r, const char *what, winnow_status status);

/* Opens what the options ask for, with the pipeline `spec` (NULL: none) for rows. `device`: one is
 * needed in any case. */
bool reducer_open(reducer *r, const options *o, const char *spec, bool device);
void reducer_close(reducer *r);

/* Frames that become one row of tokens: 2 for Qwen-VL's pairs, else 1. */
uint32_t reducer_merges(const reducer *r);

/* The views of a picture, and the encoder for them. The picture before is forgotten. */
bool reducer_prepare(reducer *r, const options *o, const char *name, const frames_frame *picture);

/* The same for a video of `count` frames of one size, a multiple of reducer_merges. */
bool reducer_prepare_video(reducer *r, const options *o, const char *name,
                           const frames_frame *frames, uint32_t count);

/* Tokens of view i before any reduction; the grid of an unknown family is 0 x 0. */
void reducer_grid(const reducer *r, uint32_t view, uint32_t *grid_h, uint32_t *grid_w);

/* View i, or the whole video, through Winnow's encoder and the pipeline. */
bool reducer_encode(reducer *r, uint32_t view, rows *out);

/* Rows [frames, count, width] of view i, which mtmd made, through the pipeline, or copied without
 * one. */
bool reducer_take(reducer *r, uint32_t view, const float *data, uint32_t frames, uint32_t count,
                  uint32_t width, rows *out);

/* Room for `most` rows; false after a line. */
bool rows_room(rows *out, uint32_t most, uint32_t width);

void rows_free(rows *r);

#endif /* ROWS_H */
