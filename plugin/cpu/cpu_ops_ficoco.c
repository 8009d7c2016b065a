/* FiCoCo's filter, correlation and shares. */
#include "cpu_ops.h"

#include <math.h>

/* Position of place r of a segment that begins at `begin`. */
static uint32_t at_place(const wn_cpu_memory *m, uint32_t order_at, uint32_t begin, uint32_t r)
{
    return entry(m, order_at, begin + r);
}

static float sum_but(const wn_cpu_memory *m, uint32_t row, uint32_t n, uint32_t but)
{
    float p[32] = {0};
    for (uint32_t j = 0; j < n; ++j)
        p[j % 32] += j == but ? 0.0f : load(&m->a, row, j);
    return tree32(p);
}

void cpu_logit_means(const struct wn_args_logit_means *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t begin = seg[s], n = seg[s + 1] - begin;
        const float factor = recip_((float)(n > 1 ? n - 1 : 1));
        for (uint32_t i = begin; i < begin + n; ++i) {
            const uint32_t head = at_place(m, pc->order_at, begin, 0);
            set_real(m, pc->x_at, i, load(&m->a, head, i - begin));
            set_real(m, pc->y_at, i, sum_but(m, i, n, head - begin) * factor);
        }
    }
}

/* The factor that makes W.f32[at+begin .. at+end) a unit vector, `head` counting as 0. */
static float unit_factor(const wn_cpu_memory *m, uint32_t at, uint32_t begin, uint32_t end,
                         uint32_t head)
{
    float p[32] = {0};
    for (uint32_t i = begin; i < end; ++i) {
        const float x = i == head ? 0.0f : real(m, at, i);
        p[(i - begin) % 32] += x * x;
    }
    return norm_factor(tree32(p), 1e-24f, 1e12f);
}

void cpu_unit_mix(const struct wn_args_unit_mix *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t begin = seg[s], end = seg[s + 1];
        if (begin == end)
            continue;
        const uint32_t head = at_place(m, pc->order_at, begin, 0);
        const float fx = pc->unit ? unit_factor(m, pc->x_at, begin, end, head) : 1.0f,
                    fy = pc->unit ? unit_factor(m, pc->y_at, begin, end, head) : 1.0f;
        for (uint32_t i = begin; i < end; ++i) {
            const float x = real(m, pc->x_at, i) * fx, y = real(m, pc->y_at, i) * fy;
            set_real(m, pc->v_at, i, i == head && !pc->whole ? -INFINITY : x * pc->wx + y * pc->wy);
        }
    }
}

/* -- windows ----------------------------------------------------------------------------------- */

static const uint32_t used_up = 0xff800000u; /* -infinity */

typedef struct window_grid {
    const struct wn_args_window_raise *pc;
    const wn_cpu_memory *m;
    uint32_t *cell; /* [h*w] */
    uint32_t begin, n;
} window_grid;

static void fill_free(const window_grid *g)
{
    uint32_t place = 0;
    for (uint32_t p = 0; p < g->pc->h * g->pc->w; ++p)
        if (g->cell[p] != used_up && ++place < g->n)
            g->cell[p] = g->m->w[g->pc->v_at + at_place(g->m, g->pc->order_at, g->begin, place)];
}

static void place_tokens(const window_grid *g)
{
    const uint32_t cells = g->pc->h * g->pc->w;
    for (uint32_t p = 0; p < cells; ++p)
        g->cell[p] = WN_NONE;
    for (uint32_t i = g->begin; i < g->begin + g->n; ++i) {
        const uint32_t token = g->m->w[g->pc->index_at + i];
        if (!is_none(token))
            g->cell[token % cells] = i;
    }
}

/* The window's best cell; WN_NONE: no token lies in it. */
static uint32_t best_cell(const window_grid *g, uint32_t corner)
{
    const bool by_index = g->pc->index_at != WN_NONE;
    uint32_t best = WN_NONE, best_key = 0;
    for (uint32_t o = 0; o < 4; ++o) {
        const uint32_t p = corner + (o >> 1) * g->pc->w + (o & 1), held = g->cell[p];
        if (by_index && held == WN_NONE)
            continue;
        const uint32_t key = score_key(by_index ? real(g->m, g->pc->v_at, held) : bits_f32(held));
        if (best == WN_NONE || key > best_key) {
            best = p;
            best_key = key;
        }
    }
    return best;
}

