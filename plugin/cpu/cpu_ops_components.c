/* PruneSID: the principal components of a segment's tokens, and shares of a budget for their groups. */
#include "cpu_ops.h"

void cpu_sigmoid_rows(const struct wn_args_sigmoid_rows *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t row = entry(m, pc->rows_at, i);
        float *y = f32_row(&m->b, i);
        wn_cpu_load_row(&m->a, row, pc->cols, y); /* zeros if it is none */
        if (is_none(row))
            continue;
        for (uint32_t c = 0; c < pc->cols; ++c) {
            const float x = is_nan(y[c]) ? 0.0f : y[c];
            y[c] = recip_(1.0f + exp_(x < -60.0f ? 60.0f : -x));
        }
        const float mean = wn_cpu_sum32(y, pc->cols) * pc->inv_cols;
        for (uint32_t c = 0; c < pc->cols; ++c)
            y[c] = y[c] - mean;
    }
}

void cpu_fold_columns(const struct wn_args_fold_columns *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s], groups = m->w[pc->groups_at + s];
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const float *from = f32_row(&m->a, i);
            float *to = f32_row(&m->b, i);
            memset(to, 0, groups * sizeof *to);
            for (uint32_t j = 0; j < n; ++j)
                to[j % groups] += from[j];
        }
    }
}

/* dot32 of columns u and g over n rows, x and y: scratch [n]. */
static float column_dot(const wn_cpu_rows *rows, uint32_t begin, uint32_t n, uint32_t u, uint32_t g,
                        float *x, float *y)
{
    for (uint32_t i = 0; i < n; ++i) {
        const float *row = f32_row(rows, begin + i);
        x[i] = row[u];
        y[i] = row[g];
    }
    return wn_cpu_dot32(x, y, n);
}

/* Column g without its parts along the ones before. */
static void straighten(const struct wn_args_orthonormal *pc, const wn_cpu_memory *m, uint32_t s,
                       uint32_t g, float *x, float *y)
{
    const uint32_t begin = m->w[pc->seg_at + s], n = m->w[pc->seg_at + s + 1] - begin;
    const uint32_t parts_at = pc->parts_at + s * pc->most;
    for (uint32_t u = 0; u < g; ++u)
        set_real(m, parts_at, u, column_dot(&m->b, begin, n, u, g, x, y));
    for (uint32_t i = 0; i < n; ++i) {
        float *row = f32_row(&m->b, begin + i), v = row[g];
        for (uint32_t u = 0; u < g; ++u)
            v = v - real(m, parts_at, u) * row[u];
        row[g] = v;
    }
}

void cpu_orthonormal(const struct wn_args_orthonormal *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t begin = seg[s], n = seg[s + 1] - begin, groups = m->w[pc->groups_at + s];
        const uint32_t stop = pc->count ? least(groups, pc->from + pc->count) : groups;
        float *x = m->scratch, *y = x + n;
        for (uint32_t g = pc->from; g < stop; ++g) {
            straighten(pc, m, s, g, x, y);
            straighten(pc, m, s, g, x, y);
            const float length2 = column_dot(&m->b, begin, n, g, g, x, y);
            const float factor = length2 > 1e-30f ? rsqrt_(length2) : 0.0f;
            for (uint32_t i = 0; i < n; ++i)
                f32_row(&m->b, begin + i)[g] = y[i] * factor;
        }
    }
}

void cpu_segment_product(const struct wn_args_segment_product *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        const uint32_t n = seg[s + 1] - seg[s], groups = m->w[pc->groups_at + s];
        for (uint32_t i = own.begin; i < own.end; ++i) {
            const float *from = f32_row(&m->a, i);
            float *to = f32_row(&m->b, i);
            memset(to, 0, groups * sizeof *to);
            for (uint32_t j = 0; j < n; ++j) {
                const float *row = f32_row(&m->c, seg[s] + j);
                for (uint32_t g = 0; g < groups; ++g)
                    to[g] += from[j] * row[g];
            }
        }
    }
}

