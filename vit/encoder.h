/* encoder.h: what is behind winnow_encoder and winnow_model. */
#ifndef WN_VIT_ENCODER_H
#define WN_VIT_ENCODER_H

#include "layers.h"
#include "plan.h"

struct winnow_model {
    wn_host host;
    wn_weights *weights;
    wn_vit vit; /* without places */
    bool llama;
};

/* An encoder is one of two kinds; each starts with this. */
struct winnow_encoder {
    wn_host host;
    winnow_device *device;
    wn_exec *exec;
    wn_build build;
    void (*destroy)(winnow_encoder *encoder); /* frees what the kind has beside these */
    winnow_status (*info)(const winnow_encoder *encoder, winnow_encoder_info *out);
    winnow_status (*run)(winnow_encoder *encoder, const uint8_t *rgb, uint32_t frames,
                         uint32_t width, uint32_t height, float *tokens);
    winnow_status (*encode)(winnow_encoder *encoder, const winnow_encode *encode,
                            winnow_result *result);
};

winnow_status wn_patches_create(winnow_device *device, const char *model, uint32_t max_frames,
                                uint32_t max_width, uint32_t max_height, winnow_encoder **out);
winnow_status wn_transformer_open(winnow_device *device, const winnow_model *model,
                                  const winnow_encoder_desc *desc, winnow_encoder **out);

winnow_status wn_model_open(const winnow_host *host, const char *path, int32_t like,
                            winnow_model **out);
void wn_model_close(winnow_model *model);
winnow_status wn_model_info(const winnow_model *model, winnow_model_info *out);
winnow_status wn_model_prepare(const winnow_model *model, const uint8_t *rgb, uint32_t width,
                               uint32_t height, winnow_views **out);
void wn_model_views_free(winnow_views *views);

/* What every encoder's build starts from. */
void wn_encoder_init(winnow_encoder *encoder, winnow_device *device);
/* exec, build and memory; calls destroy first. */
void wn_encoder_free(winnow_encoder *encoder);

#endif
