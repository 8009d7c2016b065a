/* Selections that take one token at a time on the similarity matrix. */
#include "cpu_greedy.h"

#include <math.h>

/* What drivers differ in: below the least normal number. */
static float normal_or_zero(float x)
{
    return x < 1.17549435e-38f ? 0.0f : x;
}

/* Values beside a pick so similar. */
static void discount(const struct wn_args_greedy_maxmin *pc, const wn_cpu_memory *m, uint32_t begin,
                     uint32_t end, const float *similarity)
{
    for (uint32_t j = begin; j < end; ++j) {
        const float value = real(m, pc->md_at, j), like = similarity[j - begin];
        const float unlike = 1.0f - like * like, left = value * (unlike > 0.0f ? unlike : 0.0f);
        set_real(m, pc->md_at, j, normal_or_zero(is_nan(like) || is_inf(value) ? value : left));
    }
}

/* Before the first pick. */
static void start_maxmin(const struct wn_args_greedy_maxmin *pc, const wn_cpu_memory *m,
                         uint32_t begin, uint32_t end)
{
    for (uint32_t j = begin; j < end; ++j) {
        const float first = real(m, pc->first_at, j);
        const float value = pc->discount ? normal_or_zero(first) : bits_f32(0x7f800000u);
        set_real(m, pc->md_at, j, is_nan(first) ? bits_f32(0x7fc00000u) : value);
        m->w[pc->flag_at + j] = 0;
    }
}

void cpu_greedy_maxmin(const struct wn_args_greedy_maxmin *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t begin = seg[s], end = seg[s + 1];
        const uint32_t k = least(m->w[pc->k_at + s], end - begin);
        const uint32_t stop = pc->picks ? least(k, pc->pick_from + pc->picks) : k;
        if (pc->pick_from == 0)
            start_maxmin(pc, m, begin, end);
        for (uint32_t t = pc->pick_from; t < stop; ++t) {
            const uint32_t from_at = t == 0 && !pc->discount ? pc->first_at : pc->md_at;
            const uint32_t p = best_unpicked(m, from_at, pc->flag_at, begin, end);
            take(m, pc->flag_at, pc->order_at, begin + t, p);
            const float *similarity = f32_row(&m->a, p);
            if (pc->discount)
                discount(pc, m, begin, end, similarity);
            for (uint32_t j = begin; !pc->discount && j < end; ++j) {
                const float apart = 1.0f - similarity[j - begin];
                const float distance = pc->weighted ? apart * real(m, pc->weight_at, j) : apart;
                if (distance < real(m, pc->md_at, j)) /* never true of a NaN */
                    set_real(m, pc->md_at, j, distance);
            }
        }
    }
}

/* The kernel at (p, j), given S(p, j). */
static float dpp_kernel(const struct wn_args_greedy_dpp *pc, const wn_cpu_memory *m,
                        float similarity, uint32_t p, uint32_t j)
{
    const float k = (real(m, pc->rel_at, p) * similarity) * real(m, pc->rel_at, j);
    return pc->mode == 0 ? k : pc->one_minus_weight * similarity + pc->weight * k;
}

static float dpp_entry(float e)
{
    return fabsf(e) < 0x1p-60f ? 0.0f : e;
}

static float dpp_rest(float d)
{
    return fabsf(d) < 0x1p-126f ? 0.0f : d;
}

/* Pick t of segment s: row t of the Cholesky factor, and what is left of every d. */
static void dpp_pick(const struct wn_args_greedy_dpp *pc, const wn_cpu_memory *m, uint32_t s,
                     uint32_t t)
{
    const uint32_t begin = m->w[pc->seg_at + s], end = m->w[pc->seg_at + s + 1], n = end - begin;
    const uint32_t p = best_unpicked(m, pc->d_at, pc->flag_at, begin, end);
    take(m, pc->flag_at, pc->order_at, begin + t, p);
    const float d = real(m, pc->d_at, p), left = pc->mode == 0 ? d : d + 1e-6f;
    const float x = rsqrt_(left > 1e-12f ? left : 1e-12f);
    const float *similarity = f32_row(&m->a, p);
    float *c = f32_row(&m->b, s * pc->k_max + t);
    for (uint32_t j = 0; j < n; ++j)
        c[j] = dpp_kernel(pc, m, similarity[j], p, begin + j);
    for (uint32_t u = 0; u < t; ++u) {
        const float *earlier = f32_row(&m->b, s * pc->k_max + u), at_p = earlier[p - begin];
        for (uint32_t j = 0; j < n; ++j)
            c[j] = c[j] - at_p * earlier[j];
    }
    for (uint32_t j = 0; j < n; ++j) {
        c[j] = dpp_entry(c[j] * x);
        set_real(m, pc->d_at, begin + j, dpp_rest(real(m, pc->d_at, begin + j) - c[j] * c[j]));
    }
}

