/* What a row of similarities says as a whole: a softmax of it, how unlike its numbers are. */
#include "cpu_ops.h"

/* A softmax of y[n] = row * factor, NaN left out; y: scratch [2 * n]. */
static void soften(float *row, uint32_t n, float factor, float scale, float *y)
{
    float most = bits_f32(0xff800000u), *p = y + n;
    for (uint32_t u = 0; u < n; ++u) {
        y[u] = row[u] * factor;
        most = y[u] > most ? y[u] : most;
    }
    for (uint32_t u = 0; u < n; ++u)
        p[u] = is_nan(y[u]) ? 0.0f : exp_(y[u] - most);
    const float inverse = recip_(wn_cpu_sum32(p, n));
    for (uint32_t u = 0; u < n; ++u) {
        const float share = (p[u] * inverse) * scale;
        if (!is_nan(y[u]))
            row[u] = share < 1.17549435e-38f ? 0.0f : share; /* drivers differ in what is below */
    }
}

void cpu_row_softmax(const struct wn_args_row_softmax *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *rows = m->w + pc->row_seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, rows[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, rows[s], rows[s + 1]);
        const uint32_t n = seg[s + 1] - seg[s];
        const float scale = pc->by_tokens && n ? pc->scale * recip_((float)n) : pc->scale;
        for (uint32_t e = own.begin; n && e < own.end; ++e)
            soften(f32_row(&m->b, e), n, pc->factor, scale, m->scratch);
    }
}

/* x: scratch [n]. */
static float spread(const float *row, uint32_t n, uint32_t self, float *x)
{
    const float share = recip_((float)(n - 1));
    for (uint32_t u = 0; u < n; ++u)
        x[u] = u == self || is_nan(row[u]) ? 0.0f : row[u];
    const float mean = wn_cpu_sum32(x, n) * share;
    for (uint32_t u = 0; u < n; ++u)
        x[u] = x[u] - mean;
    return wn_cpu_dot32(x, x, n) * share;
}

void cpu_row_spread(const struct wn_args_row_spread *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        const uint32_t n = seg[s + 1] - seg[s];
        for (uint32_t i = own.begin; i < own.end; ++i)
            set_real(m, pc->v_at, i,
                     n > 1 ? spread(f32_row(&m->a, i), n, i - seg[s], m->scratch) : 0.0f);
    }
}
