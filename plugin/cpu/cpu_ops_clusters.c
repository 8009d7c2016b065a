/* Clusters of points by the density around them, what stays of each, and the best of flagged tokens. */
#include "cpu_ops.h"

#include <math.h>

/* -- places and keys ---------------------------------------------------------------------------- */

void cpu_kernel_density(const struct wn_args_kernel_density *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t e = own.begin; e < own.end; ++e) {
        const uint32_t s = segment_of(seg, pc->segs, e), n = seg[s + 1] - seg[s];
        const float *row = f32_row(&m->a, e);
        float p[32] = {0};
        bool number = false;
        for (uint32_t u = 0; u < n; ++u) {
            const bool counts = !is_nan(row[u]);
            number = number || counts;
            p[u % 32] += counts && !(pc->others && u == e - seg[s]) ? exp_(-row[u]) : 0.0f;
        }
        set_real(m, pc->density_at, e, number ? tree32(p) : NAN);
    }
}

static bool are_near(const struct wn_args_near_peaks *pc, const wn_cpu_memory *m, uint32_t e,
                     uint32_t u)
{
    const uint32_t p = m->w[pc->index_at + entry(m, pc->pos_at, e)] % pc->tokens,
                   q = m->w[pc->index_at + entry(m, pc->pos_at, u)] % pc->tokens;
    const uint32_t y = p / pc->grid_w, x = p % pc->grid_w, v = q / pc->grid_w, w = q % pc->grid_w;
    return (x > w ? x - w : w - x) < m->w[pc->reach_at + (y > v ? y - v : v - y)];
}

/* What a point sees of its segment. Places in it; WN_NONE: nobody. */
typedef struct sight {
    uint32_t near, anywhere; /* the nearest denser point within reach, and of all */
    uint32_t far;            /* key of the largest distance */
} sight;

static sight look_around(const struct wn_args_near_peaks *pc, const wn_cpu_memory *m, uint32_t e,
                         uint32_t begin, uint32_t end)
{
    const float *row = f32_row(&m->a, e);
    const uint32_t key = score_key(real(m, pc->density_at, e));
    uint32_t near_key = 0, anywhere_key = 0;
    sight seen = {WN_NONE, WN_NONE, 0};
    for (uint32_t u = begin; u < end; ++u) {
        const uint32_t other = score_key(real(m, pc->density_at, u)),
                       closeness = score_key_smallest(row[u - begin]),
                       distance = score_key(row[u - begin]);
        seen.far = distance > seen.far ? distance : seen.far;
        if (!(other > key || (other == key && u < e)))
            continue;
        if (closeness > anywhere_key) {
            anywhere_key = closeness;
            seen.anywhere = u;
        }
        if (closeness > near_key && are_near(pc, m, e, u)) {
            near_key = closeness;
            seen.near = u;
        }
    }
    return seen;
}

void cpu_near_peaks(const struct wn_args_near_peaks *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t e = own.begin; e < own.end; ++e) {
        const uint32_t s = segment_of(seg, pc->segs, e);
        const sight seen = look_around(pc, m, e, seg[s], seg[s + 1]);
        const float density = real(m, pc->density_at, e);
        uint32_t goes = seen.near;
        float score = INFINITY;
        if (goes != WN_NONE)
            score = sqrt_(f32_row(&m->a, e)[goes - seg[s]]) * density;
        else if (pc->first)
            goes = seg[s];
        else if (seen.anywhere != WN_NONE) {
            goes = seen.anywhere;
            score = sqrt_(key_score(seen.far)) * density;
        }
        set_real(m, pc->score_at, e, is_nan(density) ? density : score);
        m->w[pc->dest_at + entry(m, pc->pos_at, e)] =
            goes == WN_NONE ? WN_NONE : entry(m, pc->pos_at, goes);
    }
}

/* -- quotas ------------------------------------------------------------------------------------- */

static uint32_t group_of(const struct wn_args_cluster_sums *pc, const wn_cpu_memory *m,
                         uint32_t token)
{
    const float group = real(m, pc->group_at, token);
    const uint32_t word = is_nan(group) ? 0x7fc00000u : f32_bits(group);
    return word == 0x80000000u ? 0 : word;
}

