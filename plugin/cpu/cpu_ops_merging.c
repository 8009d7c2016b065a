/* Who goes where, and the rows that come of it. */
#include "cpu_ops.h"

void cpu_dest(const struct wn_args_dest *pc, const wn_cpu_memory *m)
{
    const uint32_t *src = m->w + pc->src_seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        for (uint32_t e = src[s]; e < src[s + 1]; ++e) {
            const uint32_t p = entry(m, pc->src_pos_at, e);
            if (pc->rule == 0) {
                if (m->w[pc->rank_at + e] >= m->w[pc->k_at + s])
                    continue;
                m->w[pc->keep_at + p] = 0;
            }
            if (pc->rule == 2) {
                if (m->w[pc->rank_at + e] == 0)
                    continue;
                m->w[pc->keep_at + p] = 0;
            }
            if (m->w[pc->keep_at + p] == 0)
                m->w[pc->dest_at + p] = m->w[pc->arg_at + e];
        }
    }
}

void cpu_frame_dest(const struct wn_args_frame_dest *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < pc->n_max; ++i) {
        const uint32_t ref = m->w[pc->ref_at + i / pc->tokens];
        m->w[pc->dest_at + i] = is_none(ref) ? WN_NONE : ref * pc->tokens + i % pc->tokens;
    }
}

/* The new row of the token where the chain of destinations from i ends. */
static uint32_t follow(const struct wn_args_resolve *pc, const wn_cpu_memory *m, uint32_t i)
{
    const uint32_t steps = pc->steps ? pc->steps : 64;
    for (uint32_t step = 0; pc->dest_at != WN_NONE && step < steps; ++step) {
        i = m->w[pc->dest_at + i];
        if (i == WN_NONE)
            return WN_NONE;
        if (m->w[pc->keep_at + i])
            return m->w[pc->map_at + i];
    }
    return WN_NONE;
}

void cpu_resolve(const struct wn_args_resolve *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t rest = pc->pooled ? m->w[pc->seg_new_at + s + 1] - 1 : WN_NONE;
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const uint32_t to = m->w[pc->keep_at + i] ? m->w[pc->map_at + i] : follow(pc, m, i);
            m->w[pc->map2_at + i] = to == WN_NONE && !m->w[pc->keep_at + i] ? rest : to;
        }
    }
}

/* Whether old position i may be a member of new row r: the span of r's segment, and not itself unless it is its own. */
static bool may_join(const struct wn_args_group *pc, const wn_cpu_memory *m, uint32_t i, uint32_t r)
{
    const uint32_t *seg = m->w + pc->seg_at, *seg_new = m->w + pc->seg_new_at;
    if (r == WN_NONE || r >= seg_new[pc->segs])
        return false;
    const uint32_t s = segment_of(seg_new, pc->segs, r);
    const uint32_t end = pc->span < pc->segs - s ? s + pc->span : pc->segs;
    const wn_cpu_span range = {pc->ranged ? m->w[pc->begin_at + s] : seg[s],
                               pc->ranged ? m->w[pc->end_at + s] : seg[end]};
    const bool other = pc->from_at == WN_NONE || i != m->w[pc->from_at + r];
    return i >= range.begin && i < range.end && (other || (pc->own && m->w[pc->own_at + i] != 0));
}

void cpu_group(const struct wn_args_group *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs], rows = m->w[pc->seg_new_at + pc->segs];
    for (uint32_t r = 0; r < rows; ++r)
        m->w[pc->head_at + r] = WN_NONE;
    for (uint32_t i = n; i-- > 0;) { /* from the last: each goes in front */
        const uint32_t r = m->w[pc->map2_at + i];
        if (!may_join(pc, m, i, r))
            continue;
        m->w[pc->next_at + i] = m->w[pc->head_at + r];
        m->w[pc->head_at + r] = i;
    }
    if (pc->sizes_new_at == WN_NONE)
        return;
    for (uint32_t r = 0; r < rows; ++r) {
        const uint32_t base = pc->from_at == WN_NONE ? WN_NONE : m->w[pc->from_at + r];
        float size = base == WN_NONE ? 1.0f : real_or_one(m, pc->sizes_at, base);
        for (uint32_t i = m->w[pc->head_at + r]; i != WN_NONE; i = m->w[pc->next_at + i])
            size += i == base ? 0.0f : real_or_one(m, pc->sizes_at, i);
        set_real(m, pc->sizes_new_at, r, size);
    }
}