static void raise_in(const window_grid *g, uint32_t corner)
{
    const bool by_index = g->pc->index_at != WN_NONE;
    const uint32_t p = best_cell(g, corner);
    if (p == WN_NONE || (!by_index && p + 1 >= g->n))
        return;
    const uint32_t i = by_index ? g->cell[p] : at_place(g->m, g->pc->order_at, g->begin, p + 1);
    const float v = real(g->m, g->pc->v_at, i);
    set_real(g->m, g->pc->v_at, i, v < 0.0f ? v * 0.5f : v * 2.0f);
    if (!by_index)
        g->cell[p] = used_up;
}

void cpu_window_raise(const struct wn_args_window_raise *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const window_grid g = {.pc = pc,
                               .m = m,
                               .cell = m->w + pc->grid_at + s * pc->h * pc->w,
                               .begin = seg[s],
                               .n = seg[s + 1] - seg[s]};
        if (pc->index_at == WN_NONE)
            fill_free(&g);
        else
            place_tokens(&g);
        for (uint32_t y = 0; y + 2 <= pc->h; y += 2)
            for (uint32_t x = 0; x + 2 <= pc->w; x += 2)
                raise_in(&g, y * pc->w + x);
    }
}

/* -- correlation ------------------------------------------------------------------------------- */

typedef struct logit_row {
    const struct wn_args_correlate *pc;
    const wn_cpu_memory *m;
    uint32_t i, begin, n, k;
} logit_row;

static bool is_candidate(const logit_row *r, uint32_t j)
{
    return !r->pc->within ||
           ((j || r->pc->whole) && r->m->w[r->pc->rank_at + r->begin + j] >= r->k);
}

/* The best candidate after (key, column) `last`. */
static uint32_t next_best(const logit_row *r, uint32_t last_key, uint32_t last)
{
    uint32_t best = WN_NONE, best_key = 0;
    for (uint32_t j = 0; j < r->n; ++j) {
        if (!is_candidate(r, j))
            continue;
        const uint32_t key = score_key(load(&r->m->a, r->i, j));
        const bool is_after = key < last_key || (key == last_key && j > last);
        if (is_after && (best == WN_NONE || key > best_key)) {
            best = j;
            best_key = key;
        }
    }
    return best;
}

static float quantile_bound(float low, float high, float part)
{
    const float range = high - low;
    return part < 0.5f ? low + part * range : high - range * (1.0f - part);
}

/* How many of the candidates lie above the quantile; they are noted. */
static uint32_t find_targets(const logit_row *r, uint32_t count)
{
    const struct wn_args_correlate *pc = r->pc;
    const float at = pc->q * (float)(count - 1), low = floorf(at), part = at - low;
    const uint32_t all = count - 1 - (uint32_t)low,
                   kept = least(all + (pc->whole && part == 0.0f), pc->most);
    uint32_t key = 0xffffffffu, last = 0, above = 0;
    float v = 0.0f, higher = 0.0f;
    for (uint32_t t = 0; t <= all; ++t) {
        higher = v;
        last = next_best(r, key, last);
        v = load(&r->m->a, r->i, last);
        key = score_key(v);
        if (t < kept) {
            r->m->w[pc->near_at + r->i * pc->most + t] = r->begin + last;
            set_real(r->m, pc->value_at, r->i * pc->most + t, v);
        }
    }
    const float bound = quantile_bound(v, part > 0.0f ? higher : v, part);
    for (uint32_t t = 0; t < kept; ++t) {
        const float x = real(r->m, pc->value_at, r->i * pc->most + t);
        above += x > bound || (pc->whole && x == bound);
    }
    return above;
}

