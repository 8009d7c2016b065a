/* casp.c: from calibration pictures to factors of q and k.
 *
 * Of each layer: G = X^T X over the normed rows X that q and k read, all rows of all calibration
 * pictures; G = L L^T (a ridge of 1e-6, ten times more each time, where that fails); W L = U S V^T;
 * the k largest are kept: U' = U sqrt(S), V' = sqrt(S) V^T L^-1. As V^T L^-1 = S^-1 U^T W, V' is
 * S^-1/2 U^T W: no inverse is taken. W - U'V' is then the least that rank k leaves of X W^T.
 * Without pictures L is the identity.
 * Memory: doubles, 3 D^2 and D^2/2 a layer; the factors. */
#include "casp.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { TENSORS = 8, TAP_BYTES_MOST = 128 << 20 };

typedef struct maker {
    const wn_host *host;
    winnow_device *device;
    const winnow_model *model;
    const winnow_encoder_desc *desc;
    const wn_vit *vit; /* the model's */
    uint32_t width, layers, rank;
    double *grams;                     /* [layers] packed triangles; NULL: identities */
    double *square, *turned, *lengths; /* [D*D], [D*D], [D] */
    float *row;                        /* [D] */
} maker;

static size_t triangle(uint32_t n)
{
    return (size_t)n * (n + 1u) / 2;
}

static winnow_status no_memory(const wn_host *host)
{
    return wn_fail(host, WINNOW_E_HOST_MEMORY,
                   "casp: no host memory for the factors (calibrate on smaller models)");
}

/* -- calibration ------------------------------------------------------------------------------- */

typedef struct norm_numbers {
    float *gain, *bias; /* bias NULL: none */
} norm_numbers;

/* Adds the triangle of x x^T, x the normed row. */
static void add_row(const maker *m, const wn_norm *norm, const norm_numbers *numbers,
                    const float *row, double *gram)
{
    double mean = 0, variance = 0, *x = m->lengths;
    for (uint32_t c = 0; !m->vit->rms && c < m->width; ++c)
        mean += (double)row[c] / m->width;
    for (uint32_t c = 0; c < m->width; ++c)
        variance += (row[c] - mean) * (row[c] - mean) / m->width;
    const double scale = norm->gain ? 1 / sqrt(variance + (double)m->vit->eps) : 1;
    for (uint32_t c = 0; c < m->width; ++c) {
        x[c] = norm->gain ? (row[c] - mean) * scale * numbers->gain[c] : row[c];
        x[c] += norm->bias ? numbers->bias[c] : 0;
    }
    for (uint32_t i = 0; i < m->width; ++i) {
        double *to = wn_packed_row(gram, i);
        const double by = x[i];
        for (uint32_t j = 0; j <= i; ++j)
            to[j] += by * x[j];
    }
}

static void add_rows(const maker *m, uint32_t layer, const float *rows, uint64_t count, float *room)
{
    const wn_norm *norm = &m->vit->layer[layer].norm1;
    const norm_numbers numbers = {room, room + m->width};
    if (norm->gain)
        wn_tensor_row(norm->gain, 0, m->width, numbers.gain);
    if (norm->bias)
        wn_tensor_row(norm->bias, 0, m->width, numbers.bias);
    for (uint64_t r = 0; r < count; ++r)
        add_row(m, norm, &numbers, rows + r * m->width, m->grams + layer * triangle(m->width));
}

/* Runs all pictures and takes what goes into layers first .. first+count-1. */
static winnow_status run_pictures(const maker *m, winnow_encoder *encoder, uint32_t first,
                                  uint32_t count, float **taps, uint64_t rows, float *room)
{
    const winnow_encoder_desc *d = m->desc;
    const uint32_t times = m->vit->times;
    for (uint32_t i = 0; i < d->casp_count; i += times) {
        const winnow_encode run = {.struct_size = sizeof run,
                                   .frames = d->casp_count - i < times ? d->casp_count - i : times,
                                   .width = d->casp_width,
                                   .height = d->casp_height,
                                   .rgb = d->casp_pictures +
                                          (uint64_t)i * d->casp_width * d->casp_height * 3,
                                   .taps = taps};
        WN_TRY(encoder->encode(encoder, &run, NULL));
        for (uint32_t l = 0; l < count; ++l)
            add_rows(m, first + l, taps[l], rows, room);
    }
    return WINNOW_OK;
}

typedef struct looking {
    winnow_tap *list;
    float **taps, *rows; /* rows: of all taps, then room for a norm */
} looking;