static bool are_one(const struct wn_args_cluster_sums *pc, const wn_cpu_memory *m, uint32_t i,
                    uint32_t j)
{
    const uint32_t *index = m->w + pc->index_at;
    return i == j || (!is_none(index[i]) && !is_none(index[j]) &&
                      group_of(pc, m, index[i]) == group_of(pc, m, index[j]));
}

void cpu_cluster_sums(const struct wn_args_cluster_sums *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    const wn_cpu_span own = wn_cpu_share(m, 0, n);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        uint32_t lead = 0, size = 0;
        float sum = 0.0f;
        while (!are_one(pc, m, i, lead))
            ++lead;
        for (uint32_t j = i; lead == i && j < n; ++j) {
            const float v = real(m, pc->v_at, j);
            if (!are_one(pc, m, i, j))
                continue;
            ++size;
            sum += is_nan(v) ? 0.0f : v;
        }
        m->w[pc->lead_at + i] = lead;
        m->w[pc->size_at + i] = size;
        set_real(m, pc->sum_at, i, sum);
    }
}

/* The clusters of a set as one operation knows them. */
typedef struct clusters {
    const struct wn_args_cluster_quota *pc;
    const wn_cpu_memory *m;
    uint32_t n;
} clusters;

static bool is_lead(const clusters *c, uint32_t i)
{
    return c->m->w[c->pc->lead_at + i] == i;
}

static bool has_room(const clusters *c, uint32_t i, bool largest)
{
    const uint32_t quota = c->m->w[c->pc->quota_at + i];
    return largest ? quota > 0 : quota + 1 < c->m->w[c->pc->size_at + i];
}

/* Clusters of smaller sum than cluster i, or of larger; those with room alone, or all. */
static uint32_t before(const clusters *c, uint32_t i, bool largest, bool by_room)
{
    uint32_t (*const key_of)(float) = largest ? score_key : score_key_smallest;
    const uint32_t key = key_of(real(c->m, c->pc->sum_at, i));
    uint32_t count = 0;
    for (uint32_t j = 0; j < c->n; ++j) {
        if (!is_lead(c, j) || (by_room && !has_room(c, j, largest)))
            continue;
        const uint32_t other = key_of(real(c->m, c->pc->sum_at, j));
        count += other > key || (other == key && j < i);
    }
    return count;
}

static void join_the_others(const clusters *c, uint32_t want)
{
    uint32_t *root = c->m->w + c->pc->root_at, first = WN_NONE;
    for (uint32_t i = 0; i < c->n; ++i) {
        if (!is_lead(c, i))
            continue;
        const bool stays = before(c, i, false, false) + 1 < want;
        first = stays || first != WN_NONE ? first : i;
        root[i] = stays ? i : first;
        c->m->w[c->pc->quota_at + i] = 0;
    }
}

/* a <= b < 2^24. */
static float whole_ratio(uint32_t a, uint32_t b)
{
    return b ? (float)a / (float)b : 0.0f;
}

static void deal_out(const clusters *c, uint32_t count, uint32_t free)
{
    uint32_t *root = c->m->w + c->pc->root_at, *quota = c->m->w + c->pc->quota_at, all = 0;
    for (uint32_t i = 0; i < c->n; ++i) {
        if (!is_lead(c, i))
            continue;
        const uint32_t most = c->m->w[c->pc->size_at + i] - 1;
        const float share = whole_ratio(most, c->n - count) * (float)free;
        quota[i] = least((uint32_t)round_even_(share), most);
        all += quota[i];
    }
    const bool largest = all > free;
    const uint32_t apart = largest ? all - free : free - all;
    for (uint32_t i = 0; i < c->n; ++i) /* root says who changes until all have looked */
        if (is_lead(c, i))
            root[i] = apart && has_room(c, i, largest) && before(c, i, largest, true) < apart;
    for (uint32_t i = 0; i < c->n; ++i) {
        if (!is_lead(c, i))
            continue;
        quota[i] = largest ? quota[i] - root[i] : quota[i] + root[i];
        root[i] = i;
    }
}

