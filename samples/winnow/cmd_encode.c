#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "media.h"
#include "reduction.h"
#include "report.h"
#include "safetensors.h"
#include "vision.h"

typedef struct values {
    engine_options engine;
    media_options media;
    vision_options vision;
    const char *output, *pipeline;
    bool json;
} values;

static const arg_option options[] = {
    {"output", 'o', ARG_TEXT, offsetof(values, output), "F.safetensors", "where the tokens go"},
    MEDIA_OPTIONS(values),
    VISION_OPTIONS(values),
    {"prepare", 0, ARG_CHOICE, offsetof(values, vision.prepare), "host|device",
     "where a model's frames are resized; default: the device for one video, if it can"},
    {"taps", 0, ARG_TEXT, offsetof(values, vision.taps), "LIST",
     "what else of the model, as hidden:0,keys:-1,cls_attention:-2; see below"},
    {"pipeline", 0, ARG_TEXT, offsetof(values, pipeline), "SPEC",
     "reduce them too, as 'winnow reduce' does"},
    {"order", 0, ARG_CHOICE, offsetof(values, vision.order), "raster|method",
     "order of the rows that a pipeline leaves; default raster"},
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

static st_tensor floats(const char *name, const void *data, uint64_t a, uint64_t b, uint64_t c)
{
    st_tensor t = {.name = name,
                   .dtype = ST_F32,
                   .rank = 3,
                   .data = data,
                   .shape = {a, b, c},
                   .count = a * b * c};
    t.bytes = t.count * sizeof(float);
    return t;
}

static st_tensor integers(const char *name, const void *data, uint64_t rows, uint64_t cols)
{
    st_tensor t = {
        .name = name, .dtype = ST_I32, .rank = cols ? 2u : 1u, .data = data, .shape = {rows, cols}};
    t.count = cols ? rows * cols : rows;
    t.bytes = t.count * sizeof(int32_t);
    return t;
}

/* The class tokens are rows of the last tap: brought to its front. */
static void pick_class(vision_tap *tap)
{
    uint64_t rows = tap->shape[1], dim = tap->shape[2];
    for (uint64_t t = 0; t < tap->shape[0]; t++) {
        memmove(tap->data + t * dim, tap->data + t * rows * dim, (size_t)dim * sizeof *tap->data);
    }
    tap->shape[1] = 1;
}

static int write_vision(const values *v, const engine *e, vision *seen)
{
    const media *m = &seen->m;
    const reduction *r = &seen->r;
    uint64_t groups = r->shape.frames, all = groups * r->shape.tokens, rows = r->result.rows;
    int32_t sizes[3] = {(int32_t)groups, (int32_t)m->grid_h, (int32_t)m->grid_w};
    st_tensor *list = cli_array(seen->tap_count + 9, sizeof *list);
    size_t n = 0;
    if (!list) {
        return cli_fail("encode: out of memory");
    }
    if (v->pipeline) {
        list[n] = floats("tokens", r->tokens, rows, m->dim, 1);
        list[n++].rank = 2;
        list[n++] = integers("indices", (const void *)r->indices, rows, 0);
        list[n] = floats("sizes", (const void *)r->sizes, rows, 1, 1);
        list[n++].rank = 1;
        list[n++] = integers("positions", (const void *)r->positions, rows, 3);
        list[n++] = integers("assignment", (const void *)r->assignment, all, 0);
    } else {
        list[n++] = floats("tokens", (const void *)m->tokens, groups, r->shape.tokens, m->dim);
    }
    list[n++] = integers("grid", (const void *)sizes, 3, 0);
    list[n++] = integers("views", (const void *)seen->views, m->frames, 4);
    if (seen->wants_pixels) {
        list[n] = (st_tensor){.name = "pixels",
                              .dtype = ST_U8,
                              .rank = 4,
                              .data = m->rgb,
                              .shape = {m->frames, m->height, m->width, 3}};
        list[n].count = list[n].bytes = (uint64_t)m->frames * m->height * m->width * 3;
        n++;
    }
    for (uint32_t i = 0; i < seen->tap_count; i++) {
        vision_tap *tap = &seen->taps[i];
        bool cls = strcmp(tap->name, "cls") == 0;
        if (cls) {
            pick_class(tap);
        }
        list[n] = floats(tap->name, (const void *)tap->data, tap->shape[0], tap->shape[cls ? 2 : 1],
                         cls ? 1 : tap->shape[2]);
        list[n++].rank = cls ? 2 : 3;
    }
    const st_pair metadata[] = {
        {"model", v->media.model}, {"device", engine_device_name(e)}, {"pipeline", v->pipeline}};
    int exit_code = st_write(v->output, list, n, metadata, v->pipeline ? 3 : 2);
    free(list);
    return exit_code;
}

static cJSON *casp_tree(const winnow_encoder_info *info)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON_AddNumberToObject(tree, "rank", info->casp_rank);
    cJSON_AddNumberToObject(tree, "parameters_before", (double)info->casp_before);
    cJSON_AddNumberToObject(tree, "parameters_after", (double)info->casp_after);
    cJSON_AddNumberToObject(tree, "q_error_mean", info->casp_q_mean);
    cJSON_AddNumberToObject(tree, "q_error_worst", info->casp_q_worst);
    cJSON_AddNumberToObject(tree, "k_error_mean", info->casp_k_mean);
    cJSON_AddNumberToObject(tree, "k_error_worst", info->casp_k_worst);
    cJSON_AddNumberToObject(tree, "ms", (double)info->casp_ns * 1e-6);
    return tree;
}