void cpu_segment_gram(const struct wn_args_segment_gram *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s], groups = m->w[pc->groups_at + s];
        float *x = m->scratch, *y = x + n;
        for (uint32_t u = 0; u < groups; ++u) {
            for (uint32_t i = 0; i < n; ++i)
                x[i] = f32_row(&m->a, seg[s] + i)[u];
            for (uint32_t g = 0; g < groups; ++g) {
                for (uint32_t i = 0; i < n; ++i)
                    y[i] = f32_row(&m->c, seg[s] + i)[g];
                f32_row(&m->b, s * pc->most + u)[g] = wn_cpu_dot32(x, y, n);
            }
        }
    }
}

typedef struct pair {
    uint32_t p, q;
    float c, s;
} pair;

/* Pair k of a round in which each of m (even) players meets one other: the last stays, the others go round. */
static pair pair_of(uint32_t k, uint32_t round, uint32_t m)
{
    const uint32_t a = k == 0 ? m - 1 : (round + k) % (m - 1), b = (round + m - 1 - k) % (m - 1);
    return (pair){.p = a < b ? a : b, .q = a < b ? b : a, .c = 1.0f};
}

static float size_of(float x)
{
    return bits_f32(f32_bits(x) & 0x7fffffffu);
}

/* The rotation that makes element (p, q) zero. */
static void set_rotation(pair *pq, float a, float b, float d)
{
    if (!(size_of(d) > 1e-15f))
        return;
    const float half = (b - a) * 0.5f, sum = half * half + d * d;
    float t = d * recip_(size_of(half) + sum * rsqrt_(sum));
    t = half < 0.0f ? -t : t;
    pq->c = rsqrt_(1.0f + t * t);
    pq->s = t * pq->c;
}

static void turn(float *x, float *y, const pair *pq)
{
    const float u = *x, v = *y;
    *x = pq->c * u - pq->s * v;
    *y = pq->s * u + pq->c * v;
}

static void jacobi_round(const struct wn_args_jacobi *pc, const wn_cpu_memory *m, uint32_t rows,
                         uint32_t n, uint32_t round, pair *pairs)
{
    const uint32_t even = (n + 1) & ~1u, count = even / 2;
    for (uint32_t k = 0; k < count; ++k) {
        pair *pq = &pairs[k];
        *pq = pair_of(k, round, even);
        if (pq->q < n)
            set_rotation(pq, f32_row(&m->b, rows + pq->p)[pq->p],
                         f32_row(&m->b, rows + pq->q)[pq->q], f32_row(&m->b, rows + pq->p)[pq->q]);
    }
    for (uint32_t k = 0; k < count; ++k)
        for (uint32_t x = 0; pairs[k].q < n && x < n; ++x)
            turn(f32_row(&m->b, rows + pairs[k].p) + x, f32_row(&m->b, rows + pairs[k].q) + x,
                 &pairs[k]);
    for (uint32_t x = 0; x < n; ++x)
        for (uint32_t k = 0; k < count; ++k) {
            float *row = f32_row(&m->b, rows + x), *vectors = row + pc->most;
            if (pairs[k].q >= n)
                continue;
            turn(row + pairs[k].p, row + pairs[k].q, &pairs[k]);
            turn(vectors + pairs[k].p, vectors + pairs[k].q, &pairs[k]);
        }
}

void cpu_jacobi(const struct wn_args_jacobi *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t n = m->w[pc->groups_at + s], rows = s * pc->most, even = (n + 1) & ~1u;
        for (uint32_t u = 0; pc->first && u < n; ++u)
            for (uint32_t g = 0; g < n; ++g)
                f32_row(&m->b, rows + u)[pc->most + g] = u == g ? 1.0f : 0.0f;
        for (uint32_t k = 0; n > 1 && k < pc->sweeps * (even - 1); ++k)
            jacobi_round(pc, m, rows, n, k % (even - 1), m->scratch);
        for (uint32_t g = 0; g < n; ++g) {
            const uint32_t key = score_key(f32_row(&m->b, rows + g)[g]);
            uint32_t before = 0;
            for (uint32_t u = 0; u < n; ++u) {
                const uint32_t other = score_key(f32_row(&m->b, rows + u)[u]);
                before += other > key || (other == key && u < g);
            }
            m->w[pc->order_at + rows + before] = g;
        }
    }
}

