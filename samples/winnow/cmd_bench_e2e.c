#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "default_model.h"
#include "e2e.h"
#include "vision.h"

typedef e2e_options values;

static const arg_option options[] = {
    {"model", 0, ARG_TEXT, offsetof(values, model), "FILE",
     "the vision model's file or folder; default: the small model of samples/video_qa"},
    {"llm", 0, ARG_TEXT, offsetof(values, llm), "FILE",
     "its language model, a GGUF file; default: the small model's"},
    {"pipeline", 0, ARG_LIST, offsetof(values, pipelines), "SPEC",
     "one row more; may be given several times; default: budget=50%, 25% and 10%"},
    {"frames", 0, ARG_COUNT, offsetof(values, frames), "N",
     "frames of a video, evenly spread; default 8"},
    {"max-side", 0, ARG_COUNT, offsetof(values, max_side), "N",
     "longest side of the frames before the model's own resizing"},
    {"question", 0, ARG_TEXT, offsetof(values, question), "TEXT",
     "what is asked; default: What colour was the flash?"},
    {"stages", 0, ARG_FLAG, offsetof(values, stages), NULL,
     "each stage's share of the encoder's time instead"},
    {"clock", 0, ARG_CHOICE, offsetof(values, clock), "wall|cpu",
     "cpu: CPU time of all threads, for machines that do other work; default wall"},
    {"rounds", 0, ARG_COUNT, offsetof(values, rounds), "N",
     "99 at most; default 5 to 25, 3 where one takes over 20 s, 2 over 60 s"},
    {"threads", 0, ARG_COUNT, offsetof(values, threads), "N",
     "of llama.cpp; default one a processor, at most 4; with --clock cpu one"},
    {"like", 0, ARG_CHOICE, offsetof(values, like), "llama|llama-b10256|transformers",
     "whose arithmetic and preprocessing; default: a GGUF file llama.cpp's"},
    {"no-llm", 0, ARG_FLAG, offsetof(values, no_llm), NULL, "leave the language model out"},
    {"llama", 0, ARG_TEXT, offsetof(values, llama), "FILE",
     "the library with llama.cpp in it; default " PREFILL_FILE ", where it is found"},
    {"quick", 0, ARG_FLAG, offsetof(values, quick), NULL,
     "one round, not warmed up: does it run, not how fast"},
    ENGINE_OPTIONS(values),
    {"svg", 0, ARG_TEXT, offsetof(values, svg), "FILE.svg", "draw the parts, stacked"},
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "for machines"},
    {0}};

/* ---- options ---- */

static int check(const values *v, const arg_list *operands)
{
    if (operands->count > 1) {
        return cli_misuse("bench e2e: \"%s\" is not wanted (one VIDEO, IMAGE or FOLDER)",
                          operands->items[1]);
    }
    if (v->model && !vision_is_model(v->model)) {
        return cli_misuse("bench e2e: --model %s: it has no layers to measure (give a vision "
                          "transformer's file)",
                          v->model);
    }
    if (v->llm && !v->model) {
        return cli_misuse("bench e2e: --llm: its vision model is not named (add --model FILE)");
    }
    if (v->engine.cache && v->engine.backend && strcmp(v->engine.backend, "cpu") == 0) {
        return cli_misuse("--cache: plain C compiles nothing (leave it out, or take a GPU)");
    }
    if (v->rounds > E2E_ROUNDS_MAX) {
        return cli_misuse("bench e2e: --rounds %u: they are at most %d", v->rounds, E2E_ROUNDS_MAX);
    }
    const char *with_llm = v->llm        ? "llm"
                           : v->llama    ? "llama"
                           : v->threads  ? "threads"
                           : v->question ? "question"
                                         : NULL;
    if (with_llm && (v->no_llm || v->stages)) {
        return cli_misuse("bench e2e: --%s is for the language model, which --%s leaves out (give "
                          "one of them)",
                          with_llm, v->no_llm ? "no-llm" : "stages");
    }
    if (v->stages && v->svg) {
        return cli_misuse("bench e2e: --svg draws the way to the first token (leave --stages out)");
    }
    return CLI_DONE;
}

/* ---- the language model ---- */

static void leave_out(e2e *b, const char *why)
{
    snprintf(b->left_out, sizeof b->left_out, "%s", why);
}

/* Beside libwinnow.so, else wherever the loader looks. */
static void find_library(char *path, size_t size)
{
    const winnow_get_api_fn any = winnow_get_api;
    void *address = NULL;
    Dl_info info;
    memcpy(&address, &any, sizeof address);
    const char *slash =
        dladdr(address, &info) && info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    if (!slash ||
        snprintf(path, size, "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname,
                 PREFILL_FILE) >= (int)size ||
        access(path, F_OK) != 0) {
        snprintf(path, size, "%s", PREFILL_FILE);
    }
}

