/*
 * Antialiased bicubic resizing, separable, with the arithmetic of Pillow's BICUBIC filter (8-bit
 * rows between the two passes, 22-bit weights), because that is what image processors of
 * multimodal models run and their numbers should be ours.
 *
 * Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -0.5.
 */
#include "reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_BITS = 22 };

/* For every output position the first input position, how many, and their weights. */
typedef struct taps {
    uint32_t *first;  /* [size] */
    uint32_t *count;  /* [size] */
    int32_t *weights; /* [size, most] in units of 2^-22 */
    size_t most;
} taps;

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    if (x < 2) {
        return (((x - 5) * x + 8) * x - 4) * a;
    }
    return 0;
}

static void taps_free(taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weights);
    *t = (taps){0};
}

/* The weights of one output position, adding up to one. */
static void fill_taps(taps *t, uint32_t at, uint32_t in, double scale, double *scratch)
{
    const double widen = scale < 1 ? 1 : scale; /* when shrinking, the filter covers what is lost */
    const double support = 2 * widen;
    const double centre = (at + 0.5) * scale;
    const double low = centre - support + 0.5;
    const double high = centre + support + 0.5;
    const uint32_t first = low < 0 ? 0 : (uint32_t)low;
    const uint32_t last = high > in ? in : (uint32_t)high;
    double sum = 0;
    for (uint32_t i = first; i < last; i++) {
        scratch[i - first] = bicubic((i - centre + 0.5) / widen);
        sum += scratch[i - first];
    }
    t->first[at] = first;
    t->count[at] = last - first;
    for (uint32_t i = 0; i < last - first; i++) {
        double weight = scratch[i] / sum * (1 << WEIGHT_BITS);
        t->weights[at * t->most + i] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
}

static bool taps_make(taps *t, uint32_t in, uint32_t out)
{
    const double scale = (double)in / out;
    t->most = (size_t)ceil(2 * (scale < 1 ? 1 : scale)) * 2 + 1;
    t->first = malloc(out * sizeof *t->first);
    t->count = malloc(out * sizeof *t->count);
    t->weights = malloc(out * t->most * sizeof *t->weights);
    double *scratch = malloc(t->most * sizeof *scratch);
    const bool ok = t->first && t->count && t->weights && scratch;
    for (uint32_t at = 0; ok && at < out; at++) {
        fill_taps(t, at, in, scale, scratch);
    }
    free(scratch);
    if (!ok) {
        taps_free(t);
    }
    return ok;
}

static uint8_t to_byte(int32_t sum)
{
    if (sum < 0) {
        return 0;
    }
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* One row: [width, 3] to [out_width, 3]. */
static void resize_row(const taps *t, const uint8_t *from, uint8_t *to, uint32_t out_width)
{
    for (uint32_t x = 0; x < out_width; x++) {
        const uint8_t *pixel = from + (size_t)t->first[x] * 3;
        const int32_t *weight = t->weights + x * t->most;
        int32_t r = 1 << (WEIGHT_BITS - 1), g = r, b = r;
        for (uint32_t i = 0; i < t->count[x]; i++, pixel += 3) {
            r += pixel[0] * weight[i];
            g += pixel[1] * weight[i];
            b += pixel[2] * weight[i];
        }
        to[x * 3 + 0] = to_byte(r);
        to[x * 3 + 1] = to_byte(g);
        to[x * 3 + 2] = to_byte(b);
    }
}

/* All rows of the output, each a weighted sum of whole input rows; `sums` [row] is scratch. */
static void resize_columns(const taps *t, const uint8_t *from, uint8_t *to, uint32_t out_height,
                           size_t row, int32_t *sums)
{
    for (uint32_t y = 0; y < out_height; y++) {
        for (size_t x = 0; x < row; x++) {
            sums[x] = 1 << (WEIGHT_BITS - 1);
        }
        for (uint32_t i = 0; i < t->count[y]; i++) {
            const int32_t weight = t->weights[y * t->most + i];
            const uint8_t *line = from + (t->first[y] + i) * row;
            for (size_t x = 0; x < row; x++) {
                sums[x] += line[x] * weight;
            }
        }
        for (size_t x = 0; x < row; x++) {
            to[y * row + x] = to_byte(sums[x]);
        }
    }
}

bool video_resize(const uint8_t *from, uint32_t width, uint32_t height, uint8_t *to,
                  uint32_t out_width, uint32_t out_height)
{
    const size_t in_row = (size_t)width * 3;
    const size_t row = (size_t)out_width * 3;
    taps across = {0}, down = {0};
    uint8_t *middle = NULL;
    int32_t *sums = NULL;
    bool ok = false;

    if (width == out_width && height == out_height) {
        memcpy(to, from, row * height);
        return true;
    }
    if (width != out_width) {
        uint8_t *rows = to;
        if (height != out_height) {
            rows = middle = malloc(row * height);
        }
        if (!rows || !taps_make(&across, width, out_width)) {
            goto done;
        }
        for (uint32_t y = 0; y < height; y++) {
            resize_row(&across, from + y * in_row, rows + y * row, out_width);
        }
        from = rows;
    }
    if (height != out_height) {
        sums = malloc(row * sizeof *sums);
        if (!sums || !taps_make(&down, height, out_height)) {
            goto done;
        }
        resize_columns(&down, from, to, out_height, row, sums);
    }
    ok = true;

done:
    taps_free(&across);
    taps_free(&down);
    free(middle);
    free(sums);
    return ok;
}
