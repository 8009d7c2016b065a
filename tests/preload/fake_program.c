/* fake_program.c: a program of fake_mtmd.c's library, for check_aside.py. In several threads it
 * tokenizes, encodes and looks where everything went; the first thread says it.
 *
 * usage: fake_program MMPROJ WIDTH BITMAP...      (BITMAP: r4x4, g7x5, h3x2, a9x1, see fake_mtmd.h)
 *
 * A line for each chunk: "TOKENS POSITIONS NX ID SOURCES", SOURCES the rows that are left, by the
 * numbers of those that the encoder made ("-": a row that it made nowhere), or "none"; and for a
 * grid " places T,Y,X ..." from position 100 on. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_mtmd.h"

enum { BITMAPS_MOST = 6, THREADS = 4, POSITION = 100, TEXT_SIZE = 1 << 16 };

typedef struct job {
    int count, width;
    char **specs;
    mtmd_context *ctx;
    char text[TEXT_SIZE];
    size_t used;
} job;

__attribute__((format(printf, 2, 3))) static void put(job *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(j->text + j->used, sizeof j->text - j->used, format, args);
    va_end(args);
    j->used += length > 0 ? (size_t)length : 0;
}

static mtmd_bitmap *make_bitmap(const char *spec, int i)
{
    char kind, id[32];
    unsigned w, h;
    if (sscanf(spec, "%c%ux%u", &kind, &w, &h) != 3) {
        exit(2);
    }
    mtmd_bitmap *bitmap = fake_bitmap(kind, w, h);
    snprintf(id, sizeof id, "file-%d", i);
    mtmd_bitmap_set_id(bitmap, id);
    if (strcmp(mtmd_bitmap_get_id(bitmap), id) != 0) {
        exit(3);
    }
    return bitmap;
}

static uint32_t tokens_of(const char *spec)
{
    char kind;
    unsigned w = 0, h = 0;
    sscanf(spec, "%c%ux%u", &kind, &w, &h);
    return kind == 'h' ? (w + 1) * h + 2 : w * h;
}

/* The number of a row among those that the encoder made, or -1. */
static int source_of(const float *row, uint32_t tokens, int width)
{
    for (uint32_t i = 0; i < tokens; i++) {
        int c = 0;
        while (c < width && row[c] == fake_value(tokens, i, (uint32_t)c)) {
            c++;
        }
        if (c == width) {
            return (int)i;
        }
    }
    return -1;
}

static void put_sources(job *j, const char *spec, const float *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int source = source_of(rows + i * (size_t)j->width, tokens_of(spec), j->width);
        put(j, source < 0 ? "%s-" : "%s%d", i ? "," : "", source);
    }
}

static void put_places(job *j, const mtmd_image_tokens *image, size_t count)
{
#ifdef FAKE_OLD
    (void)j, (void)image, (void)count;
#else
    put(j, " places");
    for (size_t i = 0; i < count; i++) {
        const struct mtmd_decoder_pos p = mtmd_image_tokens_get_decoder_pos(image, POSITION, i);
        put(j, " %u,%u,%u", p.t, p.y, p.x);
    }
#endif
}

static void put_chunk(job *j, const mtmd_input_chunk *chunk, const char *spec, const float *rows)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(chunk);
    const size_t count = mtmd_input_chunk_get_n_tokens(chunk);
    put(j, "%zu %d %zu %s ", count, mtmd_input_chunk_get_n_pos(chunk),
        image ? mtmd_image_tokens_get_nx(image) : 0, image ? mtmd_image_tokens_get_id(image) : "-");
    if (rows) {
        put_sources(j, spec, rows, count);
    } else {
        put(j, "none");
    }
    if (image && spec[0] == 'g') {
        put_places(j, image, count);
    }
    put(j, "\n");
}

/* By itself an encoded chunk gives the rows that it has in a batch, in both ways of asking. */
static void check_alone(job *j, const mtmd_input_chunk *chunk, const float *rows)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(chunk);
    const size_t bytes = mtmd_input_chunk_get_n_tokens(chunk) * (size_t)j->width * sizeof *rows;
    if (mtmd_encode_chunk(j->ctx, chunk) || memcmp(rows, mtmd_get_output_embd(j->ctx), bytes)) {
        exit(5);
    }
    if (image &&
        (mtmd_encode(j->ctx, image) || memcmp(rows, mtmd_get_output_embd(j->ctx), bytes))) {
        exit(10);
    }
}

/* `alone`: by itself too; a context's output is one for all threads. */
static void encode(job *j, const mtmd_input_chunks *chunks, bool alone)
{
    mtmd_batch *batch = mtmd_batch_init(j->ctx);
    const size_t count = mtmd_input_chunks_size(chunks);
    for (size_t i = 1; i < count; i++) {
        mtmd_batch_add_chunk(batch, mtmd_input_chunks_get(chunks, i));
    }
    if (mtmd_batch_encode(batch)) {
        exit(4);
    }
    put_chunk(j, mtmd_input_chunks_get(chunks, 0), "t", NULL);
    for (size_t i = 1; i < count; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(chunks, i);
        const float *rows = mtmd_batch_get_output_embd(batch, chunk);
        if (alone) {
            check_alone(j, chunk, rows);
        }
        put_chunk(j, chunk, j->specs[i - 1], rows);
    }
    mtmd_batch_free(batch);
}

/* The first job says its lines one byte further on, so that it can be told. */
static void *work(void *data)
{
    job *j = data;
    mtmd_bitmap *bitmaps[BITMAPS_MOST] = {0};
    mtmd_input_chunks *chunks = mtmd_input_chunks_init();
    for (int i = 0; i < j->count; i++) {
        bitmaps[i] = make_bitmap(j->specs[i], i);
    }
    const bool first = j->used == 1;
    const size_t count = (size_t)j->count;
    const int32_t code =
        first ? mtmd_tokenize(j->ctx, chunks, NULL, (const mtmd_bitmap *const *)bitmaps, count)
              : mtmd_tokenize_from_parts(j->ctx, chunks, (const void *const *)bitmaps, count, true);
    if (code) {
        exit(6);
    }
    mtmd_input_chunk *copy = mtmd_input_chunk_copy(mtmd_input_chunks_get(chunks, 1));
    encode(j, chunks, first);
    if (mtmd_input_chunk_get_n_tokens(copy) !=
        mtmd_input_chunk_get_n_tokens(mtmd_input_chunks_get(chunks, 1))) {
        exit(7);
    }
    mtmd_input_chunk_free(copy);
    for (int i = 0; i < j->count; i++) {
        mtmd_bitmap_free(bitmaps[i]);
    }
    mtmd_input_chunks_free(chunks);
    return NULL;
}

int main(int argc, char **argv)
{
    static job jobs[THREADS];
    pthread_t threads[THREADS];
    if (argc < 4 || argc > 3 + BITMAPS_MOST) {
        return 2;
    }
    const struct llama_model model = {.width = atoi(argv[2])};
    mtmd_context *ctx = mtmd_init_from_file(argv[1], &model, fake_params_of(7));
    if (!ctx) {
        return 8;
    }
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){.count = argc - 3, .width = model.width, .specs = argv + 3, .ctx = ctx};
        jobs[i].text[0] = '\n';
        jobs[i].used = i == 0;
    }
    work(&jobs[0]);
    for (int i = 1; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, &jobs[i]);
    }
    for (int i = 1; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (strcmp(jobs[0].text + 1, jobs[i].text) != 0) {
            return 9;
        }
    }
    mtmd_free(ctx);
    fputs(jobs[0].text + 1, stdout);
    return 0;
}