/* Only what was asked for has to be there. */
static int open_library(e2e *b)
{
    char found[4096];
    find_library(found, sizeof found);
    const char *path = b->o->llama ? b->o->llama : found;
    /* lazily: what node offers to the npm package's file is never called */
    b->object = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    void *symbol = b->object ? dlsym(b->object, PREFILL_SYMBOL) : NULL;
    prefill_get get = NULL;
    memcpy(&get, &symbol, sizeof get);
    if (get) {
        b->llama = get();
    }
    const bool fits = b->llama && b->llama->abi == PREFILL_ABI &&
                      b->llama->film_bytes == sizeof(film) &&
                      b->llama->rows_bytes == sizeof(film_rows);
    if (fits) {
        return CLI_DONE;
    }
    const char *why = b->llama ? "it is of another version" : dlerror();
    b->llama = NULL;
    if (b->o->llama) {
        return cli_fail("--llama %s: %s (give the libwinnow-prefill.so of this version)", path,
                        why ? why : "it is none");
    }
    snprintf(b->left_out, sizeof b->left_out,
             "this build has no llama.cpp (configure with -DWINNOW_LLAMA_PREFIX=FOLDER, see "
             "samples/llama/README.md; %.200s)",
             why ? why : PREFILL_FILE);
    return CLI_DONE;
}

static int open_llm(e2e *b)
{
    const values *v = b->o;
    if (v->no_llm || v->stages) {
        leave_out(b, v->no_llm ? "--no-llm" : "--stages");
        return CLI_DONE;
    }
    if (!b->llm) {
        leave_out(b, "no language model is named (add --llm FILE)");
        return CLI_DONE;
    }
    const int exit_code = open_library(b);
    if (exit_code || !b->llama) {
        return exit_code;
    }
    b->threads = v->threads ? v->threads : b->cpu ? 1 : 0;
    const prefill_options o = {.model = b->llm,
                               .question = v->question ? v->question : "What colour was the flash?",
                               .threads = b->threads};
    return b->llama->open(&b->prefill, &o, &b->encoder, b->before) ? CLI_DONE : CLI_FAILED;
}

/* ---- opening ---- */

static int name_files(e2e *b, const arg_list *operands)
{
    const values *v = b->o;
    b->model = v->model;
    b->llm = v->llm;
    b->film = operands->count ? operands->items[0] : NULL;
    if ((!v->model && !default_model_find(&b->llm, &b->model)) ||
        (!b->film && !default_film_find(&b->film)) || (b->llm && !check_file(b->llm))) {
        return CLI_FAILED;
    }
    return CLI_DONE;
}

static int open_encoder(e2e *b)
{
    int exit_code = engine_load(&b->library);
    if (exit_code) {
        return exit_code;
    }
    const winnow_device_desc device = engine_device_desc(&b->library, &b->o->engine);
    const film_options o = {
        .model = b->model, .like = b->o->like ? b->o->like : "", .device = &device};
    if (!film_open(&b->encoder, &o)) {
        return CLI_FAILED;
    }
    b->device.struct_size = sizeof b->device;
    b->encoder.api->device_info(b->encoder.device, &b->device);
    return CLI_DONE;
}

static int read_frames(e2e *b)
{
    const frames_options how = {.uniform_count = b->o->frames ? b->o->frames : 8,
                                .longest_side = b->o->max_side,
                                .same_size = true};
    char why[FRAMES_WHY_SIZE];
    frames_source *source;
    frames_info info;
    film f = {0};
    if (frames_open(&source, b->film, &how, why, sizeof why) != FRAMES_OK) {
        return cli_fail("%s", why);
    }
    frames_get_info(source, &info);
    frames_close(&source);
    b->is_video = info.kind != FRAMES_KIND_PICTURE;
    if (frames_load(&b->frames, b->film, &how, why, sizeof why) != FRAMES_OK) {
        return cli_fail("%s", why);
    }
    const bool good = e2e_take(b, &f);
    if (good) {
        uint32_t grid[3];
        film_grid(&b->encoder, &f, grid);
        b->before = grid[0] * grid[1] * grid[2];
        b->views = f.count;
        b->width = f.width;
        b->height = f.height;
    }
    film_free(&f);
    return good ? CLI_DONE : CLI_FAILED;
}

