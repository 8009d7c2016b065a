/* Input roles by name and shape, and how a safetensors file fills them. */
#ifndef WINNOW_ROLES_H
#define WINNOW_ROLES_H

#include <stddef.h>
#include <stdint.h>

#include <winnow/winnow.h>

#include "safetensors.h"

const char *role_name(uint32_t role);
const char *role_shape(uint32_t role); /* "[T,N,D]" */
uint64_t role_elements(const winnow_shape *shape, uint32_t role);

/* "tokens, keys" of the roles in `bits` into text[size]; "-" for none. Returns text. */
const char *role_list(uint32_t bits, char *text, size_t size);

/* What a file gives to a pipeline. */
typedef struct role_inputs {
    winnow_shape shape;
    uint32_t roles; /* bits of those in `in` */
    winnow_tensor in[WINNOW_ROLE_SLOTS];
    int32_t dtype[WINNOW_ROLE_SLOTS];
    void *copies[WINNOW_ROLE_SLOTS]; /* of tensors that lie unaligned in the file */
} role_inputs;

/* Takes of `file` the roles that are needed and, where they are there, the optional ones. Returns
 * an exit code and says on stderr what does not fit; `path` and `spec` are for these sentences.
 * The inputs point into the file. */
int role_inputs_read(role_inputs *inputs, const st_file *file, const char *path, const char *spec,
                     uint32_t needed, uint32_t optional);
void role_inputs_free(role_inputs *inputs);

/* F32, F16 or BF16 as the library counts them, -1 for every other type. */
int32_t role_dtype(st_dtype dtype);
st_dtype role_st_dtype(int32_t dtype);
int32_t role_dtype_named(const char *name); /* "f32", "f16", "bf16" */

/* The whole numbers of an I32 or I64 tensor of exactly `count` elements. Exit code. */
int role_integers(const st_tensor *tensor, const char *path, size_t count, int64_t *out);

#endif /* WINNOW_ROLES_H */
