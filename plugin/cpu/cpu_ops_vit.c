/* The vision encoder but for its attention: pictures to patches, norms, products, positions. */
#include "cpu_ops.h"

/* -- pictures ---------------------------------------------------------------------------------- */

/* Byte `at` of output (x, y) of a frame that starts at `frame`. */
static unsigned char resized(const struct wn_args_resize *pc, const wn_cpu_memory *m,
                             const unsigned char *frame, uint32_t x, uint32_t y, uint32_t channel)
{
    const uint32_t o = pc->vertical ? y : x;
    const uint32_t count = m->w[pc->count_at + o], start = m->w[pc->start_at + o];
    const uint32_t *coef = m->w + pc->coef_at + (size_t)o * pc->taps;
    if (count == 0)
        return (unsigned char)(pc->fill >> (8 * channel));
    const size_t first = pc->vertical ? (size_t)start * pc->in_w + x : (size_t)y * pc->in_w + start;
    const size_t step = pc->vertical ? (size_t)pc->in_w * 3 : 3;
    uint32_t sum = 1u << 21; /* wraps as the GPU's */
    for (uint32_t k = 0; k < count; ++k)
        sum += coef[k] * frame[first * 3 + channel + k * step];
    const int32_t level = (int32_t)sum >> 22;
    return (unsigned char)(level < 0 ? 0 : level > 255 ? 255 : level);
}

void cpu_resize(const struct wn_args_resize *pc, const wn_cpu_memory *m)
{
    const size_t in_bytes = (size_t)pc->in_w * pc->in_h * 3;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * pc->out_h);
    unsigned char *to = m->b.data + (size_t)own.begin * pc->out_w * 3;
    for (uint32_t row = own.begin; row < own.end; ++row) {
        const unsigned char *frame = m->a.data + row / pc->out_h * in_bytes;
        for (uint32_t x = 0; x < pc->out_w; ++x)
            for (uint32_t channel = 0; channel < 3; ++channel)
                *to++ = resized(pc, m, frame, x, row % pc->out_h, channel);
    }
    while (m->part + 1 == m->parts && (to - m->b.data) % 4)
        *to++ = 0;
}

/* A row: the patch whose first pixel is (top, left), of `times` frames from t on. */
static void load_patch(const struct wn_args_patchify *pc, const unsigned char *frames, uint32_t t,
                       uint32_t top, uint32_t left, float *x)
{
    const float scale[3] = {pc->scale0, pc->scale1, pc->scale2};
    const float shift[3] = {pc->shift0, pc->shift1, pc->shift2};
    const uint32_t pixels = pc->patch * pc->patch;
    for (uint32_t k = 0; k < pc->times; ++k) {
        const size_t frame = least(t + k, pc->frames - 1);
        for (uint32_t c = 0; c < 3 * pixels; ++c) {
            const uint32_t channel = pc->by_pixel ? c % 3 : c / pixels;
            const uint32_t i = pc->by_pixel ? c / 3 : c % pixels;
            const size_t y = frame * pc->height + top + i / pc->patch;
            const size_t pixel = y * pc->width + left + i % pc->patch;
            *x++ = (float)frames[pixel * 3 + channel] * scale[channel] + shift[channel];
        }
    }
}

void cpu_patchify(const struct wn_args_patchify *pc, const wn_cpu_memory *m)
{
    const uint32_t p = pc->patch, f = pc->f, cols = pc->times * 3 * p * p;
    const uint32_t across = pc->width / p, cells = pc->height / p * across, blocks = across / f;
    const uint32_t groups = (pc->frames + pc->times - 1) / pc->times;
    const wn_cpu_span own = wn_cpu_share(m, 0, groups * cells);
    for (uint32_t row = own.begin; row < own.end; ++row) {
        const uint32_t cell = row % cells, block = cell / (f * f), inside = cell % (f * f);
        const uint32_t y = block / blocks * f + inside / f, x = block % blocks * f + inside % f;
        load_patch(pc, m->a.data, row / cells * pc->times, y * p, x * p, m->scratch);
        wn_cpu_store_row(&m->b, row, 0, cols, m->scratch);
    }
}

/* -- rows -------------------------------------------------------------------------------------- */

static uint32_t count_of(const wn_cpu_memory *m, uint32_t n_max, uint32_t segs, uint32_t seg_at)
{
    return seg_at == WN_NONE ? n_max : m->w[seg_at + segs];
}

