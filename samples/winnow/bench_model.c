#include "bench_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_run.h"
#include "cli.h"
#include "progress.h"
#include "report.h"

enum { ROWS_MAX = ARG_LIST_MAX + 1, SIDE_ANY = 448, SIDE_QUICK = 112, PICTURES_MAX = 1 << 30 };
static const double seconds_most = 60.0; /* a run that would take longer is left out */

/* A device, and what it does in a second. */
typedef struct runner {
    engine *e;
    double product; /* multiply-adds of a large matrix product; 0: not known */
    double pace;    /* of the encoder, as last measured; 0: not yet */
} runner;

typedef struct model_row {
    const char *spec;          /* NULL: none */
    winnow_pipeline *pipeline; /* of spec */
    bool usual;                /* not asked for: left out where the model does not take it */
} model_row;

typedef struct model_figures {
    bench_figures f;
    winnow_encoder_info info;
    bool unfit; /* the model does not take the pipeline */
} model_figures;

typedef struct model_bench {
    const bench_model_options *o;
    const winnow_ext_encoder *ext;
    winnow_model *model;
    winnow_model_info info;
    runner gpu, cpu; /* cpu.e NULL: left out */
    uint32_t frames, width, height;
    uint8_t *rgb; /* [frames, height, width, 3] */
    char usual[3][64];
    model_row rows[ROWS_MAX];
    uint32_t row_count, failures;
    int32_t dtype;
    const char *dtype_name;
    double full_ms; /* of the row without a pipeline */
    cJSON *results, *products;
} model_bench;

/* ---- one measurement ---- */

typedef struct encode_call {
    const winnow_ext_encoder *ext;
    winnow_encoder *encoder;
    winnow_encode run;
} encode_call;

static winnow_status call_encode(void *user, winnow_result *result)
{
    encode_call *c = user;
    return c->ext->encoder_encode(c->encoder, &c->run, result);
}

static void run_encoder(const model_bench *b, runner *r, winnow_encoder *encoder,
                        model_figures *out, bool once)
{
    encode_call user = {b->ext, encoder, {.struct_size = sizeof user.run}};
    winnow_encode *run = &user.run;
    uint64_t rows = out->info.rows_max;
    float *tokens = cli_array(rows * out->info.dim, sizeof *tokens);
    int32_t *indices = cli_array(rows, sizeof *indices);

    run->frames = b->frames;
    run->width = b->width;
    run->height = b->height;
    run->rgb = b->rgb;
    run->out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = tokens, .capacity = rows};
    run->out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = indices, .capacity = rows};
    if (tokens && indices) {
        bench_measure(&out->f, r->e, &(bench_call){call_encode, &user}, once);
    } else {
        snprintf(out->f.skipped, sizeof out->f.skipped, "out of memory for its rows");
    }
    if (!out->f.skipped[0]) {
        r->pace = (double)out->info.multiply_adds / (out->f.wall_ms * 1e-3);
    }
    free(tokens);
    free(indices);
}

/* Tells whether the device would be at it for too long; out says so. */
static bool too_slow(const runner *r, uint64_t multiply_adds, bench_figures *out)
{
    double rate = r->pace > 0 ? r->pace : r->product;
    double seconds = rate > 0 ? (double)multiply_adds / rate : 0;
    if (seconds > seconds_most) {
        snprintf(out->skipped, sizeof out->skipped, "left out: a run would take about %.0f s",
                 seconds);
    }
    return seconds > seconds_most;
}

static void measure(const model_bench *b, runner *r, const model_row *row, model_figures *out,
                    bool once)
{
    winnow_encoder_desc desc = {.struct_size = sizeof desc,
                                .flags = WINNOW_ENCODER_TIMING,
                                .pipeline = row->pipeline,
                                .max_frames = b->frames,
                                .max_width = b->width,
                                .max_height = b->height,
                                .dtype = b->dtype};
    winnow_encoder *encoder = NULL;

    memset(out, 0, sizeof *out);
    out->info.struct_size = sizeof out->info;
    winnow_status status = b->ext->encoder_open(r->e->device, b->model, &desc, &encoder);
    if (status == WINNOW_OK) {
        status = b->ext->encoder_info(encoder, &out->info);
    }
    if (status != WINNOW_OK) {
        out->unfit =
            status == WINNOW_E_UNSUPPORTED || status == WINNOW_E_SHAPE || status == WINNOW_E_ROLE;
        bench_skip(&out->f, r->e, "no encoder", status);
    } else if (!too_slow(r, out->info.multiply_adds, &out->f)) {
        run_encoder(b, r, encoder, out, once);
    }
    b->ext->encoder_destroy(encoder);
}

