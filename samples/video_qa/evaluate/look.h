/* look.h: what a layer of the language model makes of everything that is decoded: the attention of
 * every token to every cell, their keys, what the layer gives, and what text is embedded as. A callback copies the nodes
 * of llama.cpp's graph that hold them, decode by decode.
 *
 *     look l = {.layers = {{.layer = 1}}, .layer_count = 1};
 *     asker_open(&asker, &model, &(asker_watch){look_callback, &l});
 *     look_from(&l, 0);            // the next decode begins at cell 0
 *     ... decode ...
 *     look_row(&l.layers[0].attention, head, cell, &width)
 *
 * One thread at a time, and not while a decode runs. */
#ifndef VIDEO_QA_LOOK_H
#define VIDEO_QA_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <ggml-backend.h>
#include <llama.h>

enum { LOOK_LAYERS = 8 };

/* The rows of one decode, f32. */
typedef struct look_block {
    float *data; /* [planes, count, width] */
    uint32_t first, count, planes, width;
} look_block;

/* Of all decodes since look_from, in order. */
typedef struct look_rows {
    look_block *blocks;
    uint32_t count, room;
} look_rows;

typedef struct look_layer {
    int32_t layer;       /* from 0 */
    look_rows attention; /* planes: heads; a row: each cell's share */
    look_rows keys;      /* one plane, all heads side by side, with their positions turned in */
    look_rows hidden;    /* one plane: what the layer gives, where that is wanted; not to be had of
                            the last one, of which llama.cpp makes rows with logits alone */
    bool wants_hidden;
} look_layer;

typedef struct look {
    look_layer layers[LOOK_LAYERS];
    uint32_t layer_count, kv_heads;
    look_rows embeddings; /* of text; one plane */
    uint32_t next, count; /* cell at which the decode begins, and its tokens */
    bool ended;           /* the last layer of it was seen */
    const char *trouble;  /* NULL, or why rows are missing */
} look;

/* The callback; `user` is the look. */
bool look_callback(struct ggml_tensor *node, bool ask, void *user);

/* Rows from this cell on are forgotten; the next decode's first token takes it. */
void look_from(look *l, uint32_t cell);

/* The row of a cell, and how long it is (cells that came later are not in it), or NULL: there is none. */
const float *look_row(const look_rows *rows, uint32_t plane, uint32_t cell, uint32_t *width);

void look_free(look *l);

#endif /* VIDEO_QA_LOOK_H */