void cpu_table_mix(const struct wn_args_table_mix *pc, const wn_cpu_memory *m)
{
    for (uint32_t r = 0; r < pc->n_max; ++r) {
        const uint32_t d = entry(m, pc->dst_at, r);
        for (uint32_t c = 0; !is_none(d) && c < pc->cols; ++c) {
            float v = 0.0f, *to = f32_row(&m->b, d) + c;
            for (uint32_t t = 0; t < pc->taps; ++t) {
                const uint32_t at = r * pc->taps + t;
                float x = load(&m->c, entry(m, pc->src_at, at), c);
                if (pc->weight_at != WN_NONE)
                    x = real(m, pc->weight_at, at) * x;
                v = t == 0 ? x : v + x;
            }
            *to = pc->add ? *to + v : v;
        }
    }
}

/* -- activations ----------------------------------------------------------------------------------- */

static float sigmoid(float x)
{
    return recip_(1.0f + exp_(x < -60.0f ? 60.0f : -x));
}

static float half_of(float v)
{
    return f16_to_f32(f32_to_f16(v));
}

static float activated(uint32_t act, float v)
{
    switch (act) {
    case WN_ACT_GELU_ERF: return (0.5f * v) * (1.0f + erf_(v * 0.70710678f));
    case WN_ACT_GELU_TANH: return v * sigmoid(1.59576912f * (v + 0.044715f * ((v * v) * v)));
    case WN_ACT_QUICK: return v * sigmoid(1.702f * v);
    case WN_ACT_SILU: return v * sigmoid(v);
    case WN_ACT_GELU_TANH_HALF:
        return v <= -10.0f  ? 0.0f
               : v >= 10.0f ? v
                            : half_of(activated(WN_ACT_GELU_TANH, half_of(v)));
    case WN_ACT_QUICK_HALF: return half_of(activated(WN_ACT_QUICK, half_of(v)));
    case WN_ACT_RELU: return v < 0.0f ? 0.0f : v;
    default: return v;
    }
}

void cpu_norm(const struct wn_args_norm *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, count_of(m, pc->n_max, pc->segs, pc->seg_at));
    float *y = m->scratch;
    for (uint32_t r = own.begin; r < own.end; ++r) {
        wn_cpu_load_row(&m->a, r, pc->cols, y);
        const float mean = pc->rms ? 0.0f : wn_cpu_sum32(y, pc->cols) * pc->inv_cols;
        for (uint32_t c = 0; c < pc->cols; ++c)
            y[c] -= mean;
        const float s = rsqrt_(wn_cpu_dot32(y, y, pc->cols) * pc->inv_cols + pc->eps);
        for (uint32_t c = 0; c < pc->cols; ++c)
            y[c] *= s;
        for (uint32_t c = 0; pc->gain_at != WN_NONE && c < pc->cols; ++c)
            y[c] *= c_words(m, pc->gain_at)[c];
        for (uint32_t c = 0; pc->bias_at != WN_NONE && c < pc->cols; ++c)
            y[c] += c_words(m, pc->bias_at)[c];
        for (uint32_t c = 0; pc->act != WN_ACT_NONE && c < pc->cols; ++c)
            y[c] = activated(pc->act, y[c]);
        wn_cpu_store_row(&m->b, r, 0, pc->cols, y);
    }
}

void cpu_rope(const struct wn_args_rope *pc, const wn_cpu_memory *m)
{
    const uint32_t half = 2 * pc->quarter;
    const wn_cpu_span own = wn_cpu_share(m, 0, count_of(m, pc->n_max, pc->segs, pc->seg_at));
    for (uint32_t r = own.begin; r < own.end; ++r) {
        const uint32_t p = entry(m, pc->index_at, r);
        for (uint32_t i = 0; !is_none(p) && i < pc->heads * half; ++i) {
            const uint32_t d = i % half, o = pc->col + i / half * 2 * half + d;
            const uint32_t place = m->w[(d < pc->quarter ? pc->y_at : pc->x_at) + p];
            const uint32_t e = place * pc->quarter + d % pc->quarter;
            const float c = real(m, pc->cos_at, e), s = real(m, pc->sin_at, e);
            const float u = load(&m->b, r, o), v = load(&m->b, r, o + half);
            const float x = u * c - v * s, y = v * c + u * s;
            wn_cpu_store_row(&m->b, r, o, 1, &x);
            wn_cpu_store_row(&m->b, r, o + half, 1, &y);
        }
    }
}

void cpu_part_mean(const struct wn_args_part_mean *pc, const wn_cpu_memory *m)
{
    const uint32_t n = count_of(m, pc->n_max, pc->segs, pc->seg_at);
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t row = entry(m, pc->list_at, i);
        float *to = f32_row(&m->b, i);
        for (uint32_t c = 0; c < pc->cols; ++c) {
            float v = 0.0f;
            for (uint32_t h = 0; !is_none(row) && h < pc->parts; ++h)
                v += load(&m->a, row, pc->col + h * pc->part_stride + c * pc->step);
            v *= pc->inv_parts;
            to[c] = pc->add ? to[c] + v : v;
        }
    }
}

