/* Which tokens stay: ranks, the best k, rules, and the set of what was flagged. */
#include "cpu_ops.h"

static void count_nan(const wn_cpu_memory *m, uint32_t stats_at, uint32_t score_at, uint32_t n)
{
    if (stats_at == WN_NONE)
        return;
    for (uint32_t i = 0; i < n; ++i)
        m->w[stats_at] += is_nan(real(m, score_at, i));
}

void cpu_topk(const struct wn_args_topk *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, n = seg[pc->segs];
    const uint32_t groups = pc->global ? 1 : pc->segs;
    for (uint32_t s = 0; s < groups; ++s) {
        const uint32_t begin = pc->global ? 0 : seg[s], end = pc->global ? n : seg[s + 1];
        const uint32_t k = least(m->w[pc->k_at + s], end - begin);
        wn_cpu_flag_best(m->w + pc->score_at + begin, m->w + pc->flag_at + begin, end - begin, k,
                         pc->smallest != 0);
    }
    count_nan(m, pc->stats_at, pc->score_at, n);
}

/* One stable pass of a radix sort of positions by descending digit of their scores' keys. */
static void sort_by_digit(const wn_cpu_memory *m, uint32_t score_at, uint32_t shift, uint32_t n,
                          const uint32_t *from, uint32_t *to)
{
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < n; ++i)
        ++starts[256 - ((score_key(real(m, score_at, i)) >> shift) & 255u)];
    for (uint32_t digit = 1; digit < 256; ++digit)
        starts[digit] += starts[digit - 1];
    for (uint32_t i = 0; i < n; ++i)
        to[starts[255 - ((score_key(real(m, score_at, from[i])) >> shift) & 255u)]++] = from[i];
}

void cpu_rank(const struct wn_args_rank *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t *order = m->scratch, *other = order + pc->n_max;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t begin = seg[s], n = seg[s + 1] - begin;
        for (uint32_t i = 0; i < n; ++i)
            order[i] = i;
        for (uint32_t shift = 0; shift < 32; shift += 16) {
            sort_by_digit(m, pc->score_at + begin, shift, n, order, other);
            sort_by_digit(m, pc->score_at + begin, shift + 8, n, other, order);
        }
        for (uint32_t i = 0; i < n; ++i)
            m->w[pc->rank_at + begin + order[i]] = i;
    }
    count_nan(m, pc->stats_at, pc->score_at, seg[pc->segs]);
}

/* The q-th quartile of v[at .. at+n), ascending: numpy's linear interpolation. */
static float quartile(const wn_cpu_memory *m, uint32_t at, uint32_t n, uint32_t q)
{
    const uint32_t p = (n - 1) * q, low = p / 4, high = least(low + 1, n - 1);
    const float g = (float)(p % 4) * 0.25f;
    const float below = real(m, at, low), above = real(m, at, high), d = above - below;
    return g < 0.5f ? below + d * g : above - d * (1.0f - g);
}

static uint32_t table_bit(const wn_cpu_memory *m, uint32_t at, uint32_t i)
{
    return (m->w[at + i / 32] >> (i % 32)) & 1u;
}

/* PruMerge, adaptive count: outliers of segment s and the steps that follow from their share. */
static void count_outliers(const struct wn_args_outlier_count *pc, const wn_cpu_memory *m,
                           uint32_t s)
{
    const uint32_t begin = m->w[pc->seg_at + s], n = m->w[pc->seg_at + s + 1] - begin;
    const uint32_t sorted = pc->sorted_at + begin, score = pc->score_at + begin;
    m->w[pc->keep_at + s] = 0;
    m->w[pc->step_at + s] = WN_NONE;
    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; ++i)
        m->w[sorted + n - 1 - m->w[pc->rank_at + begin + i]] = m->w[score + i];
    const float q1 = quartile(m, sorted, n, 1), q3 = quartile(m, sorted, n, 3);
    const float bound = q3 + 1.5f * (q3 - q1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; ++i)
        count += real(m, score, i) > bound;
    const uint32_t row = (n - pc->n_base) * pc->bit_row;
    m->w[pc->keep_at + s] = count - table_bit(m, pc->bits_at + row, count);
    if (count == 0)
        return;
    const uint32_t inverse = n / count - table_bit(m, pc->bits2_at + row, count);
    m->w[pc->step_at + s] = inverse / 3 > 1 ? inverse / 3 : 1;
}

void cpu_outlier_count(const struct wn_args_outlier_count *pc, const wn_cpu_memory *m)
{
    for (uint32_t s = 0; s < pc->segs; ++s)
        count_outliers(pc, m, s);
}

