/* Which rows of text speak for the picture, and what those attend to. */
#include "cpu_ops.h"

/* The softmax of n products, in place. */
static void share_out(float *s, uint32_t n, float top)
{
    float sum = 0.0f;
    for (uint32_t k = 0; k < n; ++k) {
        s[k] = exp_(s[k] - top);
        sum += s[k];
    }
    const float inverse = recip_(sum);
    for (uint32_t k = 0; k < n; ++k) {
        s[k] *= inverse;
        s[k] = s[k] < 1.17549435e-38f ? 0.0f : s[k]; /* drivers differ in what is below */
    }
}

void cpu_text_shares(const struct wn_args_text_shares *pc, const wn_cpu_memory *m)
{
    const uint32_t cols = pc->cols, rows = pc->text_rows;
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    float *x_room = m->scratch, *text = x_room + cols;
    for (uint32_t k = 0; k < rows; ++k)
        wn_cpu_load_row(&m->c, k, cols, text + (size_t)k * cols);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t row = entry(m, pc->list_at, i);
        const float *x = wn_cpu_row(&m->a, row, cols, x_room);
        float *s = f32_row(&m->b, i), top = bits_f32(0xff800000u);
        for (uint32_t k = 0; k < rows; ++k) {
            s[k] = is_none(row) ? 0.0f : wn_cpu_dot32(x, text + (size_t)k * cols, cols);
            top = s[k] > top ? s[k] : top;
        }
        share_out(s, rows, top);
    }
}

static float mean_rate(const struct wn_args_rated_sum *pc, const wn_cpu_memory *m)
{
    float sum = 0.0f;
    for (uint32_t k = 0; k < pc->text_rows; ++k)
        sum += real(m, pc->rate_at, k);
    return sum * recip_((float)pc->text_rows);
}

void cpu_rated_sum(const struct wn_args_rated_sum *pc, const wn_cpu_memory *m)
{
    const float mean = mean_rate(pc, m);
    bool rated = false;
    for (uint32_t k = 0; k < pc->text_rows; ++k)
        rated = rated || real(m, pc->rate_at, k) > mean;
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t column = m->w[pc->index_at + i];
        if (is_none(column)) {
            m->w[pc->score_at + i] = 0x7f800000u;
            continue;
        }
        float sum = 0.0f;
        for (uint32_t k = 0; k < pc->text_rows; ++k) {
            if (rated && !(real(m, pc->rate_at, k) > mean))
                continue;
            float heads = 0.0f;
            for (uint32_t h = 0; h < pc->heads; ++h)
                heads += load(&m->a, h * pc->text_rows + k, column);
            sum += heads;
        }
        set_real(m, pc->score_at, i, sum * pc->scale);
    }
}
