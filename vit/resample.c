/* resample.c: separable resizing of byte pictures by tables of integer weights.
 *
 * Pillow's arithmetic: for each output pixel the filter is laid over the inputs that its support
 * touches (wider by the ratio when a picture shrinks), its values divided by their sum in double,
 * and rounded half away from zero to 22 fractional bits; a pass sums bytes times weights in 32
 * bits, adds a half, shifts and clips. One axis goes first, its result is bytes, then the other.
 * The `resize` operation does the same sums, so a device gives the same bytes.
 */
#include "preprocess_private.h"

#include <math.h>
#include <string.h>

/* Past TAPS_MOST weights round to so few levels that sums of them could pass 32 bits. */
enum { FRACTION_BITS = 22, CHANNELS = 3, TAPS_MOST = 1 << 20 };
#define ONE        (1 << FRACTION_BITS)
#define BYTES_MOST ((uint64_t)INT32_MAX)

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

static double sinc(double x)
{
    const double turned = x * 3.14159265358979323846;
    return x == 0.0 ? 1.0 : sin(turned) / turned;
}

static double lanczos(double x)
{
    return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

typedef struct kernel {
    double (*at)(double x);
    double support;
} kernel;

static kernel kernel_of(enum wn_filter filter)
{
    switch (filter) {
    case WN_FILTER_BICUBIC: return (kernel){bicubic, 2};
    case WN_FILTER_LANCZOS: return (kernel){lanczos, 3};
    default: return (kernel){triangle, 1};
    }
}

static double widening(const wn_prep_axis *a)
{
    const double scale = (double)a->in / a->out;
    return scale < 1.0 ? 1.0 : scale;
}

/* Most weights of an output. */
static uint32_t taps_of(enum wn_filter filter, const wn_prep_axis *a)
{
    const double taps =
        filter == WN_FILTER_NEAREST ? 1 : ceil(kernel_of(filter).support * widening(a)) * 2 + 1;
    return taps < a->in ? (uint32_t)taps : a->in;
}

static int32_t fixed(double weight)
{
    return (int32_t)(weight < 0 ? weight * ONE - 0.5 : weight * ONE + 0.5);
}

typedef struct row {
    uint32_t start, count;
} row;

/* Pillow's weights of output `at`; values: room for all taps. */
static row weigh(kernel k, const wn_prep_axis *a, uint32_t at, double *values, int32_t *coef)
{
    const double scale = (double)a->in / a->out, wide = widening(a);
    const double support = k.support * wide, centre = (at + 0.5) * scale, narrow = 1.0 / wide;
    const double low = centre - support + 0.5, high = centre + support + 0.5;
    const uint32_t first = low < 0 ? 0 : (uint32_t)low, end = high > a->in ? a->in : (uint32_t)high;
    double sum = 0;
    for (uint32_t i = first; i < end; ++i) {
        values[i - first] = k.at((i - centre + 0.5) * narrow);
        sum += values[i - first];
    }
    for (uint32_t i = 0; i < end - first; ++i)
        coef[i] = fixed(sum != 0 ? values[i] / sum : values[i]);
    return (row){first, end - first};
}

/* Pillow steps from pixel to pixel, so its rounding adds up: `where` is carried along. */
static row weigh_nearest(const wn_prep_axis *a, double where, int32_t *coef)
{
    coef[0] = ONE;
    return (row){where < a->in ? (uint32_t)where : a->in - 1, 1};
}

static bool axis_fits(const wn_prep_axis *a)
{
    return a->in && a->out && a->total && a->crop_first <= a->out &&
           a->crop_count <= a->out - a->crop_first && a->pad_before <= a->total &&
           a->crop_count <= a->total - a->pad_before && a->crop_count &&
           a->in <= BYTES_MOST / CHANNELS && a->out <= BYTES_MOST / CHANNELS &&
           a->total <= BYTES_MOST / CHANNELS;
}

bool wn_axis_plain(const wn_prep_axis *a)
{
    return a->in == a->out && a->crop_count == a->out && a->total == a->out;
}

static void fill_tables(enum wn_filter filter, const wn_prep_axis *a, uint32_t taps, double *values,
                        uint32_t *start, uint32_t *count, int32_t *coef)
{
    const double step = (double)a->in / a->out;
    double where = step * 0.5;
    memset(start, 0, a->total * sizeof *start);
    memset(count, 0, a->total * sizeof *count);
    memset(coef, 0, (size_t)a->total * taps * sizeof *coef);
    for (uint32_t at = 0; at < a->crop_first; ++at)
        where += step;
    for (uint32_t i = 0; i < a->crop_count; ++i, where += step) {
        const uint32_t at = a->crop_first + i, to = a->pad_before + i;
        int32_t *weights = coef + (size_t)to * taps;
        const row r = filter == WN_FILTER_NEAREST
                          ? weigh_nearest(a, where, weights)
                          : weigh(kernel_of(filter), a, at, values, weights);
        start[to] = r.start;
        count[to] = r.count;
    }
}

winnow_status wn_resize_axis(const wn_host *host, enum wn_filter filter, const wn_prep_axis *axis,
                             uint32_t *taps, uint32_t *start, uint32_t *count, int32_t *coef)
{
    if (filter > WN_FILTER_LLAMA_BICUBIC || !axis_fits(axis))
        return wn_fail(
            host, WINNOW_E_SHAPE,
            "preprocess: a resize from %u to %u pixels, %u from %u on, at %u of %u, cannot be "
            "(check the settings)",
            axis->in, axis->out, axis->crop_count, axis->crop_first, axis->pad_before, axis->total);
    if (wn_in_floats(filter)) {
        *taps = 0;
        return start ? wn_fail(host, WINNOW_E_UNSUPPORTED,
                               "preprocess: llama.cpp's float resizes have no "
                               "tables (use wn_resample)")
                     : WINNOW_OK;
    }
    *taps = taps_of(filter, axis);
    if (*taps > TAPS_MOST || (uint64_t)*taps * axis->total * sizeof(int32_t) > BYTES_MOST)
        return wn_fail(host, WINNOW_E_SHAPE,
                       "preprocess: resizing %u to %u pixels needs %u weights a pixel "
                       "(shrink the picture first)",
                       axis->in, axis->out, *taps);
    if (!start)
        return WINNOW_OK;
    double *values = wn_alloc(host, *taps * sizeof *values);
    if (!values)
        return wn_fail(host, WINNOW_E_HOST_MEMORY,
                       "preprocess: no memory for the weights of a resize");
    fill_tables(filter, axis, *taps, values, start, count, coef);
    wn_free(host, values);
    return WINNOW_OK;
}

/* Tables of one axis in one piece of memory. */
typedef struct table {
    uint32_t taps;
    uint32_t *start, *count;
    int32_t *coef;
} table;

static winnow_status table_make(const wn_host *host, enum wn_filter filter, const wn_prep_axis *a,
                                table *t)
{
    WN_TRY(wn_resize_axis(host, filter, a, &t->taps, NULL, NULL, NULL));
    t->start = wn_alloc(host, (size_t)a->total * (2 + t->taps) * sizeof *t->start);
    if (!t->start)
        return wn_fail(host, WINNOW_E_HOST_MEMORY,
                       "preprocess: no memory for the weights of a resize");
    t->count = t->start + a->total;
    t->coef = (int32_t *)(t->count + a->total);
    return wn_resize_axis(host, filter, a, &t->taps, t->start, t->count, t->coef);
}

static uint8_t to_byte(int32_t sum)
{
    const int32_t level = sum >> FRACTION_BITS;
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static void resample_row(const table *t, const uint8_t *from, uint8_t *to, uint32_t total,
                         const uint8_t fill[3])
{
    for (uint32_t x = 0; x < total; ++x, to += CHANNELS) {
        const uint8_t *pixel = from + (size_t)t->start[x] * CHANNELS;
        const int32_t *coef = t->coef + (size_t)x * t->taps;
        int32_t r = ONE / 2, g = r, b = r;
        if (!t->count[x]) {
            memcpy(to, fill, CHANNELS);
            continue;
        }
        for (uint32_t i = 0; i < t->count[x]; ++i, pixel += CHANNELS) {
            r += pixel[0] * coef[i];
            g += pixel[1] * coef[i];
            b += pixel[2] * coef[i];
        }
        to[0] = to_byte(r);
        to[1] = to_byte(g);
        to[2] = to_byte(b);
    }
}

/* One row of the output from whole rows of the input; sums: room for a row. */
static void resample_column(const table *t, uint32_t y, const uint8_t *from, uint8_t *to,
                            size_t bytes, int32_t *sums, const uint8_t fill[3])
{
    const int32_t *coef = t->coef + (size_t)y * t->taps;
    if (!t->count[y]) {
        for (size_t x = 0; x < bytes; ++x)
            to[x] = fill[x % CHANNELS];
        return;
    }
    for (size_t x = 0; x < bytes; ++x)
        sums[x] = ONE / 2;
    for (uint32_t i = 0; i < t->count[y]; ++i) {
        const uint8_t *line = from + (t->start[y] + i) * bytes;
        for (size_t x = 0; x < bytes; ++x)
            sums[x] += line[x] * coef[i];
    }
    for (size_t x = 0; x < bytes; ++x)
        to[x] = to_byte(sums[x]);
}

/* rows: of `from` and of `to`. */
static winnow_status along_x(const wn_host *host, const wn_prep_stage *s, uint32_t rows,
                             const uint8_t *from, uint8_t *to)
{
    table t = {0};
    winnow_status status = table_make(host, s->filter, &s->x, &t);
    for (uint32_t y = 0; status == WINNOW_OK && y < rows; ++y)
        resample_row(&t, from + (size_t)y * s->x.in * CHANNELS,
                     to + (size_t)y * s->x.total * CHANNELS, s->x.total, s->fill);
    wn_free(host, t.start);
    return status;
}

/* cols: pixels a row of `from` and of `to`. */
static winnow_status along_y(const wn_host *host, const wn_prep_stage *s, uint32_t cols,
                             const uint8_t *from, uint8_t *to)
{
    const size_t bytes = (size_t)cols * CHANNELS;
    table t = {0};
    winnow_status status = table_make(host, s->filter, &s->y, &t);
    int32_t *sums = wn_alloc(host, bytes * sizeof *sums);
    if (!sums && status == WINNOW_OK)
        status = wn_fail(host, WINNOW_E_HOST_MEMORY, "preprocess: no memory for a row");
    for (uint32_t y = 0; status == WINNOW_OK && y < s->y.total; ++y)
        resample_column(&t, y, from, to + y * bytes, bytes, sums, s->fill);
    wn_free(host, sums);
    wn_free(host, t.start);
    return status;
}

/* Both axes, the first into `middle`. */
static winnow_status along_both(const wn_host *host, const wn_prep_stage *s, const uint8_t *from,
                                uint8_t *middle, uint8_t *to)
{
    if (s->y_first) {
        WN_TRY(along_y(host, s, s->x.in, from, middle));
        return along_x(host, s, s->y.total, middle, to);
    }
    WN_TRY(along_x(host, s, s->y.in, from, middle));
    return along_y(host, s, s->x.total, middle, to);
}

winnow_status wn_resample(const wn_host *host, const wn_prep_stage *s, const uint8_t *from,
                          uint8_t **out)
{
    const bool floats = wn_in_floats(s->filter);
    const bool x = !floats && !wn_axis_plain(&s->x), y = !floats && !wn_axis_plain(&s->y);
    const size_t bytes = (size_t)s->x.total * CHANNELS * s->y.total,
                 between = s->y_first ? (size_t)s->x.in * CHANNELS * s->y.total
                                      : (size_t)s->x.total * CHANNELS * s->y.in;
    uint8_t *middle = x && y ? wn_alloc(host, between) : NULL;
    winnow_status status = WINNOW_OK;
    *out = wn_alloc(host, bytes);
    if (!*out || (x && y && !middle))
        status = wn_fail(host, WINNOW_E_HOST_MEMORY,
                         "preprocess: no memory for a picture of %u x %u", s->x.total, s->y.total);
    else if (floats)
        wn_resample_floats(s, from, *out);
    else if (x && y)
        status = along_both(host, s, from, middle, *out);
    else if (x)
        status = along_x(host, s, s->y.in, from, *out);
    else if (y)
        status = along_y(host, s, s->x.total, from, *out);
    else
        memcpy(*out, from, bytes);
    wn_free(host, middle);
    if (status != WINNOW_OK) {
        wn_free(host, *out);
        *out = NULL;
    }
    return status;
}