void cpu_gather(const struct wn_args_gather *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, count_of(m, pc->n_max, pc->segs, pc->seg_at));
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t run = i / pc->run, k = i % pc->run;
        const uint32_t from = pc->rows_at == WN_NONE ? run * pc->run : entry(m, pc->rows_at, run);
        const uint32_t to = pc->to_at == WN_NONE ? run * pc->run : entry(m, pc->to_at, run);
        if (is_none(from) || is_none(to))
            continue;
        const float *x = wn_cpu_row(&m->a, from + k, pc->cols, m->scratch);
        wn_cpu_store_row(&m->b, to + k, 0, pc->cols, x);
    }
}

/* -- products ---------------------------------------------------------------------------------- */

/* The sums of n columns from j on of row r, finished in place. */
static void finish(const struct wn_args_matmul *pc, const wn_cpu_memory *m, uint32_t r, uint32_t j,
                   uint32_t n, float *v)
{
    for (uint32_t i = 0; pc->bias_at != WN_NONE && i < n; ++i)
        v[i] += c_words(m, pc->bias_at)[j + i];
    for (uint32_t i = 0; pc->act != WN_ACT_NONE && i < n; ++i)
        v[i] = activated(pc->act, v[i]);
    for (uint32_t i = 0; pc->scale_at != WN_NONE && i < n; ++i)
        v[i] *= c_words(m, pc->scale_at)[j + i];
    for (uint32_t i = 0; pc->with == 1 && i < n; ++i)
        v[i] = v[i] * load(&m->b, r, j + i);
    for (uint32_t i = 0; pc->with == 2 && i < n; ++i)
        v[i] = load(&m->b, r, j + i) + v[i];
}

enum { PANEL = WN_CPU_PANEL, ROWS = 8 };

/* Columns j .. j+n of C as floats, side by side; what is past them is 0. */
static void load_panel(const struct wn_args_matmul *pc, const wn_cpu_memory *m, uint32_t j,
                       uint32_t n, float *panel)
{
    memset(panel, 0, (size_t)pc->inner * PANEL * sizeof *panel);
    for (uint32_t k = 0; k < pc->inner; ++k)
        for (uint32_t i = 0; i < n; ++i)
            panel[(size_t)k * PANEL + i] = load(&m->c, k, j + i);
}

/* sums[ROWS][PANEL] of rows x[ROWS]. */
static void multiply(const float *const x[ROWS], const float *panel, uint32_t inner,
                     float sums[ROWS][PANEL])
{
    float part[WN_CPU_TILE][WN_CPU_TILE_COLUMNS];
    for (uint32_t i = 0; i < PANEL; i += WN_CPU_TILE_COLUMNS)
        for (uint32_t r = 0; r < ROWS; r += WN_CPU_TILE) {
            wn_cpu_tile(x + r, panel + i, PANEL, inner, false, part);
            for (uint32_t t = 0; t < WN_CPU_TILE; ++t)
                memcpy(&sums[r + t][i], part[t], sizeof part[t]);
        }
}

void cpu_matmul(const struct wn_args_matmul *pc, const wn_cpu_memory *m)
{
    const uint32_t count = count_of(m, pc->n_max, pc->segs, pc->seg_at);
    const uint32_t panels = (pc->cols + PANEL - 1) / PANEL;
    float *panel = m->scratch, *room = panel + (size_t)pc->inner * PANEL, sums[ROWS][PANEL];
    /* A part has some of the columns, or where there are few some of the rows. */
    const bool by_rows = panels < 2 * m->parts && count > ROWS * panels;
    const wn_cpu_span own = by_rows ? (wn_cpu_span){0, panels} : wn_cpu_share(m, 0, panels);
    const wn_cpu_span rows = by_rows ? wn_cpu_share(m, 0, count) : (wn_cpu_span){0, count};
    for (uint32_t j = own.begin * PANEL; j < own.end * PANEL; j += PANEL) {
        const uint32_t n = least(PANEL, pc->cols - j);
        load_panel(pc, m, j, n, panel);
        for (uint32_t r = rows.begin; r < rows.end; r += ROWS) {
            const float *x[ROWS];
            for (uint32_t i = 0; i < ROWS; ++i)
                x[i] = wn_cpu_row(&m->a, least(r + i, rows.end - 1), pc->inner,
                                  room + (size_t)i * pc->inner);
            multiply(x, panel, pc->inner, sums);
            for (uint32_t i = 0; i < ROWS && r + i < rows.end; ++i) {
                finish(pc, m, r + i, j, n, sums[i]);
                wn_cpu_store_row(&m->b, r + i, j, n, sums[i]);
            }
        }
    }
}
