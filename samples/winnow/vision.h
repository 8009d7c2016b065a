/* Pictures and videos through a vision transformer's file: its own preprocessing, its layers, a
 * pipeline inside and behind them. */
#ifndef WINNOW_VISION_H
#define WINNOW_VISION_H

#include "media.h"
#include "reduction.h"
#include "safetensors.h"

typedef struct vision_options {
    const char *like;  /* NULL, "llama", "llama-b10256", "transformers" */
    const char *dtype; /* NULL, "f32", "f16" */
    const char *taps;  /* NULL, "hidden:0,keys:-1" */
    const char *order; /* NULL, "raster", "method" */
    const char *merge_weights;
    /* where frames become views: NULL and "host", "device", "auto" (one video, where it can) */
    const char *prepare;
    double casp; /* share of q and k kept; 0: all */
    bool as_is;  /* pictures are views already */
} vision_options;

/* The rows of an options table for a `vision_options` member called `vision`. */
#define VISION_OPTIONS(values)                                                            \
    {"like",                                                                              \
     0,                                                                                   \
     ARG_CHOICE,                                                                          \
     offsetof(values, vision.like),                                                       \
     "llama|llama-b10256|transformers",                                                   \
     "whose arithmetic and preprocessing; default: a GGUF file llama.cpp's"},             \
        {"dtype",    0,                                                                   \
         ARG_CHOICE, offsetof(values, vision.dtype),                                      \
         "f32|f16",  "of the model's weights and activations; default f32"},              \
        {"as-is",  0,                                                                     \
         ARG_FLAG, offsetof(values, vision.as_is),                                        \
         NULL,     "pictures are whole patches already: no preparing"},                   \
        {"casp",     0,                                                                   \
         ARG_NUMBER, offsetof(values, vision.casp),                                       \
         "RHO",      "low-rank q and k: share of their numbers that is kept, at most 1"}, \
    {                                                                                     \
        "merge-weights", 0, ARG_TEXT, offsetof(values, vision.merge_weights), "F",        \
            "safetensors file with laco's trained MLP"                                    \
    }

/* What looked at: one tensor a tap. */
typedef struct vision_tap {
    winnow_tap tap;
    char name[64];
    uint64_t shape[3];
    float *data;
} vision_tap;

typedef struct vision {
    media m;  /* frames are the views that the model sees; tokens only without a pipeline */
    bool raw; /* but m.rgb has the frames as they came: the device prepares them */
    uint32_t frame_w, frame_h; /* of m.rgb */
    reduction r;               /* with a pipeline */
    int32_t *views;            /* [frames, 4]: tile_y, tile_x, width, height */
    vision_tap *taps;
    uint32_t tap_count;
    bool wants_pixels; /* "pixels" among --taps: the views' bytes */
    winnow_model_info model;
    winnow_encoder_info encoder;
    double gpu_ms, load_ms; /* r.wall_ms and r.plan_ms are encode_ms and load_ms */
    uint32_t rows;          /* tokens that came out */
} vision;

/* WINNOW_LIKE_* of --like. */
int32_t vision_like(const char *name);
/* WINNOW_ORDER_* of the options. */
int32_t vision_order(const vision_options *options);

/* True if --model names a file or folder and not a weightless encoder. */
bool vision_is_model(const char *model);

/* Options that mean something to a model alone, without one: bad use. Exit code. `who`: the
 * command. */
int vision_check_options(const char *who, const char *model, const vision_options *options);

/* Reads, prepares and encodes all paths. pipeline NULL: none. Exit code; vision_free in any
 * case. */
int vision_load(vision *out, engine *e, const arg_list *paths, const media_options *what,
                const vision_options *options, const winnow_pipeline *pipeline);
void vision_free(vision *v);

#endif /* WINNOW_VISION_H */
