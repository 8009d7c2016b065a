#include "film.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

/* ---- the library's sentences ---- */

/* An error outweighs what is said after it. */
static void remember(void *user, int32_t level, const char *message)
{
    film_encoder *e = user;
    const bool is_error = level == WINNOW_LOG_ERROR;
    if (level <= WINNOW_LOG_INFO && (is_error || !e->message_is_error)) {
        snprintf(e->message, sizeof e->message, "%s", message);
        e->message_is_error = is_error;
    }
}

void film_forget(film_encoder *e)
{
    e->message[0] = 0;
    e->message_is_error = false;
}

bool film_fail(film_encoder *e, const char *what, winnow_status status)
{
    if (e->message[0]) {
        say_failed("%s", e->message);
    } else {
        say_failed("%s: Winnow answered %s", what, e->api->status_name(status));
    }
    film_forget(e);
    return false;
}

/* ---- the model on a device ---- */

static int32_t backend_of(const char *name)
{
    return strcmp(name, "gpu") == 0   ? WINNOW_BACKEND_GPU
           : strcmp(name, "cpu") == 0 ? WINNOW_BACKEND_CPU
                                      : WINNOW_BACKEND_AUTO;
}

static bool open_device(film_encoder *e, const film_options *o)
{
    winnow_device_desc desc = {.struct_size = sizeof desc};
    if (o->device) {
        desc = *o->device;
    } else {
        desc.backend = backend_of(o->backend);
    }
    desc.host = &e->host;
    const winnow_status status = e->api->device_create(&desc, &e->device);
    return status == WINNOW_OK || film_fail(e, "device", status);
}

/* A GGUF file's own is llama.cpp's of today. */
static int32_t like_of(const char *like)
{
    return strcmp(like, "transformers") == 0   ? WINNOW_LIKE_TRANSFORMERS
           : strcmp(like, "llama-b10256") == 0 ? WINNOW_LIKE_LLAMA_B10256
                                               : WINNOW_LIKE_FILE;
}

bool film_open(film_encoder *e, const film_options *o)
{
    memset(e, 0, sizeof *e);
    e->api = winnow_get_api(WINNOW_ABI);
    e->ext = e->api ? e->api->get_extension("winnow.encoder/1") : NULL;
    if (!e->ext || e->ext->struct_size < sizeof *e->ext) {
        return say_failed("libwinnow: it is older than this program (install its own)");
    }
    e->host = (winnow_host){.struct_size = sizeof e->host, .log = remember, .log_user = e};
    e->path = o->model;
    const winnow_status status =
        e->ext->model_open(&e->host, o->model, like_of(o->like), &e->model);
    if (status != WINNOW_OK) {
        e->model = NULL;
        return film_fail(e, o->model, status);
    }
    e->info.struct_size = sizeof e->info;
    e->ext->model_info(e->model, &e->info);
    e->token = e->info.patch * e->info.join;
    return open_device(e, o);
}

void film_close(film_encoder *e)
{
    if (e->api && e->ext) {
        film_run_close(&e->plain, e);
        e->ext->model_close(e->model);
        e->api->device_destroy(e->device);
    }
    memset(e, 0, sizeof *e);
}

bool film_run_open(film_run *run, film_encoder *e, const film *f, const winnow_pipeline *pipeline)
{
    const uint32_t frames = f->is_video ? f->count : 1;
    if (run->encoder && run->frames >= frames && run->width >= f->width &&
        run->height >= f->height) {
        return true;
    }
    film_run_close(run, e);
    const winnow_encoder_desc desc = {.struct_size = sizeof desc,
                                      .pipeline = pipeline,
                                      .max_frames = frames,
                                      .max_width = f->width,
                                      .max_height = f->height};
    winnow_status status = e->ext->encoder_open(e->device, e->model, &desc, &run->encoder);
    if (status == WINNOW_OK) {
        run->info.struct_size = sizeof run->info;
        status = e->ext->encoder_info(run->encoder, &run->info);
    }
    if (status != WINNOW_OK) {
        film_run_close(run, e);
        return film_fail(e, "encoder", status);
    }
    run->frames = frames;
    run->width = f->width;
    run->height = f->height;
    return true;
}

void film_run_close(film_run *run, film_encoder *e)
{
    if (run->encoder) {
        e->ext->encoder_destroy(run->encoder);
    }
    memset(run, 0, sizeof *run);
}

/* ---- pipelines ---- */

uint32_t film_frames(const film_pipeline *p, uint32_t frames)
{
    return p->given & 1u << WINNOW_ROLE_ATTENTION ? 1 : frames;
}

/* Asked on a small set of tokens: a stage with no place behind an encoder is found out. */
static bool runs_behind(film_encoder *e, const film_pipeline *p, uint32_t needed, uint32_t optional)
{
    const uint32_t tokens = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SIZES;
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_HOST_MEMORY,
                                   .max_shape = {.frames = film_frames(p, 2),
                                                 .tokens = 16,
                                                 .dim = 8,
                                                 .grid_h = 4,
                                                 .grid_w = 4,
                                                 .key_dim = 8,
                                                 .heads = 1,
                                                 .llm_heads = 1,
                                                 .text_rows = 2,
                                                 .text_dim = 8,
                                                 .frame_dim = 8},
                                   .roles = 1u << WINNOW_ROLE_TOKENS | p->given};
    winnow_plan *plan = NULL;
    if ((needed & ~(tokens | p->given)) || (!p->given && (optional & ~tokens))) {
        return false;
    }
    const winnow_status status = e->api->plan_create(e->device, p->pipeline, &desc, &plan);
    e->api->plan_destroy(plan);
    film_forget(e);
    return status != WINNOW_E_UNSUPPORTED;
}

