/* Rows of a grid of tokens from the rows of a larger one. */
#include "cpu_ops.h"

/* An output cell (t, y, x) of space to channel and the place (di, dj) in its f x f block. */
typedef struct s2c_cell {
    uint32_t t, y, x, di, dj;
} s2c_cell;

/* The list entry of the input cell; WN_NONE where the padding is zero. */
static uint32_t s2c_source(const struct wn_args_space_to_channel *pc, const wn_cpu_memory *m,
                           s2c_cell o)
{
    const uint32_t f = pc->factor;
    if (pc->layout == WN_LAYOUT_BLOCKS)
        return entry(m, pc->rows_at,
                     o.t * pc->h * pc->w + ((o.y * pc->ow + o.x) * f + o.di) * f + o.dj);
    uint32_t y = o.y * f + o.di, x = o.x * f + o.dj;
    if (y >= pc->h || x >= pc->w) {
        if (pc->pad == 1)
            return WN_NONE;
        y = least(y, pc->h - 1);
        x = least(x, pc->w - 1);
    }
    return entry(m, pc->rows_at, (o.t * pc->h + y) * pc->w + x);
}

static void s2c_copy(const struct wn_args_space_to_channel *pc, const wn_cpu_memory *m,
                     const wn_cpu_move *move, s2c_cell o)
{
    const uint32_t f = pc->factor, cols = pc->cols, block = o.di * f + o.dj;
    const uint32_t r = pc->layout == WN_LAYOUT_COLUMN ? (o.t * pc->ow + o.x) * pc->oh + o.y
                                                      : (o.t * pc->oh + o.y) * pc->ow + o.x;
    if (pc->layout != WN_LAYOUT_CHANNEL) {
        wn_cpu_move_row(move, s2c_source(pc, m, o), r, block * cols);
        return;
    }
    const float *x = wn_cpu_row(&m->a, s2c_source(pc, m, o), cols, m->scratch);
    for (uint32_t c = 0; c < cols; ++c)
        wn_cpu_store_row(&m->b, r, c * f * f + block, 1, x + c);
}

void cpu_space_to_channel(const struct wn_args_space_to_channel *pc, const wn_cpu_memory *m)
{
    const uint32_t cells = pc->frames * pc->oh * pc->ow;
    const wn_cpu_span own = wn_cpu_share(m, 0, cells);
    const wn_cpu_move move = wn_cpu_move_of(&m->a, &m->b, (uint64_t)cells * pc->factor * pc->factor,
                                            pc->cols, m->scratch);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        s2c_cell o = {i / pc->ow / pc->oh, i / pc->ow % pc->oh, i % pc->ow, 0, 0};
        for (o.di = 0; o.di < pc->factor; ++o.di)
            for (o.dj = 0; o.dj < pc->factor; ++o.dj)
                s2c_copy(pc, m, &move, o);
    }
    wn_cpu_move_end(&move);
}

static void pool_cell(const struct wn_args_pool *pc, const wn_cpu_memory *m, uint32_t t, uint32_t y,
                      uint32_t x)
{
    const uint32_t y_first = m->w[pc->ystart_at + y], y_count = m->w[pc->ycount_at + y];
    const uint32_t x_first = m->w[pc->xstart_at + x], x_count = m->w[pc->xcount_at + x];
    float *sum = m->scratch, *room = sum + pc->cols;
    memset(sum, 0, pc->cols * sizeof *sum);
    for (uint32_t ty = 0; ty < y_count; ++ty) {
        for (uint32_t tx = 0; tx < x_count; ++tx) {
            const float w = real(m, pc->yweight_at + y * pc->ytaps + ty, 0) *
                            real(m, pc->xweight_at + x * pc->xtaps + tx, 0);
            const uint32_t i = (t * pc->h + y_first + ty) * pc->w + x_first + tx;
            const float *row = wn_cpu_row(&m->a, entry(m, pc->rows_at, i), pc->cols, room);
            for (uint32_t c = 0; c < pc->cols; ++c)
                sum[c] += w * row[c];
        }
    }
    for (uint32_t c = 0; c < pc->cols; ++c)
        sum[c] = sum[c] * pc->scale;
    wn_cpu_store_row(&m->b, (t * pc->oh + y) * pc->ow + x, 0, pc->cols, sum);
}

void cpu_pool(const struct wn_args_pool *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * pc->oh * pc->ow);
    for (uint32_t i = own.begin; i < own.end; ++i)
        pool_cell(pc, m, i / pc->ow / pc->oh, i / pc->ow % pc->oh, i % pc->ow);
}

static float window_size(const struct wn_args_window_sizes *pc, const wn_cpu_memory *m, uint32_t t,
                         uint32_t y, uint32_t x)
{
    const uint32_t y_first = m->w[pc->ystart_at + y], y_count = m->w[pc->ycount_at + y];
    const uint32_t x_first = m->w[pc->xstart_at + x], x_count = m->w[pc->xcount_at + x];
    float size = 0.0f;
    for (uint32_t yy = y_first; yy < y_first + y_count; ++yy)
        for (uint32_t xx = x_first; xx < x_first + x_count; ++xx)
            size += real_or_one(m, pc->sizes_at, (t * pc->h + yy) * pc->w + xx);
    return size;
}

void cpu_window_sizes(const struct wn_args_window_sizes *pc, const wn_cpu_memory *m)
{
    uint32_t o = 0;
    for (uint32_t t = 0; t < pc->frames; ++t)
        for (uint32_t y = 0; y < pc->oh; ++y)
            for (uint32_t x = 0; x < pc->ow; ++x)
                set_real(m, pc->sizes_new_at, o++, window_size(pc, m, t, y, x));
}
