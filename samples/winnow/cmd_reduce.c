#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "reduce_kv.h"
#include "reduction.h"
#include "report.h"
#include "roles.h"
#include "safetensors.h"

typedef struct values {
    engine_options engine;
    const char *output, *pipeline, *order, *dtype;
    bool json;
} values;

static const arg_option options[] = {
    {"output", 'o', ARG_TEXT, offsetof(values, output), "OUT.safetensors", "where the result goes"},
    {"pipeline", 0, ARG_TEXT, offsetof(values, pipeline), "SPEC",
     "what to do; default: the input's metadata \"pipeline\""},
    ENGINE_OPTIONS(values),
    {"order", 0, ARG_CHOICE, offsetof(values, order), "raster|method",
     "order of the rows; default raster"},
    {"dtype", 0, ARG_CHOICE, offsetof(values, dtype), "f32|f16|bf16",
     "of the tokens that come out; default: as they came in"},
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "report for machines"},
    {0}};

static int reduce_tokens(const values *v, engine *e, const winnow_pipeline *pipeline,
                         const st_file *file, const char *path, const char *spec)
{
    uint32_t needed = 0, optional = 0;
    role_inputs inputs;
    reduction r = {0};
    winnow_status status = e->api->pipeline_inputs(pipeline, &needed, &optional);
    int exit_code;

    if (status != WINNOW_OK) {
        return engine_fail(e, "pipeline", status);
    }
    exit_code =
        role_inputs_read(&inputs, file, path, spec, needed | 1u << WINNOW_ROLE_TOKENS, optional);
    if (exit_code) {
        return exit_code;
    }
    reduction_options how = {.dtype = inputs.dtype[WINNOW_ROLE_TOKENS]};
    if (v->dtype) {
        how.dtype = role_dtype_named(v->dtype);
    }
    if (v->order && strcmp(v->order, "method") == 0) {
        how.order = WINNOW_ORDER_METHOD;
    }
    exit_code = reduction_run(&r, e, pipeline, &inputs, &how);
    if (exit_code == CLI_DONE) {
        exit_code = reduction_write(&r, v->output, spec, e);
    }
    if (exit_code == CLI_DONE && v->json) {
        cJSON *tree = report_reduction(&r, spec, e);
        cJSON_AddStringToObject(tree, "output", v->output);
        exit_code = report_print(tree);
    } else if (exit_code == CLI_DONE) {
        report_line(&r, e);
        exit_code = cli_finish_stdout();
    }
    reduction_free(&r);
    role_inputs_free(&inputs);
    return exit_code;
}

static int reduce_file(const values *v, const st_file *file, const char *path)
{
    const char *spec = v->pipeline ? v->pipeline : st_metadata(file, "pipeline");
    winnow_stage_info stage;
    winnow_pipeline *pipeline;
    engine e;
    int exit_code;

    if (!spec) {
        return cli_misuse("%s: its metadata has no \"pipeline\" (say --pipeline SPEC)", path);
    }
    exit_code = engine_load(&e);
    pipeline = exit_code ? NULL : engine_pipeline(&e, spec, v->pipeline != NULL, &exit_code);
    if (!pipeline) {
        return exit_code;
    }
    const winnow_api *api = e.api;
    exit_code = engine_open(&e, &v->engine);
    if (exit_code == CLI_DONE) {
        if (engine_first_stage(&e, spec, &stage) && strcmp(stage.family, "decode") == 0) {
            kv_job job = {&e, pipeline, spec, path, v->output, v->json};
            exit_code = reduce_kv(&job, file);
        } else {
            exit_code = reduce_tokens(v, &e, pipeline, file, path, spec);
        }
        engine_close(&e);
    }
    api->pipeline_destroy(pipeline);
    return exit_code;
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    char why[ST_WHY_SIZE];
    st_file file;

    if (operands->count != 1) {
        return cli_misuse(
            "reduce: it takes one input file, not %zu (winnow reduce IN.safetensors -o "
            "OUT.safetensors)",
            operands->count);
    }
    if (!v->output) {
        return cli_misuse("reduce: no output file (add -o OUT.safetensors)");
    }
    if (!st_open(operands->items[0], &file, why)) {
        return cli_fail("%s: %s (give a whole safetensors file)", operands->items[0], why);
    }
    int exit_code = reduce_file(v, &file, operands->items[0]);
    st_close(&file);
    return exit_code;
}

const command command_reduce = {
    "reduce",
    "run a pipeline on the tokens of a safetensors file",
    "IN.safetensors -o OUT.safetensors [OPTIONS]",
    "The input's tensors are named for what they are: tokens [T,N,D] (or [N,D]), and where the\n"
    "pipeline needs them sizes [T,N], keys and queries [T,N,Dk], cls [T,D], cls_attention [T,H,N],\n"
    "text [M,Dt], image_embeds [T,N,Di], llm_attention [H,T*N], each F32, F16 or BF16; and grid,\n"
    "I32 [3]: frames, rows, columns. Other tensors are passed over.\n"
    "\nThe output holds tokens [K,D'], indices [K] (the token t*N+i that a row stands for, -1 the\n"
    "class token, -2 a pooled rest), sizes [K], positions [K,3], and assignment [T*N]: the row that\n"
    "each token went to, -1 if it was dropped.\n"
    "\nA decode-time stage takes llm_attention [steps, heads, columns] and layout, I32 [3]: first\n"
    "visual token, visual tokens, columns at the first step; it writes kv_mask [steps, columns].\n"
    "\nExamples:\n"
    "  winnow reduce film.safetensors -o few.safetensors --pipeline evs=rate=0.75\n"
    "  winnow reduce in.safetensors -o out.safetensors --pipeline divprune=keep=64 --dtype f16\n"
    "  winnow reduce in.safetensors -o out.safetensors --backend cpu --json\n",
    options,
    sizeof(values),
    run};
