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

bool reducer_failed(reducer *r, const char *what, winnow_status status)
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
    return status == WINNOW_OK || reducer_failed(r, "device", status);
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
            return reducer_failed(r, o->mmproj, status);
        }
        forget(r);
        return true;
    }
    r->info.struct_size = sizeof r->info;
    r->ext->model_info(r->model, &r->info);
    r->token = r->info.patch * r->info.join;
    return true;
}

bool reducer_load(reducer *r)
{
    memset(r, 0, sizeof *r);
    r->api = winnow_get_api(WINNOW_ABI);
    r->ext = r->api ? r->api->get_extension("winnow.encoder/1") : NULL;
    if (!r->ext || r->ext->struct_size < sizeof *r->ext) {
        return say_failed("libwinnow: it is older than this program (install its own)");
    }
    r->host = (winnow_host){.struct_size = sizeof r->host, .log = remember, .log_user = r};
    return true;
}

bool reducer_open(reducer *r, const options *o, const char *spec, bool device)
{
    const bool encodes = strcmp(o->encoder, "winnow") == 0;
    if (spec) {
        const winnow_status status = r->api->pipeline_create(&r->host, spec, &r->pipeline);
        if (status != WINNOW_OK) {
            return reducer_failed(r, "pipeline", status);
        }
    }
    return open_model(r, o, encodes) &&
           ((!device && !encodes && !r->pipeline) || open_device(r, o));
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
    free(r->clip);
    memset(r, 0, sizeof *r);
}

uint32_t reducer_merges(const reducer *r)
{
    return r->model && r->info.frames > 1 ? r->info.frames : 1;
}

/* An encoder that is large enough may have been opened for the medium before. */
static bool open_encoder(reducer *r, uint32_t frames)
{
    encoder_room room = {.frames = frames};
    for (uint32_t i = 0; i < r->views->count; i++) {
        const winnow_view *v = &r->views->view[i];
        room.width = v->width > room.width ? v->width : room.width;
        room.height = v->height > room.height ? v->height : room.height;
    }
    if (r->encoder && room.frames <= r->room.frames && room.width <= r->room.width &&
        room.height <= r->room.height) {
        return true;
    }
    r->ext->encoder_destroy(r->encoder);
    r->encoder = NULL;
    r->room = room;
    const winnow_encoder_desc desc = {.struct_size = sizeof desc,
                                      .pipeline = r->pipeline,
                                      .max_frames = room.frames,
                                      .max_width = room.width,
                                      .max_height = room.height};
    const winnow_status status = r->ext->encoder_open(r->device, r->model, &desc, &r->encoder);
    return status == WINNOW_OK || reducer_failed(r, "encoder", status);
}

/* Where mtmd encodes, only the sizes matter. */
static bool make_views(reducer *r, const options *o, const char *name, const frames_frame *frame)
{
    const bool encodes = strcmp(o->encoder, "winnow") == 0;
    r->ext->views_free(r->views);
    r->views = NULL;
    const winnow_status status = r->ext->model_prepare(r->model, encodes ? frame->rgb : NULL,
                                                       frame->width, frame->height, &r->views);
    return status == WINNOW_OK || reducer_failed(r, name, status);
}

bool reducer_prepare(reducer *r, const options *o, const char *name, const frames_frame *picture)
{
    const bool encodes = strcmp(o->encoder, "winnow") == 0;
    forget(r);
    free(r->clip);
    r->clip = NULL;
    return !r->model ||
           (make_views(r, o, name, picture) && (!encodes || open_encoder(r, reducer_merges(r))));
}

/* Frame i of the clip; all are as large as the first. */
static bool add_frame(reducer *r, const char *name, uint32_t i, uint32_t count)
{
    const winnow_view *v = &r->views->view[0];
    const size_t bytes = (size_t)v->width * v->height * 3;
    if (r->views->count != 1) {
        return say_failed("%s: the model cuts each frame into %u views, and a video is one view a "
                          "frame (give frames as --image)",
                          name, r->views->count);
    }
    if (i == 0 && v->rgb) {
        r->clip = malloc(bytes * count);
        if (!r->clip) {
            return say_failed("%s: out of memory for %u frames", name, count);
        }
    }
    if (v->rgb) {
        memcpy(r->clip + i * bytes, v->rgb, bytes);
    }
    return true;
}

bool reducer_prepare_video(reducer *r, const options *o, const char *name,
                           const frames_frame *frames, uint32_t count)
{
    const bool encodes = strcmp(o->encoder, "winnow") == 0;
    forget(r);
    free(r->clip);
    r->clip = NULL;
    r->clip_frames = count;
    for (uint32_t i = 0; r->model && i < count; i++) {
        if (!make_views(r, o, name, &frames[i]) || !add_frame(r, name, i, count)) {
            return false;
        }
    }
    return !r->model || !encodes || open_encoder(r, count);
}

void reducer_grid(const reducer *r, uint32_t view, uint32_t *grid_h, uint32_t *grid_w)
{
    *grid_h = r->views ? r->views->view[view].height / r->token : 0;
    *grid_w = r->views ? r->views->view[view].width / r->token : 0;
}

/* ---- rows ---- */

bool rows_room(rows *out, uint32_t most, uint32_t width)
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
                         .frames = r->clip ? r->clip_frames : 1,
                         .width = v->width,
                         .height = v->height,
                         .rgb = r->clip ? r->clip : v->rgb};
    winnow_result result = {.struct_size = sizeof result};
    uint32_t grid_h, grid_w;
    const double start = say_clock();
    forget(r);
    winnow_status status = r->ext->encoder_info(r->encoder, &info);
    if (status != WINNOW_OK || !rows_room(out, info.rows_max, info.dim)) {
        return status == WINNOW_OK ? false : reducer_failed(r, "encoder", status);
    }
    point_outputs(run.out, out, info.rows_max);
    status = r->ext->encoder_encode(r->encoder, &run, &result);
    r->encode_ms += say_clock() - start;
    if (status != WINNOW_OK) {
        rows_free(out);
        return reducer_failed(r, "encode", status);
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

bool reducer_take(reducer *r, uint32_t view, const float *data, uint32_t frames, uint32_t count,
                  uint32_t width, rows *out)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc, .flags = WINNOW_PLAN_HOST_MEMORY};
    winnow_plan *plan = NULL;
    const double start = say_clock();
    *out = (rows){0};
    forget(r);
    if (!r->pipeline) {
        return copy_all(data, frames * count, width, out);
    }
    desc.max_shape = (winnow_shape){.frames = frames, .tokens = count, .dim = width};
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
        return reducer_failed(r, "reduce", status);
    }
    return true;
}
