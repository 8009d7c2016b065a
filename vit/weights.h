/* weights.h: the tensors and settings of a model file, mapped read-only.
 *
 * Three kinds of places: a GGUF file (llama.cpp's mmproj), a Hugging Face folder (config.json,
 * preprocessor_config.json where there is one, and model.safetensors or its shards with
 * model.safetensors.index.json), and one safetensors file by itself, whose only settings are its
 * __metadata__ under "metadata.": no model, but what goes with one. Nothing in a file is believed:
 * sizes are checked against the file's own length before anything is allocated by them, offsets
 * against overlap and the end, depth of JSON against a limit. Errors are E_FILE (see winnow.h) with
 * one sentence that names the file, the tensor or key, what is wrong and what to do. Memory: the
 * object, an index of tensors and keys; the tensors' data stay in the mapping. [object]
 */
#ifndef WN_VIT_WEIGHTS_H
#define WN_VIT_WEIGHTS_H

#include "host.h"

enum { WN_TENSOR_RANK_MOST = 6 };

typedef struct wn_tensor {
    const char *name;                    /* NUL-terminated, owned by the weights */
    uint32_t type;                       /* WN_FILE_* of ops_args.h */
    uint32_t rank;                       /* 0: a scalar */
    uint64_t shape[WN_TENSOR_RANK_MOST]; /* outermost first, as numpy and torch print it */
    uint64_t elements;                   /* product of shape; at least 1 */
    const unsigned char *data;           /* in the mapping; any alignment */
    uint64_t bytes;
} wn_tensor;

typedef struct wn_weights wn_weights;

/* Opens `path`: a folder is Hugging Face's, a file GGUF or, if its ninth byte is '{', safetensors.
 * A tensor of a type that is not read (Q3_K, I64, F8, ...) is kept out of the index but remembered:
 * wn_weights_find on it says so. */
winnow_status wn_weights_open(const wn_host *host, const char *path, wn_weights **out);
void wn_weights_close(wn_weights *weights); /* NULL is fine */

bool wn_weights_is_gguf(const wn_weights *weights);
const char *wn_weights_path(const wn_weights *weights);
uint32_t wn_weights_count(const wn_weights *weights);
const wn_tensor *wn_weights_at(const wn_weights *weights, uint32_t i);

/* The tensor of that name. *out NULL and OK: there is none. E_FILE: it is there in a type that is
 * not read; the sentence names tensor and type, and what would be read. */
winnow_status wn_weights_find(const wn_weights *weights, const char *name, const wn_tensor **out);

/* Settings. GGUF: the metadata keys as they are. Folder: config.json's values under "config." and
 * preprocessor_config.json's under "preprocessor.", nested keys joined by '.', for example
 * "config.vision_config.hidden_size", "preprocessor.size.shortest_edge". False: not there, or of
 * another kind. Numbers: integers, floats and booleans (0, 1); a JSON null is not there. */
bool wn_setting_number(const wn_weights *weights, const char *key, double *out);
bool wn_setting_text(const wn_weights *weights, const char *key, const char **out);
/* Arrays of numbers; *count: room in, number of values out (never more than the room). */
bool wn_setting_numbers(const wn_weights *weights, const char *key, double *out, uint32_t *count);

/* Element i of the tensor as a number, dequantised as the shader does (for small tables that the
 * host mixes itself, and as the oracle of `unpack`). */
void wn_tensor_row(const wn_tensor *tensor, uint64_t row, uint64_t cols, float *out);

/* Of a type: name, elements a block, bytes a block. */
const char *wn_file_type_name(uint32_t type);
uint32_t wn_file_type_block(uint32_t type, uint32_t *bytes);

#endif
