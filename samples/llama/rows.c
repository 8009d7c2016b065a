#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

/* An error outweighs what is said after it. */
static void remember(void *user, int32_t level, const char *message)
{
    reducer *r = user;
    const bool is_error = level == WINNOW_LOG_ERROR;
    if (level <= WINNOW_LOG_INFO && (is_error || !r->message_is_error)) {
        snprintf(r->message, sizeof r->message, "%s", message);
        r->message_is_error = is_error;
    }
}

static void forget(reducer *r)
{
    r->message[0] = 0;
    r->message_is_error = false;
}

/* The library's own sentence. */
static bool fail(reducer *r, const char *what, winnow_status status)
{
    if (r->message[0]) {
        say_failed("%s", r->message);
    } else {
        say_failed("%s: Winnow answered %s", what, r->api->status_name(status));
    }
    forget(r);
    return false;
}

static bool out_of_memory(void)
{
    return say_failed("out of memory for visual tokens");
}

/* ---- opening ---- */

static bool open_device(reducer *r, const options *o)
{
    winnow_device_desc desc = {.struct_size = sizeof desc, .host = &r->host};
    desc.backend = strcmp(o->backend, "gpu") == 0   ? WINNOW_BACKEND_GPU
                   : strcmp(o->backend, "cpu") == 0 ? WINNOW_BACKEND_CPU
                                                    : WINNOW_BACKEND_AUTO;
    const winnow_status status = r->api->device_create(&desc, &r->device);
    return status == WINNOW_OK || fail(r, "device", status);
}

static int32_t like(const options *o)
{
    return strcmp(o->like, "llama") == 0          ? WINNOW_LIKE_LLAMA
           : strcmp(o->like, "transformers") == 0 ? WINNOW_LIKE_TRANSFORMERS
                                                  : WINNOW_LIKE_LLAMA_B10256;
}

/* mtmd may know families that Winnow does not: their rows can be handed on, not reduced. */
static bool open_model(reducer *r, const options *o, bool encodes)
{
    const winnow_status status = r->ext->model_open(&r->host, o->mmproj, like(o), &r->model);
    if (status != WINNOW_OK) {
        r->model = NULL;
        if (encodes || r->pipeline) {
            return fail(r, o->mmproj, status);
        }
        forget(r);
        return true;
    }
    r->info.struct_size = sizeof r->info;
    r->ext->model_info(r->model, &r->info);
    r->token = r->info.patch * r->info.join;
    return true;
}

bool reducer_open(reducer *r, const options *o)
{
    const bool encodes = strcmp(o->encoder, "winnow") == 0;
    memset(r, 0, sizeof *r);
    r->api = winnow_get_api(WINNOW_ABI);
    r->ext = r->api ? r->api->get_extension("winnow.encoder/1") : NULL;
    if (!r->ext || r->ext->struct_size < sizeof *r->ext) {
        return say_failed("libwinnow: it is older than this program (install its own)");
    }
    r->host = (winnow_host){.struct_size = sizeof r->host, .log = remember, .log_user = r};
    if (o->pipeline) {
        const winnow_status status = r->api->pipeline_create(&r->host, o->pipeline, &r->pipeline);
        if (status != WINNOW_OK) {
            return fail(r, "pipeline", status);
        }
    }
    return open_model(r, o, encodes) && ((!encodes && !r->pipeline) || open_device(r, o));
}

void reducer_close(reducer *r)
{
    if (r->api && r->ext) {
        r->ext->encoder_destroy(r->encoder);
        r->ext->views_free(r->views);
        r->ext->model_close(r->model);
        r->api->pipeline_destroy(r->pipeline);
        r->api->device_destroy(r->device);
    }
    memset(r, 0, sizeof *r);
}

static bool open_encoder(reducer *r)
{
    winnow_encoder_desc desc = {
        .struct_size = sizeof desc, .pipeline = r->pipeline, .max_frames = 1};
    for (uint32_t i = 0; i < r->views->count; i++) {
        const winnow_view *v = &r->views->view[i];
        desc.max_width = v->width > desc.max_width ? v->width : desc.max_width;
        desc.max_height = v->height > desc.max_height ? v->height : desc.max_height;
    }
    const winnow_status status = r->ext->encoder_open(r->device, r->model, &desc, &r->encoder);
    return status == WINNOW_OK || fail(r, "encoder", status);
}

bool reducer_prepare(reducer *r, const options *o, const uint8_t *rgb, uint32_t width,
                     uint32_t height)
{
    const bool encodes = strcmp(o->encoder, "winnow") == 0;
    forget(r);
    if (!r->model) {
        return true;
    }
    /* Where mtmd encodes, only the sizes matter. */
    const winnow_status status =
        r->ext->model_prepare(r->model, encodes ? rgb : NULL, width, height, &r->views);
    return status == WINNOW_OK ? !encodes || open_encoder(r) : fail(r, o->image, status);
}

void reducer_grid(const reducer *r, uint32_t view, uint32_t *grid_h, uint32_t *grid_w)
{
    *grid_h = r->views ? r->views->view[view].height / r->token : 0;
    *grid_w = r->views ? r->views->view[view].width / r->token : 0;
}

/* ---- rows ---- */

