#include <stdlib.h>
#include <string.h>

#include <frames.h>

#include "cli.h"
#include "progress.h"
#include "vision_parts.h"

enum { FRAMES_DEFAULT = 16, RAW_BYTES_MOST = 1 << 30 };

static frames_options read_options(const media_options *options)
{
    frames_options o = {0};
    if (options->fps > 0) {
        o.fps = options->fps;
        o.max_frames = options->frames;
        o.spread = options->frames > 0;
    } else {
        o.uniform_count = options->frames ? options->frames : FRAMES_DEFAULT;
    }
    o.same_size = true;
    if (options->size.width) {
        o.size = FRAMES_SIZE_EXACT;
        o.width = options->size.width;
        o.height = options->size.height;
    } else {
        o.longest_side = options->max_side;
    }
    return o;
}

static bool grow(void **block, uint64_t count, uint64_t size)
{
    uint64_t bytes;
    void *larger = cli_multiply(count, size, &bytes) && bytes < SIZE_MAX / 2
                       ? realloc(*block, (size_t)bytes)
                       : NULL;
    if (larger) {
        *block = larger;
    }
    return larger != NULL;
}

/* The frame's view, or the frame for the device. */
static int append(vision *v, const winnow_view *view, const frames_frame *frame, const char *path)
{
    media *m = &v->m;
    uint32_t width = v->raw ? frame->width : view->width,
             height = v->raw ? frame->height : view->height;
    uint64_t bytes = (uint64_t)width * height * 3, count = (uint64_t)m->frames + 1;
    void *rgb = m->rgb, *times = m->seconds, *views = v->views;

    if (m->frames == 0) {
        m->width = view->width;
        m->height = view->height;
        v->frame_w = width;
        v->frame_h = height;
    }
    if (view->width != m->width || view->height != m->height) {
        return cli_fail("%s: it becomes %ux%u pixels, what came before %ux%u (encode them one at a "
                        "time, or give --size)",
                        path, view->width, view->height, m->width, m->height);
    }
    if (width != v->frame_w || height != v->frame_h) {
        return cli_fail("%s: it has %ux%u pixels, what came before %ux%u (use --prepare host)",
                        path, width, height, v->frame_w, v->frame_h);
    }
    bool grown = grow(&rgb, count, bytes);
    m->rgb = rgb;
    grown = grown && grow(&times, count, sizeof *m->seconds);
    m->seconds = times;
    grown = grown && grow(&views, count, 4 * sizeof *v->views);
    v->views = views;
    if (!grown) {
        return cli_fail("%s: out of memory for %llu views (take fewer: --frames N)", path,
                        (unsigned long long)count);
    }
    memcpy(m->rgb + m->frames * bytes, v->raw ? frame->rgb : view->rgb, (size_t)bytes);
    int32_t own[4] = {view->tile_y, view->tile_x, (int32_t)view->width, (int32_t)view->height};
    memcpy(v->views + 4 * (size_t)m->frames, own, sizeof own);
    m->seconds[m->frames++] = frame->seconds;
    return CLI_DONE;
}

typedef struct preparer {
    vision *v;
    engine *e;
    const winnow_ext_encoder *ext;
    const winnow_model *model; /* NULL: frames are views as they are */
    const media_options *options;
    bool chooses; /* the device prepares if it is a video */
} preparer;

static int prepare(const preparer *p, const frames_frame *frame, const char *path)
{
    winnow_views *views;
    int exit_code = CLI_DONE;
    if (!p->model) {
        const winnow_view whole = {frame->width, frame->height, -1, -1, frame->rgb};
        return append(p->v, &whole, frame, path);
    }
    winnow_status status = p->ext->model_prepare(p->model, p->v->raw ? NULL : frame->rgb,
                                                 frame->width, frame->height, &views);
    if (status != WINNOW_OK) {
        return engine_fail(p->e, path, status);
    }
    for (uint32_t i = 0; i < views->count && exit_code == CLI_DONE; i++) {
        exit_code = append(p->v, &views->view[i], frame, path);
    }
    p->ext->views_free(views);
    return exit_code;
}