void cpu_merge_lists(const struct wn_args_merge_lists *pc, const wn_cpu_memory *m)
{
    const struct wn_args_dest dest = {.segs = pc->segs,
                                      .src_seg_at = pc->src_seg_at,
                                      .src_pos_at = pc->src_pos_at,
                                      .rule = pc->rank_at == WN_NONE,
                                      .rank_at = pc->rank_at,
                                      .k_at = pc->k_at,
                                      .arg_at = pc->arg_at,
                                      .keep_at = pc->keep_at,
                                      .dest_at = pc->dest_at};
    const struct wn_args_compact compact = {.segs = pc->segs,
                                            .seg_at = pc->seg_at,
                                            .flag_at = pc->keep_at,
                                            .rows_at = pc->rows_at,
                                            .index_at = pc->index_at,
                                            .sizes_at = pc->sizes_at,
                                            .seg_out_at = pc->seg_out_at,
                                            .rows_out_at = pc->rows_out_at,
                                            .index_out_at = pc->index_out_at,
                                            .sizes_out_at = pc->sizes_out_at,
                                            .from_at = pc->from_at,
                                            .map_at = pc->map_at,
                                            .first = pc->first,
                                            .fresh_rows = 1};
    const struct wn_args_resolve resolve = {.segs = pc->segs,
                                            .seg_at = pc->seg_at,
                                            .keep_at = pc->keep_at,
                                            .dest_at = pc->dest_at,
                                            .map_at = pc->map_at,
                                            .map2_at = pc->map2_at};
    const struct wn_args_group group = {.segs = pc->segs,
                                        .seg_at = pc->seg_at,
                                        .seg_new_at = pc->seg_out_at,
                                        .span = pc->span,
                                        .map2_at = pc->map2_at,
                                        .from_at = pc->from_at,
                                        .head_at = pc->head_at,
                                        .next_at = pc->next_at,
                                        .sizes_at = pc->sizes_at,
                                        .sizes_new_at = pc->sizes_out_at};
    if (pc->arg_at != WN_NONE)
        cpu_dest(&dest, m);
    cpu_compact(&compact, m);
    cpu_resolve(&resolve, m);
    if (pc->head_at != WN_NONE)
        cpu_group(&group, m);
}

/* Walks the members of new row r of segment s: a linked list, or a row of neighbours. */
typedef struct members {
    const uint32_t *next; /* NULL: neighbours */
    const uint32_t *near;
    uint32_t many, at;
} members;

static members members_of(const struct wn_args_merge *pc, const wn_cpu_memory *m, uint32_t s,
                          uint32_t r)
{
    if (pc->near_at == WN_NONE)
        return (members){.next = m->w + pc->next_at, .at = m->w[pc->head_at + r]};
    const size_t kept = r - (s + 1) * pc->first - s * pc->last;
    return (members){.near = m->w + pc->near_at + kept * pc->many, .many = pc->many};
}

static uint32_t next_member(members *list)
{
    if (!list->next)
        return list->at < list->many ? list->near[list->at++] : WN_NONE;
    const uint32_t i = list->at;
    if (i != WN_NONE)
        list->at = list->next[i];
    return i;
}

/* sum[cols] += w * x[cols] */
static void add_row(float *sum, const float *x, float w, uint32_t cols)
{
    for (uint32_t c = 0; c < cols; ++c)
        sum[c] += w * x[c];
}

/* largest[cols]: x[cols] where that is larger */
static void raise_row(float *largest, const float *x, uint32_t cols)
{
    for (uint32_t c = 0; c < cols; ++c)
        largest[c] = x[c] > largest[c] ? x[c] : largest[c];
}

/* v*x + (1 - v)*mean */
static void blend(const struct wn_args_merge *pc, float *sum, const float *x, uint32_t count)
{
    const float few = recip_((float)(count + 1)), factor = recip_((float)count);
    const float v = pc->rule == WN_MERGE_BLEND_FEW && few > pc->blend ? few : pc->blend;
    const float rest = 1.0f - v;
    for (uint32_t c = 0; c < pc->cols; ++c) {
        const float mean = sum[c] * factor, own = v * x[c];
        sum[c] = own + rest * mean;
    }
}

/* What is made of the members' sum; x is the base's row. */
static void finish_merge(const struct wn_args_merge *pc, float *sum, const float *x, float weight,
                         uint32_t count)
{
    const uint32_t rule = pc->rule, cols = pc->cols;
    if (rule == WN_MERGE_WAVG || rule == WN_MERGE_SUM_OVER) {
        const float factor = recip_(weight);
        for (uint32_t c = 0; c < cols; ++c)
            sum[c] = sum[c] * factor;
    } else if (rule == WN_MERGE_ADD_MEAN) {
        const float factor = recip_((float)count);
        for (uint32_t c = 0; c < cols; ++c)
            sum[c] = x[c] + sum[c] * factor;
    } else if (rule != WN_MERGE_ADD_SUM && rule != WN_MERGE_MAX) {
        blend(pc, sum, x, count);
    }
}

