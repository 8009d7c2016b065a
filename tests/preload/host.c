/* host.c: the calls that llama.cpp's programs make of libmtmd, in plain C; what they gave goes to
 * OUT for check_rows.py. Run with and without the preload.
 *
 * usage: host MODEL MMPROJ PROMPT OUT KEPT PICTURE.ppm...
 *
 * KEPT     "-", or a line of token numbers for each picture: only those rows are decoded by hand
 * OUT.txt  a line for each chunk: "chunk I KIND TOKENS POSITIONS ID", KIND 0 text or 1 picture, and
 *          behind a picture's "places T,Y,X,Z ..." from position 100 on
 * OUT.one  rows of all pictures, encoded chunk by chunk, f32
 * OUT.all  the same, encoded in batches
 * OUT.helper  logits behind the prompt, decoded by mtmd_helper_eval_chunks (KEPT "-" alone)
 * OUT.hand    the same, by llama_decode, with the positions that libmtmd gives
 * Copies, placeholders and chunks that were saved and loaded must say the same as the chunk. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "mtmd-helper.h"

enum { PICTURES_MOST = 8, PATH_SIZE = 4096, POSITION = 100 };

void stop(const char *what, const char *which)
{
    fprintf(stderr, "host: %s %s\n", what, which);
    exit(1);
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

/* Its id is its path, but an "anonymous" one has none; a "frame" goes with its neighbour. */
static mtmd_bitmap *read_picture(const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned w = 0, h = 0;
    if (!file || fscanf(file, "P6 %u %u 255", &w, &h) != 2 || fgetc(file) == EOF) {
        stop("cannot read", path);
    }
    unsigned char *rgb = calloc((size_t)w * h, 3);
    if (!rgb || fread(rgb, 3, (size_t)w * h, file) != (size_t)w * h) {
        stop("cut short:", path);
    }
    mtmd_bitmap *bitmap = mtmd_bitmap_init(w, h, rgb);
    free(rgb);
    fclose(file);
    mtmd_bitmap_set_mergeable(bitmap, strstr(path, "frame"));
    if (!strstr(path, "anonymous")) {
        mtmd_bitmap_set_id(bitmap, path);
        if (strcmp(mtmd_bitmap_get_id(bitmap), path) != 0) {
            stop("an id does not come back:", mtmd_bitmap_get_id(bitmap));
        }
    }
    return bitmap;
}

static FILE *open_out(const char *path, const char *ending)
{
    char name[PATH_SIZE];
    snprintf(name, sizeof name, "%s.%s", path, ending);
    FILE *file = fopen(name, "wb");
    if (!file) {
        stop("cannot write", name);
    }
    return file;
}

static void open_host(host *h, char **argv)
{
    struct llama_model_params mp = llama_model_default_params();
    struct mtmd_context_params vp = mtmd_context_params_default();
    mp.n_gpu_layers = 0;
    vp.use_gpu = false;
    vp.n_threads = 1;
    vp.warmup = false;
    vp.print_timings = false;
    h->model = llama_model_load_from_file(argv[1], mp);
    h->mtmd = h->model ? mtmd_init_from_file(argv[2], h->model, vp) : NULL;
    if (!h->mtmd) {
        stop("cannot load", argv[h->model ? 2 : 1]);
    }
    h->text = open_out(argv[4], "txt");
    h->one = open_out(argv[4], "one");
    h->all = open_out(argv[4], "all");
}

static void tokenize(host *h, const char *prompt, char **paths, int count)
{
    mtmd_bitmap *bitmaps[PICTURES_MOST];
    const mtmd_input_text text = {
        .text = prompt, .text_len = strlen(prompt), .add_special = true, .parse_special = true};
    for (int i = 0; i < count; i++) {
        bitmaps[i] = read_picture(paths[i]);
    }
    h->chunks = mtmd_input_chunks_init();
    if (mtmd_tokenize(h->mtmd, h->chunks, &text, (const mtmd_bitmap **)bitmaps, (size_t)count)) {
        stop("cannot tokenize", prompt);
    }
    for (int i = 0; i < count; i++) {
        mtmd_bitmap_free(bitmaps[i]);
    }
}

/* ---- chunks that must be alike ---- */

static void same(const mtmd_input_chunk *a, const mtmd_input_chunk *b, const char *what)
{
    if (mtmd_input_chunk_get_n_tokens(a) != mtmd_input_chunk_get_n_tokens(b) ||
        mtmd_input_chunk_get_n_pos(a) != mtmd_input_chunk_get_n_pos(b) ||
        strcmp(mtmd_input_chunk_get_id(a), mtmd_input_chunk_get_id(b)) != 0) {
        stop("not like its chunk:", what);
    }
}

