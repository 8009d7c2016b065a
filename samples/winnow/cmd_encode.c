#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "media.h"
#include "reduction.h"
#include "report.h"
#include "safetensors.h"

typedef struct values {
    engine_options engine;
    media_options media;
    const char *output, *pipeline;
    bool json;
} values;

static const arg_option options[] = {
    {"output", 'o', ARG_TEXT, offsetof(values, output), "F.safetensors", "where the tokens go"},
    MEDIA_OPTIONS(values),
    {"pipeline", 0, ARG_TEXT, offsetof(values, pipeline), "SPEC",
     "reduce them too, as 'winnow reduce' does"},
    ENGINE_OPTIONS(values),
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "report for machines"},
    {0}};

static int write_tokens(const values *v, const engine *e, const media *m)
{
    int32_t sizes[3] = {(int32_t)m->frames, (int32_t)m->grid_h, (int32_t)m->grid_w};
    st_tensor tensors[2] = {{.name = "tokens",
                             .dtype = ST_F32,
                             .rank = 3,
                             .data = (const void *)m->tokens,
                             .shape = {m->frames, (uint64_t)m->grid_h * m->grid_w, m->dim}},
                            {.name = "grid",
                             .dtype = ST_I32,
                             .rank = 1,
                             .data = (const void *)sizes,
                             .shape = {3},
                             .count = 3,
                             .bytes = sizeof sizes}};
    const st_pair metadata[] = {{"model", v->media.model ? v->media.model : "patches"},
                                {"device", engine_device_name(e)}};
    tensors[0].count = tensors[0].shape[0] * tensors[0].shape[1] * tensors[0].shape[2];
    tensors[0].bytes = tensors[0].count * sizeof *m->tokens;
    return st_write(v->output, tensors, 2, metadata, 2);
}

static int tell(const values *v, const engine *e, const media *m, const reduction *r)
{
    if (v->json) {
        cJSON *tree = r ? report_reduction(r, v->pipeline, e) : cJSON_CreateObject();
        if (!r) {
            cJSON_AddItemToObject(tree, "device", report_device(&e->info));
        }
        cJSON_AddStringToObject(tree, "model", v->media.model ? v->media.model : "patches");
        cJSON_AddNumberToObject(tree, "frames", m->frames);
        cJSON_AddNumberToObject(tree, "width", m->width);
        cJSON_AddNumberToObject(tree, "height", m->height);
        cJSON_AddNumberToObject(tree, "patch", m->patch);
        cJSON_AddNumberToObject(tree, "grid_h", m->grid_h);
        cJSON_AddNumberToObject(tree, "grid_w", m->grid_w);
        cJSON_AddNumberToObject(tree, "dim", m->dim);
        cJSON_AddNumberToObject(tree, "decode_ms", m->decode_ms);
        cJSON_AddNumberToObject(tree, "encode_ms", m->encode_ms);
        cJSON_AddStringToObject(tree, "output", v->output);
        return report_print(tree);
    }
    printf("%u %s of %ux%u -> %u x %u x %u tokens of %u channels, %.2f ms, %s\n", m->frames,
           m->frames == 1 ? "frame" : "frames", m->width, m->height, m->frames, m->grid_h,
           m->grid_w, m->dim, m->encode_ms, engine_device_name(e));
    if (r) {
        report_line(r, e);
    }
    return cli_finish_stdout();
}

static int encode_reduced(const values *v, engine *e, const media *m,
                          const winnow_pipeline *pipeline)
{
    role_inputs inputs = media_inputs(m);
    reduction_options how = {.dtype = WINNOW_F32};
    reduction r;
    int exit_code = reduction_run(&r, e, pipeline, &inputs, &how);
    if (exit_code == CLI_DONE) {
        exit_code = reduction_write(&r, v->output, v->pipeline, e);
    }
    if (exit_code == CLI_DONE) {
        exit_code = tell(v, e, m, &r);
    }
    reduction_free(&r);
    return exit_code;
}

static int encode_all(const values *v, engine *e, const arg_list *paths,
                      const winnow_pipeline *pipeline)
{
    media m;
    int exit_code = media_load(&m, e, paths, &v->media);
    if (exit_code == CLI_DONE && pipeline) {
        exit_code = media_check_roles(m.roles, e, pipeline, v->pipeline);
        exit_code = exit_code ? exit_code : encode_reduced(v, e, &m, pipeline);
    } else if (exit_code == CLI_DONE) {
        exit_code = write_tokens(v, e, &m);
        exit_code = exit_code ? exit_code : tell(v, e, &m, NULL);
    }
    media_free(&m);
    return exit_code;
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    winnow_pipeline *pipeline = NULL;
    engine e;
    int exit_code;

    if (operands->count == 0) {
        return cli_misuse("encode: no picture or video (winnow encode film.mp4 -o F.safetensors)");
    }
    if (!v->output) {
        return cli_misuse("encode: no output file (add -o F.safetensors)");
    }
    exit_code = engine_load(&e);
    if (exit_code == CLI_DONE && v->pipeline) {
        pipeline = engine_pipeline(&e, v->pipeline, true, &exit_code);
    }
    if (exit_code) {
        return exit_code;
    }
    const winnow_api *api = e.api;
    exit_code = engine_open(&e, &v->engine);
    if (exit_code == CLI_DONE) {
        exit_code = encode_all(v, &e, operands, pipeline);
        engine_close(&e);
    }
    api->pipeline_destroy(pipeline);
    return exit_code;
}

const command command_encode = {
    "encode",
    "pictures and videos to tokens, in a safetensors file",
    "IMAGE|VIDEO|FOLDER... -o F.safetensors [OPTIONS]",
    "All inputs become one sequence of frames; the first sets the size. Model \"patches\" needs no\n"
    "weights: a token is the lowest-frequency DCT coefficients of its patch, good enough to see\n"
    "where a video says the same thing twice. The file holds tokens [T,N,D] and grid [3], ready for\n"
    "'winnow reduce'.\n"
    "\nExamples:\n"
    "  winnow encode film.mp4 --frames 32 -o film.safetensors\n"
    "  winnow encode a.jpg b.jpg --size 448x448 -o pictures.safetensors\n"
    "  winnow encode film.mp4 --fps 2 --pipeline evs=rate=0.75 -o few.safetensors\n",
    options,
    sizeof(values),
    run};
