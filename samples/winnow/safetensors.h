/* safetensors files: a header of 8 bytes (its length, little endian), a JSON object naming each
 * tensor's type, shape and place, then the tensors' bytes without holes.
 *
 * The reader trusts nothing: every number of the header is checked against the bytes that are there
 * before it is used. Each refusal is one sentence in `why`. */
#ifndef WINNOW_SAFETENSORS_H
#define WINNOW_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ST_RANK_MAX = 8, ST_WHY_SIZE = 320 };

typedef enum {
    ST_BOOL,
    ST_U8,
    ST_I8,
    ST_F8_E5M2,
    ST_F8_E4M3,
    ST_I16,
    ST_U16,
    ST_F16,
    ST_BF16,
    ST_I32,
    ST_U32,
    ST_F32,
    ST_F64,
    ST_I64,
    ST_U64,
    ST_DTYPE_COUNT
} st_dtype;

const char *st_dtype_name(st_dtype dtype); /* "F32" */
size_t st_dtype_bytes(st_dtype dtype);     /* 4 */

typedef struct st_tensor {
    const char *name;
    st_dtype dtype;
    uint32_t rank;
    uint64_t shape[ST_RANK_MAX];
    uint64_t count;      /* elements */
    const uint8_t *data; /* any alignment */
    uint64_t bytes;
} st_tensor;

typedef struct st_pair {
    const char *key, *value;
} st_pair;

typedef struct st_file {
    st_tensor *tensors;
    size_t tensor_count;
    st_pair *metadata;
    size_t metadata_count;
    void *tree;   /* of the JSON parser: names and values point into it */
    void *memory; /* what st_open read; NULL after st_parse */
} st_file;

/* Reads a file of `size` bytes in memory, borrowed until st_close. False: `why` says why, and
 * nothing has to be closed. */
bool st_parse(const void *memory, size_t size, st_file *out, char why[ST_WHY_SIZE]);

/* The same from a path. */
bool st_open(const char *path, st_file *out, char why[ST_WHY_SIZE]);

void st_close(st_file *file);

/* NULL if there is none of that name. */
const st_tensor *st_find(const st_file *file, const char *name);
const char *st_metadata(const st_file *file, const char *key);

/* Writes tensors (data packed, bytes = count * size of the type) and metadata to PATH, which is
 * whole or not there afterwards. Returns an exit code; says why on stderr. */
int st_write(const char *path, const st_tensor *tensors, size_t tensor_count,
             const st_pair *metadata, size_t metadata_count);

/* "[32, 196, 3584]" into text[size]; returns text. */
const char *st_shape_text(const st_tensor *tensor, char *text, size_t size);

#endif /* WINNOW_SAFETENSORS_H */
