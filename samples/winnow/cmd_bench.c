#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cases.h"
#include "bench_model.h"
#include "bench_run.h"
#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "progress.h"
#include "report.h"
#include "vision.h"

typedef struct values {
    engine_options engine;
    const char *stage, *dtype, *model, *like;
    arg_list pipelines;
    uint32_t frames;
    bool json, quick, no_cpu;
} values;

static const arg_option options[] = {
    {"stage", 0, ARG_TEXT, offsetof(values, stage), "NAME", "one stage alone"},
    {"model", 0, ARG_TEXT, offsetof(values, model), "FILE",
     "a vision transformer's file or folder: its encoder instead"},
    {"pipeline", 0, ARG_LIST, offsetof(values, pipelines), "SPEC",
     "with --model: one row more; may be given several times"},
    {"frames", 0, ARG_COUNT, offsetof(values, frames), "N",
     "with --model: pictures a call; default 1, or a pair"},
    {"like", 0, ARG_CHOICE, offsetof(values, like), "llama|llama-b10256|transformers",
     "with --model: whose arithmetic; default: a GGUF file llama.cpp's"},
    {"dtype", 0, ARG_CHOICE, offsetof(values, dtype), "f32|f16|bf16",
     "one type alone; default f16 and f32"},
    {"quick", 0, ARG_FLAG, offsetof(values, quick), NULL,
     "small shapes, or one run: does it run, not how fast"},
    {"no-cpu", 0, ARG_FLAG, offsetof(values, no_cpu), NULL, "leave plain C out"},
    ENGINE_OPTIONS(values),
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "for machines"},
    {0}};

enum { STAGES_MAX = 256, COPY_BYTES = 64 << 20, QUICK_COPY_BYTES = 4 << 20 };
static const double seconds_most = 60.0; /* a case that would take longer a run is left out */

/* How long a stage took at the last shape, to tell how long the next would take. */
typedef struct pace {
    double seconds;
    uint64_t elements;
} pace;

typedef struct bench {
    const values *v;
    engine gpu, cpu;
    bool has_cpu;
    double copy; /* bytes a second, 0: not known */
    pace gpu_pace[STAGES_MAX], cpu_pace[STAGES_MAX];
    const char *head; /* of the table, printed before its first row */
    cJSON *rows;
    uint32_t failures;
} bench;

typedef struct bench_case {
    uint32_t number; /* of the stage */
    winnow_stage_info stage;
    char spec[128];
    const bench_shape *shape;
    bench_inputs *inputs;
} bench_case;

static bool too_slow(const pace *p, uint64_t elements)
{
    return p->seconds * (double)elements / (double)(p->elements + 1) > seconds_most;
}

static void measure(bench_figures *out, engine *e, pace *p, const bench_case *c, bool once)
{
    const winnow_shape *shape = &c->shape->shape;
    uint64_t elements = (uint64_t)shape->frames * shape->tokens * shape->dim;

    memset(out, 0, sizeof *out);
    if (too_slow(p, elements)) {
        snprintf(out->skipped, sizeof out->skipped,
                 "left out: over %.0f s a run after %.1f s at a smaller size", seconds_most,
                 p->seconds);
        return;
    }
    bench_run(out, e, c->spec, c->inputs, once);
    if (!out->skipped[0]) {
        p->seconds = out->wall_ms / 1e3;
        p->elements = elements;
    }
}

/* Plain C beside it; 0 where it is left out. */
static double measure_cpu(bench *b, const bench_case *c)
{
    bench_figures figures;
    if (!b->has_cpu) {
        return 0;
    }
    measure(&figures, &b->cpu, &b->cpu_pace[c->number], c, true);
    return figures.skipped[0] ? 0 : figures.wall_ms;
}

static double best_ms(const bench_figures *f)
{
    return f->gpu_ms > 0 ? f->gpu_ms : f->wall_ms;
}

static double bandwidth(const bench_figures *f)
{
    return best_ms(f) > 0 ? (double)f->floor_bytes / (best_ms(f) * 1e-3) : 0;
}

static const char *cell(double value, const char *format, char *text, size_t size)
{
    snprintf(text, size, value > 0 ? format : "-", value);
    return text;
}

/* Before the first row of a shape: a shape without rows has no table. */
static void print_head(bench *b)
{
    if (b->head) {
        printf("\n%s\n%-34s %7s %9s %9s %9s %5s %4s %4s %9s %8s %7s %10s %8s\n", b->head, "STAGE",
               "ROWS", "START ms", "GPU ms", "WALL ms", "DISP", "BARR", "SUB", "FLOOR MB", "GB/s",
               "OF COPY", "PLAIN C ms", "FASTER");
        b->head = NULL;
    }
}