/* ---- what is told ---- */

static double call_ms(const bench_figures *f)
{
    return f->gpu_ms > 0 ? f->gpu_ms : f->wall_ms;
}

/* Operations a second: a multiply and an add are two. */
static double flops(const model_figures *m)
{
    double ms = call_ms(&m->f);
    return ms > 0 ? 2.0 * (double)m->info.multiply_adds / (ms * 1e-3) : 0;
}

static double share(const model_bench *b, const model_figures *m)
{
    return b->gpu.product > 0 ? flops(m) / (2.0 * b->gpu.product) : 0;
}

static double faster(const model_bench *b, const bench_figures *f)
{
    return call_ms(f) > 0 ? b->full_ms / call_ms(f) : 0;
}

static const char *cell(double value, const char *format, char *text, size_t size)
{
    snprintf(text, size, value > 0 ? format : "-", value);
    return text;
}

static void print_row(const model_bench *b, const model_row *row, const model_figures *m,
                      double cpu_ms)
{
    const bench_figures *f = &m->f;
    const char *name = row->spec ? row->spec : "(no pipeline)";
    char gpu[24], part[24], cpu[24], times[24];
    if (f->skipped[0]) {
        printf("%-34s  %s\n", name, f->skipped);
        return;
    }
    printf("%-34s %7u %9s %9.3f %9.3f %9.3f %5u %4u %8.3f %8.2f %8s %10s %7s\n", name, f->rows,
           cell(f->gpu_ms, "%.3f", gpu, sizeof gpu), f->wall_ms, call_ms(f) / b->frames,
           call_ms(f) / b->info.run_layers, f->dispatches, f->submissions,
           (double)m->info.multiply_adds * 1e-9, flops(m) * 1e-9,
           cell(100 * share(b, m), "%.1f%%", part, sizeof part),
           cell(cpu_ms, "%.2f", cpu, sizeof cpu), cell(faster(b, f), "%.2fx", times, sizeof times));
}

static cJSON *row_object(const model_bench *b, const model_row *row, const model_figures *m,
                         double cpu_ms)
{
    const bench_figures *f = &m->f;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "pipeline",
                          row->spec ? cJSON_CreateString(row->spec) : cJSON_CreateNull());
    cJSON_AddStringToObject(object, "dtype", b->dtype_name);
    if (f->skipped[0]) {
        cJSON_AddStringToObject(object, f->failed ? "failed" : "skipped", f->skipped);
        return object;
    }
    cJSON_AddNumberToObject(object, "tokens", f->rows);
    cJSON_AddNumberToObject(object, "repetitions", f->repetitions);
    cJSON_AddNumberToObject(object, "gpu_ms", f->gpu_ms);
    cJSON_AddNumberToObject(object, "wall_ms", f->wall_ms);
    cJSON_AddNumberToObject(object, "ms_per_frame", call_ms(f) / b->frames);
    cJSON_AddNumberToObject(object, "ms_per_layer", call_ms(f) / b->info.run_layers);
    cJSON_AddNumberToObject(object, "dispatches", f->dispatches);
    cJSON_AddNumberToObject(object, "submissions", f->submissions);
    cJSON_AddNumberToObject(object, "weight_bytes", (double)m->info.weight_bytes);
    cJSON_AddNumberToObject(object, "workspace_bytes", (double)m->info.workspace_bytes);
    cJSON_AddNumberToObject(object, "multiply_adds", (double)m->info.multiply_adds);
    cJSON_AddNumberToObject(object, "flops_per_second", flops(m));
    if (b->gpu.product > 0) {
        cJSON_AddNumberToObject(object, "share_of_product", share(b, m));
    }
    if (b->full_ms > 0) {
        cJSON_AddNumberToObject(object, "faster", faster(b, f));
    }
    if (cpu_ms > 0) {
        cJSON_AddNumberToObject(object, "cpu_wall_ms", cpu_ms);
    }
    return object;
}

/* ---- the table ---- */