void cpu_cluster_quota(const struct wn_args_cluster_quota *pc, const wn_cpu_memory *m)
{
    const clusters c = {pc, m, m->w[pc->seg_at + pc->segs]};
    const uint32_t wanted = m->w[pc->want_at], want = least(wanted ? wanted : 1, c.n);
    uint32_t count = 0;
    for (uint32_t i = 0; i < c.n; ++i)
        count += is_lead(&c, i);
    if (count > want)
        join_the_others(&c, want);
    else
        deal_out(&c, count, want - count);
}

void cpu_cluster_keep(const struct wn_args_cluster_keep *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs], *lead = m->w + pc->lead_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, n);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t key = score_key_smallest(real(m, pc->v_at, i));
        uint32_t count = 0;
        for (uint32_t j = 0; j < n; ++j) {
            const uint32_t other = score_key_smallest(real(m, pc->v_at, j));
            count += lead[j] == lead[i] && (other > key || (other == key && j < i));
        }
        m->w[pc->alone_at + i] = count < m->w[pc->quota_at + lead[i]];
    }
}

void cpu_cluster_middle(const struct wn_args_cluster_middle *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs], *lead = m->w + pc->lead_at;
    const uint32_t *alone = m->w + pc->alone_at, *root = m->w + pc->root_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, n);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        uint32_t members = 0, count = 0, middle = WN_NONE;
        for (uint32_t j = 0; j < n; ++j)
            members += !alone[j] && root[lead[j]] == root[lead[i]];
        for (uint32_t j = 0; j < n && !alone[i] && middle == WN_NONE; ++j)
            if (!alone[j] && root[lead[j]] == root[lead[i]] && count++ == members / 2)
                middle = j;
        m->w[pc->keep_at + i] = middle == i || middle == WN_NONE;
        m->w[pc->dest_at + i] = middle == i ? WN_NONE : middle;
        m->w[pc->own_at + i] = middle == i;
    }
}

/* -- focus and scan ----------------------------------------------------------------------------- */

/* The sum of sorted[first .. first+32), within n. */
static float sum_of_32(const float *sorted, uint32_t first, uint32_t n)
{
    float sum = 0.0f;
    for (uint32_t k = first; k < least(first + 32, n); ++k)
        sum += sorted[k];
    return sum;
}

static uint32_t reaching(const float *sorted, uint32_t n, float share)
{
    float total = 0.0f, whole = 0.0f;
    for (uint32_t first = 0; first < n; first += 32)
        total += sum_of_32(sorted, first, n);
    const float limit = share * total;
    for (uint32_t first = 0; first < n; first += 32) {
        const float after = whole + sum_of_32(sorted, first, n);
        float part = 0.0f;
        for (uint32_t k = first; after >= limit && k < least(first + 32, n); ++k) {
            part += sorted[k];
            if (whole + part >= limit)
                return k + 1;
        }
        if (after >= limit)
            return n;
        whole = after;
    }
    return n;
}

void cpu_focus_count(const struct wn_args_focus_count *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t n = seg[s + 1] - seg[s], most = least(m->w[pc->want_at + s], n);
        float *sorted = (float *)(void *)(m->w + pc->sorted_at + seg[s]);
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const float v = real(m, pc->v_at, i);
            sorted[m->w[pc->rank_at + i]] = v > 0.0f ? v : 0.0f;
            set_real(m, pc->weight_at, i, v > 1e-30f ? v : 1e-30f);
        }
        const uint32_t focus = least(reaching(sorted, n, pc->share), most), rest = most - focus;
        const float gathered = (float)rest * pc->many;
        m->w[pc->focus_at + s] = focus;
        m->w[pc->scan_at + s] = most ? rest + 1 : 0;
        m->w[pc->gather_at + s] = gathered < (float)(n - most) ? (uint32_t)gathered : n - most;
    }
}

void cpu_best_flagged(const struct wn_args_best_flagged *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t s = segment_of(seg, pc->segs, i);
        const bool skipped = pc->skip_at != WN_NONE && m->w[pc->skip_at + i];
        const float *row = f32_row(&m->a, i);
        uint32_t best = WN_NONE, best_key = 0;
        for (uint32_t u = seg[s]; u < seg[s + 1] && !skipped; ++u) {
            const bool out = pc->but_at != WN_NONE && m->w[pc->but_at + u];
            if (!m->w[pc->flag_at + u] || out || score_key(row[u - seg[s]]) <= best_key)
                continue;
            best = u;
            best_key = score_key(row[u - seg[s]]);
        }
        const float v = best == WN_NONE ? (pc->apart ? NAN : -INFINITY) : key_score(best_key);
        set_real(m, pc->v_at, i, pc->apart ? 1.0f - v : v);
        if (pc->arg_at != WN_NONE)
            m->w[pc->arg_at + i] = best;
    }
}