static winnow_status look(const maker *m, const looking *at, uint32_t first, uint32_t count,
                          uint64_t rows)
{
    const winnow_encoder_desc *d = m->desc;
    winnow_encoder *encoder;
    for (uint32_t l = 0; l < count; ++l) {
        at->list[l] = (winnow_tap){WINNOW_TAP_HIDDEN, (int32_t)(first + l)};
        at->taps[l] = at->rows + l * rows * m->width;
    }
    const uint32_t times = m->vit->times;
    const winnow_encoder_desc desc = {.struct_size = sizeof desc,
                                      .taps = at->list,
                                      .tap_count = count,
                                      .max_frames = d->casp_count < times ? d->casp_count : times,
                                      .max_width = d->casp_width,
                                      .max_height = d->casp_height};
    WN_TRY(wn_transformer_open(m->device, m->model, &desc, &encoder));
    const winnow_status status =
        run_pictures(m, encoder, first, count, at->taps, rows, at->rows + count * rows * m->width);
    wn_encoder_free(encoder);
    return status;
}

static winnow_status calibrate(maker *m)
{
    const winnow_encoder_desc *d = m->desc;
    const wn_vit *v = m->vit;
    if (!d->casp_count || d->casp_width < v->patch || d->casp_height < v->patch ||
        d->casp_width > UINT16_MAX || d->casp_height > UINT16_MAX)
        return wn_fail(
            m->host, WINNOW_E_SHAPE,
            "casp: %u calibration pictures of %u x %u pixels (at least one, as views are)",
            d->casp_count, d->casp_width, d->casp_height);
    const uint64_t rows = (uint64_t)(d->casp_width / v->patch) * (d->casp_height / v->patch) +
                          v->class_token + v->registers,
                   fit = TAP_BYTES_MOST / (rows * m->width * sizeof(float));
    const uint32_t many = fit < 1 ? 1 : fit < m->layers ? (uint32_t)fit : m->layers;
    const looking at = {wn_alloc(m->host, many * sizeof *at.list),
                        wn_alloc(m->host, many * sizeof *at.taps),
                        wn_alloc(m->host, (many * rows + 2) * m->width * sizeof(float))};
    m->grams = wn_alloc(m->host, m->layers * triangle(m->width) * sizeof *m->grams);
    winnow_status status =
        at.list && at.taps && at.rows && m->grams ? WINNOW_OK : no_memory(m->host);
    for (uint32_t l = 0; l < m->layers && status == WINNOW_OK; l += many)
        status = look(m, &at, l, m->layers - l < many ? m->layers - l : many, rows);
    wn_free(m->host, at.list);
    wn_free(m->host, at.taps);
    wn_free(m->host, at.rows);
    return status;
}

/* G to L, in place. */
static winnow_status whiten(const maker *m, uint32_t layer, double *keep)
{
    double *gram = m->grams + layer * triangle(m->width), ridge = 1e-6;
    const size_t bytes = triangle(m->width) * sizeof *gram;
    memcpy(keep, gram, bytes);
    for (uint32_t tries = 0; tries < 20; ++tries, ridge *= 10) {
        if (wn_cholesky(gram, m->width))
            return WINNOW_OK;
        memcpy(gram, keep, bytes);
        for (uint32_t i = 0; i < m->width; ++i)
            wn_packed_row(gram, i)[i] += ridge;
    }
    return wn_fail(m->host, WINNOW_E_UNSUPPORTED,
                   "casp: layer %u gives numbers that are no calibration (infinite or NaN)", layer);
}

/* -- factors ----------------------------------------------------------------------------------- */

/* Rows of a tensor, as a tensor. */
static wn_tensor rows_of(const wn_tensor *t, uint64_t first, uint64_t rows)
{
    const uint64_t bytes = t->bytes / t->shape[0];
    wn_tensor part = *t;
    part.elements = t->elements / t->shape[0] * rows;
    part.shape[0] = rows;
    part.data = t->data + first * bytes;
    part.bytes = rows * bytes;
    return part;
}

/* q (0), k (1) or v (2) of a layer, its own tensor or rows of one of all three. */
static wn_tensor part_of(const wn_linear *qkv, const wn_tensor *const *of, uint32_t part,
                         uint32_t width)
{
    return qkv->parts == 3 ? *of[part] : rows_of(of[0], (uint64_t)part * width, width);
}