static void print_row(const bench *b, const bench_case *c, const bench_figures *f, double cpu_ms)
{
    char start[24], gpu[24], rate[24], share[24], cpu[24], faster[24];
    if (f->skipped[0]) {
        printf("%-34s  %s\n", c->spec, f->skipped);
        return;
    }
    printf("%-34s %7u %9s %9s %9.3f %5u %4u %4u %9.2f %8s %7s %10s %8s\n", c->spec, f->rows,
           cell(f->start_ms, "%.1f", start, sizeof start),
           cell(f->gpu_ms, "%.3f", gpu, sizeof gpu), f->wall_ms, f->dispatches, f->barriers,
           f->submissions,
           (double)f->floor_bytes / 1e6, cell(bandwidth(f) / 1e9, "%.2f", rate, sizeof rate),
           cell(b->copy > 0 ? 100 * bandwidth(f) / b->copy : 0, "%.1f%%", share, sizeof share),
           cell(cpu_ms, "%.2f", cpu, sizeof cpu),
           cell(cpu_ms > 0 ? cpu_ms / f->wall_ms : 0, "%.1fx", faster, sizeof faster));
}

static cJSON *row_object(const bench *b, const bench_case *c, const bench_figures *f, double cpu_ms,
                         const char *dtype)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "stage", c->stage.name);
    cJSON_AddStringToObject(object, "pipeline", c->spec);
    if (c->shape) {
        cJSON *shape = cJSON_AddArrayToObject(object, "shape");
        cJSON_AddItemToArray(shape, cJSON_CreateNumber(c->shape->shape.frames));
        cJSON_AddItemToArray(shape, cJSON_CreateNumber(c->shape->shape.tokens));
        cJSON_AddItemToArray(shape, cJSON_CreateNumber(c->shape->shape.dim));
    }
    cJSON_AddStringToObject(object, "dtype", dtype);
    if (f->skipped[0]) {
        cJSON_AddStringToObject(object, f->failed ? "failed" : "skipped", f->skipped);
        return object;
    }
    cJSON_AddNumberToObject(object, "rows", f->rows);
    cJSON_AddNumberToObject(object, "repetitions", f->repetitions);
    cJSON_AddNumberToObject(object, "gpu_ms", f->gpu_ms);
    cJSON_AddNumberToObject(object, "wall_ms", f->wall_ms);
    cJSON_AddNumberToObject(object, "dispatches", f->dispatches);
    cJSON_AddNumberToObject(object, "submissions", f->submissions);
    cJSON_AddNumberToObject(object, "barriers", f->barriers);
    cJSON_AddNumberToObject(object, "recorded", f->recorded);
    cJSON_AddNumberToObject(object, "start_ms", f->start_ms);
    cJSON_AddNumberToObject(object, "floor_bytes", (double)f->floor_bytes);
    cJSON_AddNumberToObject(object, "workspace_bytes", (double)f->workspace_bytes);
    cJSON_AddNumberToObject(object, "bytes_per_second", bandwidth(f));
    if (b->copy > 0) {
        cJSON_AddNumberToObject(object, "share_of_copy", bandwidth(f) / b->copy);
    }
    if (cpu_ms > 0) {
        cJSON_AddNumberToObject(object, "cpu_wall_ms", cpu_ms);
    }
    return object;
}

static void tell(bench *b, const bench_case *c, const bench_figures *f, double cpu_ms,
                 const char *dtype)
{
    b->failures += f->failed;
    if (b->v->json) {
        cJSON_AddItemToArray(b->rows, row_object(b, c, f, cpu_ms, dtype));
    } else {
        print_head(b);
        print_row(b, c, f, cpu_ms);
        fflush(stdout);
    }
}

/* The index-th stage if it is wanted and has a spec. */
static bool stage_case(bench *b, uint32_t index, bench_case *c)
{
    c->number = index;
    memset(&c->stage, 0, sizeof c->stage);
    c->stage.struct_size = sizeof c->stage;
    if (b->gpu.api->stage_info(index, &c->stage) != WINNOW_OK ||
        (b->v->stage && strcmp(b->v->stage, c->stage.name) != 0)) {
        return false;
    }
    return bench_spec(&b->gpu, c->stage.name, c->spec, sizeof c->spec);
}

