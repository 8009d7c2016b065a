/* Tokens about the centre of their frame. */
#include "cpu_ops.h"

void cpu_centre_rows(const struct wn_args_centre_rows *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, seg[pc->segs]);
    float *x_room = m->scratch, *y_room = x_room + pc->cols;
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t row = entry(m, pc->list_at, i);
        const float *x = wn_cpu_row(&m->a, row, pc->cols, x_room);
        const float *y = wn_cpu_row(&m->c, segment_of(seg, pc->segs, i), pc->cols, y_room);
        float *to = f32_row(&m->b, i);
        for (uint32_t c = 0; c < pc->cols; ++c)
            to[c] = is_none(row) ? 0.0f : x[c] - y[c];
    }
}

void cpu_value_product(const struct wn_args_value_product *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < m->w[pc->seg_at + pc->segs]; ++i)
        set_real(m, pc->out_at, i, real(m, pc->x_at, i) * real(m, pc->y_at, i));
}
