#include "overlay.h"

#include <stdio.h>

const colour look_ground = {15, 17, 21}, look_panel = {27, 31, 38}, look_text = {236, 239, 244},
             look_faint = {142, 150, 163}, look_kept = {236, 239, 244},
             look_merged = {56, 189, 168}, look_dropped = {52, 58, 70};

enum { DIM = 208, TONE = 72 }; /* of 256: how far dropped tokens sink, merged ones take colour */

/* The box of a token in the frame's box: shared edges, no gaps whatever the scale. */
typedef struct box {
    int x0, y0, x1, y1;
} box;

static box token_box(const marks *k, uint32_t i, int x, int y, int width, int height)
{
    int column = (int)(i % k->grid_w), row = (int)(i / k->grid_w);
    int across = (int)k->grid_w, down = (int)k->grid_h;
    return (box){x + column * width / across, y + row * height / down,
                 x + (column + 1) * width / across, y + (row + 1) * height / down};
}

/* The destination of the token to a side, -1 beyond the frame. */
static int32_t neighbour(const marks *k, uint64_t base, uint32_t i, int across, int down)
{
    int column = (int)(i % k->grid_w) + across, row = (int)(i / k->grid_w) + down;
    if (column < 0 || row < 0 || column >= (int)k->grid_w || row >= (int)k->grid_h) {
        return -1;
    }
    return k->row[base + (uint64_t)row * k->grid_w + (uint64_t)column];
}

/* Only the outer edges of a group of tokens are drawn: regions read better than a grid. */
static void outline(canvas *c, const marks *k, uint64_t base, uint32_t i, box b)
{
    int32_t row = k->row[base + i];
    colour paint = canvas_hue(row);
    int thick = b.x1 - b.x0 >= 24 ? 2 : 1;

    if (neighbour(k, base, i, -1, 0) != row) {
        canvas_fill(c, b.x0, b.y0, thick, b.y1 - b.y0, paint);
    }
    if (neighbour(k, base, i, 1, 0) != row) {
        canvas_fill(c, b.x1 - thick, b.y0, thick, b.y1 - b.y0, paint);
    }
    if (neighbour(k, base, i, 0, -1) != row) {
        canvas_fill(c, b.x0, b.y0, b.x1 - b.x0, thick, paint);
    }
    if (neighbour(k, base, i, 0, 1) != row) {
        canvas_fill(c, b.x0, b.y1 - thick, b.x1 - b.x0, thick, paint);
    }
}

void overlay_frame(canvas *c, int x, int y, int width, int height, const media *m, const marks *k,
                   uint32_t frame)
{
    uint32_t tokens = k->grid_h * k->grid_w;
    uint64_t base = (uint64_t)(frame / k->times) * tokens;
    uint64_t picture = (uint64_t)m->width * m->height * 3;

    canvas_picture(c, x, y, width, height, m->rgb + frame * picture, (int)m->width, (int)m->height);
    for (uint32_t i = 0; i < tokens; i++) {
        box b = token_box(k, i, x, y, width, height);
        if (k->state[base + i] == MARK_DROPPED) {
            canvas_tint(c, b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0, look_ground, DIM);
        } else if (k->state[base + i] == MARK_MERGED) {
            canvas_tint(c, b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0, canvas_hue(k->row[base + i]),
                        TONE);
        }
        if (marks_grouped(k, base + i)) {
            outline(c, k, base, i, b);
        }
    }
}

void overlay_bar(canvas *c, int x, int y, int width, int height, const marks *k, uint32_t frame)
{
    const uint32_t *counts = marks_counts(k, frame);
    uint64_t tokens = (uint64_t)k->grid_h * k->grid_w;
    int kept = (int)((uint64_t)width * counts[MARK_KEPT] / tokens);
    int merged = (int)((uint64_t)width * counts[MARK_MERGED] / tokens);

    canvas_fill(c, x, y, width, height, look_dropped);
    canvas_fill(c, x, y, kept, height, look_kept);
    canvas_fill(c, x + kept, y, merged, height, look_merged);
}

const char *overlay_numbers(const reduction *r, char *text, int size)
{
    double before = (double)r->shape.frames * (double)r->shape.tokens;
    snprintf(text, (size_t)size, "tokens %.0f -> %u (%.3g%%)", before, r->result.rows,
             100.0 * r->result.rows / before);
    return text;
}
