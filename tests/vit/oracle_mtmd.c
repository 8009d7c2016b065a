/* oracle_mtmd.c: what llama.cpp's mtmd makes of a picture, written as safetensors. Not part of the
 * test suite: it made expect/mtmd-*.safetensors (see oracle_mtmd.py), with llama.cpp b10256.
 *
 * Build (npm's @fugood/node-llama-linux-x64 1.7.15, one ELF that exports llama, mtmd and ggml; the
 * headers of llama.rn 0.12.9, which prefix ggml's names with lm_):
 *   npm install --ignore-scripts @fugood/node-llama-linux-x64@1.7.15 llama.rn@0.12.9
 *   H=node_modules/llama.rn/cpp D=node_modules/@fugood/node-llama-linux-x64
 *   mkdir include; for h in $H/{llama,ggml*,gguf}.h $H/tools/mtmd/mtmd*.h
 *   do sed 's/lm_ggml/ggml/g; s/LM_GGML/GGML/g; s/lm_gguf/gguf/g; s/LM_GGUF/GGUF/g' \
 *     $h > include/$(basename $h); done
 *   cc -O1 -Iinclude oracle_mtmd.c -o oracle_mtmd -L$D -l:index.node \
 *     -Wl,--allow-shlib-undefined -Wl,-rpath,$PWD/$D -lm
 *
 * usage: oracle_mtmd MMPROJ TEXT-MODEL PICTURE OUT [NODE ...]
 * OUT: tokens f32 [N, E], all image chunks in order; chunks i32 [n, 4] (0 text 1 image, tokens,
 *   positions, first id); pixels u8 [views, h, w, 3] as the encoder gets them (one size: all views
 *   of a picture have it); and for each NODE of the graph (such as layer_out-0, Kcur-1,
 *   kq_soft_max...) `node.NAME` f32 [calls, ...]. Flash attention is off.
 *
 * Seen here and worth knowing: the class token goes last and positions shift by one
 * (make_models.py, "Order of the class token"); GELU goes through an F16 table; matrices of
 * quantised files multiply quantised activations.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"
#include "mtmd-helper.h"
#include "mtmd.h"

enum { NODES_MOST = 32 };

struct grown {
    char name[64];
    int64_t shape[4]; /* outermost first, of one call */
    int rank;
    size_t calls, bytes;
    unsigned char *data;
};

static struct grown nodes[NODES_MOST], pixels = {.name = "pixels"};
static int node_count;
static float mean[3], deviation[3];

static void grow(struct grown *g, const void *more, size_t bytes)
{
    g->data = realloc(g->data, g->bytes + bytes);
    if (!g->data)
        exit(3);
    memcpy(g->data + g->bytes, more, bytes);
    g->bytes += bytes;
    g->calls++;
}

static void keep_shape(struct grown *g, const struct ggml_tensor *t)
{
    g->rank = ggml_n_dims(t);
    for (int i = 0; i < g->rank; ++i)
        g->shape[i] = t->ne[g->rank - 1 - i];
}

/* The normalised planes that the first convolution reads, as bytes. */
static void keep_pixels(const struct ggml_tensor *t)
{
    const int64_t w = t->ne[0], h = t->ne[1], views = t->ne[3];
    float *plane = malloc((size_t)(w * h * 3) * sizeof *plane);
    unsigned char *rgb = malloc((size_t)(w * h * 3));
    pixels.rank = 3;
    pixels.shape[0] = h, pixels.shape[1] = w, pixels.shape[2] = 3;
    for (int64_t v = 0; v < views; ++v) {
        ggml_backend_tensor_get(t, plane, (size_t)v * t->nb[3],
                                (size_t)(w * h * 3) * sizeof *plane);
        for (int64_t i = 0; i < w * h; ++i)
            for (int c = 0; c < 3; ++c)
                rgb[i * 3 + c] =
                    (unsigned char)lrintf((plane[c * w * h + i] * deviation[c] + mean[c]) * 255.0f);
        grow(&pixels, rgb, (size_t)(w * h * 3));
    }
    free(plane);
    free(rgb);
}

static bool watch(struct ggml_tensor *t, bool ask, void *user)
{
    (void)user;
    const bool first =
        t->op == GGML_OP_IM2COL && t->src[1] && !strcmp(t->src[1]->name, "inp_raw") &&
        strcmp(t->src[0]->name, "v.patch_embd.weight.1"); /* Qwen convolves it twice */
    int n = 0;
    while (n < node_count && strcmp(nodes[n].name, t->name))
        ++n;
    if (ask)
        return first || n < node_count;
    if (first)
        keep_pixels(t->src[1]);
    if (n < node_count && t->type == GGML_TYPE_F32 && ggml_is_contiguous(t)) {
        float *copy = malloc(ggml_nbytes(t));
        ggml_backend_tensor_get(t, copy, 0, ggml_nbytes(t));
        keep_shape(&nodes[n], t);
        grow(&nodes[n], copy, ggml_nbytes(t));
        free(copy);
    }
    return true;
}

