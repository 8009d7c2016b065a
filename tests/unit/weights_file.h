/* weights_file.h: weights of a stage, as the bytes of a safetensors file, for tests. */
#ifndef WINNOW_TESTS_UNIT_WEIGHTS_FILE_H
#define WINNOW_TESTS_UNIT_WEIGHTS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tensor of f32; cols 0: a vector. */
typedef struct weights_tensor {
    const char *name;
    uint32_t rows, cols;
} weights_tensor;

enum { WEIGHTS_FILE_MOST = 65536, WEIGHTS_TENSOR_MOST = 4096 /* numbers of one */ };

typedef struct weights_file {
    unsigned char bytes[WEIGHTS_FILE_MOST];
    size_t size;
} weights_file;

/* Random numbers in -1..1, the same for a name whatever stands beside it. */
void weights_fill(const weights_tensor *tensor, float *values);

/* notes: more of the metadata, as in `,"kernel":"3x3"`. False: there is no room. */
bool weights_make(weights_file *file, const char *stage, const char *notes,
                  const weights_tensor *tensors, size_t count);

#endif