static int add_row(e2e *b, const char *spec)
{
    int exit_code = CLI_DONE;
    e2e_row *r = &b->rows[b->row_count++];
    r->spec = spec;
    if (spec) { /* a bad one is bad use */
        b->library.api->pipeline_destroy(engine_pipeline(&b->library, spec, true, &exit_code));
    }
    if (exit_code == CLI_DONE && !film_pipeline_open(&r->pipeline, &b->encoder, spec)) {
        exit_code = CLI_FAILED;
    }
    return exit_code;
}

static int add_rows(e2e *b)
{
    static const arg_list usual = {.items = {"budget=50%", "budget=25%", "budget=10%"}, .count = 3};
    const arg_list *specs = b->o->pipelines.count ? &b->o->pipelines : &usual;
    int exit_code = add_row(b, NULL);
    for (size_t i = 0; i < specs->count && exit_code == CLI_DONE; i++) {
        if (strcmp(specs->items[i], "none") != 0) { /* is there already */
            exit_code = add_row(b, specs->items[i]);
        }
    }
    return exit_code;
}

static void close_all(e2e *b)
{
    if (b->prefill) {
        b->llama->close(b->prefill);
    }
    for (uint32_t i = 0; i < b->row_count; i++) {
        e2e_alone_close(&b->rows[i].alone, &b->encoder);
        film_pipeline_close(&b->rows[i].pipeline, &b->encoder);
    }
    for (uint32_t i = 0; i < b->stage_count; i++) {
        e2e_alone_close(&b->stages[i].alone, &b->encoder);
        b->encoder.api->pipeline_destroy(b->stages[i].pipeline);
    }
    e2e_shown_free(&b->shown);
    frames_list_free(&b->frames);
    film_close(&b->encoder);
    engine_close(&b->library);
    /* b->object stays: llama.cpp's threads and exit handlers may still want its code */
}

static int run_rows(e2e *b)
{
    int exit_code = add_rows(b);
    exit_code = exit_code ? exit_code : open_llm(b);
    exit_code = exit_code ? exit_code : e2e_run(b);
    if (exit_code == CLI_DONE && b->o->svg) {
        exit_code = e2e_draw(b, b->o->svg);
    }
    return exit_code ? exit_code : e2e_report(b);
}

static int run_stages(e2e *b)
{
    int exit_code = e2e_run_stages(b);
    return exit_code ? exit_code : e2e_report_stages(b);
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    int exit_code = check(v, operands);
    if (exit_code) {
        return exit_code;
    }
    e2e *b = calloc(1, sizeof *b);
    if (!b) {
        return cli_fail("bench e2e: out of memory");
    }
    b->o = v;
    b->cpu = v->clock && strcmp(v->clock, "cpu") == 0;
    exit_code = name_files(b, operands);
    exit_code = exit_code ? exit_code : open_encoder(b);
    exit_code = exit_code ? exit_code : read_frames(b);
    exit_code = exit_code ? exit_code : v->stages ? run_stages(b) : run_rows(b);
    close_all(b);
    free(b);
    return exit_code;
}

const command command_bench_e2e = {
    "bench e2e",
    "where the time goes from pixels to the first token",
    "[VIDEO|IMAGE|FOLDER] [OPTIONS]",
    "The frames lie in memory. Each row then makes its whole way to an answer's first token:\n"
    "PREPARE, pixels to what the model sees, on the host; ENCODER; REDUCTION, the pipeline; PREFILL,\n"
    "the language model over the text, the rows that are left and the question (llama.cpp). One\n"
    "process, rounds in which all rows take turns; told are medians and, in brackets, quartiles. The\n"
    "first round warms up and is not counted. Memory, weights and plans are there before.\n"
    "\n"
    "A pipeline that wants keys or attention runs inside the encoder, in one call with it. It then\n"
    "runs once more by itself on the same tokens, keys and attention; if the same rows are left, that\n"
    "time is REDUCTION and the rest of the call ENCODER, else all is ENCODER.\n"
    "\n"
    "Without llama.cpp, or without a language model for --model, PREFILL is left out.\n"
    "--stages measures each stage (or each --pipeline) at the settings of 'winnow bench', by itself\n"
    "on what the encoder shows of the same frames, and tells its share of the encoder's time. Text,\n"
    "attention of a language model and the like, which no encoder has, are then made up.\n"
    "\nExamples:\n"
    "  winnow bench e2e\n"
    "  winnow bench e2e film.mp4 --model mmproj.gguf --llm model.gguf --pipeline budget=256\n"
    "  winnow bench e2e --clock cpu --svg e2e.svg\n"
    "  winnow bench e2e --stages --model clip-folder --backend gpu\n",
    options,
    sizeof(values),
    run};
