/* llama_encoder.c: how long llama.cpp's own encoder takes for a picture, through mtmd. encoder.py
 * builds and runs it (see README.md); not part of the test suite. Written against b10256.
 *
 * usage: llama_encoder [--backend vulkan|cpu] [--threads N] [--runs N | --wait] [--tokens FILE]
 *                      MMPROJ TEXT-MODEL PICTURE.ppm
 *
 * JSON, a line each: where the graph's nodes were computed, then {"ms": ..., "cpu_ms": ...} of
 * each run of mtmd_encode_chunk over all the picture's chunks, warmed up and with the rows read
 * back; preparing the picture is not in it. cpu_ms: of all threads. FILE gets the rows, f32.
 * --wait: a run for each line of standard input, so that another program's runs come between them.
 * The device is asked from every node's memory in a context of its own, so that the timed one runs
 * without a callback. Exit status 1, with a sentence, if a matrix product ran on another backend
 * than the one asked for.
 *
 * ggml hides a driver in software unless GGML_VK_VISIBLE_DEVICES=0; on lavapipe encoding crashes
 * without GGML_VK_DISABLE_F16=1. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"
#include "mtmd.h"

enum { PLACES_MOST = 8, SIDE_MOST = 1 << 14 };

typedef struct options {
    const char *backend, *tokens, *mmproj, *text, *picture;
    int threads, runs;
    bool wait; /* for a line before each run */
} options;

/* A device, and the nodes that were computed in its memory. */
typedef struct place {
    const char *name, *description;
    int nodes, products;
} place;

typedef struct places {
    place at[PLACES_MOST];
    int count;
    bool flash;
} places;

typedef struct duration {
    double ms, cpu_ms; /* of the clock on the wall, of all threads */
} duration;

typedef struct session {
    struct llama_model *model;
    mtmd_context *mtmd;
    mtmd_input_chunks *chunks;
    size_t tokens; /* of all the picture's chunks */
    int views;     /* of those */
    int width;     /* floats of a row */
} session;

