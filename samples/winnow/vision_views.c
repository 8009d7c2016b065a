#include <stdlib.h>
#include <string.h>

#include <frames.h>

#include "cli.h"
#include "progress.h"
#include "vision_parts.h"

enum { FRAMES_DEFAULT = 16 };

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
    void *larger =
        cli_multiply(count, size, &bytes) && bytes < SIZE_MAX / 2 ? realloc(*block, (size_t)bytes) : NULL;
    if (larger) {
        *block = larger;
    }
    return larger != NULL;
}

static int append(vision *v, const winnow_view *view, double seconds, const char *path)
{
    media *m = &v->m;
    uint64_t bytes = (uint64_t)view->width * view->height * 3, count = (uint64_t)m->frames + 1;
    void *rgb = m->rgb, *times = m->seconds, *views = v->views;

    if (m->frames == 0) {
        m->width = view->width;
        m->height = view->height;
    }
    if (view->width != m->width || view->height != m->height) {
        return cli_fail("%s: it becomes %ux%u pixels, what came before %ux%u (encode them one at a time, or give --size)",
                        path, view->width, view->height, m->width, m->height);
    }
    bool grown = grow(&rgb, count, bytes);
    m->rgb = rgb;
    grown = grown && grow(&times, count, sizeof *m->seconds);
    m->seconds = times;
    grown = grown && grow(&views, count, 4 * sizeof *v->views);
    v->views = views;
    if (!grown) {
        return cli_fail("%s: out of memory for %llu views (take fewer: --frames N)", path, (unsigned long long)count);
    }
    memcpy(m->rgb + m->frames * bytes, view->rgb, (size_t)bytes);
    int32_t own[4] = {view->tile_y, view->tile_x, (int32_t)view->width, (int32_t)view->height};
    memcpy(v->views + 4 * (size_t)m->frames, own, sizeof own);
    m->seconds[m->frames++] = seconds;
    return CLI_DONE;
}

typedef struct preparer {
    vision *v;
    engine *e;
    const winnow_ext_encoder *ext;
    const winnow_model *model; /* NULL: frames are views as they are */
    const media_options *options;
} preparer;

static int prepare(const preparer *p, const frames_frame *frame, const char *path)
{
    winnow_views *views;
    int exit_code = CLI_DONE;
    if (!p->model) {
        const winnow_view whole = {frame->width, frame->height, -1, -1, frame->rgb};
        return append(p->v, &whole, frame->seconds, path);
    }
    winnow_status status = p->ext->model_prepare(p->model, frame->rgb, frame->width, frame->height, &views);
    if (status != WINNOW_OK) {
        return engine_fail(p->e, path, status);
    }
    for (uint32_t i = 0; i < views->count && exit_code == CLI_DONE; i++) {
        exit_code = append(p->v, &views->view[i], frame->seconds, path);
    }
    p->ext->views_free(views);
    return exit_code;
}

static int read_path(const preparer *p, const char *path)
{
    char why[FRAMES_WHY_SIZE];
    frames_options o = read_options(p->options);
    frames_source *source;
    frames_frame frame;
    int exit_code = CLI_DONE;
    frames_status status = frames_open(&source, path, &o, why, sizeof why);

    while (status == FRAMES_OK && exit_code == CLI_DONE) {
        status = frames_next(source, &frame, why, sizeof why);
        if (status == FRAMES_OK) {
            exit_code = prepare(p, &frame, path);
        }
    }
    frames_close(&source);
    if (exit_code == CLI_DONE && status != FRAMES_END) {
        exit_code = cli_fail("%s", why);
    }
    return exit_code;
}

int vision_views_read(vision *v, engine *e, const winnow_ext_encoder *ext, const winnow_model *model,
                      const arg_list *paths, const media_options *options, bool as_is)
{
    const preparer p = {v, e, ext, as_is ? NULL : model, options};
    double start = cli_seconds();
    progress *bar = progress_begin("reading frames", paths->count > 1 ? paths->count : 0);
    int exit_code = CLI_DONE;
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
