/* transformer.h: the encoder that runs a model's layers, as its opening and its calls share it. */
#ifndef WN_VIT_TRANSFORMER_H
#define WN_VIT_TRANSFORMER_H

#include "casp.h"
#include "encoder.h"
#include "merge.h"

/* Roles that the caller gives, where it opened the encoder for them. */
enum { WN_TEXT_ROLES = 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS };

typedef struct wn_transformer {
    winnow_encoder base;       /* first: the encoder is a transformer */
    wn_vit vit;                /* with places; its layers are its own */
    wn_weights *merge_weights; /* laco's; NULL: none */
    wn_merge_mlp merge_mlp;
    wn_casp casp;
    winnow_encoder_desc desc;
    winnow_pipeline pipeline;
    uint32_t before; /* stages of the pipeline up to this one run before the projector */
    uint32_t hook_of[WN_MAX_STAGES]; /* a stage's hook; WN_NONE: it wants nothing */
    wn_hook hooks[WN_MAX_STAGES];
    uint32_t hook_count;
    wn_tap *taps;       /* [desc.tap_count] */
    wn_vit_state state; /* of the last build */
    wn_prepare prepare; /* the same; with WINNOW_ENCODER_PREPARE */
    wn_program program;
    struct {
        uint32_t frames, height, width, text_rows, text_dim; /* of the frames as they come in */
    } built;
    struct {
        uint64_t w_words, matrix_bytes, out_bytes, rows, source;
        uint32_t ops;
    } most; /* memory is taken for this much */
    uint64_t weight_bytes[WN_WEIGHT_PARTS];
    uint32_t rows_max;      /* of the largest call */
    uint64_t multiply_adds; /* the same */
    uint64_t out_bytes;     /* of the tokens' slot: rows, then taps */
    unsigned char *room;    /* host memory for everything that comes back */
    uint64_t small_at[WINNOW_OUT_COUNT];
} wn_transformer;

/* Does the device make views of the frames? */
bool wn_transformer_prepares(const wn_transformer *e);
/* Tokens of all frames before any is cut. */
uint64_t wn_transformer_source(const wn_transformer *e);
/* Bytes of each output's slot. source: tokens that the assignment has. */
void wn_transformer_out_bytes(const wn_transformer *e, uint64_t source,
                              uint64_t bytes[WINNOW_OUT_COUNT]);
/* Frames as they come in; with WINNOW_ENCODER_PREPARE what they become, too. E_SHAPE. */
winnow_status wn_transformer_check_frames(wn_transformer *e, uint32_t frames, uint32_t width,
                                          uint32_t height);
/* The program for frames of one size, which is kept until another is asked for. */
winnow_status wn_transformer_build(wn_transformer *e, uint32_t frames, uint32_t height,
                                   uint32_t width, uint32_t text_rows, uint32_t text_dim);

/* An open encoder's calls: see winnow_encoder. */
winnow_status wn_transformer_info(const winnow_encoder *encoder, winnow_encoder_info *out);
winnow_status wn_transformer_run(winnow_encoder *encoder, const uint8_t *rgb, uint32_t frames,
                                 uint32_t width, uint32_t height, float *tokens);
winnow_status wn_transformer_encode(winnow_encoder *encoder, const winnow_encode *given,
                                    winnow_result *result);

#endif