__attribute__((noreturn, format(printf, 2, 3))) static void stop(int status, const char *format,
                                                                 ...)
{
    va_list args;
    fputs("llama_encoder: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

/* ---- where it runs ---- */

static place *place_of(places *p, const struct ggml_tensor *t)
{
    ggml_backend_dev_t device =
        t->buffer ? ggml_backend_buft_get_device(ggml_backend_buffer_get_type(t->buffer)) : NULL;
    device = device ? device : ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const char *name = ggml_backend_dev_name(device);
    int i = 0;
    while (i < p->count && strcmp(p->at[i].name, name) != 0) {
        i++;
    }
    if (i == PLACES_MOST) {
        stop(1, "more than %d devices", PLACES_MOST);
    }
    if (i == p->count) {
        p->at[p->count++] =
            (place){.name = name, .description = ggml_backend_dev_description(device)};
    }
    return &p->at[i];
}

static bool moves_nothing(enum ggml_op op)
{
    return op == GGML_OP_NONE || op == GGML_OP_VIEW || op == GGML_OP_RESHAPE ||
           op == GGML_OP_PERMUTE || op == GGML_OP_TRANSPOSE;
}

/* Asked before a node is computed, when its memory is already there; wants none of the results. */
static bool look(struct ggml_tensor *t, bool ask, void *user)
{
    places *p = user;
    if (ask && !moves_nothing(t->op)) {
        place *at = place_of(p, t);
        at->nodes++;
        at->products += t->op == GGML_OP_MUL_MAT;
        p->flash |= t->op == GGML_OP_FLASH_ATTN_EXT;
    }
    return !ask;
}

/* The place of all matrix products; stops if it is not of the backend that was asked for. */
static const place *only_place(const places *p, const char *backend)
{
    const char *prefix = strcmp(backend, "vulkan") == 0 ? "Vulkan" : "CPU";
    const place *found = NULL;
    for (int i = 0; i < p->count; i++) {
        const place *at = &p->at[i];
        if (at->products && strncmp(at->name, prefix, strlen(prefix)) != 0) {
            stop(1, "%d matrix products ran on %s (%s), not on %s%s", at->products, at->name,
                 at->description, prefix,
                 *prefix == 'V' ? " (is the driver visible? GGML_VK_VISIBLE_DEVICES=0)" : "");
        }
        found = at->products ? at : found;
    }
    if (!found) {
        stop(1, "the graph has no matrix products");
    }
    return found;
}

/* ---- the picture ---- */

static mtmd_bitmap *read_picture(const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned w = 0, h = 0;
    if (!file || fscanf(file, "P6 %u %u 255", &w, &h) != 2 || fgetc(file) == EOF || !w || !h ||
        w > SIDE_MOST || h > SIDE_MOST) {
        stop(2, "%s: not a PPM picture of 8 bits (P6, no comments)", path);
    }
    unsigned char *rgb = malloc((size_t)w * h * 3);
    if (!rgb || fread(rgb, 3, (size_t)w * h, file) != (size_t)w * h) {
        stop(2, "%s: cut short", path);
    }
    mtmd_bitmap *bitmap = mtmd_bitmap_init(w, h, rgb);
    free(rgb);
    fclose(file);
    return bitmap;
}

/* ---- a session ---- */

static void open_session(session *s, const options *o, places *watched)
{
    struct mtmd_context_params cp = mtmd_context_params_default();
    cp.use_gpu = strcmp(o->backend, "vulkan") == 0;
    cp.print_timings = false;
    cp.n_threads = o->threads;
    cp.warmup = false; /* with the picture's own size instead */
    cp.cb_eval = watched ? look : NULL;
    cp.cb_eval_user_data = watched;
    s->mtmd = mtmd_init_from_file(o->mmproj, s->model, cp);
    if (!s->mtmd) {
        stop(2, "mtmd does not load %s", o->mmproj);
    }
    mtmd_bitmap *bitmap = read_picture(o->picture);
    const char *marker = mtmd_default_marker();
    const mtmd_input_text text = {
        .text = marker, .text_len = strlen(marker), .parse_special = true};
    s->chunks = mtmd_input_chunks_init();
    if (mtmd_tokenize(s->mtmd, s->chunks, &text, (const mtmd_bitmap *[]){bitmap}, 1)) {
        stop(2, "mtmd does not prepare %s", o->picture);
    }
    mtmd_bitmap_free(bitmap);
    s->width = llama_model_n_embd_inp(s->model);
}

static void close_session(session *s)
{
    mtmd_input_chunks_free(s->chunks);
    mtmd_free(s->mtmd);
}

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* Encodes all the picture's chunks; their rows go to `out` if there is one. */
static duration encode(session *s, FILE *out)
{
    duration spent = {0};
    s->tokens = 0;
    s->views = 0;
    for (size_t i = 0; i < mtmd_input_chunks_size(s->chunks); i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(s->chunks, i);
        if (mtmd_input_chunk_get_type(chunk) != MTMD_INPUT_CHUNK_TYPE_IMAGE) {
            continue;
        }
        const size_t floats = mtmd_input_chunk_get_n_tokens(chunk) * (size_t)s->width;
        const duration before = {clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
        const int failed = mtmd_encode_chunk(s->mtmd, chunk);
        spent.ms += clock_ms(CLOCK_MONOTONIC) - before.ms;
        spent.cpu_ms += clock_ms(CLOCK_PROCESS_CPUTIME_ID) - before.cpu_ms;
        const float *rows = failed ? NULL : mtmd_get_output_embd(s->mtmd);
        if (!rows || (out && fwrite(rows, sizeof *rows, floats, out) != floats)) {
            stop(1, failed ? "mtmd_encode_chunk failed" : "the rows cannot be written");
        }
        s->tokens += mtmd_input_chunk_get_n_tokens(chunk);
        s->views++;
    }
    return spent;
}

static void look_at(session *s, const options *o)
{
    places p = {0};
    FILE *out = o->tokens ? fopen(o->tokens, "wb") : NULL;
    if (o->tokens && !out) {
        stop(2, "cannot write %s", o->tokens);
    }
    open_session(s, o, &p);
    encode(s, out);
    if (out && fclose(out)) {
        stop(2, "cannot write %s", o->tokens);
    }
    const place *at = only_place(&p, o->backend);
    printf("{\"backend\": \"%s\", \"device\": \"%s\", \"nodes\": {", at->name, at->description);
    for (int i = 0; i < p.count; i++) {
        printf("%s\"%s\": %d", i ? ", " : "", p.at[i].name, p.at[i].nodes);
    }
    printf("}, \"flash_attention\": %s, \"threads\": %d, \"views\": %d, \"tokens\": %zu, "
           "\"width\": %d, \"built_for\": \"%s\"}\n",
           p.flash ? "true" : "false", o->threads, s->views, s->tokens, s->width,
           llama_print_system_info());
    close_session(s);
}

/* ---- the command ---- */

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

static options read_options(int argc, char **argv)
{
    options o = {.backend = "vulkan", .threads = 1, .runs = 5};
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *name = argv[i] + 2, *value = argv[i + 1];
        if (strcmp(name, "wait") == 0) {
            o.wait = true;
            i--;
        } else if (strcmp(name, "backend") == 0) {
            o.backend = value;
        } else if (strcmp(name, "tokens") == 0) {
            o.tokens = value;
        } else if (strcmp(name, "threads") == 0) {
            o.threads = atoi(value);
        } else if (strcmp(name, "runs") == 0) {
            o.runs = atoi(value);
        } else {
            stop(2, "no option --%s", name);
        }
    }
    if (argc - i != 3 || o.threads < 1 || o.runs < 1 ||
        (strcmp(o.backend, "vulkan") != 0 && strcmp(o.backend, "cpu") != 0)) {
        stop(2, "usage: llama_encoder [--backend vulkan|cpu] [--threads N] [--runs N | --wait] "
                "[--tokens FILE] MMPROJ TEXT-MODEL PICTURE.ppm");
    }
    o.mmproj = argv[i], o.text = argv[i + 1], o.picture = argv[i + 2];
    return o;
}

/* Tells whether there is another run, when it is time for it. */
static bool another(const options *o, int done)
{
    char line[8];
    fflush(stdout);
    return o->wait ? fgets(line, sizeof line, stdin) != NULL : done < o->runs;
}

int main(int argc, char **argv)
{
    const options o = read_options(argc, argv);
    session s = {0};
    mtmd_log_set(quiet, NULL);
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0; /* the text model only gives a vocabulary and a width */
    s.model = llama_model_load_from_file(o.text, mp);
    if (!s.model) {
        stop(2, "llama.cpp does not load %s", o.text);
    }
    look_at(&s, &o);
    open_session(&s, &o, NULL);
    encode(&s, NULL);
    for (int i = 0; another(&o, i); i++) {
        const duration d = encode(&s, NULL);
        printf("{\"ms\": %.3f, \"cpu_ms\": %.3f}\n", d.ms, d.cpu_ms);
    }
    close_session(&s);
    llama_model_free(s.model);
    llama_backend_free();
    return 0;
}
