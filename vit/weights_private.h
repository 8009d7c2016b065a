/* weights_private.h: how a wn_weights is filled; for gguf.c, folder.c and the fuzzers. */
#ifndef WN_VIT_WEIGHTS_PRIVATE_H
#define WN_VIT_WEIGHTS_PRIVATE_H

#include "json.h"
#include "weights.h"

/* Kinds of metadata values, as GGUF numbers them. */
enum wn_value_type {
    WN_VALUE_U8,
    WN_VALUE_I8,
    WN_VALUE_U16,
    WN_VALUE_I16,
    WN_VALUE_U32,
    WN_VALUE_I32,
    WN_VALUE_F32,
    WN_VALUE_BOOL,
    WN_VALUE_TEXT,
    WN_VALUE_ARRAY,
    WN_VALUE_U64,
    WN_VALUE_I64,
    WN_VALUE_F64,
    WN_VALUE_COUNT
};

/* OTHER: there, so that a second one of that name shows, but nothing that can be asked for. */
enum wn_setting_kind { WN_SETTING_OTHER, WN_SETTING_NUMBER, WN_SETTING_TEXT, WN_SETTING_NUMBERS };

typedef struct wn_setting {
    const char *key;
    uint32_t kind;
    uint32_t value_type; /* NUMBERS: of its items, an enum wn_value_type */
    uint32_t count;      /* NUMBERS */
    double number;
    const char *text;
    const unsigned char *items; /* NUMBERS: little endian, any alignment */
} wn_setting;

typedef struct wn_entry {
    wn_tensor tensor;   /* where `unread` is set only name, shape, and in a folder data and bytes */
    const char *unread; /* NULL, or the name of a type that is not read */
    uint32_t file;      /* number of the shard */
} wn_entry;

/* Memory that lives as long as the weights, so that names need no owner each. */
typedef struct wn_block {
    struct wn_block *next;
    size_t used, room;
} wn_block;

typedef struct wn_mapping {
    struct wn_mapping *next;
    const unsigned char *bytes;
    size_t size;
} wn_mapping;

struct wn_weights {
    wn_host host;
    bool gguf, lone; /* neither: a folder; lone: one safetensors file without settings of a model */
    const char *path;
    wn_block *blocks;
    wn_mapping *mappings;
    wn_entry *entries; /* once finished: `count` that are read, then the others, each by name */
    uint32_t count, entry_count, entry_room;
    wn_setting *settings; /* once finished: by key */
    uint32_t setting_count, setting_room;
};

/* A file in memory; `name` is for the log. */
typedef struct wn_bytes {
    const char *name;
    const unsigned char *bytes;
    uint64_t size;
} wn_bytes;

/* Room in the weights; NULL: no memory (logged). keep_text ends it with a NUL. */
void *wn_weights_keep(wn_weights *weights, size_t bytes);
const char *wn_weights_keep_text(wn_weights *weights, const void *text, size_t length);

/* A zeroed entry or setting at the end. The pointer is good until the next one. */
winnow_status wn_weights_add(wn_weights *weights, wn_entry **out);
winnow_status wn_weights_add_setting(wn_weights *weights, const char *key, wn_setting **out);

/* Maps a plain file until the weights are closed. */
winnow_status wn_weights_map(wn_weights *weights, const char *path, wn_bytes *out);

/* "gguf", "safetensors" or "folder": what messages start with. */
const char *wn_weights_kind(const wn_weights *weights);

/* "folder: FILE: no memory ..." */
winnow_status wn_weights_no_memory(const wn_weights *weights, const char *name);

/* Product of the shape and the bytes that so many elements of its type take, into the tensor. */
winnow_status wn_tensor_measure(const wn_weights *weights, const char *name, wn_tensor *tensor);

/* Into empty weights (host set, all else zero); wn_weights_finish comes after the last. */
winnow_status wn_gguf_read(wn_weights *weights, const wn_bytes *file);
winnow_status wn_safetensors_read(wn_weights *weights, const wn_bytes *file, uint32_t number);
winnow_status wn_json_settings(wn_weights *weights, const wn_bytes *file, const char *prefix);
winnow_status wn_folder_read(wn_weights *weights, const char *path);

/* Sorts, and refuses two of a name and data that overlap. */
winnow_status wn_weights_finish(wn_weights *weights, const char *name);

/* The entry of that name, read or not, of finished weights; NULL: none. */
const wn_entry *wn_weights_entry(const wn_weights *weights, const char *name);

/* Gives the files back; names, shapes and settings stay. */
void wn_weights_unmap(wn_weights *weights);

/* Gives back all but the object itself. */
void wn_weights_release(wn_weights *weights);

/* Item i of `type`, little endian, at any alignment. */
double wn_value_number(uint32_t type, const unsigned char *items, uint64_t i);
uint32_t wn_value_bytes(uint32_t type); /* 0: no number */

/* In place, no allocation (qsort may allocate, past the host's allocator). Items of at most 192
 * bytes. */
void wn_sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *));

#endif
