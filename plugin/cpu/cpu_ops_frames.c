/* Centres of segments, and how tokens and frames stand to them. */
#include "cpu_ops.h"

static bool is_taken(const wn_cpu_memory *m, uint32_t mask_at, uint32_t d)
{
    return mask_at == WN_NONE || m->w[mask_at + d] != 0;
}

static float length_of(float s, float eps2)
{
    if (is_nan(s) || is_inf(s))
        return s;
    return s <= eps2 ? 0.0f : s * rsqrt_(s);
}

void cpu_row_length(const struct wn_args_row_length *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t row = entry(m, pc->list_at, i);
        const float *x = wn_cpu_row(&m->a, row, pc->cols, m->scratch);
        float p[32] = {0};
        for (uint32_t d = 0; d < pc->cols; ++d)
            if (is_taken(m, pc->mask_at, d))
                p[d % 32] += x[d] * x[d];
        const float s = tree32(p);
        set_real(m, pc->out_at, i,
                 pc->inverse ? norm_factor(s, pc->eps2, pc->inv_eps) : length_of(s, pc->eps2));
    }
}

/* sum[c] += v of one token, columns own. */
static void add_token(const struct wn_args_column_sum *pc, const wn_cpu_memory *m, uint32_t i,
                      wn_cpu_span own, const float *centre, float *sum, float *room)
{
    const float *x = wn_cpu_row(&m->a, entry(m, pc->list_at, i), pc->cols, room);
    const float weight = real_or_one(m, pc->weight_at, i);
    for (uint32_t c = own.begin; c < own.end; ++c) {
        float v = pc->weight_at == WN_NONE ? x[c] : x[c] * weight;
        if (centre) {
            const float d = v - centre[c];
            v = d * d;
        }
        sum[c] += v != v ? 0.0f : v;
    }
}

static float factor_of(const struct wn_args_column_sum *pc, const wn_cpu_memory *m, uint32_t s)
{
    const uint32_t *over = m->w + pc->over_at;
    const uint32_t n = over[(s + 1) * pc->span] - over[s * pc->span];
    return n ? recip_((float)n) : 0.0f;
}

void cpu_column_sum(const struct wn_args_column_sum *pc, const wn_cpu_memory *m)
{
    float *room = m->scratch, *sum = room + pc->cols;
    const float *centre = pc->square ? f32_row(&m->c, 0) : NULL;
    const wn_cpu_span all = wn_cpu_share(m, 0, pc->segs * pc->cols);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        wn_cpu_span own = wn_cpu_overlap(all, s * pc->cols, (s + 1) * pc->cols);
        if (own.begin >= own.end)
            continue;
        own.begin -= s * pc->cols;
        own.end -= s * pc->cols;
        for (uint32_t c = own.begin; c < own.end; ++c)
            sum[c] = 0.0f;
        for (uint32_t i = m->w[pc->seg_at + s]; i < m->w[pc->seg_at + s + 1]; ++i)
            add_token(pc, m, i, own, centre, sum, room);
        for (uint32_t c = own.begin; pc->over_at != WN_NONE && c < own.end; ++c)
            sum[c] *= factor_of(pc, m, s);
        wn_cpu_store_row(&m->b, s, own.begin, own.end - own.begin, sum + own.begin);
    }
}

/* Gaussians of widths 1/8, 1/4, 1/2, 1 and 2 of the squared distance y. */
static float gauss(float y)
{
    float g = exp_(-(4.0f * y));
    g += exp_(-(2.0f * y));
    g += exp_(-y);
    g += exp_(-(0.5f * y));
    g += exp_(-(0.25f * y));
    return g;
}

/* The squared distance of x*inv from centre*f over the mask's channels. */
static float distance(const struct wn_args_centre_gauss *pc, const wn_cpu_memory *m, const float *x,
                      float inv, const float *centre, float f)
{
    float p[32] = {0};
    for (uint32_t d = 0; d < pc->cols; ++d) {
        if (!is_taken(m, pc->mask_at, d))
            continue;
        const float gap = x[d] * inv - centre[d] * f;
        p[d % 32] += gap * gap;
    }
    return tree32(p);
}

void cpu_centre_gauss(const struct wn_args_centre_gauss *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, count = seg[pc->segs];
    const wn_cpu_span own = wn_cpu_share(m, 0, count);
    const float fa =
        pc->factor_at != WN_NONE ? real(m, pc->factor_at, 0) : recip_((float)(count ? count : 1));
    float *room = m->scratch, *centre = room + pc->cols;
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t s = segment_of(seg, pc->segs, i);
        const float *x = wn_cpu_row(&m->a, entry(m, pc->list_at, i), pc->cols, room);
        const float inv = real(m, pc->inv_at, i), fs = recip_((float)(seg[s + 1] - seg[s]));
        const float all =
            gauss(distance(pc, m, x, inv, wn_cpu_row(&m->c, pc->segs, pc->cols, centre), fa));
        const float frame =
            gauss(distance(pc, m, x, inv, wn_cpu_row(&m->c, s, pc->cols, centre), fs));
        set_real(m, pc->all_at, i, all);
        set_real(m, pc->sum_at, i, all + frame);
    }
}