/* Too much for one call at the frames' own size: views after all. */
static int give_up_raw(const preparer *p, const char *path)
{
    vision *v = p->v;
    const media old = v->m;
    const uint32_t width = v->frame_w, height = v->frame_h;
    int exit_code = CLI_DONE;
    v->m.rgb = NULL;
    v->m.seconds = NULL;
    v->m.frames = 0;
    v->raw = false;
    for (uint32_t i = 0; i < old.frames && exit_code == CLI_DONE; i++) {
        const frames_frame frame = {old.rgb + (uint64_t)i * width * height * 3, width, height,
                                    old.seconds[i], i};
        exit_code = prepare(p, &frame, path);
    }
    free(old.rgb);
    free(old.seconds);
    return exit_code;
}

static bool is_video(const frames_source *source)
{
    frames_info info;
    frames_get_info(source, &info);
    return info.kind == FRAMES_KIND_VIDEO;
}

static int read_path(const preparer *p, const char *path)
{
    char why[FRAMES_WHY_SIZE];
    frames_options o = read_options(p->options);
    frames_source *source;
    frames_frame frame;
    int exit_code = CLI_DONE;
    frames_status status = frames_open(&source, path, &o, why, sizeof why);

    if (status == FRAMES_OK && p->chooses) {
        p->v->raw = is_video(source);
    }
    while (status == FRAMES_OK && exit_code == CLI_DONE) {
        status = frames_next(source, &frame, why, sizeof why);
        if (status == FRAMES_OK && p->chooses && p->v->raw &&
            (p->v->m.frames + 1ull) * frame.width * frame.height * 3 > RAW_BYTES_MOST) {
            exit_code = give_up_raw(p, path);
        }
        if (status == FRAMES_OK && exit_code == CLI_DONE) {
            exit_code = prepare(p, &frame, path);
        }
    }
    frames_close(&source);
    if (exit_code == CLI_DONE && status != FRAMES_END) {
        exit_code = cli_fail("%s", why);
    }
    return exit_code;
}

/* Why the device cannot prepare; NULL: it can. */
static const char *hindrance(const vision *v, const vision_options *options)
{
    if (options->as_is) {
        return "--as-is prepares nothing";
    }
    if (options->casp > 0) {
        return "--casp looks at the views";
    }
    if (v->wants_pixels) {
        return "--taps pixels are the views";
    }
    return v->model.prepares ? NULL : "the model makes tiles, or resizes as llama.cpp b10256";
}

/* Whether the device may or must prepare. Exit code. */
static int choose(preparer *p, const arg_list *paths, const vision_options *options)
{
    const char *where = options->prepare ? options->prepare : "host";
    const char *hinders = hindrance(p->v, options);
    if (strcmp(where, "device") == 0 && hinders) {
        return cli_fail("--prepare device: %s (use --prepare host)", hinders);
    }
    p->v->raw = strcmp(where, "device") == 0;
    p->chooses = strcmp(where, "auto") == 0 && !hinders && paths->count == 1;
    return CLI_DONE;
}

int vision_views_read(vision *v, engine *e, const winnow_ext_encoder *ext,
                      const winnow_model *model, const arg_list *paths, const media_options *what,
                      const vision_options *options)
{
    preparer p = {v, e, ext, options->as_is ? NULL : model, what, false};
    int exit_code = choose(&p, paths, options);
    double start = cli_seconds();
    progress *bar = progress_begin("reading frames", paths->count > 1 ? paths->count : 0);
    for (size_t i = 0; i < paths->count && exit_code == CLI_DONE; i++) {
        exit_code = read_path(&p, paths->items[i]);
        if (exit_code == CLI_DONE && paths->count > 1) {
            progress_at(bar, i + 1, paths->count);
        }
    }
    progress_end(bar);
    v->m.decode_ms = (cli_seconds() - start) * 1e3;
    return exit_code;
}
