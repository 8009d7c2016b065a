/* resample_floats.c: how llama.cpp resized up to b10256 (August 2026): in floats, over both axes at
 * once, four neighbours or sixteen, none of them further apart when a picture shrinks. The order of
 * operations is llama.cpp's, so that its bytes come out; they cannot come out of two passes of
 * bytes, so there are no tables for a device.
 */
#include <math.h>
#include <string.h>

#include "preprocess_private.h"

enum { CHANNELS = 3 };

typedef struct image {
    const uint8_t *rgb;
    uint32_t width, height;
} image;

/* The level at x, y; outside, the nearest one inside. */
static float level(const image *i, int64_t x, int64_t y, uint32_t c)
{
    const int64_t right = (int64_t)i->width - 1, bottom = (int64_t)i->height - 1;
    const size_t at_x = (size_t)(x < 0 ? 0 : x > right ? right : x);
    const size_t at_y = (size_t)(y < 0 ? 0 : y > bottom ? bottom : y);
    return i->rgb[(at_y * i->width + at_x) * CHANNELS + c];
}

static float between(float from, float to, float t)
{
    return from + (to - from) * t;
}

/* Corners lie on corners; the result is rounded down. */
static float bilinear(const image *i, float x, float y, uint32_t c)
{
    const int64_t right = (int64_t)i->width - 1, bottom = (int64_t)i->height - 1;
    const int64_t x0 = (int64_t)x < right ? (int64_t)x : right;
    const int64_t y0 = (int64_t)y < bottom ? (int64_t)y : bottom;
    const float tx = x - (float)x0, ty = y - (float)y0;
    const float above = between(level(i, x0, y0, c), level(i, x0 + 1, y0, c), tx);
    const float below = between(level(i, x0, y0 + 1, c), level(i, x0 + 1, y0 + 1, c), tx);
    return between(above, below, ty);
}

/* The cubic through four points at -1, 0, 1, 2, its coefficients worked out in double. */
static float cubic(const float p[4], float t)
{
    const float d0 = p[0] - p[1], d2 = p[2] - p[1], d3 = p[3] - p[1];
    const float a1 = (float)(-1.0 / 3 * (double)d0 + (double)d2 - 1.0 / 6 * (double)d3);
    const float a2 = (float)(1.0 / 2 * (double)d0 + 1.0 / 2 * (double)d2);
    const float a3 = (float)(-1.0 / 6 * (double)d0 - 1.0 / 2 * (double)d2 + 1.0 / 6 * (double)d3);
    return p[1] + a1 * t + a2 * t * t + a3 * t * t * t;
}

static float bicubic(const image *i, float x, float y, uint32_t c)
{
    const int64_t x0 = (int64_t)x, y0 = (int64_t)y;
    const float tx = x - (float)x0, ty = y - (float)y0;
    float column[4];
    for (int64_t r = 0; r < 4; ++r) {
        const float line[4] = {level(i, x0 - 1, y0 - 1 + r, c), level(i, x0, y0 - 1 + r, c),
                               level(i, x0 + 1, y0 - 1 + r, c), level(i, x0 + 2, y0 - 1 + r, c)};
        column[r] = cubic(line, tx);
    }
    const float value = roundf(cubic(column, ty));
    return value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
}

static float ratio(enum wn_filter filter, const wn_prep_axis *a)
{
    if (filter == WN_FILTER_LLAMA_BICUBIC)
        return (float)a->in / (float)a->out;
    return a->out > 1 ? (float)(a->in - 1) / (float)(a->out - 1) : 0.0f;
}

static bool kept(const wn_prep_axis *a, uint32_t at)
{
    return at >= a->pad_before && at - a->pad_before < a->crop_count;
}

void wn_resample_floats(const wn_prep_stage *s, const uint8_t *from, uint8_t *to)
{
    const image source = {from, s->x.in, s->y.in};
    const float across = ratio(s->filter, &s->x), down = ratio(s->filter, &s->y);
    for (uint32_t y = 0; y < s->y.total; ++y) {
        for (uint32_t x = 0; x < s->x.total; ++x, to += CHANNELS) {
            memcpy(to, s->fill, CHANNELS);
            if (!kept(&s->x, x) || !kept(&s->y, y))
                continue;
            const float at_x = across * (float)(x - s->x.pad_before + s->x.crop_first);
            const float at_y = down * (float)(y - s->y.pad_before + s->y.crop_first);
            for (uint32_t c = 0; c < CHANNELS; ++c)
                to[c] = (uint8_t)(s->filter == WN_FILTER_LLAMA_BICUBIC
                                      ? bicubic(&source, at_x, at_y, c)
                                      : bilinear(&source, at_x, at_y, c));
        }
    }
}