void cpu_value_mean(const struct wn_args_value_mean *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        float sums[32] = {0}, numbers[32] = {0};
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const float v = real(m, pc->v_at, i);
            if (is_nan(v))
                continue;
            sums[(i - seg[s]) % 32] += v;
            numbers[(i - seg[s]) % 32] += 1.0f;
        }
        const float n = tree32(numbers);
        if (n == 0.0f)
            m->w[pc->mean_at + s] = 0x7fc00000u;
        else
            set_real(m, pc->mean_at, s, tree32(sums) * recip_(n));
    }
}

/* What a list of numbers adds up to in dot32's order. */
static float sum_of(const wn_cpu_memory *m, uint32_t at, uint32_t n)
{
    float p[32] = {0};
    for (uint32_t i = 0; i < n; ++i)
        p[i % 32] += real(m, at, i);
    return tree32(p);
}

void cpu_softmax(const struct wn_args_softmax *pc, const wn_cpu_memory *m)
{
    const bool smallest = pc->scale < 0.0f;
    uint32_t key = 0;
    for (uint32_t i = 0; i < pc->n; ++i) {
        const float x = real(m, pc->x_at, i);
        const uint32_t k = smallest ? score_key_smallest(x) : score_key(x);
        key = k > key ? k : key;
    }
    const float most = number_of(smallest && key ? ~key : key);
    for (uint32_t i = 0; i < pc->n; ++i) {
        const float z = (real(m, pc->x_at, i) - most) * pc->scale;
        set_real(m, pc->p_at, i, is_nan(z) ? 0.0f : exp_(z));
    }
    const float sum = sum_of(m, pc->p_at, pc->n), factor = sum == 0.0f ? 0.0f : recip_(sum);
    for (uint32_t i = 0; i < pc->n; ++i) {
        const float share = real(m, pc->p_at, i) * factor;
        set_real(m, pc->p_at, i, share < 1.17549435e-38f ? 0.0f : share); /* drivers differ below */
    }
}

void cpu_frame_shares(const struct wn_args_frame_shares *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const float mean = sum_of(m, pc->p_at, pc->segs) * recip_((float)pc->segs);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s];
        const float share = pc->base * ((1.0f + real(m, pc->p_at, s)) - mean);
        const float tokens = (share < 1.0f ? share : 1.0f) * (float)n;
        uint32_t k = (uint32_t)round_even_(tokens > 0.0f ? tokens : 0.0f);
        k = k ? k : 1;
        m->w[pc->k_at + s] = least(k, n);
    }
}

void cpu_prefer(const struct wn_args_prefer *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    for (uint32_t i = 0; i < n; ++i) {
        const float v = real(m, pc->v_at, i);
        set_real(m, pc->out_at, i, m->w[pc->flag_at + i] ? v : v * pc->factor);
    }
}

void cpu_above(const struct wn_args_above *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs], limit = score_key(pc->limit);
    for (uint32_t i = 0; i < n; ++i) {
        const float v = real(m, pc->v_at, i);
        const uint32_t key = score_key(v);
        const bool yes = key > limit || (pc->equal && key == limit);
        m->w[pc->flag_at + i] = yes != (pc->below != 0);
        m->w[pc->stats_at] += is_nan(v);
    }
}

/* room [cols] = row t as a unit vector. */
static void unit_row(const struct wn_args_curvature *pc, const wn_cpu_memory *m, uint32_t t,
                     float *room)
{
    const float inv = real(m, pc->inv_at, t);
    wn_cpu_load_row(&m->a, t, pc->cols, room);
    for (uint32_t d = 0; d < pc->cols; ++d)
        room[d] *= inv;
}

void cpu_curvature(const struct wn_args_curvature *pc, const wn_cpu_memory *m)
{
    float *before = m->scratch, *own = before + pc->cols, *after = own + pc->cols;
    for (uint32_t t = 0; t < pc->n; ++t) {
        if (t == 0 || t + 1 == pc->n) {
            set_real(m, pc->curve_at, t, 1.0f);
            continue;
        }
        unit_row(pc, m, t - 1, before);
        unit_row(pc, m, t, own);
        unit_row(pc, m, t + 1, after);
        for (uint32_t d = 0; d < pc->cols; ++d) {
            before[d] = own[d] - before[d];
            after[d] -= own[d];
        }
        float pp, pq, qq;
        wn_cpu_dots32(before, after, pc->cols, &pp, &pq, &qq);
        const float f = norm_factor(pp, 1e-12f, 1e6f) * norm_factor(qq, 1e-12f, 1e6f);
        set_real(m, pc->curve_at, t, 1.0f - pq * f);
    }
}

