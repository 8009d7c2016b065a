/* files.h: model files made byte by byte, in a folder that goes when the test ends. */
#ifndef WINNOW_TESTS_VIT_FILES_H
#define WINNOW_TESTS_VIT_FILES_H

#include "support.h"

#include "host.h"
#include "weights.h"

enum { PATH_ROOM = 256, FILE_ROOM = 1 << 16 };

typedef struct file_bytes {
    size_t size;
    unsigned char at[FILE_ROOM];
} file_bytes;

void put(file_bytes *f, const void *bytes, size_t count);
void put_number(file_bytes *f, uint64_t value, uint32_t bytes); /* little endian */
void put_text(file_bytes *f, const char *text);                 /* as GGUF has it: u64, bytes */
void put_zeros(file_bytes *f, size_t count);

/* GGUF. Sizes are innermost first, as in the file. */
void put_header(file_bytes *f, uint32_t version, uint64_t tensors, uint64_t keys);
void put_key(file_bytes *f, const char *key, uint32_t type);
void put_tensor(file_bytes *f, const char *name, uint32_t rank, const uint64_t *sizes,
                uint32_t type, uint64_t offset);
void put_padding(file_bytes *f, size_t alignment);

/* Safetensors: the header's length and text, then `data` bytes that count 0, 1, 2, ... */
void put_safetensors(file_bytes *f, const char *header, size_t data);

/* A host that counts, and a folder of its own. */
typedef struct place {
    test_host memory;
    wn_host host;
    char folder[PATH_ROOM / 2];
    char path[PATH_ROOM]; /* the last that was named */
} place;

void place_open(place *p);
void place_close(place *p);                         /* nothing leaked, folder and files gone */
const char *place_path(place *p, const char *name); /* "": the folder itself */
void place_write(place *p, const char *name, const file_bytes *f);
void place_write_text(place *p, const char *name, const char *text);
void place_remove(place *p, const char *name);

/* Opens p->path, which must succeed. */
wn_weights *place_weights(place *p);

/* p->path must be refused with E_FILE in one sentence that starts with `start` and holds `part`. */
void place_refused(place *p, const char *start, const char *part);

#endif