void cpu_greedy_dpp(const struct wn_args_greedy_dpp *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t k = least(m->w[pc->k_at + s], seg[s + 1] - seg[s]);
        const uint32_t stop = pc->picks ? least(k, pc->pick_from + pc->picks) : k;
        for (uint32_t j = seg[s]; pc->pick_from == 0 && j < seg[s + 1]; ++j) {
            const float d = dpp_kernel(pc, m, f32_row(&m->a, j)[j - seg[s]], j, j);
            set_real(m, pc->d_at, j, dpp_rest(d));
            m->w[pc->flag_at + j] = 0;
        }
        for (uint32_t t = pc->pick_from; t < stop; ++t)
            dpp_pick(pc, m, s, t);
    }
}

void wn_cpu_add_gains(const wn_cpu_rows *from, uint32_t first, uint32_t count, const float *cur,
                      uint32_t n, uint64_t *units)
{
    for (uint32_t i = 0; i < count; ++i) {
        const float *row = f32_row(from, first + i), now = cur[i];
        for (uint32_t j = 0; j < n; ++j) {
            const gain_part part = gain_part_of(row[j] - now);
            units[j] += ((uint64_t)(uint32_t)part.high << 24) + (uint32_t)part.low;
        }
    }
}

void wn_cpu_move_gains(const float *row, float was, float now, uint32_t n, uint64_t *units)
{
    for (uint32_t j = 0; j < n; ++j) {
        const gain_part before = gain_part_of(row[j] - was), after = gain_part_of(row[j] - now);
        const int64_t high = after.high - before.high, low = after.low - before.low;
        units[j] += ((uint64_t)high << 24) + (uint64_t)low;
    }
}

/* A segment while its tokens are picked. */
typedef struct coverage {
    const struct wn_args_greedy_coverage *pc;
    const wn_cpu_memory *m;
    uint32_t s, begin, n;
    float *cur;
    uint64_t *units; /* [n] the gains, kept from pick to pick: few rows are covered better by one */
    uint32_t *numbers; /* [n] 0: the token is NaN, not even like itself */
} coverage;

/* Row r of those to cover. */
static const float *row_to_cover(const coverage *c, uint32_t r)
{
    const uint32_t extra = c->pc->extra;
    return r < extra ? f32_row(&c->m->c, c->s * extra + r)
                     : f32_row(&c->m->a, c->begin + r - extra);
}

/* Gains from nothing. */
static void start_gains(const coverage *c)
{
    const uint32_t extra = c->pc->extra;
    memset(c->units, 0, c->n * sizeof *c->units);
    wn_cpu_add_gains(&c->m->c, c->s * extra, extra, c->cur, c->n, c->units);
    wn_cpu_add_gains(&c->m->a, c->begin, c->n, c->cur + extra, c->n, c->units);
    for (uint32_t j = 0; j < c->n; ++j)
        c->numbers[j] = !is_nan(f32_row(&c->m->a, c->begin + j)[j]);
}

static uint32_t gain_key(const coverage *c, uint32_t j)
{
    if (!c->numbers[j])
        return 0;
    const float gain = gain_value(c->units[j]);
    if (c->pc->weight_at == WN_NONE)
        return score_key(gain);
    const float weight = real(c->m, c->pc->weight_at, c->begin + j);
    return score_key(f32_bits(weight) == 0x7f800000u ? weight : weight * gain);
}

/* The unpicked token that covers most of what is not covered yet. */
static uint32_t best_cover(const coverage *c)
{
    const uint32_t *flag = c->m->w + c->pc->flag_at + c->begin;
    uint32_t best = WN_NONE, best_key = 0;
    for (uint32_t j = 0; j < c->n; ++j) {
        const uint32_t key = flag[j] ? 0 : gain_key(c, j);
        if (!flag[j] && (best == WN_NONE || key > best_key)) {
            best = j;
            best_key = key;
        }
    }
    return best;
}

/* The rows to cover, now that p is picked. follow: further picks want the gains. */
static void cover(const coverage *c, uint32_t p, bool follow)
{
    for (uint32_t r = 0; r < c->pc->extra + c->n; ++r) {
        const float *row = row_to_cover(c, r), covered = row[p];
        if (!(covered > c->cur[r]))
            continue;
        if (follow)
            wn_cpu_move_gains(row, c->cur[r], covered, c->n, c->units);
        c->cur[r] = covered;
    }
}

void cpu_greedy_coverage(const struct wn_args_greedy_coverage *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t begin = seg[s], n = seg[s + 1] - begin, k = least(m->w[pc->k_at + s], n);
        const uint32_t stop = pc->picks ? least(k, pc->pick_from + pc->picks) : k;
        coverage c = {.pc = pc, .m = m, .s = s, .begin = begin, .n = n, .units = m->scratch};
        c.numbers = (uint32_t *)(void *)(c.units + n);
        c.cur = (float *)(void *)(m->w + pc->cur_at + begin + s * pc->extra);
        if (pc->pick_from == 0) {
            memset(c.cur, 0, (pc->extra + n) * sizeof *c.cur);
            memset(m->w + pc->flag_at + begin, 0, n * sizeof *m->w);
        }
        start_gains(&c);
        for (uint32_t t = pc->pick_from; t < stop; ++t) {
            const uint32_t p = best_cover(&c);
            take(m, pc->flag_at, pc->order_at, begin + t, begin + p);
            cover(&c, p, t + 1 < stop);
        }
    }
}

