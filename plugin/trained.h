/* trained.h: weights of the stages that learn, from safetensors files (winnow.h says what is in one).
 *
 * What a pipeline's files hold lies in one block of memory, tensor by tensor at multiples of
 * WN_TRAINED_ALIGNMENT, as operations read it: rows in the file's type, 16-bit ones an even number
 * of elements apart, f32 words of what has one dimension. Plain C reads the block where it lies, a
 * GPU has a copy for each plan (WN_SLOT_TRAINED). The pipeline holds it, and so does each plan and
 * encoder that was made of it; who drops it last frees it. */
#ifndef WN_TRAINED_H
#define WN_TRAINED_H

#include <stdatomic.h>

#include "../vit/weights.h"
#include "stage.h"

enum {
    WN_TRAINED_ALIGNMENT = 256,
    WN_TRAINED_RANK_MOST = 4,
    WN_TRAINED_BYTES_MOST = 1 << 30 /* of a file */
};

typedef struct wn_trained_tensor {
    const char *name;
    uint32_t rank, shape[WN_TRAINED_RANK_MOST]; /* as the file has it */
    uint32_t rows, cols, stride;                /* rows: of the first dimension; stride: elements */
    int32_t dtype;                              /* of the rows; F32 of one dimension */
    uint32_t bias_at; /* of NAME.weight: NAME.bias behind it, f32 words from its start; WN_NONE */
    uint64_t offset, bytes; /* in the block, with the bias */
} wn_trained_tensor;

typedef struct wn_trained_file {
    wn_weights *index; /* names and metadata; the tensors' data are gone */
    wn_trained_tensor *tensors;
    uint32_t count;
} wn_trained_file;

typedef struct wn_trained {
    wn_host host; /* the pipeline's */
    atomic_uint holders;
    unsigned char *data; /* [bytes] */
    uint64_t bytes;
    uint32_t file_count;
    wn_trained_file files[WN_MAX_STAGES]; /* wn_stage_use.weights - 1 */
} wn_trained;

/* Reads and checks the files that the stages of a parsed pipeline name; `spec` is what was parsed.
 * pipeline->trained stays NULL where there are none. E_FILE with one line. */
winnow_status wn_trained_read(winnow_pipeline *pipeline, const char *spec, const winnow_blob *blobs,
                              uint32_t blob_count);
wn_trained *wn_trained_hold(wn_trained *trained); /* NULL is fine */
void wn_trained_drop(wn_trained *trained);        /* NULL is fine */

/* The tensor of file `number` (from 1 on); NULL: there is none. */
const wn_trained_tensor *wn_trained_find(const wn_trained *trained, uint32_t number,
                                         const char *name);

#endif