bool film_pipeline_open_with(film_pipeline *p, film_encoder *e, const char *spec, uint32_t roles)
{
    uint32_t needed = 0, optional = 0;
    *p = (film_pipeline){.spec = spec};
    film_forget(e);
    if (!spec) {
        return true;
    }
    winnow_status status = e->api->pipeline_create(&e->host, spec, &p->pipeline);
    if (status != WINNOW_OK) {
        p->pipeline = NULL;
        return film_fail(e, "pipeline", status);
    }
    status = e->api->pipeline_inputs(p->pipeline, &needed, &optional);
    p->given = roles & (needed | optional);
    p->inside = status != WINNOW_OK || !runs_behind(e, p, needed, optional);
    return true;
}

bool film_pipeline_open(film_pipeline *p, film_encoder *e, const char *spec)
{
    return film_pipeline_open_with(p, e, spec, 0);
}

void film_pipeline_close(film_pipeline *p, film_encoder *e)
{
    film_run_close(&p->run, e);
    if (p->pipeline) {
        e->api->plan_destroy(p->plan);
        e->api->pipeline_destroy(p->pipeline);
    }
    memset(p, 0, sizeof *p);
}

/* ---- frames to views ---- */

void film_grid(const film_encoder *e, const film *f, uint32_t grid[3])
{
    grid[0] = (f->count + e->info.frames - 1) / e->info.frames;
    grid[1] = f->height / e->token;
    grid[2] = f->width / e->token;
}

static bool room_for_views(film *f, uint64_t count)
{
    const uint64_t bytes = count * f->width * f->height * 3;
    uint8_t *rgb = realloc(f->rgb, (size_t)bytes);
    f->rgb = rgb ? rgb : f->rgb;
    double *seconds = realloc(f->seconds, (size_t)count * sizeof *seconds);
    f->seconds = seconds ? seconds : f->seconds;
    void *tiles = realloc(f->tiles, (size_t)count * sizeof *f->tiles);
    f->tiles = tiles ? tiles : f->tiles;
    return rgb && seconds && tiles;
}

static bool append(film *f, const winnow_view *view, double seconds, const char *name)
{
    const size_t bytes = (size_t)view->width * view->height * 3;
    if (f->count == 0) {
        f->width = view->width;
        f->height = view->height;
    }
    if (view->width != f->width || view->height != f->height) {
        return say_failed(
            "%s: it becomes views of %ux%u and %ux%u pixels (give frames of one size)", name,
            f->width, f->height, view->width, view->height);
    }
    if (!room_for_views(f, (uint64_t)f->count + 1)) {
        return say_failed("%s: out of memory for %u views (take fewer: --frames N)", name,
                          f->count + 1);
    }
    memcpy(f->rgb + f->count * bytes, view->rgb, bytes);
    f->tiles[f->count][0] = view->tile_y;
    f->tiles[f->count][1] = view->tile_x;
    f->seconds[f->count++] = seconds;
    return true;
}

/* Frames of a video are not cut into tiles: of those that would be, the overview is taken. */
static bool add_frame(film *f, film_encoder *e, const frames_frame *frame, const char *name)
{
    winnow_views *views = NULL;
    film_forget(e);
    const winnow_status status =
        e->ext->model_prepare(e->model, frame->rgb, frame->width, frame->height, &views);
    if (status != WINNOW_OK) {
        return film_fail(e, name, status);
    }
    const bool whole = f->is_video && views->count > 1;
    bool good = true;
    for (uint32_t i = 0; good && i < views->count; i++) {
        if (!whole || views->view[i].tile_y < 0) {
            good = append(f, &views->view[i], frame->seconds, name);
        }
    }
    f->tiles_x = f->is_video ? 0 : views->tiles_x;
    e->ext->views_free(views);
    return good;
}

bool film_take(film *f, film_encoder *e, const frames_frame *frames, uint32_t count, bool is_video,
               const char *name)
{
    *f = (film){.is_video = is_video};
    for (uint32_t i = 0; i < count; i++) {
        if (!add_frame(f, e, &frames[i], name)) {
            return false;
        }
    }
    return f->count > 0 || say_failed("%s: there are no frames in it", name);
}

bool film_read(film *f, film_encoder *e, const char *path, const film_choice *choice)
{
    const frames_options how = {
        .uniform_count = choice->frames, .longest_side = choice->max_side, .same_size = true};
    char why[FRAMES_WHY_SIZE];
    frames_source *source;
    frames_frame frame;
    frames_info info;
    bool good = true;
    *f = (film){0};
    frames_status status = frames_open(&source, path, &how, why, sizeof why);
    if (status != FRAMES_OK) {
        return say_failed("%s", why);
    }
    frames_get_info(source, &info);
    f->is_video = info.kind != FRAMES_KIND_PICTURE;
    while (good && (status = frames_next(source, &frame, why, sizeof why)) == FRAMES_OK) {
        good = add_frame(f, e, &frame, path);
    }
    frames_get_info(source, &info);
    frames_close(&source);
    if (good && status != FRAMES_END) {
        return say_failed("%s", why);
    }
    if (good && info.damaged > 0) {
        say_note("%s: %llu damaged parts of it were passed over", path,
                 (unsigned long long)info.damaged);
    }
    return good && (f->count > 0 || say_failed("%s: there are no frames in it", path));
}

void film_free(film *f)
{
    free(f->rgb);
    free(f->seconds);
    free(f->tiles);
    free(f->tokens);
    *f = (film){0};
}