void cpu_component(const struct wn_args_component *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    float *sums = m->scratch;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        const uint32_t groups = m->w[pc->groups_at + s], rows = s * pc->most;
        for (uint32_t i = own.begin; i < own.end; ++i) {
            const float *x = f32_row(&m->a, i);
            memset(sums, 0, groups * sizeof *sums);
            for (uint32_t u = 0; u < groups; ++u)
                for (uint32_t g = 0; g < groups; ++g)
                    sums[g] += x[u] * f32_row(&m->c, rows + u)[pc->most + g];
            uint32_t best = WN_NONE, best_key = 0;
            for (uint32_t place = 0; place < groups; ++place) {
                const uint32_t key = score_key(size_of(sums[m->w[pc->order_at + rows + place]]));
                if (best == WN_NONE || key > best_key) {
                    best = place;
                    best_key = key;
                }
            }
            m->w[pc->label_at + i] = best;
        }
    }
}

void cpu_row_upper(const struct wn_args_row_upper *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *x = m->scratch;
    for (uint32_t s = 0; s < pc->segs; ++s)
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const float *row = f32_row(&m->a, i);
            const uint32_t n = seg[s + 1] - seg[s];
            for (uint32_t u = 0; u < n; ++u)
                x[u] = u > i - seg[s] && !is_nan(row[u]) ? row[u] : 0.0f;
            set_real(m, pc->v_at, i, wn_cpu_sum32(x, n));
        }
}

/* What resembles is above this (upper given), or at it too. */
static float nms_bound(const struct wn_args_label_nms *pc, const wn_cpu_memory *m, uint32_t s,
                       uint32_t begin, uint32_t n)
{
    if (pc->upper_at == WN_NONE)
        return pc->bound;
    const float *upper = (const float *)(const void *)(m->w + pc->upper_at + begin);
    const float share = n > 1 ? recip_((float)n * (float)(n - 1) * 0.5f) : 0.0f;
    const float mean = wn_cpu_sum32(upper, n) * share;
    return ((float)m->w[pc->want_at + s] * 0.03125f) * mean;
}

/* Those that resemble `own` are out. */
static void suppress(const float *row, float bound, bool fixed, const uint32_t *label, uint32_t own,
                     uint32_t n, uint32_t *out)
{
    for (uint32_t j = 0; j < n; ++j)
        if (j != own && (!label || label[j] == label[own]) &&
            (row[j] > bound || (fixed && row[j] == bound)))
            out[j] = 1;
}

void cpu_label_nms(const struct wn_args_label_nms *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const bool fixed = pc->upper_at == WN_NONE;
    const wn_cpu_span spans = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = spans.begin; s < spans.end; ++s) {
        const uint32_t begin = seg[s], n = seg[s + 1] - begin,
                       *label = pc->label_at == WN_NONE ? NULL : m->w + pc->label_at + begin;
        uint32_t *list = m->w + pc->list_at + begin, *keep = m->w + pc->keep_at + begin;
        uint32_t *out = m->w + pc->out_at + begin, *made = m->w + pc->made_at + s;
        const float bound = nms_bound(pc, m, s, begin, n);
        const uint32_t most = fixed ? m->w[pc->want_at + s] : n;
        const uint32_t end = pc->count && pc->from + pc->count < n ? pc->from + pc->count : n;
        if (!pc->from)
            *made = 0;
        for (uint32_t i = 0; i < n && !pc->from; ++i) {
            list[m->w[pc->rank_at + begin + i]] = i;
            keep[i] = out[i] = 0;
        }
        for (uint32_t r = pc->from; r < end && *made < most; ++r) {
            const uint32_t own = list[r];
            if (!fixed && !(real(m, pc->score_at + begin, own) > 0.0f))
                break;
            if (out[own])
                continue;
            keep[own] = 1;
            ++*made;
            suppress(f32_row(&m->a, begin + own), bound, fixed, label, own, n, out);
        }
    }
}

/* part * times / whole, half to even. */
static uint32_t rounded(uint32_t part, uint32_t times, uint32_t whole)
{
    const uint32_t product = part * times, low = product / whole, rest = product % whole;
    return low + (rest > whole - rest || (rest == whole - rest && low % 2 == 1));
}

