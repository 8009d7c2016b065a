/* fake_mtmd.c: a libmtmd without models, so that the preload can be tried where there is no
 * llama.cpp and under sanitizers. Like the true one it calls its own exports, which come to
 * the preload. -DFAKE_OLD leaves out what an older version had not. */
#include "fake_mtmd.h"

#include <stdlib.h>
#include <string.h>

enum { ID_SIZE = 256, CHUNKS_MOST = 8 };

struct mtmd_context {
    int width;
    float *rows;
};

struct mtmd_bitmap {
    char kind;
    uint32_t w, h;
    char id[ID_SIZE];
};

struct mtmd_image_tokens {
    struct mtmd_bitmap of;
};

struct mtmd_input_chunk {
    int type;
    struct mtmd_image_tokens image;
};

struct mtmd_input_chunks {
    size_t count;
    struct mtmd_input_chunk chunk[CHUNKS_MOST];
};

struct mtmd_batch {
    struct mtmd_context *ctx;
    size_t count;
    const struct mtmd_input_chunk *chunk[CHUNKS_MOST];
    float *rows;
};

int32_t llama_model_n_embd_inp(const struct llama_model *model)
{
    return model->width;
}

mtmd_context *mtmd_init_from_file(const char *path, const struct llama_model *model,
                                  fake_params params)
{
    const fake_params expected = fake_params_of(7);
    const bool whole = params.n_threads == expected.n_threads && params.last == expected.last &&
                       memcmp(params.more, expected.more, sizeof params.more) == 0 &&
                       params.marker && strcmp(params.marker, expected.marker) == 0;
    mtmd_context *ctx = path && whole ? calloc(1, sizeof *ctx) : NULL;
    if (ctx) {
        ctx->width = llama_model_n_embd_inp(model);
    }
    return ctx;
}

void mtmd_free(mtmd_context *ctx)
{
    free(ctx->rows);
    free(ctx);
}

bool mtmd_support_vision(const mtmd_context *ctx)
{
    return ctx->width > 0;
}

/* ---- bitmaps and chunks ---- */

mtmd_bitmap *fake_bitmap(char kind, uint32_t w, uint32_t h)
{
    mtmd_bitmap *b = calloc(1, sizeof *b);
    *b = (mtmd_bitmap){.kind = kind, .w = w, .h = h};
    return b;
}

void mtmd_bitmap_free(mtmd_bitmap *bitmap)
{
    free(bitmap);
}

void mtmd_bitmap_set_id(mtmd_bitmap *bitmap, const char *id)
{
    memset(bitmap->id, 0, sizeof bitmap->id);
    strncpy(bitmap->id, id, sizeof bitmap->id - 1);
}

const char *mtmd_bitmap_get_id(const mtmd_bitmap *bitmap)
{
    return bitmap->id;
}

bool mtmd_bitmap_is_audio(const mtmd_bitmap *bitmap)
{
    return bitmap->kind == 'a';
}

mtmd_input_chunks *mtmd_input_chunks_init(void)
{
    return calloc(1, sizeof(mtmd_input_chunks));
}

size_t mtmd_input_chunks_size(const mtmd_input_chunks *chunks)
{
    return chunks->count;
}

const mtmd_input_chunk *mtmd_input_chunks_get(const mtmd_input_chunks *chunks, size_t i)
{
    return i < chunks->count ? &chunks->chunk[i] : NULL;
}

void mtmd_input_chunks_free(mtmd_input_chunks *chunks)
{
    free(chunks);
}

int32_t mtmd_tokenize(const mtmd_context *ctx, mtmd_input_chunks *out, const void *text,
                      const mtmd_bitmap *const *bitmaps, size_t count)
{
    (void)ctx;
    (void)text;
    if (count >= CHUNKS_MOST) {
        return 1;
    }
    out->count = count + 1;
    out->chunk[0] = (mtmd_input_chunk){.type = FAKE_TEXT};
    for (size_t i = 0; i < count; i++) {
        out->chunk[i + 1].type = mtmd_bitmap_is_audio(bitmaps[i]) ? FAKE_AUDIO : FAKE_IMAGE;
        out->chunk[i + 1].image.of = *bitmaps[i];
    }
    return 0;
}

int32_t mtmd_tokenize_from_parts(const mtmd_context *ctx, mtmd_input_chunks *out,
                                 const void *const *parts, size_t count, bool add_special)
{
    const mtmd_bitmap *bitmaps[CHUNKS_MOST];
    for (size_t i = 0; i < count && i < CHUNKS_MOST; i++) {
        bitmaps[i] = parts[i];
    }
    return add_special ? mtmd_tokenize(ctx, out, NULL, bitmaps, count) : 1;
}

const mtmd_image_tokens *mtmd_input_chunk_get_tokens_image(const mtmd_input_chunk *chunk)
{
    return chunk->type == FAKE_IMAGE ? &chunk->image : NULL;
}

size_t mtmd_input_chunk_get_n_tokens(const mtmd_input_chunk *chunk)
{
    return chunk->type == FAKE_TEXT ? 5 : mtmd_image_tokens_get_n_tokens(&chunk->image);
}