static bool rows_room(rows *out, uint32_t most, uint32_t width)
{
    *out = (rows){.data = calloc((size_t)most * width + 1, sizeof *out->data),
                  .sources = calloc((size_t)most + 1, sizeof *out->sources),
                  .places = calloc((size_t)most * 3 + 1, sizeof *out->places),
                  .width = width};
    if (!out->data || !out->sources || !out->places) {
        rows_free(out);
        return out_of_memory();
    }
    return true;
}

void rows_free(rows *r)
{
    free(r->data);
    free(r->sources);
    free(r->places);
    *r = (rows){0};
}

/* Where Winnow writes them. */
static void point_outputs(winnow_tensor out[WINNOW_OUT_COUNT], const rows *r, uint32_t most)
{
    out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = r->data, .capacity = most};
    out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = r->sources, .capacity = most};
    out[WINNOW_OUT_POSITIONS] = (winnow_tensor){.data = r->places, .capacity = most};
}

/* Places that count something finer than tokens (a stage ran before the projector joined patches)
 * become those of the tokens that they lie in; so do the indices. */
static void scale_places(rows *r, uint32_t source_patch, uint32_t token, uint32_t grid_w,
                         uint32_t grid_h)
{
    for (uint32_t i = 0; source_patch != token && i < r->count; i++) {
        int32_t *place = r->places + (size_t)i * 3;
        if (r->sources[i] < 0) {
            continue;
        }
        place[1] = place[1] * (int32_t)source_patch / (int32_t)token;
        place[2] = place[2] * (int32_t)source_patch / (int32_t)token;
        r->sources[i] = (place[0] * (int32_t)grid_h + place[1]) * (int32_t)grid_w + place[2];
    }
}

bool reducer_encode(reducer *r, uint32_t view, rows *out)
{
    const winnow_view *v = &r->views->view[view];
    winnow_encoder_info info = {.struct_size = sizeof info};
    winnow_encode run = {.struct_size = sizeof run,
                         .frames = 1,
                         .width = v->width,
                         .height = v->height,
                         .rgb = v->rgb};
    winnow_result result = {.struct_size = sizeof result};
    uint32_t grid_h, grid_w;
    const double start = say_clock();
    forget(r);
    winnow_status status = r->ext->encoder_info(r->encoder, &info);
    if (status != WINNOW_OK || !rows_room(out, info.rows_max, info.dim)) {
        return status == WINNOW_OK ? false : fail(r, "encoder", status);
    }
    point_outputs(run.out, out, info.rows_max);
    status = r->ext->encoder_encode(r->encoder, &run, &result);
    r->encode_ms += say_clock() - start;
    if (status != WINNOW_OK) {
        rows_free(out);
        return fail(r, "encode", status);
    }
    out->count = result.rows;
    reducer_grid(r, view, &grid_h, &grid_w);
    scale_places(out, info.source_patch, r->token, grid_w, grid_h);
    return true;
}

static bool copy_all(const float *data, uint32_t count, uint32_t width, rows *out)
{
    if (!rows_room(out, count, width)) {
        return false;
    }
    memcpy(out->data, data, (size_t)count * width * sizeof *data);
    for (uint32_t i = 0; i < count; i++) {
        out->sources[i] = (int32_t)i;
        memset(out->places + (size_t)i * 3, -1, 3 * sizeof *out->places);
    }
    out->count = count;
    return true;
}

static winnow_status run_plan(reducer *r, winnow_plan *plan, const winnow_shape *shape,
                              const float *data, rows *out)
{
    winnow_plan_info info = {.struct_size = sizeof info};
    winnow_run run = {.struct_size = sizeof run, .shape = *shape};
    winnow_result result = {.struct_size = sizeof result};
    winnow_status status = r->api->plan_info(plan, &info);
    if (status == WINNOW_OK && !rows_room(out, info.rows_max, info.dim_out)) {
        return WINNOW_E_HOST_MEMORY;
    }
    if (status == WINNOW_OK) {
        run.in[WINNOW_ROLE_TOKENS].data = (void *)(uintptr_t)data; /* only read */
        point_outputs(run.out, out, info.rows_max);
        status = r->api->plan_run(plan, &run, &result);
        out->count = result.rows;
    }
    return status;
}

bool reducer_take(reducer *r, uint32_t view, const float *data, uint32_t count, uint32_t width,
                  rows *out)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc, .flags = WINNOW_PLAN_HOST_MEMORY};
    winnow_plan *plan = NULL;
    const double start = say_clock();
    *out = (rows){0};
    forget(r);
    if (!r->pipeline) {
        return copy_all(data, count, width, out);
    }
    desc.max_shape = (winnow_shape){.frames = 1, .tokens = count, .dim = width};
    reducer_grid(r, view, &desc.max_shape.grid_h, &desc.max_shape.grid_w);
    desc.roles = 1u << WINNOW_ROLE_TOKENS;
    desc.outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES | 1u << WINNOW_OUT_POSITIONS;
    winnow_status status = r->api->plan_create(r->device, r->pipeline, &desc, &plan);
    if (status == WINNOW_OK) {
        status = run_plan(r, plan, &desc.max_shape, data, out);
    }
    r->api->plan_destroy(plan);
    r->reduce_ms += say_clock() - start;
    if (status != WINNOW_OK) {
        rows_free(out);
        return fail(r, "reduce", status);
    }
    return true;
}
