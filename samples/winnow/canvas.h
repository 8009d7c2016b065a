/* An RGB picture to draw on: just what the sheets and films need. Everything is clipped. */
#ifndef WINNOW_CANVAS_H
#define WINNOW_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct canvas {
    uint8_t *rgb; /* [height, width, 3] */
    int width, height;
} canvas;

typedef struct colour {
    uint8_t r, g, b;
} colour;

bool canvas_create(canvas *c, int width, int height, colour fill); /* false: out of memory */
void canvas_destroy(canvas *c);

void canvas_fill(canvas *c, int x, int y, int width, int height, colour paint);
/* Mixes `paint` over what is there; share 0..256 of it. */
void canvas_tint(canvas *c, int x, int y, int width, int height, colour paint, int share);

/* A picture [from_height, from_width, 3] at x, y in the size width x height, bilinear. */
void canvas_picture(canvas *c, int x, int y, int width, int height, const uint8_t *rgb,
                    int from_width, int from_height);

/* Text with its upper left corner at x, y, each font pixel `scale` pixels; ASCII, the rest is '?'.
 * Returns its width. */
int canvas_text(canvas *c, int x, int y, int scale, colour paint, const char *text);
int canvas_text_width(int scale, const char *text);
/* `text` cut with ".." so that it is no wider than `width`, into out[size]. */
const char *canvas_fit(int scale, int width, const char *text, char *out, int size);

/* The colour of destination `row`: neighbours in number are far apart in hue. */
colour canvas_hue(int32_t row);

#endif /* WINNOW_CANVAS_H */