/* Rows of L^T W^T, which is (W L)^T; the sum of their squares. */
static double spread(const maker *m, const double *w, const double *l, double *out)
{
    const uint32_t n = m->width;
    double sum = 0;
    memset(out, 0, (size_t)n * n * sizeof *out);
    for (uint32_t i = 0; i < n; ++i) {
        const double *row = l ? l + triangle(i) : NULL;
        for (uint32_t j = l ? 0 : i; j <= i; ++j) {
            const double by = row ? row[j] : 1;
            double *to = out + (size_t)j * n;
            for (uint32_t r = 0; r < n; ++r)
                to[r] += by * w[(size_t)i * n + r];
        }
    }
    for (size_t i = 0; i < (size_t)n * n; ++i)
        sum += out[i] * out[i];
    return sum;
}

/* |(W - U'V') L|^2 with the factors as they go to the device. w: W's columns. */
static double left_over(const maker *m, const double *w, const double *l, const float *up,
                        const float *down)
{
    const uint32_t n = m->width;
    double sum = 0, *rest = m->turned, *to = m->turned + n;
    for (uint32_t r = 0; r < n; ++r) {
        for (uint32_t c = 0; c < n; ++c)
            rest[c] = w[(size_t)c * n + r];
        for (uint32_t i = 0; i < m->rank; ++i) {
            const double by = up[(size_t)r * m->rank + i];
            for (uint32_t c = 0; c < n; ++c)
                rest[c] -= by * down[(size_t)i * n + c];
        }
        memset(to, 0, n * sizeof *to);
        for (uint32_t i = 0; i < n; ++i)
            for (uint32_t j = l ? 0 : i; j <= i; ++j)
                to[j] += l ? rest[i] * l[triangle(i) + j] : rest[i];
        for (uint32_t c = 0; c < n; ++c)
            sum += to[c] * to[c];
    }
    return sum;
}

/* up [D, k], down [k, D]; the relative error. */
static double factor(const maker *m, const wn_tensor *tensor, const double *l, float *up,
                     float *down)
{
    const uint32_t n = m->width, k = m->rank;
    double *w = m->square, *turned = m->turned;
    for (uint32_t r = 0; r < n; ++r) {
        wn_tensor_row(tensor, r, n, m->row);
        for (uint32_t c = 0; c < n; ++c)
            w[(size_t)c * n + r] = m->row[c];
    }
    const double whole = spread(m, w, l, turned);
    wn_turn_rows(turned, n, n, m->lengths);
    for (uint32_t i = 0; i < k; ++i) {
        const double root = sqrt(sqrt(m->lengths[i])), inverse = root > 0 ? 1 / root : 0;
        const double *u = turned + (size_t)i * n; /* times its singular value, root * root */
        for (uint32_t r = 0; r < n; ++r)
            up[(size_t)r * k + i] = (float)(u[r] * inverse);
        for (uint32_t c = 0; c < n; ++c) {
            const double sum = wn_dot(u, w + (size_t)c * n, n);
            down[(size_t)i * n + c] = (float)(sum * inverse * inverse * inverse);
        }
    }
    return whole > 0 ? sqrt(left_over(m, w, l, up, down) / whole) : 0;
}

static wn_tensor made(const char *name, uint32_t rows, uint32_t cols, const float *numbers)
{
    const union {
        const float *numbers;
        const unsigned char *bytes;
    } at = {numbers};
    return (wn_tensor){.name = name,
                       .type = WN_FILE_F32,
                       .rank = 2,
                       .shape = {rows, cols},
                       .elements = (uint64_t)rows * cols,
                       .data = at.bytes,
                       .bytes = (uint64_t)rows * cols * sizeof *numbers};
}

static winnow_status check_types(const maker *m, const wn_linear *qkv)
{
    for (uint32_t i = 0; i < (qkv->parts == 3 ? 2u : 1u); ++i) {
        const wn_tensor *t = qkv->weight[i];
        if (t->type != WN_FILE_F32 && t->type != WN_FILE_F16 && t->type != WN_FILE_BF16)
            return wn_fail(
                m->host, WINNOW_E_UNSUPPORTED,
                "casp: tensor %s is quantised to %s, and factors are made of F32, F16 and "
                "BF16 (use such a file)",
                t->name, wn_file_type_name(t->type));
    }
    return WINNOW_OK;
}

static void note(wn_casp_errors *errors, double error, uint32_t layers)
{
    errors->mean += error / layers;
    errors->worst = fmax(errors->worst, error);
}

