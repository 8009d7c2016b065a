/* What a pipeline left, drawn by the code of `winnow show`. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <show.h>

#include "say.h"
#include "session.h"

static const struct {
    const char *ending;
    int (*draw)(const show *s, const char *path);
} painters[] = {
    {".png", show_sheet}, {".mp4", show_film}, {".html", show_page}, {".htm", show_page}};
enum { PAINTER_COUNT = sizeof painters / sizeof painters[0] };

static int find_painter(const char *path)
{
    const size_t length = strlen(path);
    for (int i = 0; i < PAINTER_COUNT; i++) {
        const size_t ending = strlen(painters[i].ending);
        if (length > ending && strcasecmp(path + length - ending, painters[i].ending) == 0) {
            return i;
        }
    }
    return -1;
}

bool picture_check(const char *path)
{
    return find_painter(path) >= 0 ||
           say_failed("--picture %s: its ending says no kind of picture (give .png, .html or .mp4)",
                      path);
}

/* Of each view its tile and size, as a sheet names them; NULL: frames, which have times. */
static bool copy_views(const film *f, int32_t **out)
{
    *out = NULL;
    if (f->is_video) {
        return true;
    }
    *out = calloc((size_t)f->count * 4, sizeof **out);
    for (uint32_t i = 0; *out && i < f->count; i++) {
        const int32_t view[4] = {f->tiles[i][0], f->tiles[i][1], (int32_t)f->width,
                                 (int32_t)f->height};
        memcpy(*out + (size_t)i * 4, view, sizeof view);
    }
    return *out || say_failed("out of memory for a picture");
}

bool picture_write(const session *s, const char *path)
{
    const session_side *side = &s->sides[s->side_count - 1];
    const film *f = &s->films[0];
    const film_rows *rows = &side->rows[0];
    const media m = {.rgb = f->rgb,
                     .seconds = f->seconds,
                     .frames = f->count,
                     .width = f->width,
                     .height = f->height,
                     .grid_h = rows->shape.grid_h,
                     .grid_w = rows->shape.grid_w};
    const reduction r = {.shape = rows->shape,
                         .result = {.rows = rows->count},
                         .wall_ms = rows->encode_ms + rows->reduce_ms,
                         .indices = rows->indices,
                         .assignment = rows->assignment};
    engine e = {.info = {.struct_size = sizeof e.info}};
    marks k = {0};
    int32_t *views = NULL;
    s->encoder.api->device_info(s->encoder.device, &e.info);
    if (!copy_views(f, &views)) {
        return false;
    }
    bool good =
        marks_create(&k, &r, s->encoder.info.frames) || say_failed("out of memory for a picture");
    if (good) { /* on failure it says why itself */
        const show picture = {.e = &e,
                              .m = &m,
                              .r = &r,
                              .k = &k,
                              .spec = side->pipeline.spec ? side->pipeline.spec : "none",
                              .views = views};
        good = painters[find_painter(path)].draw(&picture, path) == 0;
    }
    marks_destroy(&k);
    free(views);
    return good;
}
