/* encoder_lab.h: what the tests of the encoder share: a device of the backend that the environment
 * names (WINNOW_TEST_BACKEND: cpu or gpu, WINNOW_TEST_DISABLE: features), models out of
 * make_models.py's folder, one call with room for everything that comes out. */
#ifndef WINNOW_TESTS_VIT_ENCODER_LAB_H
#define WINNOW_TESTS_VIT_ENCODER_LAB_H

#include "support.h"

enum { LAB_ROWS = 1024, LAB_DIM = 512, LAB_TAPS = 8, LAB_TAP_FLOATS = 1 << 16 };

extern const winnow_api *lab_api;
extern const winnow_ext_encoder *lab_ext;

/* Once, from main: the folder of the models. */
void lab_begin(const char *models);
bool lab_on_gpu(void);

winnow_device *lab_device(const winnow_host *host, int32_t backend);
winnow_device *lab_chosen_device(const winnow_host *host);
winnow_model *lab_model(const winnow_host *host, const char *name, int32_t like);
/* The path of a model, good until the next call. */
const char *lab_path(const char *name);
winnow_pipeline *lab_pipeline(const char *spec);

/* Pictures with edges and noise; the same for the same seed. */
void lab_pixels(uint8_t *rgb, uint64_t bytes, uint32_t seed);

/* One call's inputs and outputs. */
typedef struct lab_call {
    winnow_encode encode;
    winnow_result result;
    uint8_t *rgb;
    uint64_t rgb_bytes;
    float *tokens, *sizes, *taps[LAB_TAPS];
    int32_t *indices, *positions, *assignment;
    uint32_t count[4];
    unsigned char *memory;
    uint64_t bytes;
} lab_call;

/* Every output is wanted; what is not written stays 0xa5. */
void lab_call_open(lab_call *call, uint32_t frames, uint32_t width, uint32_t height, uint32_t seed);
void lab_call_close(lab_call *call);
/* True if nothing was written. */
bool lab_call_untouched(const lab_call *call);
/* Whether two calls gave the same bytes; a message that names `what` otherwise. */
void lab_assert_same(const lab_call *a, const lab_call *b, const char *what);

/* A descriptor for one size. */
winnow_encoder_desc lab_desc(uint32_t frames, uint32_t width, uint32_t height);

#endif