int32_t mtmd_input_chunk_get_n_pos(const mtmd_input_chunk *chunk)
{
    return chunk->type == FAKE_TEXT ? 5 : mtmd_image_tokens_get_n_pos(&chunk->image);
}

mtmd_input_chunk *mtmd_input_chunk_copy(const mtmd_input_chunk *chunk)
{
    mtmd_input_chunk *copy = malloc(sizeof *copy);
    *copy = *chunk;
    return copy;
}

void mtmd_input_chunk_free(mtmd_input_chunk *chunk)
{
    free(chunk);
}

size_t mtmd_image_tokens_get_n_tokens(const mtmd_image_tokens *image)
{
    const size_t w = image->of.w, h = image->of.h;
    return image->of.kind == 'h' ? (w + 1) * h + 2 : w * h;
}

int32_t mtmd_image_tokens_get_n_pos(const mtmd_image_tokens *image)
{
    const uint32_t w = image->of.w, h = image->of.h;
    return image->of.kind == 'g' ? (int32_t)(w > h ? w : h)
                                 : (int32_t)mtmd_image_tokens_get_n_tokens(image);
}

size_t mtmd_image_tokens_get_nx(const mtmd_image_tokens *image)
{
    return image->of.kind == 'r' ? (size_t)image->of.w * image->of.h : image->of.w;
}

const char *mtmd_image_tokens_get_id(const mtmd_image_tokens *image)
{
    return image->of.id;
}

#ifndef FAKE_OLD
struct mtmd_decoder_pos mtmd_image_tokens_get_decoder_pos(const mtmd_image_tokens *image,
                                                          int32_t pos_0, size_t i)
{
    const uint32_t first = (uint32_t)pos_0, at = (uint32_t)i, w = image->of.w;
    if (image->of.kind == 'g') {
        return (struct mtmd_decoder_pos){first, first + at % w, first + at / w, 0};
    }
    if (image->of.kind == 'h' && i > 0 && i + 1 < mtmd_image_tokens_get_n_tokens(image)) {
        return (struct mtmd_decoder_pos){first + at, (at - 1) / (w + 1), (at - 1) % (w + 1), 2};
    }
    return (struct mtmd_decoder_pos){first + at, first + at, first + at, first + at};
}
#endif

void mtmd_helper_image_get_decoder_pos(const mtmd_image_tokens *image, int32_t pos_0,
                                       struct mtmd_decoder_pos *out)
{
    (void)image;
    (void)pos_0;
    (void)out;
}

/* ---- encoding ---- */

static void fill(float *rows, const mtmd_input_chunk *chunk, int width)
{
    const size_t count = mtmd_input_chunk_get_n_tokens(chunk);
    for (size_t i = 0; i < count; i++) {
        for (int c = 0; c < width; c++) {
            rows[i * (size_t)width + (size_t)c] =
                fake_value((uint32_t)count, (uint32_t)i, (uint32_t)c);
        }
    }
}

int32_t mtmd_encode(mtmd_context *ctx, const mtmd_image_tokens *image)
{
    const mtmd_input_chunk chunk = {.type = FAKE_IMAGE, .image = *image};
    return mtmd_encode_chunk(ctx, &chunk);
}

int32_t mtmd_encode_chunk(mtmd_context *ctx, const mtmd_input_chunk *chunk)
{
    const size_t floats = mtmd_input_chunk_get_n_tokens(chunk) * (size_t)ctx->width;
    ctx->rows = realloc(ctx->rows, floats * sizeof *ctx->rows);
    fill(ctx->rows, chunk, ctx->width);
    return 0;
}

float *mtmd_get_output_embd(mtmd_context *ctx)
{
    return ctx->rows;
}

mtmd_batch *mtmd_batch_init(mtmd_context *ctx)
{
    mtmd_batch *batch = calloc(1, sizeof *batch);
    batch->ctx = ctx;
    return batch;
}

void mtmd_batch_free(mtmd_batch *batch)
{
    free(batch->rows);
    free(batch);
}

int32_t mtmd_batch_add_chunk(mtmd_batch *batch, const mtmd_input_chunk *chunk)
{
    if (chunk->type == FAKE_TEXT || batch->count == CHUNKS_MOST) {
        return batch->count == CHUNKS_MOST ? 2 : 1;
    }
    batch->chunk[batch->count++] = chunk;
    return 0;
}

/* Where a chunk's rows begin: computed through the exported count, as the true one does. */
static size_t offset_of(const mtmd_batch *batch, size_t chunk)
{
    size_t offset = 0;
    for (size_t i = 0; i < chunk; i++) {
        offset += mtmd_input_chunk_get_n_tokens(batch->chunk[i]) * (size_t)batch->ctx->width;
    }
    return offset;
}

int32_t mtmd_batch_encode(mtmd_batch *batch)
{
    batch->rows = realloc(batch->rows, (offset_of(batch, batch->count) + 1) * sizeof *batch->rows);
    for (size_t i = 0; i < batch->count; i++) {
        fill(batch->rows + offset_of(batch, i), batch->chunk[i], batch->ctx->width);
    }
    return 0;
}

float *mtmd_batch_get_output_embd(mtmd_batch *batch, const mtmd_input_chunk *chunk)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->chunk[i] == chunk) {
            return batch->rows + offset_of(batch, i);
        }
    }
    return NULL;
}