void cpu_sample(const struct wn_args_sample *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t step = m->w[pc->step_at + s], n = seg[s + 1] - seg[s];
        if (step == WN_NONE)
            continue;
        for (uint32_t p = 0; p + 1 < n; ++p)
            if (p % step == 0)
                m->w[pc->flag_at + seg[s] + p] = 1;
    }
}

/* W[at + i] = value, for an array that may not be wanted. */
static void put(const wn_cpu_memory *m, uint32_t at, uint32_t i, uint32_t value)
{
    if (at != WN_NONE)
        m->w[at + i] = value;
}

static void pick_parity(const struct wn_args_pick *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t n1 = 0, n2 = 0;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        m->w[pc->seg1_at + s] = n1;
        m->w[pc->seg2_at + s] = n2;
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const uint32_t position = entry(m, pc->pos_at, i);
            if ((i - seg[s]) % 2 == 0)
                m->w[pc->pos1_at + n1++] = position;
            else
                m->w[pc->pos2_at + n2++] = position;
        }
    }
    m->w[pc->seg1_at + pc->segs] = n1;
    m->w[pc->seg2_at + pc->segs] = n2;
}

static void pick_stride(const struct wn_args_pick *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t picked = 0;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s], first = picked;
        const uint32_t want = pc->wants ? m->w[pc->want_at + s] : pc->want;
        const uint32_t step = want > 0 && n > want ? n / want : 1;
        m->w[pc->seg1_at + s] = first;
        for (uint32_t place = 0; place < n && picked - first < want; place += step) {
            const uint32_t position = entry(m, pc->pos_at, seg[s] + place);
            m->w[pc->pos1_at + picked++] = position;
            put(m, pc->flag_at, position, 1);
        }
    }
    m->w[pc->seg1_at + pc->segs] = picked;
}

static void pick_window(const struct wn_args_pick *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    const uint32_t whole = pc->want > 0 ? n - n % pc->want : 0;
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t first = i < whole ? i - i % pc->want : WN_NONE;
        put(m, pc->flag_at, i, i == first);
        put(m, pc->dest_at, i, first);
    }
}

void cpu_pick(const struct wn_args_pick *pc, const wn_cpu_memory *m)
{
    if (pc->rule == WN_PICK_PARITY)
        pick_parity(pc, m);
    else if (pc->rule == WN_PICK_STRIDE)
        pick_stride(pc, m);
    else
        pick_window(pc, m);
}

static bool has_sizes(const struct wn_args_compact *pc)
{
    return pc->sizes_at != WN_NONE && pc->sizes_out_at != WN_NONE;
}

/* A row that stands for no token of the old set: the class token or the pooled rest. */
static void put_added(const struct wn_args_compact *pc, const wn_cpu_memory *m, uint32_t r,
                      int32_t index)
{
    put(m, pc->rows_out_at, r, pc->fresh_rows ? r : WN_NONE);
    put(m, pc->index_out_at, r, (uint32_t)index);
    put(m, pc->from_at, r, WN_NONE);
    if (has_sizes(pc))
        set_real(m, pc->sizes_out_at, r, 1.0f);
}

static void put_kept(const struct wn_args_compact *pc, const wn_cpu_memory *m, uint32_t r,
                     uint32_t i)
{
    if (pc->rows_out_at != WN_NONE)
        m->w[pc->rows_out_at + r] = pc->fresh_rows ? r : entry(m, pc->rows_at, i);
    if (pc->index_out_at != WN_NONE)
        m->w[pc->index_out_at + r] = entry(m, pc->index_at, i);
    put(m, pc->from_at, r, i);
    if (has_sizes(pc))
        m->w[pc->sizes_out_at + r] = m->w[pc->sizes_at + i];
}

void cpu_mark(const struct wn_args_mark *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    for (uint32_t i = 0; i < n; ++i)
        if (m->w[pc->chosen_at + i])
            m->w[pc->flag_at + entry(m, pc->from_at, i)] = 1;
}

void cpu_compact(const struct wn_args_compact *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t r = 0;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        m->w[pc->seg_out_at + s] = r;
        for (uint32_t i = 0; i < pc->first; ++i)
            put_added(pc, m, r++, -1);
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const bool kept = (m->w[pc->flag_at + i] != 0) != (pc->invert != 0);
            put(m, pc->map_at, i, kept ? r : WN_NONE);
            if (kept)
                put_kept(pc, m, r++, i);
        }
        for (uint32_t i = 0; i < pc->last; ++i)
            put_added(pc, m, r++, -2);
    }
    m->w[pc->seg_out_at + pc->segs] = r;
}
