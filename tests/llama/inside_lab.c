/* inside_lab.c: llama_attention and llama_cells on a prompt without an encoder; check_inside.py's
 * subject.
 *
 * usage: inside_lab MODEL LAYER ROWS.f32 COUNT free|hide MASKS BATCH OUT
 *
 * Text, COUNT rows, text, then a token for each line of MASKS: COUNT characters, 1 for the rows
 * that it sees. `free`: the first line's others are forgotten for good, and further lines are the
 * same.
 * OUT, f32: the layer's softmax of the prompt's last token [heads, cells], its logits, then of each
 * token its logits and its attention as if all were seen [heads, cells]. Keys and values are
 * f32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml.h>

#include "llama_attention.h"
#include "llama_cells.h"

enum { CONTEXT = 256, BEFORE = 5, BEHIND = 4, STORE = 1, CELLS = 256, MOST = 16 };

typedef struct lab {
    struct llama_model *model;
    llama_host host;
    llama_attention attention;
    llama_pos positions[CELLS];
    int32_t shown[CELLS], wanted[CELLS];
    uint32_t count;
    bool frees;
    FILE *out;
} lab;

__attribute__((noreturn)) static void stop(const char *what, const char *which)
{
    fprintf(stderr, "inside_lab: %s %s\n", what, which);
    exit(1);
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

static void must(lab *l, llama_host_status status)
{
    if (status != LLAMA_HOST_OK) {
        stop("failed:", l->host.why);
    }
}

static void open_lab(lab *l, char **argv)
{
    struct llama_model_params mp = llama_model_default_params();
    struct llama_context_params cp = llama_context_default_params();
    mp.n_gpu_layers = 0;
    l->model = llama_model_load_from_file(argv[1], mp);
    cp.n_ctx = CONTEXT;
    cp.n_seq_max = 2;
    cp.kv_unified = true;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.n_batch = cp.n_ubatch = (uint32_t)atoi(argv[7]);
    l->attention.layer = atoi(argv[2]);
    llama_attention_attach(&l->attention, &cp);
    l->host.context = l->model ? llama_init_from_model(l->model, cp) : NULL;
    if (!l->host.context || !llama_attention_is_the_version()) {
        stop("cannot open", argv[1]);
    }
}

static void write_attention(lab *l)
{
    static uint32_t cells[CELLS];
    static float rows[CELLS * MOST];
    for (uint32_t i = 0; i < CELLS; i++) {
        cells[i] = i;
    }
    if (l->attention.heads > MOST) {
        stop("too many", "heads");
    }
    must(l, llama_attention_read(&l->attention, &l->host, cells, (uint32_t)l->host.n_past, rows));
    fwrite(rows, sizeof *rows, (size_t)l->attention.heads * (size_t)l->host.n_past, l->out);
}

static void write_logits(lab *l)
{
    const int32_t count = llama_vocab_n_tokens(llama_model_get_vocab(l->model));
    fwrite(llama_get_logits_ith(l->host.context, -1), sizeof(float), (size_t)count, l->out);
}

static void prefill(lab *l, const char *path)
{
    static const llama_token text[BEFORE] = {1, 70, 80, 90, 100};
    static float rows[CELLS * 64];
    FILE *file = fopen(path, "rb");
    const size_t width = (size_t)llama_model_n_embd_inp(l->model);
    if (!file || width > 64 ||
        fread(rows, sizeof *rows, l->count * width, file) != l->count * width) {
        stop("cannot read", path);
    }
    fclose(file);
    const llama_host_media media = {.rows = rows, .count = l->count, .width = (uint32_t)width};
    must(l, llama_host_text(&l->host, text, BEFORE, false));
    must(l, llama_host_decode_media(&l->host, &media, false));
    llama_attention_want(&l->attention);
    must(l, llama_host_text(&l->host, text + 1, BEHIND, true));
    write_attention(l);
    write_logits(l);
    for (uint32_t i = 0; i < l->count; i++) {
        l->positions[i] = BEFORE + (llama_pos)i;
        l->shown[i] = 1;
    }
}

static void forget(lab *l)
{
    static llama_pos gone[CELLS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (!l->wanted[i] && l->shown[i]) {
            gone[count++] = l->positions[i];
            l->shown[i] = 0;
        }
    }
    must(l, llama_cells_forget(&l->host, gone, count, true));
}

static void step(lab *l, int at)
{
    const llama_token token = 60 + at;
    if (l->frees) {
        forget(l);
    } else {
        must(l, llama_cells_show(&l->host, STORE, l->positions, l->count, l->wanted, l->shown));
        llama_attention_want(&l->attention);
    }
    must(l, llama_host_text(&l->host, &token, 1, true));
    write_logits(l);
    if (!l->frees) { /* where cells were freed their order is no longer that of decoding */
        write_attention(l);
        must(l, llama_cells_keep(&l->host, STORE, l->host.n_past - 1));
    }
}

static void run(lab *l, const char *path)
{
    char line[CELLS + 2];
    FILE *file = fopen(path, "r");
    if (!file) {
        stop("cannot open", path);
    }
    l->attention.hidden = true;
    if (!l->frees) {
        must(l, llama_cells_keep(&l->host, STORE, 0));
    }
    for (int at = 0; fgets(line, sizeof line, file); at++) {
        if (strcspn(line, "\n") != l->count) {
            stop("a line of another length in", path);
        }
        for (uint32_t i = 0; i < l->count; i++) {
            l->wanted[i] = line[i] == '1';
        }
        step(l, at);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    lab l = {0};
    if (argc != 9) {
        stop("usage: MODEL LAYER ROWS.f32 COUNT free|hide MASKS BATCH", "OUT");
    }
    llama_log_set(quiet, NULL);
    llama_backend_init();
    open_lab(&l, argv);
    l.count = (uint32_t)atoi(argv[4]);
    l.frees = strcmp(argv[5], "free") == 0;
    l.out = fopen(argv[8], "wb");
    if (!l.out || l.count == 0 || l.count > CELLS / 2) {
        stop("cannot write", argv[8]);
    }
    prefill(&l, argv[3]);
    run(&l, argv[6]);
    llama_attention_free(&l.attention);
    llama_free(l.host.context);
    llama_model_free(l.model);
    llama_backend_free();
    return fclose(l.out) ? 1 : 0;
}
