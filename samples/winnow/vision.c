#include "vision.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "progress.h"
#include "vision_parts.h"

enum { CASP_VIEWS = 16 };
enum { BATCH = 4 }; /* views an encoder call without a pipeline: bounded memory, a live bar */

bool vision_is_model(const char *model)
{
    return model && strncmp(model, "patches", strcspn(model, "=:")) != 0;
}

int vision_check_options(const char *who, const char *model, const vision_options *options)
{
    const char *name = options->like            ? "like"
                       : options->dtype         ? "dtype"
                       : options->as_is         ? "as-is"
                       : options->merge_weights ? "merge-weights"
                       : options->casp > 0      ? "casp"
                       : options->taps          ? "taps"
                       : options->prepare       ? "prepare"
                                                : NULL;
    if (!name || vision_is_model(model)) {
        return CLI_DONE;
    }
    return cli_misuse("%s: --%s says how a model is run, and patches is none (add --model FILE)",
                      who, name);
}

int32_t vision_order(const vision_options *options)
{
    return options->order && strcmp(options->order, "method") == 0 ? WINNOW_ORDER_METHOD
                                                                   : WINNOW_ORDER_RASTER;
}

int32_t vision_like(const char *name)
{
    return !name                               ? WINNOW_LIKE_FILE
           : strcmp(name, "llama") == 0        ? WINNOW_LIKE_LLAMA
           : strcmp(name, "llama-b10256") == 0 ? WINNOW_LIKE_LLAMA_B10256
                                               : WINNOW_LIKE_TRANSFORMERS;
}

/* Without a pipeline the class tokens are worth having too. */
static void add_final(vision *v)
{
    vision_tap *tap = &v->taps[v->tap_count++];
    tap->tap = (winnow_tap){WINNOW_TAP_FINAL, 0};
    strcpy(tap->name, "cls");
}

static winnow_status open_encoder(vision *v, engine *e, const winnow_ext_encoder *ext,
                                  const winnow_model *model, const vision_options *options,
                                  const winnow_pipeline *pipeline, uint32_t frames,
                                  winnow_encoder **out)
{
    winnow_encoder_desc desc = {
        .struct_size = sizeof desc,
        .flags = WINNOW_ENCODER_TIMING | (v->raw ? WINNOW_ENCODER_PREPARE : 0u),
        .pipeline = pipeline,
        .tap_count = v->tap_count,
        .max_frames = frames,
        .max_width = v->frame_w,
        .max_height = v->frame_h,
        .dtype = options->dtype && strcmp(options->dtype, "f16") == 0 ? WINNOW_F16 : WINNOW_F32,
        .order = vision_order(options),
        .merge_weights = options->merge_weights,
        .casp = options->casp,
        .casp_pictures = v->m.rgb,
        .casp_count = v->m.frames < CASP_VIEWS ? v->m.frames : CASP_VIEWS,
        .casp_width = v->m.width,
        .casp_height = v->m.height};
    winnow_tap *taps = cli_array(v->tap_count + 1, sizeof *taps);
    winnow_status status = WINNOW_E_HOST_MEMORY;
    for (uint32_t i = 0; taps && i < v->tap_count; i++) {
        taps[i] = v->taps[i].tap;
    }
    desc.taps = taps;
    *out = NULL;
    if (taps) {
        status = ext->encoder_open(e->device, model, &desc, out);
    }
    if (status == WINNOW_OK) {
        v->encoder.struct_size = sizeof v->encoder;
        status = ext->encoder_info(*out, &v->encoder);
    }
    free(taps);
    return status;
}

/* One call on frames first .. first+count-1. */
static winnow_status encode_some(vision *v, const winnow_ext_encoder *ext, winnow_encoder *encoder,
                                 uint32_t first, uint32_t count, winnow_encode *run,
                                 winnow_result *result)
{
    uint32_t group = first / v->model.frames;
    float **taps = cli_array(v->tap_count + 1, sizeof *taps);
    if (!taps) {
        return WINNOW_E_HOST_MEMORY;
    }
    for (uint32_t i = 0; i < v->tap_count; i++) {
        taps[i] = v->taps[i].data + group * v->taps[i].shape[1] * v->taps[i].shape[2];
    }
    run->struct_size = sizeof *run;
    run->frames = count;
    run->width = v->frame_w;
    run->height = v->frame_h;
    run->rgb = v->m.rgb + (uint64_t)first * v->frame_w * v->frame_h * 3;
    run->taps = taps;
    result->struct_size = sizeof *result;
    winnow_status status = ext->encoder_encode(encoder, run, result);
    v->gpu_ms += (double)result->gpu_ns * 1e-6;
    free(taps);
    return status;
}

static winnow_status encode_plain(vision *v, const winnow_ext_encoder *ext, winnow_encoder *encoder,
                                  uint32_t batch, progress *bar)
{
    uint64_t row = (uint64_t)v->m.grid_h * v->m.grid_w * v->m.dim;
    winnow_status status = WINNOW_OK;
    for (uint32_t t = 0; status == WINNOW_OK && t < v->m.frames; t += batch) {
        uint32_t count = v->m.frames - t < batch ? v->m.frames - t : batch;
        winnow_encode run = {0};
        winnow_result result = {0};
        run.out[WINNOW_OUT_TOKENS] = (winnow_tensor){
            .data = v->m.tokens + t / v->model.frames * row, .capacity = v->encoder.rows_max};
        status = encode_some(v, ext, encoder, t, count, &run, &result);
        v->rows += result.rows;
        progress_at(bar, t + count, v->m.frames);
    }
    return status;
}