static winnow_status factor_layer(const maker *m, uint32_t l, wn_vit_layer *layer, wn_casp *casp)
{
    static const char *const names[2][2] = {{"casp.q.down", "casp.q.up"},
                                            {"casp.k.down", "casp.k.up"}};
    const uint32_t n = m->width, k = m->rank;
    const wn_linear old = layer->qkv;
    wn_linear *const down[2] = {&layer->q_down, &layer->k_down}, *const up[2] = {&layer->q_up,
                                                                                 &layer->k_up};
    wn_casp_errors *const errors[2] = {&casp->q, &casp->k};
    wn_tensor *tensors = casp->tensors + (size_t)l * TENSORS;
    float *numbers = casp->numbers + (size_t)l * 4 * n * k;
    const bool bias = old.bias[0] != NULL;
    if (m->grams)
        WN_TRY(whiten(m, l, m->turned));
    for (uint32_t i = 0; i < 2; ++i, numbers += 2 * (size_t)n * k) {
        const wn_tensor w = part_of(&old, old.weight, i, n);
        const double *triangles = m->grams ? m->grams + l * triangle(n) : NULL;
        note(errors[i], factor(m, &w, triangles, numbers + (size_t)n * k, numbers), m->layers);
        tensors[2 * i] = made(names[i][0], k, n, numbers);
        tensors[2 * i + 1] = made(names[i][1], n, k, numbers + (size_t)n * k);
        *down[i] = (wn_linear){.weight = {&tensors[2 * i]}, .parts = 1, .in = n, .out = k};
        *up[i] = (wn_linear){.weight = {&tensors[2 * i + 1]}, .parts = 1, .in = k, .out = n};
    }
    tensors[4] = part_of(&old, old.weight, 2, n);
    for (uint32_t i = 0; i < 3; ++i)
        if (old.parts == 3 ? old.bias[i] != NULL : bias)
            tensors[5 + i] = part_of(&old, old.bias, i, n);
    for (uint32_t i = 0; i < 2; ++i)
        up[i]->bias[0] = tensors[5 + i].data ? &tensors[5 + i] : NULL;
    layer->qkv = (wn_linear){.weight = {&tensors[4]},
                             .bias = {tensors[7].data ? &tensors[7] : NULL},
                             .parts = 1,
                             .in = n,
                             .out = n};
    return WINNOW_OK;
}

static winnow_status make(maker *m, wn_vit *vit, wn_casp *casp)
{
    const size_t n = m->width, square = n * n * sizeof(double);
    for (uint32_t l = 0; l < m->layers; ++l)
        WN_TRY(check_types(m, &m->vit->layer[l].qkv));
    m->square = wn_alloc(m->host, square);
    m->turned = wn_alloc(m->host, square + n * sizeof(double)); /* two rows at least */
    m->lengths = wn_alloc(m->host, n * sizeof(double));
    m->row = wn_alloc(m->host, n * sizeof *m->row);
    casp->numbers = wn_alloc(m->host, m->layers * 4ull * n * m->rank * sizeof *casp->numbers);
    casp->tensors = wn_alloc(m->host, (size_t)m->layers * TENSORS * sizeof *casp->tensors);
    if (!m->square || !m->turned || !m->lengths || !m->row || !casp->numbers || !casp->tensors)
        return no_memory(m->host);
    if (m->desc->casp_pictures)
        WN_TRY(calibrate(m));
    for (uint32_t l = 0; l < m->layers; ++l)
        WN_TRY(factor_layer(m, l, &vit->layer[l], casp));
    return WINNOW_OK;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

winnow_status wn_casp_make(winnow_device *device, const winnow_model *model,
                           const winnow_encoder_desc *desc, wn_vit *vit, wn_casp *casp)
{
    const uint64_t start = now_ns();
    const double n = model->vit.width;
    if (desc->casp == 0)
        return WINNOW_OK;
    if (!(desc->casp > 0 && desc->casp <= 1))
        return wn_fail(&device->host, WINNOW_E_ARGUMENT,
                       "casp: %g of q's and k's numbers are to be kept (above 0, at most 1)",
                       desc->casp);
    const uint32_t rank = (uint32_t)(n * n * desc->casp / (n + n));
    maker m = {.host = &device->host,
               .device = device,
               .model = model,
               .desc = desc,
               .vit = &model->vit,
               .width = model->vit.width,
               .layers = model->vit.run_layers,
               .rank = rank ? rank : 1};
    const winnow_status status = make(&m, vit, casp);
    wn_free(m.host, m.grams);
    wn_free(m.host, m.square);
    wn_free(m.host, m.turned);
    wn_free(m.host, m.lengths);
    wn_free(m.host, m.row);
    casp->rank = m.rank;
    casp->before = 2ull * m.layers * m.width * m.width;
    casp->after = 4ull * m.layers * m.width * m.rank;
    casp->ns = now_ns() - start;
    return status;
}

void wn_casp_free(const wn_host *host, wn_casp *casp)
{
    wn_free(host, casp->numbers);
    wn_free(host, casp->tensors);
    casp->numbers = NULL;
    casp->tensors = NULL;
}
