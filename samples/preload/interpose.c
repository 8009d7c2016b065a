/* interpose.c: the exported functions. Each calls libmtmd's own; where nothing is reduced that is
 * all it does. */
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "chunk.h"
#include "guard.h"
#include "real.h"
#include "rule.h"
#include "session.h"

#define EXPORT __attribute__((visibility("default")))

/* libmtmd's own function. Where none has it, the program ends as it would have without us. */
#define REAL(member, name) (real_need(real_get()->member != NULL, name), real_get()->member)

#define DECLARE(member, name, needed, result, arguments) EXPORT result name arguments;
MTMD_FUNCTIONS(DECLARE)
#undef DECLARE

/* ---- contexts ---- */

mtmd_context *mtmd_init_from_file(const char *path, const struct llama_model *model,
                                  params_room params)
{
    mtmd_context *ctx;
    {
        GUARD;
        ctx = REAL(init_from_file, "mtmd_init_from_file")(path, model, params);
    }
    if (ctx) {
        session_context(ctx, path, model);
    }
    return ctx;
}

void mtmd_free(mtmd_context *ctx)
{
    books_context_gone(ctx);
    GUARD;
    REAL(context_free, "mtmd_free")(ctx);
}

/* ---- ids ---- */

/* The helpers set the hash of a picture's file; a program sets what it likes. Marked once. */
void mtmd_bitmap_set_id(mtmd_bitmap *bitmap, const char *id)
{
    const rule *r = session_rule();
    char *marked = NULL;
    GUARD;
    if (r && id && id[0] && !rule_mark_length(id) && !real_get()->bitmap_is_audio(bitmap)) {
        const size_t mark = strlen(r->mark), size = strlen(id) + 1;
        marked = malloc(mark + size);
        if (marked) { /* without memory it stays unmarked, and the picture whole */
            memcpy(marked, r->mark, mark);
            memcpy(marked + mark, id, size);
        }
    }
    REAL(bitmap_set_id, "mtmd_bitmap_set_id")(bitmap, marked ? marked : id);
    free(marked);
}

/* What the program has set. */
const char *mtmd_bitmap_get_id(const mtmd_bitmap *bitmap)
{
    GUARD;
    const char *id = REAL(bitmap_get_id, "mtmd_bitmap_get_id")(bitmap);
    return id && session_settings() ? id + rule_mark_length(id) : id;
}

/* ---- tokens ---- */

int32_t mtmd_tokenize(const mtmd_context *ctx, mtmd_input_chunks *out, const void *text,
                      const mtmd_bitmap *const *bitmaps, size_t count)
{
    GUARD;
    const int32_t code = REAL(tokenize, "mtmd_tokenize")(ctx, out, text, bitmaps, count);
    if (code == 0 && session_rule()) {
        chunk_check(out);
    }
    return code;
}

int32_t mtmd_tokenize_from_parts(const mtmd_context *ctx, mtmd_input_chunks *out,
                                 const void *const *parts, size_t count, bool add_special)
{
    GUARD;
    const int32_t code =
        REAL(tokenize_from_parts, "mtmd_tokenize_from_parts")(ctx, out, parts, count, add_special);
    if (code == 0 && session_rule()) {
        chunk_check(out);
    }
    return code;
}

/* ---- chunks ---- */

/* The image of a chunk that is reduced, or NULL. */
static const mtmd_image_tokens *look(const mtmd_input_chunk *chunk, media_chunk *out)
{
    const mtmd_image_tokens *image = NULL;
    if (chunk && session_settings() && !guard_inside() && !real_missing()) {
        GUARD;
        image = real_get()->chunk_image(chunk);
    }
    return image && chunk_look(image, out) ? image : NULL;
}

size_t mtmd_input_chunk_get_n_tokens(const mtmd_input_chunk *chunk)
{
    media_chunk c;
    if (look(chunk, &c)) {
        return c.promise.tokens;
    }
    GUARD;
    return REAL(chunk_n_tokens, "mtmd_input_chunk_get_n_tokens")(chunk);
}

int32_t mtmd_input_chunk_get_n_pos(const mtmd_input_chunk *chunk)
{
    media_chunk c;
    if (look(chunk, &c)) {
        return c.n_pos;
    }
    GUARD;
    return REAL(chunk_n_pos, "mtmd_input_chunk_get_n_pos")(chunk);
}

size_t mtmd_image_tokens_get_n_tokens(const mtmd_image_tokens *image)
{
    media_chunk c;
    if (chunk_look(image, &c)) {
        return c.promise.tokens;
    }
    GUARD;
    return REAL(image_n_tokens, "mtmd_image_tokens_get_n_tokens")(image);
}

int32_t mtmd_image_tokens_get_n_pos(const mtmd_image_tokens *image)
{
    media_chunk c;
    if (chunk_look(image, &c)) {
        return c.n_pos;
    }
    GUARD;
    return REAL(image_n_pos, "mtmd_image_tokens_get_n_pos")(image);
}

