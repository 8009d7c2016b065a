/* mtmd_abi.h: what this library relies on of llama.cpp's libmtmd, declared by ourselves.
 *
 * So it is built wherever the other samples are, without a llama.cpp, and against no version of it.
 * libmtmd's C ABI moves: structs grow, arguments come behind the others. Hence:
 *   - objects are opaque, and only pointers, numbers and one struct of numbers go through;
 *   - integers that an older version had in another width or place are taken as whole registers
 *     and handed on as they came;
 *   - the parameters of mtmd_init_from_file, a struct by value that has another size in each
 *     version, are handed on as room that is larger than any of them (see params_room);
 *   - mtmd_decoder_pos is believed only where its values describe a plain grid (chunk.h).
 * The functions are those that exist in b10256 (July 2026) to v0.7.0 (October 2026). */
#ifndef MTMD_ABI_H
#define MTMD_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct llama_model;
typedef struct mtmd_context mtmd_context;
typedef struct mtmd_bitmap mtmd_bitmap;
typedef struct mtmd_image_tokens mtmd_image_tokens;
typedef struct mtmd_input_chunk mtmd_input_chunk;
typedef struct mtmd_input_chunks mtmd_input_chunks;
typedef struct mtmd_batch mtmd_batch;

/* Where a token stands, in positions of the language model. Two registers on every 64-bit ABI. */
struct mtmd_decoder_pos {
    uint32_t t, x, y, z;
};

/* mtmd_context_params (some 100 bytes) and what lies behind it in the caller's frame. Both ABIs
 * that this library is built for leave a large struct in the caller's memory, from a place that
 * does not depend on its size, so a callee that knows the true size finds it in our copy. */
typedef struct params_room {
    uint64_t words[32];
} params_room;

/* F(member, exported name, needed, result, arguments): `needed` ones must be there, or the library
 * steps aside; the others may be missing in a version. mtmd_helper_image_get_decoder_pos is never
 * called: a version without it gives M-RoPE positions that nobody can interpose. */
#define MTMD_FUNCTIONS(F)                                                                        \
    F(init_from_file, mtmd_init_from_file, true, mtmd_context *,                                 \
      (const char *path, const struct llama_model *model, params_room params))                   \
    F(context_free, mtmd_free, true, void, (mtmd_context * ctx))                                 \
    F(support_vision, mtmd_support_vision, true, bool, (const mtmd_context *ctx))                \
    F(bitmap_set_id, mtmd_bitmap_set_id, true, void, (mtmd_bitmap * bitmap, const char *id))     \
    F(bitmap_get_id, mtmd_bitmap_get_id, true, const char *, (const mtmd_bitmap *bitmap))        \
    F(bitmap_is_audio, mtmd_bitmap_is_audio, true, bool, (const mtmd_bitmap *bitmap))            \
    F(tokenize, mtmd_tokenize, true, int32_t,                                                    \
      (const mtmd_context *ctx, mtmd_input_chunks *out, const void *text,                        \
       const mtmd_bitmap *const *bitmaps, size_t count))                                         \
    F(tokenize_from_parts, mtmd_tokenize_from_parts, false, int32_t,                             \
      (const mtmd_context *ctx, mtmd_input_chunks *out, const void *const *parts, size_t count,  \
       bool add_special))                                                                        \
    F(chunks_size, mtmd_input_chunks_size, true, size_t, (const mtmd_input_chunks *chunks))      \
    F(chunks_get, mtmd_input_chunks_get, true, const mtmd_input_chunk *,                         \
      (const mtmd_input_chunks *chunks, size_t i))                                               \
    F(chunks_free, mtmd_input_chunks_free, true, void, (mtmd_input_chunks * chunks))             \
    F(chunk_image, mtmd_input_chunk_get_tokens_image, true, const mtmd_image_tokens *,           \
      (const mtmd_input_chunk *chunk))                                                           \
    F(chunk_n_tokens, mtmd_input_chunk_get_n_tokens, true, size_t,                               \
      (const mtmd_input_chunk *chunk))                                                           \
    F(chunk_n_pos, mtmd_input_chunk_get_n_pos, true, int32_t, (const mtmd_input_chunk *chunk))   \
    F(chunk_copy, mtmd_input_chunk_copy, true, mtmd_input_chunk *,                               \
      (const mtmd_input_chunk *chunk))                                                           \
    F(chunk_free, mtmd_input_chunk_free, true, void, (mtmd_input_chunk * chunk))                 \
    F(image_n_tokens, mtmd_image_tokens_get_n_tokens, true, size_t,                              \
      (const mtmd_image_tokens *image))                                                          \
    F(image_n_pos, mtmd_image_tokens_get_n_pos, true, int32_t, (const mtmd_image_tokens *image)) \
    F(image_nx, mtmd_image_tokens_get_nx, false, size_t, (const mtmd_image_tokens *image))       \
    F(image_id, mtmd_image_tokens_get_id, true, const char *, (const mtmd_image_tokens *image))  \
    F(image_place, mtmd_image_tokens_get_decoder_pos, true, struct mtmd_decoder_pos,             \
      (const mtmd_image_tokens *image, intptr_t pos_0, size_t i))                                \
    F(helper_places, mtmd_helper_image_get_decoder_pos, true, void, (void))                      \
    F(encode, mtmd_encode, false, int32_t, (mtmd_context * ctx, const mtmd_image_tokens *image)) \
    F(encode_chunk, mtmd_encode_chunk, true, int32_t,                                            \
      (mtmd_context * ctx, const mtmd_input_chunk *chunk))                                       \
    F(output, mtmd_get_output_embd, true, float *, (mtmd_context * ctx))                         \
    F(batch_init, mtmd_batch_init, false, mtmd_batch *, (mtmd_context * ctx))                    \
    F(batch_free, mtmd_batch_free, false, void, (mtmd_batch * batch))                            \
    F(batch_add, mtmd_batch_add_chunk, false, int32_t,                                           \
      (mtmd_batch * batch, const mtmd_input_chunk *chunk))                                       \
    F(batch_encode, mtmd_batch_encode, false, int32_t, (mtmd_batch * batch))                     \
    F(batch_output, mtmd_batch_get_output_embd, false, float *,                                  \
      (mtmd_batch * batch, const mtmd_input_chunk *chunk))                                       \
    F(model_width, llama_model_n_embd_inp, true, int32_t, (const struct llama_model *model))

#endif /* MTMD_ABI_H */
