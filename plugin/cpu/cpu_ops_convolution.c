/* Convolutions over cells of grids. */
#include "cpu_ops.h"

enum { BLOCK = WN_CPU_TILE_COLUMNS, TILE = WN_CPU_TILE };

/* What the kernel's place (dy, dx) meets around a cell; NULL: it is outside. */
static const float *around(const struct wn_args_grid_conv *pc, const wn_cpu_memory *m,
                           uint32_t cell, uint32_t dy, uint32_t dx)
{
    const uint32_t x = cell % pc->w + dx - pc->kw / 2, line = cell / pc->w;
    const uint32_t y = line % pc->h + dy - pc->kh / 2; /* before the first: past 2^31 */
    return x < pc->w && y < pc->h ? f32_row(&m->a, (line - line % pc->h + y) * pc->w + x) : NULL;
}

static void finish(const struct wn_args_grid_conv *pc, const wn_cpu_memory *m, uint32_t cell,
                   uint32_t from, uint32_t n, const float *sums)
{
    float *to = f32_row(&m->b, cell) + from;
    for (uint32_t j = 0; j < n; ++j) {
        const float v =
            pc->bias_at == WN_NONE ? sums[j] : sums[j] + c_words(m, pc->bias_at)[from + j];
        to[j] = pc->relu && v < 0.0f ? 0.0f : v;
    }
}

/* Columns from .. from+n of the cells of `own`. panel [kh*kw*inner][BLOCK]: theirs of C; zeros [inner]. */
static void block(const struct wn_args_grid_conv *pc, const wn_cpu_memory *m, wn_cpu_span own,
                  uint32_t from, uint32_t n, const float *panel, const float *zeros)
{
    for (uint32_t cell = own.begin; cell < own.end; cell += TILE) {
        const uint32_t count = least(TILE, own.end - cell);
        float sums[TILE][BLOCK] = {{0}};
        const float *columns = panel;
        for (uint32_t dy = 0; dy < pc->kh; ++dy)
            for (uint32_t dx = 0; dx < pc->kw; ++dx, columns += (size_t)pc->inner * BLOCK) {
                const float *x[TILE];
                for (uint32_t r = 0; r < TILE; ++r) {
                    x[r] = r < count ? around(pc, m, cell + r, dy, dx) : NULL;
                    x[r] = x[r] ? x[r] : zeros;
                }
                wn_cpu_tile(x, columns, BLOCK, pc->inner, true, sums);
            }
        for (uint32_t r = 0; r < count; ++r)
            finish(pc, m, cell + r, from, n, sums[r]);
    }
}

static void all_channels(const struct wn_args_grid_conv *pc, const wn_cpu_memory *m,
                         wn_cpu_span own)
{
    const uint32_t rows = pc->kh * pc->kw * pc->inner;
    float *zeros = m->scratch, *panel = zeros + pc->inner;
    memset(zeros, 0, pc->inner * sizeof *zeros);
    for (uint32_t from = 0; from < pc->cols; from += BLOCK) {
        const uint32_t n = least(BLOCK, pc->cols - from);
        for (uint32_t k = 0; k < rows; ++k)
            for (uint32_t j = 0; j < BLOCK; ++j)
                panel[(size_t)k * BLOCK + j] = j < n ? load(&m->c, k, from + j) : 0.0f;
        block(pc, m, own, from, n, panel, zeros);
    }
}

static void each_channel(const struct wn_args_grid_conv *pc, const wn_cpu_memory *m,
                         wn_cpu_span own)
{
    const uint32_t cols = pc->cols;
    float *sums = m->scratch, *kernel = sums + cols;
    for (uint32_t k = 0; k < pc->kh * pc->kw; ++k)
        wn_cpu_load_row(&m->c, k, cols, kernel + (size_t)k * cols);
    for (uint32_t cell = own.begin; cell < own.end; ++cell) {
        const float *w = kernel;
        memset(sums, 0, cols * sizeof *sums);
        for (uint32_t dy = 0; dy < pc->kh; ++dy)
            for (uint32_t dx = 0; dx < pc->kw; ++dx, w += cols) {
                const float *x = around(pc, m, cell, dy, dx);
                for (uint32_t o = 0; x && o < cols; ++o)
                    sums[o] += x[o] * w[o];
            }
        finish(pc, m, cell, 0, cols, sums);
    }
}

void cpu_grid_conv(const struct wn_args_grid_conv *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * pc->h * pc->w);
    if (own.begin == own.end)
        return;
    if (pc->depth)
        each_channel(pc, m, own);
    else
        all_channels(pc, m, own);
}
