/* fake_mtmd.h: the little of libmtmd's API that fake_program.c calls. As a program sees it: the
 * params are a struct by value whose size is this version's own business. */
#ifndef FAKE_MTMD_H
#define FAKE_MTMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fake_params {
    bool use_gpu;
    void *device;
    int n_threads;
    const char *marker;
    uint32_t more[16];
    int last;
} fake_params;

struct mtmd_decoder_pos {
    uint32_t t, x, y, z;
};

typedef struct mtmd_context mtmd_context;
typedef struct mtmd_bitmap mtmd_bitmap;
typedef struct mtmd_image_tokens mtmd_image_tokens;
typedef struct mtmd_input_chunk mtmd_input_chunk;
typedef struct mtmd_input_chunks mtmd_input_chunks;
typedef struct mtmd_batch mtmd_batch;
struct llama_model {
    int width;
};

enum { FAKE_TEXT, FAKE_IMAGE, FAKE_AUDIO };

int32_t llama_model_n_embd_inp(const struct llama_model *model);
/* NULL unless the params arrived as fake_params_of(7) made them. */
mtmd_context *mtmd_init_from_file(const char *path, const struct llama_model *model,
                                  fake_params params);
void mtmd_free(mtmd_context *ctx);
bool mtmd_support_vision(const mtmd_context *ctx);

/* kind: 'r' consecutive positions, 'g' an M-RoPE grid, 'h' HunyuanVL's, 'a' sound; w x h tokens. */
mtmd_bitmap *fake_bitmap(char kind, uint32_t w, uint32_t h);
void mtmd_bitmap_free(mtmd_bitmap *bitmap);
void mtmd_bitmap_set_id(mtmd_bitmap *bitmap, const char *id);
const char *mtmd_bitmap_get_id(const mtmd_bitmap *bitmap);
bool mtmd_bitmap_is_audio(const mtmd_bitmap *bitmap);

mtmd_input_chunks *mtmd_input_chunks_init(void);
size_t mtmd_input_chunks_size(const mtmd_input_chunks *chunks);
const mtmd_input_chunk *mtmd_input_chunks_get(const mtmd_input_chunks *chunks, size_t i);
void mtmd_input_chunks_free(mtmd_input_chunks *chunks);
/* A chunk for each bitmap, and one of 5 text tokens in front. `text` is not looked at, and parts
 * are bitmaps. */
int32_t mtmd_tokenize(const mtmd_context *ctx, mtmd_input_chunks *out, const void *text,
                      const mtmd_bitmap *const *bitmaps, size_t count);

int32_t mtmd_tokenize_from_parts(const mtmd_context *ctx, mtmd_input_chunks *out,
                                 const void *const *parts, size_t count, bool add_special);

const mtmd_image_tokens *mtmd_input_chunk_get_tokens_image(const mtmd_input_chunk *chunk);
size_t mtmd_input_chunk_get_n_tokens(const mtmd_input_chunk *chunk);
int32_t mtmd_input_chunk_get_n_pos(const mtmd_input_chunk *chunk);
mtmd_input_chunk *mtmd_input_chunk_copy(const mtmd_input_chunk *chunk);
void mtmd_input_chunk_free(mtmd_input_chunk *chunk);
size_t mtmd_image_tokens_get_n_tokens(const mtmd_image_tokens *image);
int32_t mtmd_image_tokens_get_n_pos(const mtmd_image_tokens *image);
size_t mtmd_image_tokens_get_nx(const mtmd_image_tokens *image);
const char *mtmd_image_tokens_get_id(const mtmd_image_tokens *image);
struct mtmd_decoder_pos mtmd_image_tokens_get_decoder_pos(const mtmd_image_tokens *image,
                                                          int32_t pos_0, size_t i);
void mtmd_helper_image_get_decoder_pos(const mtmd_image_tokens *image, int32_t pos_0,
                                       struct mtmd_decoder_pos *out);

int32_t mtmd_encode(mtmd_context *ctx, const mtmd_image_tokens *image);
int32_t mtmd_encode_chunk(mtmd_context *ctx, const mtmd_input_chunk *chunk);
float *mtmd_get_output_embd(mtmd_context *ctx);
mtmd_batch *mtmd_batch_init(mtmd_context *ctx);
void mtmd_batch_free(mtmd_batch *batch);
int32_t mtmd_batch_add_chunk(mtmd_batch *batch, const mtmd_input_chunk *chunk);
int32_t mtmd_batch_encode(mtmd_batch *batch);
float *mtmd_batch_get_output_embd(mtmd_batch *batch, const mtmd_input_chunk *chunk);

/* Channel c of row i: what an encoder would have made of a bitmap of that many tokens. */
static inline float fake_value(uint32_t tokens, uint32_t i, uint32_t c)
{
    const uint32_t mixed = (tokens * 2654435761u) ^ (i * 40503u + c * 9973u + i * i * 31u);
    return (float)((mixed >> 3) % 2003u) / 1001.0f - 1.0f;
}

static inline fake_params fake_params_of(int seed)
{
    fake_params p = {.n_threads = seed, .marker = "<__media__>", .last = seed * seed};
    for (uint32_t i = 0; i < 16; i++) {
        p.more[i] = (uint32_t)seed * i;
    }
    return p;
}

#endif /* FAKE_MTMD_H */