static void read_normalisation(const char *path)
{
    struct gguf_init_params p = {.no_alloc = true};
    struct gguf_context *g = gguf_init_from_file(path, p);
    if (!g)
        exit(2);
    const float *m = gguf_get_arr_data(g, gguf_find_key(g, "clip.vision.image_mean"));
    const float *d = gguf_get_arr_data(g, gguf_find_key(g, "clip.vision.image_std"));
    memcpy(mean, m, sizeof mean);
    memcpy(deviation, d, sizeof deviation);
    gguf_free(g);
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

struct writer {
    FILE *file;
    char head[16384];
    size_t at, offset;
};

static void describe(struct writer *w, const char *name, const char *kind, int rank,
                     const int64_t *shape, size_t bytes)
{
    w->at += (size_t)sprintf(w->head + w->at, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                             w->at > 1 ? "," : "", name, kind);
    for (int i = 0; i < rank; ++i)
        w->at += (size_t)sprintf(w->head + w->at, "%s%lld", i ? "," : "", (long long)shape[i]);
    w->at += (size_t)sprintf(w->head + w->at, "],\"data_offsets\":[%zu,%zu]}", w->offset,
                             w->offset + bytes);
    w->offset += bytes;
}

static void describe_grown(struct writer *w, const struct grown *g, const char *prefix,
                           const char *kind)
{
    char name[96];
    int64_t shape[5] = {(int64_t)g->calls};
    snprintf(name, sizeof name, "%s%s", prefix, g->name);
    memcpy(shape + 1, g->shape, sizeof g->shape);
    describe(w, name, kind, g->rank + 1, shape, g->bytes);
}

static void write_out(const char *path, const struct grown *tokens, const struct grown *chunks)
{
    static struct writer w = {.head = "{", .at = 1};
    w.file = fopen(path, "wb");
    if (!w.file)
        exit(2);
    describe(&w, "tokens", "F32", 2, tokens->shape, tokens->bytes);
    describe(&w, "chunks", "I32", 2, chunks->shape, chunks->bytes);
    if (pixels.bytes)
        describe_grown(&w, &pixels, "", "U8");
    for (int i = 0; i < node_count; ++i)
        if (nodes[i].bytes)
            describe_grown(&w, &nodes[i], "node.", "F32");
    w.head[w.at++] = '}';
    while (w.at % 8)
        w.head[w.at++] = ' ';
    const uint64_t size = w.at;
    fwrite(&size, 8, 1, w.file);
    fwrite(w.head, 1, w.at, w.file);
    fwrite(tokens->data, 1, tokens->bytes, w.file);
    fwrite(chunks->data, 1, chunks->bytes, w.file);
    fwrite(pixels.data, 1, pixels.bytes, w.file);
    for (int i = 0; i < node_count; ++i)
        fwrite(nodes[i].data, 1, nodes[i].bytes, w.file);
    fclose(w.file);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return fprintf(stderr, "usage: oracle_mtmd MMPROJ TEXT-MODEL PICTURE OUT [NODE ...]\n"), 2;
    for (int i = 5; i < argc && node_count < NODES_MOST; ++i)
        snprintf(nodes[node_count++].name, sizeof nodes[0].name, "%s", argv[i]);
    mtmd_helper_log_set(quiet, NULL);
    llama_log_set(quiet, NULL);
    llama_backend_init();
    read_normalisation(argv[1]);
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(argv[2], mp);
    struct mtmd_context_params cp = mtmd_context_params_default();
    cp.use_gpu = false;
    cp.warmup = false;
    cp.n_threads = 1;
    cp.print_timings = false;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    cp.cb_eval = watch;
    mtmd_context *ctx = model ? mtmd_init_from_file(argv[1], model, cp) : NULL;
    if (!ctx)
        return fprintf(stderr, "cannot load %s\n", model ? argv[1] : argv[2]), 2;
    mtmd_bitmap *bitmap = mtmd_helper_bitmap_init_from_file(ctx, argv[3], false).bitmap;
    const char *marker = mtmd_default_marker();
    mtmd_input_text text = {.text = marker, .text_len = strlen(marker), .parse_special = true};
    mtmd_input_chunks *list = mtmd_input_chunks_init();
    if (!bitmap || mtmd_tokenize(ctx, list, &text, (const mtmd_bitmap *[]){bitmap}, 1))
        return fprintf(stderr, "cannot read %s\n", argv[3]), 2;
    struct grown tokens = {.shape = {0, llama_model_n_embd_inp(model)}}, chunks = {.shape = {0, 4}};
    for (size_t i = 0; i < mtmd_input_chunks_size(list); ++i) {
        const mtmd_input_chunk *c = mtmd_input_chunks_get(list, i);
        const size_t n = mtmd_input_chunk_get_n_tokens(c);
        int32_t row[4] = {0, (int32_t)n, mtmd_input_chunk_get_n_pos(c), -1};
        if (mtmd_input_chunk_get_type(c) == MTMD_INPUT_CHUNK_TYPE_TEXT) {
            size_t count;
            const llama_token *ids = mtmd_input_chunk_get_tokens_text(c, &count);
            row[3] = count ? ids[0] : -1;
        } else {
            row[0] = 1;
            if (mtmd_encode_chunk(ctx, c))
                return fprintf(stderr, "encode failed\n"), 2;
            grow(&tokens, mtmd_get_output_embd(ctx), n * (size_t)tokens.shape[1] * sizeof(float));
            tokens.shape[0] += (int64_t)n;
        }
        grow(&chunks, row, sizeof row);
        chunks.shape[0]++;
    }
    write_out(argv[4], &tokens, &chunks);
    mtmd_input_chunks_free(list);
    mtmd_bitmap_free(bitmap);
    mtmd_free(ctx);
    llama_model_free(model);
    return 0;
}
