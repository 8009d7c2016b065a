#include "canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "font.h"

bool canvas_create(canvas *c, int width, int height, colour fill)
{
    c->width = width;
    c->height = height;
    c->rgb = cli_array((uint64_t)width * (uint64_t)height, 3);
    if (c->rgb) {
        canvas_fill(c, 0, 0, width, height, fill);
    }
    return c->rgb != NULL;
}

void canvas_destroy(canvas *c)
{
    free(c->rgb);
    memset(c, 0, sizeof *c);
}

static uint8_t *pixel(const canvas *c, int x, int y)
{
    return c->rgb + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
}

void canvas_tint(canvas *c, int x, int y, int width, int height, colour paint, int share)
{
    int left = x < 0 ? 0 : x, right = x + width > c->width ? c->width : x + width;
    int top = y < 0 ? 0 : y, bottom = y + height > c->height ? c->height : y + height;

    for (int row = top; row < bottom; row++) {
        for (int column = left; column < right; column++) {
            uint8_t *p = pixel(c, column, row);
            p[0] = (uint8_t)(p[0] + (((int)paint.r - p[0]) * share) / 256);
            p[1] = (uint8_t)(p[1] + (((int)paint.g - p[1]) * share) / 256);
            p[2] = (uint8_t)(p[2] + (((int)paint.b - p[2]) * share) / 256);
        }
    }
}

void canvas_fill(canvas *c, int x, int y, int width, int height, colour paint)
{
    canvas_tint(c, x, y, width, height, paint, 256);
}

/* Position of a destination pixel's centre among the source's centres. */
static int source_at(int i, int size, int from, int *share)
{
    double at = ((double)i + 0.5) * (double)from / (double)size - 0.5;
    at = at < 0 ? 0 : at;
    int low = (int)at;
    if (low >= from - 1) {
        *share = 0;
        return from - 1;
    }
    *share = (int)((at - (double)low) * 256.0);
    return low;
}

void canvas_picture(canvas *c, int x, int y, int width, int height, const uint8_t *rgb,
                    int from_width, int from_height)
{
    for (int row = 0; row < height; row++) {
        int down, top = source_at(row, height, from_height, &down);
        int bottom = top + (down > 0);
        for (int column = 0; column < width; column++) {
            int across, left = source_at(column, width, from_width, &across);
            int right = left + (across > 0);
            if (x + column < 0 || x + column >= c->width || y + row < 0 || y + row >= c->height) {
                continue;
            }
            uint8_t *p = pixel(c, x + column, y + row);
            const uint8_t *a = rgb + ((size_t)top * (size_t)from_width) * 3;
            const uint8_t *b = rgb + ((size_t)bottom * (size_t)from_width) * 3;
            for (int k = 0; k < 3; k++) {
                int above = a[left * 3 + k] * (256 - across) + a[right * 3 + k] * across;
                int below = b[left * 3 + k] * (256 - across) + b[right * 3 + k] * across;
                p[k] = (uint8_t)((above * (256 - down) + below * down + 32768) >> 16);
            }
        }
    }
}

int canvas_text_width(int scale, const char *text)
{
    return (int)strlen(text) * FONT_ADVANCE * scale;
}

int canvas_text(canvas *c, int x, int y, int scale, colour paint, const char *text)
{
    for (int i = 0; text[i]; i++) {
        int left = x + i * FONT_ADVANCE * scale;
        int sink = font_sinks(text[i]) ? FONT_SINK : 0;
        const uint8_t *rows = font_glyph(text[i]);
        for (int row = 0; row < FONT_HEIGHT; row++) {
            for (int column = 0; column < FONT_WIDTH; column++) {
                if (rows[row] >> (FONT_WIDTH - 1 - column) & 1) {
                    canvas_fill(c, left + column * scale, y + (row + sink) * scale, scale, scale,
                                paint);
                }
            }
        }
    }
    return canvas_text_width(scale, text);
}

const char *canvas_fit(int scale, int width, const char *text, char *out, int size)
{
    int room = width / (FONT_ADVANCE * scale);
    room = room < size - 1 ? room : size - 1;
    if ((int)strlen(text) <= room) {
        snprintf(out, (size_t)size, "%s", text);
    } else if (room > 2) {
        snprintf(out, (size_t)size, "%.*s..", room - 2, text);
    } else {
        out[0] = 0;
    }
    return out;
}

colour canvas_hue(int32_t row)
{
    double hue = fmod((double)row * 0.61803398875, 1.0) * 6.0; /* the golden ratio spreads best */
    double part = 1.0 - fabs(fmod(hue, 2.0) - 1.0);
    static const uint8_t order[6][3] = {{2, 1, 0}, {1, 2, 0}, {0, 2, 1},
                                        {0, 1, 2}, {1, 0, 2}, {2, 0, 1}};
    double level[3] = {0.30, 0.30 + 0.70 * part, 1.0};
    const uint8_t *pick = order[(int)hue % 6];
    return (colour){(uint8_t)(255.0 * level[pick[0]]), (uint8_t)(255.0 * level[pick[1]]),
                    (uint8_t)(255.0 * level[pick[2]])};
}
