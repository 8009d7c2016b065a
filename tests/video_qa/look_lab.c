/* look_lab.c: what winnow-evaluate sees of the language model; check_look.py's subject.
 *
 * usage: look_lab MODEL LAYER LAYER ROWS.f32 COUNT BATCH OUT
 *
 * Text, COUNT rows in two calls, text, then back to the end of the rows and another text. OUT, f32, of
 * each layer: attention of every cell to every cell [heads, cells, cells], keys [cells, channels],
 * what it gives [cells, 64]; then the embeddings of both texts that are left. What a row does not have is 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llama_host.h"
#include "look.h"

enum { CONTEXT = 256, BEFORE = 5, BEHIND = 4, AGAIN = 3, MOST = 100, WIDTH = 64 };

__attribute__((noreturn)) static void stop(const char *what, const char *which)
{
    fprintf(stderr, "look_lab: %s %s\n", what, which);
    exit(1);
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

static void must(const llama_host *host, llama_host_status status)
{
    if (status != LLAMA_HOST_OK) {
        stop("failed:", host->why);
    }
}

static struct llama_context *open_context(struct llama_model *model, uint32_t batch, look *l)
{
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = CONTEXT;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.n_batch = params.n_ubatch = batch;
    params.cb_eval = look_callback;
    params.cb_eval_user_data = l;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    l->kv_heads = (uint32_t)llama_model_n_head_kv(model);
    return llama_init_from_model(model, params);
}

static void decode_rows(llama_host *host, const char *path, uint32_t count)
{
    static float rows[MOST * WIDTH];
    FILE *file = fopen(path, "rb");
    if (!file || fread(rows, WIDTH * sizeof *rows, count, file) != count) {
        stop("cannot read", path);
    }
    fclose(file);
    const uint32_t half = count / 2;
    for (uint32_t at = 0, n = half ? half : count; at < count; at += n, n = count - at) {
        const llama_host_media media = {
            .rows = rows + (size_t)at * WIDTH, .count = n, .width = WIDTH};
        must(host, llama_host_decode_media(host, &media, false));
    }
}

static void decode(llama_host *host, look *l, const char *path, uint32_t count)
{
    static const llama_token text[BEFORE] = {1, 70, 80, 90, 100};
    look_from(l, 0);
    must(host, llama_host_text(host, text, BEFORE, false));
    decode_rows(host, path, count);
    const llama_pos end = host->n_past;
    must(host, llama_host_text(host, text + 1, BEHIND, true));
    if (!llama_memory_seq_rm(llama_get_memory(host->context), 0, end, -1)) {
        stop("cannot go back to", "the rows' end");
    }
    host->n_past = end;
    host->cells = (uint32_t)end;
    look_from(l, (uint32_t)end);
    must(host, llama_host_text(host, text + 2, AGAIN, true));
}

static void write_rows(FILE *out, const look_rows *rows, uint32_t planes, uint32_t cells,
                       uint32_t columns)
{
    static const float nothing;
    for (uint32_t p = 0; p < planes; p++) {
        for (uint32_t i = 0; i < cells; i++) {
            uint32_t width = 0;
            const float *row = look_row(rows, p, i, &width);
            for (uint32_t k = 0; k < columns; k++) {
                fwrite(row && k < width ? &row[k] : &nothing, sizeof *row, 1, out);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        stop("usage: MODEL LAYER LAYER ROWS.f32 COUNT BATCH", "OUT");
    }
    look l = {.layer_count = 2};
    const uint32_t count = (uint32_t)atoi(argv[5]);
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(argv[1], params);
    l.layers[0] = (look_layer){.layer = atoi(argv[2]), .wants_hidden = true};
    l.layers[1] = (look_layer){.layer = atoi(argv[3]), .wants_hidden = true};
    llama_host host = {.context = model ? open_context(model, (uint32_t)atoi(argv[6]), &l) : NULL};
    FILE *out = fopen(argv[7], "wb");
    if (!host.context || !out || count == 0 || count > MOST) {
        stop("cannot open", argv[1]);
    }
    decode(&host, &l, argv[4], count);
    if (l.trouble) {
        stop("trouble:", l.trouble);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const look_layer *of = &l.layers[i];
        write_rows(out, &of->attention, of->attention.blocks->planes, host.cells, host.cells);
        write_rows(out, &of->keys, 1, host.cells, of->keys.blocks->width);
        write_rows(out, &of->hidden, 1, host.cells, WIDTH);
    }
    write_rows(out, &l.embeddings, 1, host.cells, WIDTH);
    look_free(&l);
    llama_free(host.context);
    llama_model_free(model);
    llama_backend_free();
    return fclose(out) ? 1 : 0;
}
