/* libFuzzer: any bytes as a safetensors file. What the reader accepts must be safe to walk. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors.h"

static void walk(const st_file *file, const uint8_t *memory, size_t size)
{
    char shape[64];
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < file->tensor_count; i++) {
        const st_tensor *t = &file->tensors[i];
        if (t->data < memory || t->bytes > (uint64_t)(memory + size - t->data) ||
            t->bytes != t->count * st_dtype_bytes(t->dtype) || st_find(file, t->name) != t) {
            abort();
        }
        for (uint64_t k = 0; k < t->bytes; k++) {
            sum = (uint8_t)(sum + t->data[k]);
        }
        if (strlen(st_shape_text(t, shape, sizeof shape)) >= sizeof shape) {
            abort();
        }
    }
    for (size_t i = 0; i < file->metadata_count; i++) {
        if (!st_metadata(file, file->metadata[i].key)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[ST_WHY_SIZE] = "";
    uint8_t *exact = malloc(size ? size : 1); /* a block of just this size shows every overread */
    st_file file;

    if (!exact) {
        return 0;
    }
    if (size) {
        memcpy(exact, data, size);
    }
    if (st_parse(exact, size, &file, why)) {
        walk(&file, exact, size);
        st_close(&file);
    } else if (why[0] == 0 || strlen(why) >= ST_WHY_SIZE) {
        abort(); /* a refusal says why */
    }
    free(exact);
    return 0;
}