static void run_row(model_bench *b, const model_row *row)
{
    model_figures m, c = {0};
    progress *bar = progress_begin(row->spec ? row->spec : "the whole encoder", 0);

    measure(b, &b->gpu, row, &m, b->o->quick);
    if (!row->spec) {
        b->full_ms = m.f.skipped[0] ? 0 : call_ms(&m.f);
    }
    if (b->cpu.e && !m.f.skipped[0] && !too_slow(&b->cpu, m.info.multiply_adds, &c.f)) {
        measure(b, &b->cpu, row, &c, true);
    }
    progress_end(bar);
    if (row->usual && m.unfit) {
        return;
    }
    b->failures += m.f.failed + c.f.failed;
    double cpu_ms = c.f.skipped[0] ? 0 : c.f.wall_ms;
    if (b->o->json) {
        cJSON_AddItemToArray(b->results, row_object(b, row, &m, cpu_ms));
    } else {
        print_row(b, row, &m, cpu_ms);
        fflush(stdout);
    }
}

static void measure_product(runner *r, int32_t dtype)
{
    const winnow_ext_measure *ext = r->e->api->get_extension("winnow.measure/1");
    double rate = 0;
    if (!ext || ext->struct_size < sizeof *ext ||
        ext->product_rate(r->e->device, dtype, &rate) != WINNOW_OK) {
        rate = 0;
    }
    r->product = rate / 2;
    r->pace = 0;
}

static void run_dtype(model_bench *b, const char *name)
{
    b->dtype_name = name;
    b->dtype = role_dtype_named(name);
    b->full_ms = 0;
    progress *bar = progress_begin("measuring a matrix product", 0);
    measure_product(&b->gpu, b->dtype);
    if (b->cpu.e) {
        measure_product(&b->cpu, b->dtype);
    }
    progress_end(bar);
    if (b->o->json) {
        cJSON *rates = cJSON_CreateObject();
        cJSON_AddStringToObject(rates, "dtype", name);
        cJSON_AddNumberToObject(rates, "flops_per_second", 2 * b->gpu.product);
        cJSON_AddItemToArray(b->products, rates);
    } else {
        printf("\n%u x %u x %u, %s, a matrix product %.2f GFLOP/s\n"
               "%-34s %7s %9s %9s %9s %9s %5s %4s %8s %8s %8s %10s %7s\n",
               b->frames, b->height, b->width, name, 2e-9 * b->gpu.product, "PIPELINE", "TOKENS",
               "GPU ms", "WALL ms", "MS/FRAME", "MS/LAYER", "DISP", "SUB", "GMAC", "GFLOP/s",
               "OF PROD", "PLAIN C ms", "FASTER");
    }
    for (uint32_t i = 0; i < b->row_count; i++) {
        run_row(b, &b->rows[i]);
    }
}

static int run_all(model_bench *b)
{
    static const char *const both[] = {"f16", "f32"};
    const engine *e = b->gpu.e;
    cJSON *tree = b->o->json ? cJSON_CreateObject() : NULL;

    if (b->o->json) {
        cJSON_AddStringToObject(tree, "version", e->api->version);
        cJSON_AddItemToObject(tree, "device", report_device(&e->info));
        cJSON_AddStringToObject(tree, "model", b->o->path);
        cJSON_AddStringToObject(tree, "family", b->info.family);
        cJSON_AddNumberToObject(tree, "frames", b->frames);
        cJSON_AddNumberToObject(tree, "width", b->width);
        cJSON_AddNumberToObject(tree, "height", b->height);
        cJSON_AddNumberToObject(tree, "layers", b->info.run_layers);
        cJSON_AddBoolToObject(tree, "quick", b->o->quick);
        b->products = cJSON_AddArrayToObject(tree, "products");
        b->results = cJSON_AddArrayToObject(tree, "results");
    } else {
        printf("%s, %s\n%s, %s, %u layers of %u channels and %u heads\n", engine_device_name(e),
               e->info.driver, b->o->path, b->info.family, b->info.run_layers, b->info.width,
               b->info.heads);
    }
    for (int k = 0; k < 2; k++) {
        if (!b->o->dtype || strcmp(b->o->dtype, both[k]) == 0) {
            run_dtype(b, both[k]);
        }
    }
    int exit_code = b->o->json ? report_print(tree) : cli_finish_stdout();
    if (b->failures && exit_code == CLI_DONE) {
        exit_code = cli_fail("bench: %u of the runs failed (see their rows)", b->failures);
    }
    return exit_code;
}

/* ---- what is measured ---- */