void cpu_correlate(const struct wn_args_correlate *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const logit_row r = {pc, m, i, seg[s], seg[s + 1] - seg[s], m->w[pc->k_at + s]};
            const bool merged = m->w[pc->rank_at + i] < r.k;
            m->w[pc->keep_at + i] = !merged;
            if (!merged)
                continue;
            const uint32_t spared = pc->whole ? 0 : 1;
            const uint32_t count = pc->within ? r.n - r.k - spared : r.n;
            const uint32_t above = count > spared ? find_targets(&r, count) : 0;
            uint32_t *noted = &m->w[pc->count_at + (pc->within ? i : s)];
            *noted = pc->within || above > *noted ? above : *noted;
        }
    }
}

/* -- shares ------------------------------------------------------------------------------------ */

static void put_slot(const struct wn_args_shares *pc, const wn_cpu_memory *m, uint32_t o,
                     uint32_t to, float weight, float size)
{
    m->w[pc->map_out_at + o] = to;
    set_real(m, pc->weight_at, o, weight);
    set_real(m, pc->sizes_out_at, o, size);
}

/* Where the share that goes to the token at position `near` of segment s ends up. */
static uint32_t share_target(const struct wn_args_shares *pc, const wn_cpu_memory *m, uint32_t s,
                             uint32_t near)
{
    if (pc->within || pc->direct)
        return m->w[pc->map_at + near];
    const uint32_t *seg = m->w + pc->seg_at;
    const uint32_t n = seg[s + 1] - seg[s], k = m->w[pc->k_at + s];
    const uint32_t place = entry(m, pc->place_at, near) - seg[s];
    return m->w[pc->order_new_at + m->w[pc->seg_new_at + s] + (place >= n - k ? place - k : place)];
}

/* What the t-th share of a token is in proportion to. */
static float portion(const struct wn_args_shares *pc, const wn_cpu_memory *m, uint32_t first,
                     uint32_t t)
{
    const float x = real(m, pc->value_at, first + t);
    if (pc->linear)
        return x > 1e-30f ? x : 0.0f;
    return exp_(x - real(m, pc->value_at, first));
}

static void share_out(const struct wn_args_shares *pc, const wn_cpu_memory *m, uint32_t s,
                      uint32_t i, float size)
{
    const uint32_t count = m->w[pc->count_at + (pc->within ? i : s)], first = i * pc->most,
                   o = i * (pc->most + 1) + 1;
    float sum = 0.0f;
    for (uint32_t t = 0; t < count; ++t)
        sum += portion(pc, m, first, t);
    const float factor = recip_(sum);
    for (uint32_t t = 0; t < pc->most; ++t) {
        const float part = t < count ? portion(pc, m, first, t) : 0.0f;
        if (t >= count || (pc->linear && part == 0.0f)) {
            put_slot(pc, m, o + t, WN_NONE, 0.0f, 0.0f);
            continue;
        }
        const float weight = part * factor;
        put_slot(pc, m, o + t, share_target(pc, m, s, m->w[pc->near_at + first + t]), weight,
                 weight * size);
    }
    m->w[pc->map2_at + i] = count ? m->w[pc->map_out_at + o] : WN_NONE;
}

void cpu_shares(const struct wn_args_shares *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, step = pc->most + 1;
    for (uint32_t s = 0; s <= pc->segs; ++s)
        m->w[pc->seg_out_at + s] = seg[s] * step;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const uint32_t o = i * step, goes = m->w[pc->map_at + i];
            const float size = real_or_one(m, pc->sizes_at, i);
            const bool kept = m->w[pc->keep_at + i] != 0;
            for (uint32_t t = 0; t < step; ++t)
                m->w[pc->rows_out_at + o + t] = m->w[pc->rows_at + i];
            put_slot(pc, m, o, kept ? goes : WN_NONE, kept ? 1.0f : 0.0f, kept ? size : 0.0f);
            if (!kept) {
                share_out(pc, m, s, i, size);
                continue;
            }
            m->w[pc->from_out_at + goes] = o;
            m->w[pc->map2_at + i] = goes;
            for (uint32_t t = 1; t < step; ++t)
                put_slot(pc, m, o + t, WN_NONE, 0.0f, 0.0f);
        }
    }
}
