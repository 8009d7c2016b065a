/* What tokens and rows of text attend to, all heads together. */
#include "cpu_ops.h"

#include <math.h>

/* A row's sums over the heads, all columns of A; NULL: the row is none. */
static const float *sum_heads(const struct wn_args_head_mean *pc, const wn_cpu_memory *m,
                              uint32_t row)
{
    float *sums = m->scratch, *room = sums + pc->width;
    if (is_none(row))
        return NULL;
    memset(sums, 0, pc->width * sizeof *sums);
    for (uint32_t h = 0; h < pc->heads; ++h) {
        const float *x = wn_cpu_row(&m->a, h * pc->step + row, pc->width, room);
        for (uint32_t c = 0; c < pc->width; ++c)
            sums[c] += x[c];
    }
    return sums;
}

void cpu_head_mean(const struct wn_args_head_mean *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    const uint32_t rows = pc->bound & 1 ? least(n, pc->rows) : pc->rows;
    const uint32_t cols = pc->bound & 2 ? least(n, pc->cols) : pc->cols;
    const wn_cpu_span own = wn_cpu_share(m, 0, rows);
    for (uint32_t r = own.begin; r < own.end; ++r) {
        const float *sums = sum_heads(pc, m, entry(m, pc->rows_at, r));
        for (uint32_t c = 0; c < cols; ++c) {
            const uint32_t q = entry(m, pc->cols_at, c);
            const float mean = (sums && !is_none(q) ? sums[q] : 0.0f) * pc->scale,
                        v = pc->alone && r == c ? -INFINITY : mean;
            if (pc->turn)
                f32_row(&m->b, c)[r] = v;
            else
                f32_row(&m->b, r)[c] = v;
        }
    }
}

static float peak_of(const struct wn_args_text_peak *pc, const wn_cpu_memory *m, uint32_t column)
{
    float most = bits_f32(0x7fc00000u);
    for (uint32_t k = 0; k < pc->text_rows; ++k) {
        float sum = 0.0f;
        for (uint32_t h = 0; h < pc->heads; ++h)
            sum += load(&m->a, h * pc->text_rows + k, column);
        const float mean = sum * pc->scale;
        if (!is_nan(mean) && (is_nan(most) || mean > most))
            most = mean;
    }
    return most;
}

void cpu_text_peak(const struct wn_args_text_peak *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t column = m->w[pc->index_at + i];
        set_real(m, pc->score_at, i, is_none(column) ? INFINITY : peak_of(pc, m, column));
    }
}

static float limit_of(const struct wn_args_dual_filter *pc, const wn_cpu_memory *m, uint32_t n)
{
    float p[32] = {0};
    for (uint32_t i = 0; i < n; ++i) {
        const float x = real(m, pc->all_at, i);
        p[i % 32] += is_none(m->w[pc->index_at + i]) || is_nan(x) ? 0.0f : x;
    }
    return tree32(p) * pc->share;
}

void cpu_dual_filter(const struct wn_args_dual_filter *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    const float limit = limit_of(pc, m, n);
    uint32_t flags = 0, best = 0;
    for (uint32_t i = 0; i < n; ++i) {
        const float x = real(m, pc->all_at, i);
        const bool keeps = m->w[pc->flag_at + i] != 0 || is_none(m->w[pc->index_at + i]) ||
                           x >= limit || real(m, pc->peak_at, i) >= pc->least;
        m->w[pc->flag_at + i] = keeps;
        flags += keeps;
        if (score_key(x) > score_key(real(m, pc->all_at, best)))
            best = i;
    }
    if (flags == 0 && n > 0)
        m->w[pc->flag_at + best] = 1;
}

static uint32_t group_of(const struct wn_args_group_top *pc, const wn_cpu_memory *m, uint32_t token)
{
    if (pc->group_at == WN_NONE)
        return token / pc->tokens;
    const float group = real(m, pc->group_at, token);
    const uint32_t word = is_nan(group) ? 0x7fc00000u : f32_bits(group);
    return word == 0x80000000u ? 0 : word;
}

/* May token i of segment s stay? */
static bool is_top(const struct wn_args_group_top *pc, const wn_cpu_memory *m, uint32_t s,
                   uint32_t i)
{
    const uint32_t *seg = m->w + pc->seg_at, *index = m->w + pc->index_at;
    const uint32_t group = group_of(pc, m, index[i]), key = score_key(real(m, pc->score_at, i));
    uint32_t count = 0, before = 0;
    for (uint32_t j = seg[s]; j < seg[s + 1]; ++j) {
        if (is_none(index[j]) || group_of(pc, m, index[j]) != group)
            continue;
        const uint32_t rival = score_key(real(m, pc->score_at, j));
        ++count;
        before += rival > key || (rival == key && j < i);
    }
    return before < m->w[pc->table_at + count];
}

void cpu_group_top(const struct wn_args_group_top *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i)
        m->w[pc->flag_at + i] =
            is_none(m->w[pc->index_at + i]) || is_top(pc, m, segment_of(seg, pc->segs, i), i);
}