static void tell_casp(const winnow_encoder_info *info)
{
    printf("casp: rank %u, %llu of %llu numbers of q and k, relative error of q %.2e (worst layer "
           "%.2e), of k %.2e (%.2e), "
           "%.2f s\n",
           info->casp_rank, (unsigned long long)info->casp_after,
           (unsigned long long)info->casp_before, info->casp_q_mean, info->casp_q_worst,
           info->casp_k_mean, info->casp_k_worst, (double)info->casp_ns * 1e-9);
}

static int tell_vision(const values *v, const engine *e, const vision *seen)
{
    const media *m = &seen->m;
    if (v->json) {
        cJSON *tree = cJSON_CreateObject();
        cJSON_AddItemToObject(tree, "device", report_device(&e->info));
        cJSON_AddStringToObject(tree, "model", v->media.model);
        cJSON_AddStringToObject(tree, "family", seen->model.family);
        cJSON_AddNumberToObject(tree, "views", m->frames);
        cJSON_AddNumberToObject(tree, "width", m->width);
        cJSON_AddNumberToObject(tree, "height", m->height);
        cJSON_AddNumberToObject(tree, "grid_h", m->grid_h);
        cJSON_AddNumberToObject(tree, "grid_w", m->grid_w);
        cJSON_AddNumberToObject(tree, "dim", m->dim);
        cJSON_AddStringToObject(tree, "prepared_on", seen->raw ? "device" : "host");
        cJSON_AddNumberToObject(tree, "tokens_in",
                                (double)seen->r.shape.frames * seen->r.shape.tokens);
        cJSON_AddNumberToObject(tree, "tokens_out", seen->rows);
        cJSON_AddNumberToObject(tree, "dispatches", seen->encoder.dispatches);
        cJSON_AddNumberToObject(tree, "weight_bytes", (double)seen->encoder.weight_bytes);
        cJSON_AddNumberToObject(tree, "workspace_bytes", (double)seen->encoder.workspace_bytes);
        cJSON_AddNumberToObject(tree, "load_ms", seen->load_ms);
        if (seen->encoder.casp_rank) {
            cJSON_AddItemToObject(tree, "casp", casp_tree(&seen->encoder));
        }
        cJSON_AddNumberToObject(tree, "decode_ms", m->decode_ms);
        cJSON_AddNumberToObject(tree, "encode_ms", m->encode_ms);
        cJSON_AddNumberToObject(tree, "gpu_ms", seen->gpu_ms);
        cJSON_AddStringToObject(tree, "output", v->output);
        return report_print(tree);
    }
    printf("%u %s of %ux%u -> %u tokens of %u channels, %.2f ms, %s\n", m->frames,
           m->frames == 1 ? "view" : "views", m->width, m->height, seen->rows, m->dim, m->encode_ms,
           engine_device_name(e));
    if (seen->encoder.casp_rank) {
        tell_casp(&seen->encoder);
    }
    return cli_finish_stdout();
}

