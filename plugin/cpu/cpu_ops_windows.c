/* Windows of frames, and runs of tokens along them. */
#include "cpu_ops.h"

static bool is_taken(const wn_cpu_memory *m, uint32_t taken_at, uint32_t t)
{
    return taken_at == WN_NONE || m->w[taken_at + t] != 0;
}

void cpu_frame_windows(const struct wn_args_frame_windows *pc, const wn_cpu_memory *m)
{
    uint32_t number = 0, windows = 0, first = 0;
    for (uint32_t t = 0; t < pc->frames; ++t) {
        m->w[pc->ref_at + t] = WN_NONE;
        if (!is_taken(m, pc->taken_at, t))
            continue;
        m->w[pc->list_at + number] = t;
        if (number++ % pc->window == 0)
            m->w[pc->begin_at + windows++] = first = t;
        else
            m->w[pc->ref_at + t] = first;
    }
    m->w[pc->begin_at + windows] = pc->frames;
    m->w[pc->count_at] = windows;
}

/* The last `cut` flags of begin .. end go, and all from the `left`-th on. Returns how many stay. */
static uint32_t cut_one(uint32_t *flag, uint32_t begin, uint32_t end, uint32_t cut, uint32_t left)
{
    uint32_t flags = 0, kept = 0;
    for (uint32_t i = begin; i < end; ++i)
        flags += flag[i];
    const uint32_t most = least(flags > cut ? flags - cut : 0, left);
    for (uint32_t i = begin; i < end; ++i) {
        flag[i] = flag[i] && kept < most;
        kept += flag[i];
    }
    return kept;
}

void cpu_cut_windows(const struct wn_args_cut_windows *pc, const wn_cpu_memory *m)
{
    uint32_t *flag = m->w + pc->flag_at;
    const uint32_t *begin = m->w + pc->begin_at, windows = m->w[pc->count_at], n = pc->tokens;
    uint32_t flags = 0, whole = 0;
    for (uint32_t i = 0; i < pc->frames * n; ++i) {
        const bool taken = is_taken(m, pc->taken_at, i / n);
        flag[i] = taken && flag[i];
        flags += flag[i];
        whole += taken;
    }
    if (pc->limit == WN_NONE)
        return;
    if (whole <= pc->limit) {
        for (uint32_t i = 0; i < pc->frames * n; ++i)
            flag[i] = is_taken(m, pc->taken_at, i / n);
        return;
    }
    if (flags <= pc->limit)
        return;
    const uint32_t cut = (flags - pc->limit + windows - 1) / windows;
    uint32_t left = pc->limit;
    for (uint32_t k = 0; k < windows; ++k)
        left -= cut_one(flag, begin[k] * n, begin[k + 1] * n, cut, left);
}

void cpu_run_members(const struct wn_args_run_members *pc, const wn_cpu_memory *m)
{
    for (uint32_t j = 0; j < pc->tokens; ++j) {
        uint32_t row = WN_NONE, *link = NULL;
        for (uint32_t t = 0; t < pc->frames; ++t) {
            const uint32_t i = t * pc->tokens + j;
            const float size = real_or_one(m, pc->sizes_at, i);
            if (!m->w[pc->gone_at + i]) {
                row = m->w[pc->map_at + i];
                link = m->w + pc->head_at + row;
                set_real(m, pc->sizes_new_at, row, size);
            } else if (row != WN_NONE) {
                *link = i;
                link = m->w + pc->next_at + i;
                set_real(m, pc->sizes_new_at, row, real(m, pc->sizes_new_at, row) + size);
            }
            if (link)
                *link = WN_NONE;
            m->w[pc->map2_at + i] = row;
        }
    }
}