/* Without M-RoPE all tokens are in one row. */
size_t mtmd_image_tokens_get_nx(const mtmd_image_tokens *image)
{
    media_chunk c;
    if (chunk_look(image, &c) && c.kind == CHUNK_RUN) {
        return c.promise.tokens;
    }
    GUARD;
    return REAL(image_nx, "mtmd_image_tokens_get_nx")(image);
}

struct mtmd_decoder_pos mtmd_image_tokens_get_decoder_pos(const mtmd_image_tokens *image,
                                                          intptr_t pos_0, size_t i)
{
    media_chunk c;
    if (chunk_look(image, &c) && i < c.promise.tokens) {
        return chunk_place(&c, image, pos_0, (uint32_t)i);
    }
    GUARD;
    return REAL(image_place, "mtmd_image_tokens_get_decoder_pos")(image, pos_0, i);
}

mtmd_input_chunk *mtmd_input_chunk_copy(const mtmd_input_chunk *chunk)
{
    GUARD;
    mtmd_input_chunk *copy = REAL(chunk_copy, "mtmd_input_chunk_copy")(chunk);
    if (copy && session_settings() && !real_missing()) {
        const mtmd_image_tokens *from = real_get()->chunk_image(chunk);
        if (from) {
            books_copy(from, real_get()->chunk_image(copy));
        }
    }
    return copy;
}

static void forget(const mtmd_input_chunk *chunk)
{
    const mtmd_image_tokens *image = chunk ? real_get()->chunk_image(chunk) : NULL;
    if (image) {
        books_forget(image);
    }
}

void mtmd_input_chunk_free(mtmd_input_chunk *chunk)
{
    GUARD;
    if (session_settings() && !real_missing()) {
        forget(chunk);
    }
    REAL(chunk_free, "mtmd_input_chunk_free")(chunk);
}

void mtmd_input_chunks_free(mtmd_input_chunks *chunks)
{
    GUARD;
    if (chunks && session_settings() && !real_missing()) {
        const size_t count = real_get()->chunks_size(chunks);
        for (size_t i = 0; i < count; i++) {
            forget(real_get()->chunks_get(chunks, i));
        }
    }
    REAL(chunks_free, "mtmd_input_chunks_free")(chunks);
}

/* ---- encoding ---- */

int32_t mtmd_encode_chunk(mtmd_context *ctx, const mtmd_input_chunk *chunk)
{
    const mtmd_image_tokens *image = NULL;
    float *rows = NULL;
    int32_t code;
    {
        GUARD;
        code = REAL(encode_chunk, "mtmd_encode_chunk")(ctx, chunk);
        if (code == 0 && session_settings() && !real_missing()) {
            image = real_get()->chunk_image(chunk);
            rows = real_get()->output(ctx);
        }
    }
    if (image) {
        chunk_reduce(image, books_width(ctx), rows);
    }
    return code;
}

int32_t mtmd_encode(mtmd_context *ctx, const mtmd_image_tokens *image)
{
    float *rows = NULL;
    int32_t code;
    {
        GUARD;
        code = REAL(encode, "mtmd_encode")(ctx, image);
        rows = code == 0 ? real_get()->output(ctx) : NULL;
    }
    if (rows) {
        chunk_reduce(image, books_width(ctx), rows);
    }
    return code;
}

mtmd_batch *mtmd_batch_init(mtmd_context *ctx)
{
    GUARD;
    mtmd_batch *batch = REAL(batch_init, "mtmd_batch_init")(ctx);
    if (batch && session_settings()) {
        books_batch(batch, ctx);
    }
    return batch;
}

void mtmd_batch_free(mtmd_batch *batch)
{
    books_batch_gone(batch);
    GUARD;
    REAL(batch_free, "mtmd_batch_free")(batch);
}

int32_t mtmd_batch_add_chunk(mtmd_batch *batch, const mtmd_input_chunk *chunk)
{
    GUARD;
    const int32_t code = REAL(batch_add, "mtmd_batch_add_chunk")(batch, chunk);
    if (code == 0 && session_settings()) {
        books_batch_add(batch, chunk);
    }
    return code;
}

static void reduce_one(mtmd_batch *batch, const mtmd_input_chunk *chunk, uint32_t width)
{
    const mtmd_image_tokens *image;
    float *rows;
    {
        GUARD;
        image = real_get()->chunk_image(chunk);
        rows = real_get()->batch_output(batch, chunk);
    }
    chunk_reduce(image, width, rows);
}

/* At once, for all chunks: whoever asks for their rows later gets them, however often. */
int32_t mtmd_batch_encode(mtmd_batch *batch)
{
    mtmd_context *ctx;
    const mtmd_input_chunk *chunk;
    int32_t code;
    {
        GUARD;
        code = REAL(batch_encode, "mtmd_batch_encode")(batch);
    }
    for (size_t i = 0; code == 0 && session_settings() && !real_missing() &&
                       real_get()->batch_output && (chunk = books_batch_chunk(batch, i, &ctx));
         i++) {
        reduce_one(batch, chunk, books_width(ctx));
    }
    return code;
}

float *mtmd_batch_get_output_embd(mtmd_batch *batch, const mtmd_input_chunk *chunk)
{
    GUARD;
    return REAL(batch_output, "mtmd_batch_get_output_embd")(batch, chunk);
}