static winnow_status encode_reduced(vision *v, const winnow_ext_encoder *ext,
                                    winnow_encoder *encoder)
{
    reduction *r = &v->r;
    uint64_t rows = v->encoder.rows_max, all = (uint64_t)r->shape.frames * r->shape.tokens;
    winnow_encode run = {0};
    r->dtype = WINNOW_F32;
    r->plan.dim_out = v->encoder.dim;
    r->plan.rows_max = v->encoder.rows_max;
    r->tokens = cli_array(rows * v->encoder.dim, sizeof(float));
    r->indices = cli_array(rows, sizeof *r->indices);
    r->sizes = cli_array(rows, sizeof *r->sizes);
    r->positions = cli_array(rows, 3 * sizeof *r->positions);
    r->assignment = cli_array(all, sizeof *r->assignment);
    if (!r->tokens || !r->indices || !r->sizes || !r->positions || !r->assignment) {
        return WINNOW_E_HOST_MEMORY;
    }
    run.out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = r->tokens, .capacity = rows};
    run.out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = r->indices, .capacity = rows};
    run.out[WINNOW_OUT_SIZES] = (winnow_tensor){.data = r->sizes, .capacity = rows};
    run.out[WINNOW_OUT_POSITIONS] = (winnow_tensor){.data = r->positions, .capacity = rows};
    run.out[WINNOW_OUT_ASSIGNMENT] = (winnow_tensor){.data = r->assignment, .capacity = all};
    winnow_status status = encode_some(v, ext, encoder, 0, v->m.frames, &run, &r->result);
    v->rows = r->result.rows;
    return status;
}

/* Sizes of everything that comes out. */
static int make_room(vision *v, const winnow_pipeline *pipeline)
{
    media *m = &v->m;
    uint32_t side = v->encoder.source_patch,
             groups = (m->frames + v->model.frames - 1) / v->model.frames;
    m->patch = side;
    m->grid_h = m->height / side;
    m->grid_w = m->width / side;
    m->dim = v->encoder.dim;
    v->r.shape = (winnow_shape){.frames = groups,
                                .tokens = m->grid_h * m->grid_w,
                                .dim = m->dim,
                                .grid_h = m->grid_h,
                                .grid_w = m->grid_w};
    if (!pipeline) {
        m->tokens = cli_array((uint64_t)groups * m->grid_h * m->grid_w * m->dim, sizeof *m->tokens);
        if (!m->tokens) {
            return cli_fail("encode: out of memory for %u views (take fewer: --frames N)",
                            m->frames);
        }
    }
    return vision_taps_room(v, groups, (m->height / v->model.patch) * (m->width / v->model.patch));
}

static int encode(vision *v, engine *e, const winnow_ext_encoder *ext, const winnow_model *model,
                  const vision_options *options, const winnow_pipeline *pipeline)
{
    uint32_t batch = pipeline || v->m.frames < BATCH ? v->m.frames : BATCH;
    winnow_encoder *encoder = NULL;
    double start = cli_seconds();
    progress *bar = progress_begin("loading the model", 0);
    e->warning[0] = 0;
    winnow_status status = open_encoder(v, e, ext, model, options, pipeline, batch, &encoder);
    v->load_ms = (cli_seconds() - start) * 1e3;
    int exit_code = status == WINNOW_OK ? make_room(v, pipeline) : CLI_DONE;
    if (status == WINNOW_OK && exit_code == CLI_DONE) {
        progress_next(bar, "encoding", v->m.frames);
        start = cli_seconds();
        status =
            pipeline ? encode_reduced(v, ext, encoder) : encode_plain(v, ext, encoder, batch, bar);
        v->m.encode_ms = v->r.wall_ms = (cli_seconds() - start) * 1e3;
        v->r.plan_ms = v->load_ms;
    }
    progress_end(bar);
    ext->encoder_destroy(encoder);
    if (status == WINNOW_OK) {
        engine_tell_warning(e);
    }
    return status == WINNOW_OK ? exit_code : engine_fail(e, "encode", status);
}

int vision_load(vision *out, engine *e, const arg_list *paths, const media_options *what,
                const vision_options *options, const winnow_pipeline *pipeline)
{
    const winnow_ext_encoder *ext = e->api->get_extension("winnow.encoder/1");
    winnow_model *model = NULL;

    memset(out, 0, sizeof *out);
    if (!ext || ext->struct_size < sizeof *ext) {
        return cli_fail("model %s: this libwinnow runs no models (use a newer one)", what->model);
    }
    if (what->size.width && what->max_side) {
        return cli_misuse("--size and --max-side: they say two things (give one of them)");
    }
    int exit_code = vision_taps_read(out, options->taps);
    if (exit_code) {
        return exit_code;
    }
    winnow_status status =
        ext->model_open(&e->host, what->model, vision_like(options->like), &model);
    if (status != WINNOW_OK) {
        return engine_fail(e, "model", status);
    }
    out->model.struct_size = sizeof out->model;
    ext->model_info(model, &out->model);
    out->m.roles = out->model.roles;
    if (out->model.class_token && !pipeline) {
        add_final(out);
    }
    exit_code = vision_views_read(out, e, ext, model, paths, what, options);
    if (exit_code == CLI_DONE && out->model.frames > 1 && paths->count > 1) {
        exit_code = cli_fail("model: it takes frames in pairs, and these are several inputs (give "
                             "them one at a time)");
    }
    if (exit_code == CLI_DONE) {
        exit_code = encode(out, e, ext, model, options, pipeline);
    }
    ext->model_close(model);
    return exit_code;
}

void vision_free(vision *v)
{
    for (uint32_t i = 0; i < v->tap_count; i++) {
        free(v->taps[i].data);
    }
    free(v->taps);
    free(v->views);
    reduction_free(&v->r);
    media_free(&v->m);
    memset(v, 0, sizeof *v);
}