/* score[place] of the even places of list[n]: the similarity with the nearest of the odd ones. A row is read from end to end
 * with all but the odd ones masked off: in the order of the list it would be read a line at a time, here and there.
 * mask: [count], count the tokens of the segment. */
static void score_even_places(const struct wn_args_pair_prune *pc, const wn_cpu_memory *m,
                              const uint32_t *list, uint32_t n, uint32_t begin, uint32_t count,
                              uint32_t *mask)
{
    memset(mask, 0, count * sizeof *mask);
    for (uint32_t b = 1; b < n; b += 2)
        mask[list[b] - begin] = UINT32_MAX;
    for (uint32_t a = 0; a < n; a += 2) {
        const float *similarity = f32_row(&m->a, list[a]);
        uint32_t best = 0;
        for (uint32_t u = 0; u < count; ++u) {
            const uint32_t key = score_key(similarity[u]) & mask[u];
            best = key > best ? key : best;
        }
        const uint32_t bits = best & 0x80000000u ? best & 0x7fffffffu : ~best;
        m->w[(size_t)pc->sc_at + begin + a] = best ? bits : 0x7fc00000u;
    }
}

/* other[..] = even places of list[n] by descending score, the earlier place first among equals. */
static uint32_t sort_even_places(const struct wn_args_pair_prune *pc, const wn_cpu_memory *m,
                                 uint32_t n, uint32_t begin, uint32_t *other)
{
    uint32_t count = 0;
    for (uint32_t place = 0; place < n; place += 2) {
        const uint32_t key = score_key(real(m, pc->sc_at + begin, place));
        uint32_t t = count++;
        for (; t > 0 && score_key(real(m, pc->sc_at + begin, other[t - 1])) < key; --t)
            other[t] = other[t - 1];
        other[t] = place;
    }
    return count;
}

/* One round of VisPruner's loop on list[n], at most `most` tokens dropped. The new length. */
static uint32_t drop_duplicates(const struct wn_args_pair_prune *pc, const wn_cpu_memory *m,
                                uint32_t *list, uint32_t *other, uint32_t n, uint32_t most,
                                uint32_t begin, uint32_t count)
{
    score_even_places(pc, m, list, n, begin, count, other);
    const uint32_t evens = sort_even_places(pc, m, n, begin, other), dropped = least(most, evens);
    uint32_t length = 0;
    for (uint32_t t = dropped; t < evens; ++t)
        other[length++] = list[other[t]];
    for (uint32_t b = 1; b < n; b += 2)
        other[length++] = list[b];
    memcpy(list, other, length * sizeof *list);
    return length;
}

/* The unflagged tokens of a segment in descending score order. Their number. */
static uint32_t first_list(const struct wn_args_pair_prune *pc, const wn_cpu_memory *m,
                           uint32_t begin, uint32_t count, uint32_t *list, uint32_t *other)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; ++i)
        other[m->w[pc->rank_at + begin + i]] = begin + i;
    for (uint32_t i = 0; i < count; ++i)
        if (!m->w[pc->flag_at + other[i]])
            list[n++] = other[i];
    return n;
}

void cpu_pair_prune(const struct wn_args_pair_prune *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t begin = seg[s], count = seg[s + 1] - begin, want = m->w[pc->want_at + s];
        uint32_t *list = m->w + pc->list_at + begin, *other = m->w + pc->list2_at + begin;
        uint32_t n =
            pc->resume ? m->w[pc->len_at + s] : first_list(pc, m, begin, count, list, other);
        for (uint32_t round = 0; n > want && (pc->rounds == 0 || round < pc->rounds); ++round)
            n = drop_duplicates(pc, m, list, other, n, least(8, n - want), begin, count);
        if (pc->more)
            m->w[pc->len_at + s] = n;
        for (uint32_t i = 0; !pc->more && i < n; ++i)
            m->w[pc->flag_at + list[i]] = 1;
    }
}

void cpu_pick_radius(const struct wn_args_pick_radius *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *order = m->w + pc->order_at;
    for (uint32_t i = 0; i < seg[pc->segs]; ++i) {
        const uint32_t s = segment_of(seg, pc->segs, i), begin = seg[s], t = i - begin;
        if (t >= m->w[pc->k_at + s])
            continue;
        const uint32_t p = order[i];
        const float *similar = f32_row(&m->a, p);
        float r = bits_f32(0x7f800000u);
        for (uint32_t u = 0; t >= pc->least && u < t; ++u) {
            const float distance = 1.0f - similar[order[begin + u] - begin];
            r = distance < r ? distance : r;
        }
        if (is_nan(similar[p - begin]))
            r = bits_f32(0x7fc00000u);
        set_real(m, pc->radius_at, p, r);
        if (pc->flag_at != WN_NONE)
            m->w[pc->flag_at + p] = r > pc->more;
    }
}