static int encode_model(const values *v, engine *e, const arg_list *paths,
                        const winnow_pipeline *pipeline)
{
    vision seen;
    vision_options how = v->vision;
    how.prepare = how.prepare ? how.prepare : "auto";
    int exit_code = vision_load(&seen, e, paths, &v->media, &how, pipeline);
    exit_code = exit_code ? exit_code : write_vision(v, e, &seen);
    exit_code = exit_code ? exit_code : tell_vision(v, e, &seen);
    vision_free(&seen);
    return exit_code;
}

static int encode_reduced(const values *v, engine *e, const media *m,
                          const winnow_pipeline *pipeline)
{
    role_inputs inputs = media_inputs(m);
    reduction_options how = {.dtype = WINNOW_F32, .order = vision_order(&v->vision)};
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
    exit_code = vision_check_options("encode", v->media.model, &v->vision);
    exit_code = exit_code ? exit_code : engine_load(&e);
    if (exit_code == CLI_DONE && v->pipeline) {
        pipeline = engine_pipeline(&e, v->pipeline, true, &exit_code);
    }
    if (exit_code) {
        return exit_code;
    }
    const winnow_api *api = e.api;
    exit_code = engine_open(&e, &v->engine);
    if (exit_code == CLI_DONE) {
        exit_code = vision_is_model(v->media.model) ? encode_model(v, &e, operands, pipeline)
                                                    : encode_all(v, &e, operands, pipeline);
        engine_close(&e);
    }
    api->pipeline_destroy(pipeline);
    return exit_code;
}

const command command_encode = {
    "encode",
    "pictures and videos to tokens, in a safetensors file",
    "IMAGE|VIDEO|FOLDER... -o F.safetensors [OPTIONS]",
    "All inputs become one sequence of frames; the first sets the size. Model \"patches\" needs\n"
    "no weights: a token is the lowest-frequency DCT coefficients of its patch, good enough to\n"
    "see where a video says the same thing twice. The file holds tokens [T,N,D] and grid [3],\n"
    "ready for 'winnow reduce'.\n"
    "Any other model is a vision transformer's file: llama.cpp's mmproj GGUF (LLaVA, Idefics3\n"
    "and SmolVLM, InternVL, Gemma 3, Qwen2-VL, Qwen2.5-VL, Qwen3-VL) or a Hugging Face folder\n"
    "(CLIP, SigLIP, SigLIP 2, DINOv2).\n"
    "Pictures are prepared as the model's own software does it (--like). Stages with layers= run\n"
    "inside its layers, as laco=layer=6 does; the others find keys and attention of the layer\n"
    "that layer= names.\n"
    "--taps adds tensors named hidden.0, keys.-1, ...: hidden:0 is the embeddings, hidden:L+1\n"
    "what layer L gave; keys and queries are all rows of a layer; cls_attention,\n"
    "received_attention and pool_attention are [views, heads, patches]; final is all rows behind\n"
    "the last norm, pixels the views.\n"
    "--prepare device resizes the frames of videos on the device, to the same bytes; models that\n"
    "cut pictures into tiles have them prepared by the host.\n"
    "--casp 0.25 gives each layer's q and k two factors of rank D/8, a quarter of their numbers,\n"
    "made so that these pictures (the first 16 views) change least; the report says by how much.\n"
    "It takes seconds a layer.\n"
    "\nExamples:\n"
    "  winnow encode film.mp4 --frames 32 -o film.safetensors\n"
    "  winnow encode a.jpg b.jpg --size 448x448 -o pictures.safetensors\n"
    "  winnow encode film.mp4 --fps 2 --pipeline evs=rate=0.75 -o few.safetensors\n"
    "  winnow encode --model mmproj.gguf a.jpg --pipeline fastervlm=keep=64 -o few.safetensors\n"
    "  winnow encode --model clip-folder a.jpg --pipeline tome=r=16:layers=all -o few.safetensors\n"
    "  winnow encode --model clip-folder a.jpg --taps keys:-2,cls_attention:-2 -o f.safetensors\n",
    options,
    sizeof(values),
    run};