static void check_likes(const mtmd_input_chunk *chunk)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(chunk);
    mtmd_input_chunk *copy = mtmd_input_chunk_copy(chunk);
    mtmd_input_chunk *placeholder = mtmd_input_chunk_get_placeholder(chunk);
    const mtmd_image_tokens *copied = mtmd_input_chunk_get_tokens_image(copy);
    const size_t count = mtmd_input_chunk_get_n_tokens(chunk);
    size_t size = 0;
    mtmd_input_chunk_save(chunk, NULL, 0, &size);
    char *saved = malloc(size);
    if (!saved || mtmd_input_chunk_save(chunk, saved, size, NULL)) {
        stop("cannot save", "a chunk");
    }
    mtmd_input_chunk *loaded = mtmd_input_chunk_load(saved, size);
    same(chunk, copy, "a copy");
    same(chunk, placeholder, "a placeholder");
    same(chunk, loaded, "a loaded one");
    for (size_t i = 0; i < count; i++) {
        const struct mtmd_decoder_pos a = mtmd_image_tokens_get_decoder_pos(image, 3, i);
        const struct mtmd_decoder_pos b = mtmd_image_tokens_get_decoder_pos(copied, 3, i);
        if (a.t != b.t || a.x != b.x || a.y != b.y || a.z != b.z) {
            stop("a copy has other places", "");
        }
    }
    mtmd_input_chunk_free(copy);
    mtmd_input_chunk_free(placeholder);
    mtmd_input_chunk_free(loaded);
    free(saved);
}

/* ---- rows ---- */

static size_t floats_of(const host *h, const mtmd_input_chunk *chunk)
{
    return mtmd_input_chunk_get_n_tokens(chunk) * (size_t)llama_model_n_embd_inp(h->model);
}

static void encode_one(host *h, const mtmd_input_chunk *chunk)
{
    if (mtmd_encode_chunk(h->mtmd, chunk)) {
        stop("cannot encode", "a chunk");
    }
    fwrite(mtmd_get_output_embd(h->mtmd), sizeof(float), floats_of(h, chunk), h->one);
}

static void write_batch(host *h, mtmd_batch *batch, const mtmd_input_chunk **chunks, size_t count)
{
    if (count && mtmd_batch_encode(batch)) {
        stop("cannot encode", "a batch");
    }
    for (size_t i = 0; i < count; i++) {
        const float *rows = mtmd_batch_get_output_embd(batch, chunks[i]);
        if (!rows || rows != mtmd_batch_get_output_embd(batch, chunks[i])) {
            stop("no rows of a chunk", "in a batch");
        }
        fwrite(rows, sizeof *rows, floats_of(h, chunks[i]), h->all);
    }
    mtmd_batch_free(batch);
}

/* As many as go into one, then the next. */
static void encode_batches(host *h, const mtmd_input_chunk **chunks, size_t count)
{
    size_t first = 0;
    while (first < count) {
        mtmd_batch *batch = mtmd_batch_init(h->mtmd);
        size_t last = first;
        while (last < count && mtmd_batch_add_chunk(batch, chunks[last]) == 0) {
            last++;
        }
        if (last == first) {
            stop("a batch takes no", "chunk");
        }
        write_batch(h, batch, chunks + first, last - first);
        first = last;
    }
}

/* ---- the report ---- */

static void report_places(host *h, const mtmd_image_tokens *image)
{
    const size_t count = mtmd_image_tokens_get_n_tokens(image);
    fprintf(h->text, "places");
    for (size_t i = 0; i < count; i++) {
        const struct mtmd_decoder_pos p = mtmd_image_tokens_get_decoder_pos(image, POSITION, i);
        fprintf(h->text, " %u,%u,%u,%u", p.t, p.y, p.x, p.z);
    }
    fprintf(h->text, "\n");
}

static void report(host *h)
{
    const size_t count = mtmd_input_chunks_size(h->chunks);
    const mtmd_input_chunk **pictures = calloc(count + 1, sizeof *pictures);
    size_t used = 0;
    for (size_t i = 0; pictures && i < count; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(h->chunks, i);
        const bool picture = mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_IMAGE;
        const size_t before = mtmd_input_chunk_get_n_tokens(chunk);
        if (picture) {
            encode_one(h, chunk);
            check_likes(chunk);
            pictures[used++] = chunk;
        }
        if (before != mtmd_input_chunk_get_n_tokens(chunk)) {
            stop("a count changed by", "encoding");
        }
        fprintf(h->text, "chunk %zu %d %zu %d %s\n", i, picture, before,
                mtmd_input_chunk_get_n_pos(chunk), picture ? mtmd_input_chunk_get_id(chunk) : "-");
        if (picture) {
            report_places(h, mtmd_input_chunk_get_tokens_image(chunk));
        }
    }
    encode_batches(h, pictures, used);
    free(pictures);
}

int main(int argc, char **argv)
{
    host h = {0};
    if (argc < 7 || argc > 6 + PICTURES_MOST) {
        stop("usage: MODEL MMPROJ PROMPT OUT KEPT", "PICTURE.ppm...");
    }
    llama_log_set(quiet, NULL);
    mtmd_helper_log_set(quiet, NULL);
    llama_backend_init();
    open_host(&h, argv);
    tokenize(&h, argv[3], argv + 6, argc - 6);
    report(&h);
    FILE *kept = strcmp(argv[5], "-") == 0 ? NULL : fopen(argv[5], "r");
    FILE *hand = open_out(argv[4], "hand"), *helper = kept ? NULL : open_out(argv[4], "helper");
    decode_by_hand(&h, kept, hand);
    if (helper) {
        decode_by_helper(&h, helper);
        fclose(helper);
    } else {
        fclose(kept);
    }
    fclose(hand);
    mtmd_input_chunks_free(h.chunks);
    mtmd_free(h.mtmd);
    llama_model_free(h.model);
    llama_backend_free();
    return fclose(h.text) | fclose(h.one) | fclose(h.all) ? 1 : 0;
}
