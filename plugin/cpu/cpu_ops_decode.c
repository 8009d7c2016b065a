/* One step of decode-time selection (DyCoke's second part). */
#include "cpu_ops.h"

/* cur = what the heads attend to on average, visual columns only. */
static void average_heads(const struct wn_args_kv_select *pc, const wn_cpu_memory *m)
{
    for (uint32_t j = 0; j < pc->count; ++j) {
        float sum = 0.0f;
        for (uint32_t h = 0; h < pc->heads; ++h)
            sum += load(&m->a, h, pc->first + j);
        set_real(m, pc->cur_at, j, sum * pc->inv_heads);
    }
}

static float cosine_with_previous(const struct wn_args_kv_select *pc, const wn_cpu_memory *m)
{
    const uint32_t n = pc->count;
    float *v = m->scratch, *previous = v + n;
    memcpy(v, m->w + pc->cur_at, n * sizeof *v);
    memcpy(previous, m->w + pc->prev_at, n * sizeof *previous);
    const float fv = norm_factor(wn_cpu_dot32(v, v, n), COS_EPS2, COS_INV_EPS);
    const float fp = norm_factor(wn_cpu_dot32(previous, previous, n), COS_EPS2, COS_INV_EPS);
    return wn_cpu_dot32(v, previous, n) * (fv * fp);
}

void cpu_kv_select(const struct wn_args_kv_select *pc, const wn_cpu_memory *m)
{
    average_heads(pc, m);
    const float c = pc->seen ? cosine_with_previous(pc, m) : 0.0f;
    const bool changed = !pc->seen || !(c >= pc->threshold), all = !changed && pc->similar == 1;
    uint32_t *kept = m->w + pc->kept_at, ones = 0;
    if (changed)
        wn_cpu_flag_best(m->w + pc->cur_at, kept, pc->count, least(pc->k, pc->count), false);
    for (uint32_t column = 0; column < pc->columns; ++column) {
        const bool visual = column >= pc->first && column - pc->first < pc->count;
        const uint32_t mask = all || !visual ? 1u : kept[column - pc->first];
        memcpy(element(&m->b, 0, column), &mask, sizeof mask);
        ones += mask;
    }
    const uint32_t tail[2] = {ones, changed};
    memcpy(element(&m->b, 0, pc->columns), tail, sizeof tail);
    memcpy(m->w + pc->prev_at, m->w + pc->cur_at, pc->count * sizeof(uint32_t));
}