/* -- shares of frames --------------------------------------------------------------------------- */

/* A total being shared among frames. */
typedef struct quotas {
    const struct wn_args_frame_quota *pc;
    const wn_cpu_memory *m;
    uint32_t *k;
    bool flat; /* no frame has a weight */
} quotas;

static uint32_t most_of(const quotas *q, uint32_t s)
{
    const uint32_t *seg = q->m->w + q->pc->seg_at;
    return least(q->pc->limit, seg[s + 1] - seg[s]);
}

static float weight_of(const quotas *q, uint32_t s)
{
    const float w = real(q->m, q->pc->w_at, s);
    return q->flat ? 1.0f : w > 0.0f && !is_inf(w) ? w : 0.0f;
}

static uint32_t taken(const quotas *q)
{
    uint32_t sum = 0;
    for (uint32_t s = 0; s < q->pc->segs; ++s)
        sum += q->k[s];
    return sum;
}

static void give_to_best(const quotas *q, uint32_t count)
{
    const uint32_t segs = q->pc->segs;
    for (uint32_t s = 0; s < segs; ++s) {
        const uint32_t key = score_key(real(q->m, q->pc->mark_at, s));
        uint32_t rank = 0;
        for (uint32_t u = 0; u < segs; ++u) {
            const uint32_t other = score_key(real(q->m, q->pc->mark_at, u));
            rank += other > key || (other == key && u < s);
        }
        q->k[s] += key != 0 && rank < count;
    }
}

/* Whole tokens by weight, and the largest fractions. */
static void share_by_weight(quotas *q, uint32_t total)
{
    const uint32_t segs = q->pc->segs;
    float p[32] = {0};
    for (uint32_t s = 0; s < segs; ++s)
        p[s % 32] += weight_of(q, s);
    const float sum = tree32(p);
    q->flat = !(sum > 0.0f);
    const float factor = recip_(q->flat ? (float)segs : sum);
    for (uint32_t s = 0; s < segs; ++s) {
        const float raw = (weight_of(q, s) * factor) * (float)total;
        q->k[s] = raw < (float)total ? (uint32_t)raw : total;
        set_real(q->m, q->pc->mark_at, s, raw - (float)q->k[s]);
    }
    if (taken(q) > total)
        memset(q->k, 0, segs * sizeof *q->k);
    give_to_best(q, total - taken(q));
    for (uint32_t s = 0; s < segs; ++s)
        q->k[s] = least(q->k[s], most_of(q, s));
}

/* One each for the frames that are not full; false: nothing is left, or no room. */
static bool give_round(const quotas *q, uint32_t left)
{
    uint32_t open = 0;
    for (uint32_t s = 0; s < q->pc->segs; ++s)
        open += q->k[s] < most_of(q, s);
    if (left == 0 || open == 0)
        return false;
    for (uint32_t s = 0; s < q->pc->segs; ++s)
        set_real(q->m, q->pc->mark_at, s, q->k[s] < most_of(q, s) ? weight_of(q, s) : NAN);
    give_to_best(q, left);
    return true;
}

void cpu_frame_quota(const struct wn_args_frame_quota *pc, const wn_cpu_memory *m)
{
    quotas q = {.pc = pc, .m = m, .k = m->w + pc->k_at};
    uint32_t room = 0;
    for (uint32_t s = 0; s < pc->segs; ++s)
        room += most_of(&q, s);
    const uint32_t total = least(m->w[pc->total_at], room);
    share_by_weight(&q, total);
    while (give_round(&q, total - taken(&q)))
        ;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        m->w[pc->front_at + s] = q.k[s] * 6 / 7;
        m->w[pc->back_at + s] = q.k[s] - q.k[s] * 6 / 7;
    }
}