static void merge_row(const struct wn_args_merge *pc, const wn_cpu_memory *m, uint32_t s,
                      uint32_t r)
{
    const uint32_t base = m->w[pc->from_at + r], cols = pc->cols;
    if (base == WN_NONE)
        return;
    const uint32_t base_row = entry(m, pc->list_at, base);
    float *sum = m->scratch, *room = sum + cols;
    const float base_weight = real_or_one(m, pc->weight_at, base);
    const float *x = wn_cpu_row(&m->a, base_row, cols, room);
    float weight = base_weight;
    const bool raises = pc->rule == WN_MERGE_MAX;
    const bool from_base = pc->rule == WN_MERGE_ADD_SUM || pc->rule == WN_MERGE_SUM_OVER || raises;
    const bool weighs = pc->rule == WN_MERGE_WAVG || pc->rule == WN_MERGE_ADD_SUM;
    for (uint32_t c = 0; c < cols; ++c)
        sum[c] = pc->rule == WN_MERGE_WAVG ? base_weight * x[c] : from_base ? x[c] : 0.0f;
    members list = members_of(pc, m, s, r);
    uint32_t count = 0;
    for (uint32_t i; (i = next_member(&list)) != WN_NONE; ++count) {
        const float w = weighs ? real_or_one(m, pc->weight_at, i) : 1.0f;
        const float *own = wn_cpu_row(&m->a, entry(m, pc->list_at, i), cols, room);
        if (raises)
            raise_row(sum, own, cols);
        else
            add_row(sum, own, w, cols);
        weight += weighs ? w : 0.0f;
    }
    x = wn_cpu_row(&m->a, base_row, cols, room);
    const bool merged = count > 0 && !(pc->rule == WN_MERGE_WAVG && weight == 0.0f);
    if (merged)
        finish_merge(pc, sum, x, weight, count);
    wn_cpu_store_row(&m->b, r, 0, cols, merged ? sum : x);
}

void cpu_merge(const struct wn_args_merge *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg_new = m->w + pc->seg_new_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg_new[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg_new[s], seg_new[s + 1]);
        for (uint32_t r = own.begin; r < own.end; ++r)
            merge_row(pc, m, s, r);
    }
}

void cpu_pool_rest(const struct wn_args_pool_rest *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *sum = m->scratch, *room = sum + pc->cols;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t r = m->w[pc->seg_new_at + s + 1] - 1;
        float size = 0.0f;
        memset(sum, 0, pc->cols * sizeof *sum);
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            if (m->w[pc->keep_at + i])
                continue;
            const float *x = wn_cpu_row(&m->a, entry(m, pc->list_at, i), pc->cols, room);
            add_row(sum, x, real_or_one(m, pc->weight_at, i), pc->cols);
            size += real_or_one(m, pc->sizes_at, i);
        }
        wn_cpu_store_row(&m->b, r, 0, pc->cols, sum);
        if (pc->sizes_new_at != WN_NONE)
            set_real(m, pc->sizes_new_at, r, size);
    }
}

void cpu_merge_order(const struct wn_args_merge_order *pc, const wn_cpu_memory *m)
{
    const uint32_t *src = m->w + pc->src_seg_at, *dst = m->w + pc->dst_seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t sources = src[s + 1] - src[s], k = least(m->w[pc->k_at + s], sources);
        uint32_t *order = m->w + pc->order_at + m->w[pc->seg_new_at + s];
        uint32_t left = 0;
        for (uint32_t e = src[s]; e < src[s + 1]; ++e) {
            const uint32_t rank = m->w[pc->rank_at + e];
            if (rank >= k)
                order[pc->by_place ? left++ : rank - k] =
                    m->w[pc->map_at + entry(m, pc->src_pos_at, e)];
        }
        for (uint32_t u = dst[s]; u < dst[s + 1]; ++u)
            order[sources - k + u - dst[s]] = m->w[pc->map_at + entry(m, pc->dst_pos_at, u)];
    }
}

void cpu_remap(const struct wn_args_remap *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < pc->n; ++i) {
        const uint32_t a = entry(m, pc->assign_at, i);
        m->w[pc->assign_out_at + i] = a == WN_NONE ? WN_NONE : m->w[pc->map_at + a];
    }
}

void cpu_invert(const struct wn_args_invert *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    for (uint32_t r = 0; r < n; ++r)
        m->w[pc->inverse_at + m->w[pc->order_at + r]] = r;
}