static int add_row(model_bench *b, const char *spec, bool usual)
{
    int exit_code = CLI_DONE;
    model_row *row = &b->rows[b->row_count];
    *row = (model_row){.spec = spec, .usual = usual};
    if (spec) {
        row->pipeline = engine_pipeline(b->gpu.e, spec, !usual, &exit_code);
    }
    b->row_count += exit_code == CLI_DONE;
    return exit_code;
}

/* Merging that leaves a quarter behind the last layer, windows at a quarter of the depth, half of
 * the tokens from half of the depth on. */
static int add_usual(model_bench *b)
{
    uint32_t layers = b->info.run_layers, quarter = layers / 4, half = layers / 2;
    uint32_t tokens = b->width / b->info.patch * (b->height / b->info.patch);
    uint32_t merged = 3 * tokens / (4 * layers);
    uint32_t count = b->info.class_token ? 3 : 2;
    int exit_code = CLI_DONE;

    snprintf(b->usual[0], sizeof b->usual[0], "tome=r=%u:layers=all", merged ? merged : 1);
    snprintf(b->usual[1], sizeof b->usual[1], "laco=layer=%u", quarter ? quarter : 1);
    snprintf(b->usual[2], sizeof b->usual[2], "fastervlm=keep=50%%:layers=%u", half);
    for (uint32_t i = 0; i < count && exit_code == CLI_DONE; i++) {
        exit_code = add_row(b, b->usual[i], true);
    }
    return exit_code;
}

static int add_rows(model_bench *b)
{
    const arg_list *given = b->o->pipelines;
    int exit_code = add_row(b, NULL, false);
    for (size_t i = 0; i < given->count && exit_code == CLI_DONE; i++) {
        exit_code = add_row(b, given->items[i], false);
    }
    return exit_code == CLI_DONE && given->count == 0 ? add_usual(b) : exit_code;
}

/* Noise of the model's own size, the same on every machine. */
static int make_pictures(model_bench *b)
{
    uint32_t any = b->o->quick ? SIDE_QUICK : SIDE_ANY, multiple = b->info.multiple;
    uint32_t side = b->info.image ? b->info.image : any, state = 1;
    uint64_t bytes;

    side = (side + multiple - 1) / multiple * multiple;
    b->width = b->height = side;
    b->frames = b->o->frames ? b->o->frames : b->info.frames;
    if (!cli_multiply(b->frames, 3ull * side * side, &bytes) || bytes > PICTURES_MAX) {
        return cli_misuse("--frames %u: of %ux%u pixels they pass 1 GiB (take fewer)", b->frames,
                          side, side);
    }
    b->rgb = cli_array(bytes, 1);
    if (!b->rgb) {
        return cli_fail("bench: out of memory for %u pictures", b->frames);
    }
    for (uint64_t i = 0; i < bytes; i++) {
        state = state * 1664525u + 1013904223u;
        b->rgb[i] = (uint8_t)(state >> 24);
    }
    return CLI_DONE;
}

static int open_model(model_bench *b)
{
    engine *e = b->gpu.e;
    b->ext = e->api->get_extension("winnow.encoder/1");
    if (!b->ext || b->ext->struct_size < sizeof *b->ext) {
        return cli_fail("model %s: this libwinnow runs no models (use a newer one)", b->o->path);
    }
    winnow_status status = b->ext->model_open(&e->host, b->o->path, b->o->like, &b->model);
    b->info.struct_size = sizeof b->info;
    if (status == WINNOW_OK) {
        status = b->ext->model_info(b->model, &b->info);
    }
    return status == WINNOW_OK ? CLI_DONE : engine_fail(e, "model", status);
}

int bench_model(const bench_model_options *options, engine *gpu, engine *cpu)
{
    model_bench *b = calloc(1, sizeof *b);
    if (!b) {
        return cli_fail("bench: out of memory");
    }
    b->o = options;
    b->gpu.e = gpu;
    b->cpu.e = cpu;
    int exit_code = open_model(b);
    exit_code = exit_code ? exit_code : make_pictures(b);
    exit_code = exit_code ? exit_code : add_rows(b);
    exit_code = exit_code ? exit_code : run_all(b);
    for (uint32_t i = 0; i < b->row_count; i++) {
        gpu->api->pipeline_destroy(b->rows[i].pipeline);
    }
    if (b->model) {
        b->ext->model_close(b->model);
    }
    free(b->rgb);
    free(b);
    return exit_code;
}
