/* Windows of a grid that become few tokens or many (stages/focus.c). */
#include "cpu_ops.h"

/* A window of a frame's grid: its tokens are those of rows y .. y_end-1 and columns x .. x_end-1. */
typedef struct window {
    uint32_t t, y, x, y_end, x_end;
} window;

static uint32_t windows_across(uint32_t n, uint32_t side)
{
    return (n + side - 1) / side;
}

/* Adds to sum[cols] the unit vectors of the window's tokens inside the cell that starts at (y, x). */
static void add_cell(const struct wn_args_scale_likeness *pc, const wn_cpu_memory *m,
                     const window *w, uint32_t y, uint32_t x, uint32_t cell, float *sum,
                     float *room)
{
    for (uint32_t yy = y; yy < least(y + cell, w->y_end); ++yy)
        for (uint32_t xx = x; xx < least(x + cell, w->x_end); ++xx) {
            const uint32_t i = (w->t * pc->h + yy) * pc->grid_w + xx;
            const float factor = real(m, pc->inv_at, i);
            const float *row = wn_cpu_row(&m->a, entry(m, pc->rows_at, i), pc->cols, room);
            for (uint32_t d = 0; d < pc->cols; ++d)
                sum[d] += row[d] * factor;
        }
}

/* The lengths of a window's cells of one level, added up. */
static float lengths(const struct wn_args_scale_likeness *pc, const wn_cpu_memory *m,
                     const window *w, uint32_t cell)
{
    float *sum = m->scratch, *room = sum + pc->cols, all = 0.0f;
    for (uint32_t y = w->y; y < w->y_end; y += cell)
        for (uint32_t x = w->x; x < w->x_end; x += cell) {
            memset(sum, 0, pc->cols * sizeof *sum);
            add_cell(pc, m, w, y, x, cell, sum, room);
            all += sqrt_(wn_cpu_dot32(sum, sum, pc->cols));
        }
    return all;
}

void cpu_scale_likeness(const struct wn_args_scale_likeness *pc, const wn_cpu_memory *m)
{
    const uint32_t side = 1u << pc->levels, across = windows_across(pc->grid_w, side),
                   down = windows_across(pc->h, side);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * down * across);
    for (uint32_t q = own.begin; q < own.end; ++q) {
        window w = {
            .t = q / (across * down), .y = q / across % down * side, .x = q % across * side};
        w.y_end = least(w.y + side, pc->h);
        w.x_end = least(w.x + side, pc->grid_w);
        const float share = recip_((float)((w.y_end - w.y) * (w.x_end - w.x)));
        for (uint32_t level = 1; level <= pc->levels; ++level)
            f32_row(&m->b, q)[level - 1] = lengths(pc, m, &w, 1u << level) * share;
    }
}

static uint32_t level_by_bound(const struct wn_args_scale_pick *pc, const wn_cpu_memory *m,
                               uint32_t q)
{
    uint32_t taken = 0;
    for (uint32_t level = 1; level <= pc->levels; ++level)
        if (score_key(load(&m->a, q, level - 1)) >= score_key(pc->bound))
            taken = level;
    return taken;
}

static uint32_t level_by_size(const struct wn_args_scale_pick *pc, const wn_cpu_memory *m,
                              uint32_t q)
{
    uint32_t taken = 0, best = score_key(load(&m->a, q, 0));
    for (uint32_t level = 1; level <= pc->levels; ++level) {
        const uint32_t key = score_key(load(&m->a, q, level));
        if (key > best) {
            best = key;
            taken = level;
        }
    }
    return taken;
}

void cpu_scale_pick(const struct wn_args_scale_pick *pc, const wn_cpu_memory *m)
{
    const uint32_t side = 1u << pc->levels, across = windows_across(pc->grid_w, side),
                   down = windows_across(pc->h, side), tokens = pc->h * pc->grid_w;
    for (uint32_t i = 0; i < pc->frames * tokens; ++i) {
        const uint32_t t = i / tokens, y = i % tokens / pc->grid_w, x = i % pc->grid_w;
        const uint32_t q = (t * down + y / side) * across + x / side;
        const uint32_t level = pc->largest ? level_by_size(pc, m, q) : level_by_bound(pc, m, q);
        const uint32_t first =
            t * tokens + (y >> level << level) * pc->grid_w + (x >> level << level);
        m->w[pc->keep_at + i] = first == i;
        m->w[pc->dest_at + i] = first == i ? WN_NONE : first;
    }
}