/* What the labels of a segment have and may get. */
typedef struct shares {
    uint32_t groups, want, least, total; /* sums of least and of left */
    uint32_t *all, *left, *most, *quota; /* [groups] */
} shares;

static void count_labels(const struct wn_args_label_share *pc, const wn_cpu_memory *m, uint32_t s,
                         shares *k)
{
    uint32_t room = 0;
    memset(k->all, 0, k->groups * sizeof *k->all);
    memset(k->left, 0, k->groups * sizeof *k->left);
    for (uint32_t i = m->w[pc->seg_at + s]; i < m->w[pc->seg_at + s + 1]; ++i) {
        ++k->all[m->w[pc->label_at + i]];
        k->left[m->w[pc->label_at + i]] += m->w[pc->keep_at + i] != 0;
    }
    for (uint32_t g = 0; g < k->groups; ++g) {
        k->most[g] = least(least(5 * ((k->want + 63) / 64), k->all[g]), k->left[g]);
        room += k->most[g];
        k->least += k->all[g] > 0;
        k->total += k->left[g];
    }
    for (uint32_t before = room + 1; room < k->want && room != before;) {
        before = room;
        for (uint32_t g = 0; g < k->groups; ++g)
            if (k->most[g] < k->all[g]) {
                ++k->most[g];
                ++room;
            }
    }
}

/* `missing` more, the label with most left first. */
static void fill_up(const shares *k, uint32_t missing)
{
    uint32_t last = 0, last_left = UINT32_MAX;
    for (uint32_t turns = 0; turns < k->groups && missing; ++turns) {
        uint32_t best = WN_NONE;
        for (uint32_t g = 0; g < k->groups; ++g) {
            const bool behind =
                turns == 0 || k->left[g] < last_left || (k->left[g] == last_left && g > last);
            if (behind && (best == WN_NONE || k->left[g] > k->left[best]))
                best = g;
        }
        last = best;
        last_left = k->left[best];
        const uint32_t more = least(k->most[best] - k->quota[best], missing);
        k->quota[best] += more;
        missing -= more;
    }
}

void cpu_label_share(const struct wn_args_label_share *pc, const wn_cpu_memory *m)
{
    for (uint32_t s = 0; s < pc->segs; ++s) {
        uint32_t *room = m->w + pc->room_at + 3 * s * pc->most;
        shares k = {.groups = m->w[pc->groups_at + s],
                    .want = m->w[pc->want_at + s],
                    .all = room,
                    .left = room + pc->most,
                    .most = room + 2 * pc->most,
                    .quota = m->w + pc->quota_at + s * pc->most};
        count_labels(pc, m, s, &k);
        const uint32_t others = k.want > k.least + 1 ? k.want - k.least - 1 : 0;
        uint32_t running = 0, last = 0, given = 0;
        for (uint32_t g = 0; g < k.groups; ++g) {
            running += k.left[g];
            const uint32_t upto = k.total ? rounded(running, others, k.total) : 0;
            k.quota[g] = least(upto - last + (k.all[g] > 0), k.most[g]);
            last = upto;
            given += k.quota[g];
        }
        if (given < others + k.least)
            fill_up(&k, others + k.least - given);
    }
}

void cpu_label_pick(const struct wn_args_label_pick *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *label = m->w + pc->label_at;
    for (uint32_t s = 0; s < pc->segs; ++s)
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const uint32_t quota = m->w[pc->quota_at + s * pc->most + label[i]];
            const uint32_t key = score_key(real(m, pc->score_at, i));
            const bool keep = m->w[pc->keep_at + i] != 0;
            uint32_t before = 0;
            for (uint32_t j = seg[s]; j < seg[s + 1] && before < quota; ++j) {
                const uint32_t other = score_key(real(m, pc->score_at, j));
                const bool other_keep = m->w[pc->keep_at + j] != 0;
                if (label[j] == label[i])
                    before +=
                        other_keep != keep ? other_keep : other > key || (other == key && j < i);
            }
            m->w[pc->flag_at + i] = before < quota;
        }
}