static void run_shape(bench *b, const bench_shape *shape, int32_t dtype, const char *dtype_name)
{
    bench_inputs inputs = {.shape = shape->shape, .dtype = dtype};
    uint32_t count = b->gpu.api->stage_count();
    char what[96];

    snprintf(what, sizeof what, "%u x %u x %u, %s", shape->shape.frames, shape->shape.tokens,
             shape->shape.dim, dtype_name);
    b->head = what;
    for (uint32_t i = 0; i < count && i < STAGES_MAX; i++) {
        bench_case c = {.shape = shape, .inputs = &inputs};
        bench_figures figures;
        if (!stage_case(b, i, &c) || strcmp(c.stage.family, "decode") == 0 ||
            (strcmp(c.stage.family, "temporal") == 0 && !shape->video)) {
            continue;
        }
        progress *bar = progress_begin(c.spec, 0);
        measure(&figures, &b->gpu, &b->gpu_pace[i], &c, false);
        double cpu_ms = figures.skipped[0] ? 0 : measure_cpu(b, &c);
        progress_end(bar);
        tell(b, &c, &figures, cpu_ms, dtype_name);
    }
    b->head = NULL;
    bench_inputs_free(&inputs);
}

static void run_decode(bench *b)
{
    b->head = b->v->quick ? "a decode step, 256 columns, f32" : "a decode step, 8192 columns, f32";
    for (uint32_t i = 0; i < b->gpu.api->stage_count(); i++) {
        bench_case c = {0};
        bench_figures figures, cpu = {0};
        if (!stage_case(b, i, &c) || strcmp(c.stage.family, "decode") != 0) {
            continue;
        }
        bench_run_kv(&figures, &b->gpu, c.spec, b->v->quick);
        if (b->has_cpu) {
            bench_run_kv(&cpu, &b->cpu, c.spec, b->v->quick);
        }
        tell(b, &c, &figures, cpu.wall_ms, "f32");
    }
}

static void measure_copy(bench *b)
{
    const winnow_ext_measure *ext = b->gpu.api->get_extension("winnow.measure/1");
    if (ext && ext->copy_bandwidth(b->gpu.device, b->v->quick ? QUICK_COPY_BYTES : COPY_BYTES,
                                   &b->copy) != WINNOW_OK) {
        b->copy = 0;
    }
}

static int run_all(bench *b)
{
    static const char *const both[] = {"f16", "f32"};
    size_t shape_count;
    const bench_shape *shapes = bench_shapes(b->v->quick, &shape_count);
    cJSON *tree = b->v->json ? cJSON_CreateObject() : NULL;

    measure_copy(b);
    if (b->v->json) {
        cJSON_AddStringToObject(tree, "version", b->gpu.api->version);
        cJSON_AddItemToObject(tree, "device", report_device(&b->gpu.info));
        cJSON_AddNumberToObject(tree, "copy_bytes_per_second", b->copy);
        cJSON_AddBoolToObject(tree, "quick", b->v->quick);
        b->rows = cJSON_AddArrayToObject(tree, "results");
    } else {
        printf("%s, %s\ncopy %.2f GB/s (read and write)\n", engine_device_name(&b->gpu),
               b->gpu.info.driver, b->copy / 1e9);
    }
    for (size_t i = 0; i < shape_count; i++) {
        for (int k = 0; k < 2; k++) {
            const char *dtype = b->v->dtype ? b->v->dtype : both[k];
            if (k == 0 || !b->v->dtype) {
                run_shape(b, &shapes[i], role_dtype_named(dtype), dtype);
            }
        }
    }
    run_decode(b);
    int exit_code = b->v->json ? report_print(tree) : cli_finish_stdout();
    if (b->failures && exit_code == CLI_DONE) {
        exit_code = cli_fail("bench: %u of the runs failed (see their rows)", b->failures);
    }
    return exit_code;
}

static const char *stage_name(const void *user, size_t index)
{
    const winnow_api *api = user;
    winnow_stage_info info = {.struct_size = sizeof info};
    return api->stage_info((uint32_t)index, &info) == WINNOW_OK ? info.name : "";
}