void cpu_centre_cos(const struct wn_args_centre_cos *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, seg[pc->segs]);
    float *x_room = m->scratch, *y_room = x_room + pc->cols;
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t s = segment_of(seg, pc->segs, i), row = entry(m, pc->list_at, i);
        const float *x = wn_cpu_row(&m->a, row, pc->cols, x_room);
        const float *y = wn_cpu_row(&m->c, s, pc->cols, y_room);
        const float dot = is_none(row) ? 0.0f : wn_cpu_dot32(x, y, pc->cols);
        float c = dot * (real_or_one(m, pc->inv_at, i) * real_or_one(m, pc->centre_inv_at, s));
        if (pc->distance)
            c = 1.0f - c;
        set_real(m, pc->v_at, i, pc->add_at == WN_NONE ? c : c + real(m, pc->add_at, i));
    }
}

/* A budget being shared among segments. */
typedef struct sharing {
    const struct wn_args_allocate *pc;
    const uint32_t *seg;
    uint32_t *k;
    float *mark;
    uint32_t total, floor; /* floor: what each has at least, if it has so many */
} sharing;

static uint32_t tokens_of(const sharing *a, uint32_t s)
{
    return a->seg[s + 1] - a->seg[s];
}

static uint32_t base_of(const sharing *a, uint32_t s)
{
    return least(a->floor, tokens_of(a, s));
}

static float weight_of(const sharing *a, const wn_cpu_memory *m, uint32_t s, bool flat)
{
    const float w = real(m, a->pc->w_at, s);
    return flat ? 1.0f : w > 0.0f ? w : 0.0f;
}

static uint32_t taken(const sharing *a)
{
    uint32_t sum = 0;
    for (uint32_t s = 0; s < a->pc->segs; ++s)
        sum += a->k[s];
    return sum;
}

/* The segment whose mark is best; WN_NONE: all marks are NaN. */
static uint32_t best_mark(const sharing *a, bool smallest)
{
    uint32_t best = WN_NONE, most = 0;
    for (uint32_t s = 0; s < a->pc->segs; ++s) {
        const uint32_t key = smallest ? score_key_smallest(a->mark[s]) : score_key(a->mark[s]);
        if (key > most) {
            most = key;
            best = s;
        }
    }
    return best;
}

static void give_rest(sharing *a, uint32_t rest)
{
    while (rest) {
        const uint32_t s = best_mark(a, false);
        if (s == WN_NONE)
            return;
        const uint32_t give = least(rest, tokens_of(a, s) - a->k[s]);
        a->k[s] += give;
        a->mark[s] = bits_f32(0x7fc00000u);
        rest -= give;
    }
}

static void take_back(sharing *a, const wn_cpu_memory *m, uint32_t over, bool flat)
{
    while (over) {
        for (uint32_t s = 0; s < a->pc->segs; ++s)
            a->mark[s] = weight_of(a, m, s, flat);
        for (uint32_t s; over && (s = best_mark(a, true)) != WN_NONE;) {
            a->mark[s] = bits_f32(0x7fc00000u);
            if (a->k[s] > base_of(a, s)) {
                --a->k[s];
                --over;
            }
        }
    }
}

void cpu_allocate(const struct wn_args_allocate *pc, const wn_cpu_memory *m)
{
    sharing a = {.pc = pc,
                 .seg = m->w + pc->seg_at,
                 .k = m->w + pc->k_at,
                 .mark = (float *)(void *)(m->w + pc->mark_at),
                 .total = m->w[pc->total_at],
                 .floor = pc->least};
    for (uint32_t s = 0; s < pc->segs; ++s)
        a.k[s] = base_of(&a, s);
    if (taken(&a) > a.total) {
        a.floor = 0;
        for (uint32_t s = 0; s < pc->segs; ++s)
            a.k[s] = 0;
    }
    const uint32_t rest = a.total - taken(&a);
    if (!rest)
        return;
    float p[32] = {0};
    for (uint32_t s = 0; s < pc->segs; ++s)
        p[s % 32] += weight_of(&a, m, s, false);
    const float sum = tree32(p);
    const bool flat = !(sum > 0.0f);
    const float all = flat ? (float)pc->segs : sum;
    const float factor = recip_(all > 1e-6f ? all : 1e-6f);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const float raw = (weight_of(&a, m, s, flat) * factor) * (float)rest;
        const uint32_t room = tokens_of(&a, s) - a.k[s], whole = !(raw < (float)room) ? room
                                                                 : raw > 0.0f ? (uint32_t)raw
                                                                              : 0;
        a.k[s] += least(whole, room);
        a.mark[s] = whole < room ? raw - (float)whole : bits_f32(0x7fc00000u);
    }
    const uint32_t sum_k = taken(&a);
    if (sum_k < a.total)
        give_rest(&a, a.total - sum_k);
    else
        take_back(&a, m, sum_k - a.total, flat);
}
