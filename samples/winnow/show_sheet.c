/* The contact sheet: title, numbers, legend, then every frame with its marks. */
#include <stb_image_write.h>
#include <stdio.h>
#include <string.h>

#include "canvas.h"
#include "cli.h"
#include "font.h"
#include "output.h"
#include "overlay.h"
#include "progress.h"
#include "show.h"

enum { WIDTH = 1600, MARGIN = 40, GAP = 20, LABEL = 34, BAR = 6, HEAD = 176 };

typedef struct layout {
    int columns, rows, tile_width, tile_height, height;
    bool beside; /* one picture: the original stands beside it */
} layout;

static layout plan_layout(const media *m)
{
    layout l = {0};
    l.beside = m->frames == 1;
    int tiles = l.beside ? 2 : (int)m->frames;
    static const int most[] = {0, 1, 4, 9, 16}; /* tiles that so many columns hold well */
    l.columns = 1;
    while (l.columns < 4 && tiles > most[l.columns]) {
        l.columns++;
    }
    l.columns = tiles > 40 ? 8 : tiles > 16 ? 6 : l.columns;
    l.rows = (tiles + l.columns - 1) / l.columns;
    l.tile_width = (WIDTH - 2 * MARGIN - (l.columns - 1) * GAP) / l.columns;
    l.tile_height = (int)((double)l.tile_width * m->height / m->width + 0.5);
    l.tile_height = l.tile_height > 0 ? l.tile_height : 1;
    l.height = HEAD + l.rows * (l.tile_height + LABEL + GAP) + MARGIN - GAP;
    return l;
}

static int legend_entry(canvas *c, int x, int y, colour paint, const char *name, uint64_t count)
{
    char text[64];
    snprintf(text, sizeof text, "%s %llu", name, (unsigned long long)count);
    canvas_fill(c, x, y, 14, 14, paint);
    return x + 24 + canvas_text(c, x + 24, y, 2, look_text, text) + 36;
}

static void draw_head(canvas *c, const show *s)
{
    char line[256], numbers[96], fitted[256];
    int x = MARGIN;

    canvas_text(c, MARGIN, MARGIN, 4, look_text,
                canvas_fit(4, WIDTH - 2 * MARGIN, s->spec, fitted, (int)sizeof fitted));
    snprintf(line, sizeof line, "%s   %.2f ms   %s", overlay_numbers(s->r, numbers, sizeof numbers),
             s->r->wall_ms, engine_device_name(s->e));
    canvas_text(c, MARGIN, MARGIN + 48, 2, look_faint,
                canvas_fit(2, WIDTH - 2 * MARGIN, line, fitted, (int)sizeof fitted));
    x = legend_entry(c, x, MARGIN + 86, look_kept, "kept", s->k->totals[MARK_KEPT]);
    x = legend_entry(c, x, MARGIN + 86, look_merged, "merged", s->k->totals[MARK_MERGED]);
    legend_entry(c, x, MARGIN + 86, look_dropped, "dropped", s->k->totals[MARK_DROPPED]);
}

static void draw_tile(canvas *c, const layout *l, const show *s, int tile)
{
    int x = MARGIN + tile % l->columns * (l->tile_width + GAP);
    int y = HEAD + tile / l->columns * (l->tile_height + LABEL + GAP);
    uint32_t frame = l->beside ? 0 : (uint32_t)tile;
    const uint32_t *counts = marks_counts(s->k, frame);
    char text[96], fitted[96], name[32];

    if (l->beside && tile == 0) {
        canvas_picture(c, x, y, l->tile_width, l->tile_height, s->m->rgb, (int)s->m->width,
                       (int)s->m->height);
        snprintf(text, sizeof text, "original  %ux%u tokens", s->m->grid_w, s->m->grid_h);
    } else {
        overlay_frame(c, x, y, l->tile_width, l->tile_height, s->m, s->k, frame);
        overlay_bar(c, x, y + l->tile_height + 4, l->tile_width, BAR, s->k, frame);
        snprintf(text, sizeof text, "%s  kept %u/%u", show_name(s, frame, name, sizeof name),
                 counts[MARK_KEPT], s->m->grid_h * s->m->grid_w);
        if (l->beside) {
            snprintf(text, sizeof text, "kept %u of %u", counts[MARK_KEPT],
                     s->m->grid_h * s->m->grid_w);
        }
    }
    int scale = l->columns > 4 ? 1 : 2;
    canvas_text(c, x, y + l->tile_height + 4 + BAR + 8, scale, look_faint,
                canvas_fit(scale, l->tile_width, text, fitted, (int)sizeof fitted));
}

typedef struct sink {
    output *out;
    bool failed;
} sink;

static void take(void *user, void *bytes, int size)
{
    sink *to = user;
    if (fwrite(bytes, 1, (size_t)size, to->out->file) != (size_t)size) {
        to->failed = true;
    }
}

int show_sheet(const show *s, const char *path)
{
    layout l = plan_layout(s->m);
    int tiles = l.beside ? 2 : (int)s->m->frames;
    output out;
    canvas c;
    int exit_code = output_open(&out, path);

    if (exit_code) {
        return exit_code;
    }
    if (l.height > 32000 || !canvas_create(&c, WIDTH, l.height, look_ground)) {
        output_abandon(&out);
        return cli_fail("%s: a sheet of %d frames is too large (take fewer: --frames N)", path,
                        tiles);
    }
    progress *bar = progress_begin("drawing the sheet", (uint64_t)tiles);
    draw_head(&c, s);
    for (int tile = 0; tile < tiles; tile++) {
        draw_tile(&c, &l, s, tile);
        progress_at(bar, (uint64_t)tile + 1, (uint64_t)tiles);
    }
    sink to = {&out, false};
    bool whole = stbi_write_png_to_func(take, &to, c.width, c.height, 3, c.rgb, c.width * 3) != 0;
    progress_end(bar);
    canvas_destroy(&c);
    return whole && !to.failed ? output_commit(&out) : output_fail(&out);
}
