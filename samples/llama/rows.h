/* Winnow's side: a picture's views to rows, by its own encoder or from rows that another made. */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <winnow/winnow.h>

#include "options.h"

/* The rows of one view that the language model gets. */
typedef struct rows {
    float *data;      /* [count, width] */
    int32_t *sources; /* [count], as OUT_INDICES */
    int32_t *places;  /* [count, 3], (t, y, x) in tokens; -1: none */
    uint32_t count, width;
} rows;

typedef struct reducer {
    const winnow_api *api;
    const winnow_ext_encoder *ext;
    winnow_host host;
    winnow_device *device;     /* NULL: nothing for it to do */
    winnow_pipeline *pipeline; /* NULL: nothing is reduced */
    winnow_model *model;       /* NULL: the mmproj is of a family that Winnow does not know */
    winnow_model_info info;    /* of model */
    winnow_views *views;       /* of the picture */
    winnow_encoder *encoder;   /* NULL: mtmd encodes */
    uint32_t token;            /* pixels a side of a token */
    double encode_ms, reduce_ms;
    char message[768]; /* the last thing that the library said */
    bool message_is_error;
} reducer;

/* Opens what the options ask for. False after a line; reducer_close in any case. */
bool reducer_open(reducer *r, const options *o);
void reducer_close(reducer *r);

/* The views of a picture [height, width, 3], and the encoder for them. */
bool reducer_prepare(reducer *r, const options *o, const uint8_t *rgb, uint32_t width,
                     uint32_t height);

/* Tokens of view i before any reduction; the grid of an unknown family is 0 x 0. */
void reducer_grid(const reducer *r, uint32_t view, uint32_t *grid_h, uint32_t *grid_w);

/* View i through Winnow's encoder and the pipeline. */
bool reducer_encode(reducer *r, uint32_t view, rows *out);

/* Rows [count, width] of view i, which mtmd made, through the pipeline, or copied without one. */
bool reducer_take(reducer *r, uint32_t view, const float *data, uint32_t count, uint32_t width,
                  rows *out);

void rows_free(rows *r);

#endif /* ROWS_H */