/* Options that go together. Exit code. */
static int check(const values *v)
{
    if (!v->model && (v->pipelines.count || v->frames || v->like)) {
        return cli_misuse("bench: --%s is for an encoder (add --model FILE; a stage alone is "
                          "--stage NAME)",
                          v->frames ? "frames"
                          : v->like ? "like"
                                    : "pipeline");
    }
    if (v->model && v->stage) {
        return cli_misuse("bench: --model and --stage: they measure two things (give one of "
                          "them; a model's stages go into --pipeline)");
    }
    if (v->model && !vision_is_model(v->model)) {
        return cli_misuse("bench: --model %s: it has no layers to measure (give a vision "
                          "transformer's file)",
                          v->model);
    }
    if (v->model && v->dtype && strcmp(v->dtype, "bf16") == 0) {
        return cli_misuse("bench: --dtype bf16: encoders are run in f16 or f32 (give one of them)");
    }
    return CLI_DONE;
}

static int run_model(const values *v, bench *b)
{
    const bench_model_options o = {.path = v->model,
                                   .dtype = v->dtype,
                                   .like = vision_like(v->like),
                                   .pipelines = &v->pipelines,
                                   .frames = v->frames,
                                   .json = v->json,
                                   .quick = v->quick};
    return bench_model(&o, &b->gpu, b->has_cpu ? &b->cpu : NULL);
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    winnow_stage_info stage;
    int exit_code;

    if (operands->count > 0) {
        return cli_misuse("bench: \"%s\" is not wanted (one stage alone is --stage NAME)",
                          operands->items[0]);
    }
    exit_code = check(v);
    if (exit_code) {
        return exit_code;
    }
    bench *b = calloc(1, sizeof *b);
    if (!b) {
        return cli_fail("bench: out of memory");
    }
    b->v = v;
    exit_code = engine_open(&b->gpu, &v->engine);
    if (exit_code == CLI_DONE && v->stage &&
        !engine_stage(&b->gpu, v->stage, strlen(v->stage), &stage)) {
        const char *nearest =
            cli_nearest(v->stage, stage_name, b->gpu.api, b->gpu.api->stage_count());
        exit_code = cli_misuse("bench: there is no stage \"%s\" (%s%s)", v->stage,
                               nearest ? "did you mean --stage " : "see 'winnow stages'",
                               nearest ? nearest : "");
    }
    if (exit_code == CLI_DONE && !v->no_cpu && b->gpu.info.backend != WINNOW_BACKEND_CPU) {
        exit_code = engine_open_cpu(&b->cpu);
        b->has_cpu = exit_code == CLI_DONE;
    }
    if (exit_code == CLI_DONE) {
        exit_code = v->model ? run_model(v, b) : run_all(b);
    }
    engine_close(&b->cpu);
    engine_close(&b->gpu);
    free(b);
    return exit_code;
}

const command command_bench = {
    "bench",
    "each stage at the sizes of images and videos, or a model's encoder, measured",
    "[OPTIONS]",
    "Medians of at least five runs (of two where one takes over 2 seconds, of one over 20) with\n"
    "seeded inputs; what would take over a minute a run is left out.\n"
    "START is from the spec to the first result: planning, the driver's compiling (less of it with\n"
    "--cache, or where stages before had the same operations), the first run.\n"
    "FLOOR is the least that has to move: inputs read once, outputs written once; GB/s is the floor\n"
    "over the GPU's time, OF COPY its share of what the device copies. PLAIN C is one run of the\n"
    "backend without a GPU, FASTER how many times the wall time goes into it.\n"
    "\n"
    "With --model the encoder is measured on noise pictures of the model's own size (448x448 where\n"
    "it takes any): alone, then with each --pipeline; without one, with merging, windows and, where\n"
    "there is a class token, pruning inside the layers, as far as the model takes them. MS/FRAME and\n"
    "MS/LAYER are the GPU's time (plain C: the wall's) over the frames and over the layers that are\n"
    "run. GMAC is 10^9 multiply-adds of a call, in linear layers and attention; a GFLOP is 10^9\n"
    "operations, two for each. OF PROD is the share of what the device does in one large matrix\n"
    "product by the same operation, FASTER the encoder's time without a pipeline over the row's.\n"
    "\n'winnow bench e2e --help': from pixels to the first token, with a language model.\n"
    "\nExamples:\n"
    "  winnow bench\n"
    "  winnow bench --stage divprune --dtype f16 --json\n"
    "  winnow bench --quick --device llvmpipe --no-cpu\n"
    "  winnow bench --model mmproj.gguf --frames 4 --dtype f16\n"
    "  winnow bench --model clip-folder --pipeline tome=r=16:layers=all --pipeline laco=layer=6\n",
    options,
    sizeof(values),
    run};
