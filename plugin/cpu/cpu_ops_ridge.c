/* Least squares on rows of text. */
#include "cpu_ops.h"

static float eigenvalue(const wn_cpu_memory *m, uint32_t g)
{
    const float e = f32_row(&m->a, g)[g];
    return e > 0.0f ? e : 0.0f;
}

void cpu_ridge_factors(const struct wn_args_ridge_factors *pc, const wn_cpu_memory *m)
{
    const uint32_t *order = m->w + pc->order_at;
    float total = 0.0f, sum = 0.0f, last = 0.0f;
    for (uint32_t r = 0; r < pc->n; ++r)
        total += eigenvalue(m, order[r]);
    const float wanted = pc->energy * total;
    for (uint32_t r = 0; r < pc->n; ++r) {
        last = eigenvalue(m, order[r]);
        sum += last;
        if (sum >= wanted)
            break;
    }
    const float penalty = pc->tiny + last;
    for (uint32_t g = 0; g < pc->n; ++g)
        set_real(m, pc->factor_at, g, recip_(eigenvalue(m, g) + penalty));
}

void cpu_ridge_inverse(const struct wn_args_ridge_inverse *pc, const wn_cpu_memory *m)
{
    const uint32_t n = pc->n;
    for (uint32_t u = 0; u < n; ++u)
        for (uint32_t w = 0; w < n; ++w) {
            const float *x = f32_row(&m->a, u) + n, *y = f32_row(&m->a, w) + n;
            float sum = 0.0f;
            for (uint32_t g = 0; g < n; ++g)
                sum += (x[g] * real(m, pc->factor_at, g)) * y[g];
            f32_row(&m->b, u)[w] = sum * pc->scale;
        }
}

void cpu_flagged_sum(const struct wn_args_flagged_sum *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < m->w[pc->seg_at + pc->segs]; ++i) {
        float sum = 0.0f;
        for (uint32_t c = 0; c < pc->cols; ++c)
            sum += m->w[pc->flag_at + c] ? load(&m->a, i, c) : 0.0f;
        set_real(m, pc->out_at, i, is_none(m->w[pc->index_at + i]) ? bits_f32(0x7f800000u) : sum);
    }
}
