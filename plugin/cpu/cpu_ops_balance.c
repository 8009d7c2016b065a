/* Picks by the balance of relevance, coverage and diversity. */
#include "cpu_greedy.h"

/* What makes values comparable: (x - low) * factor. */
typedef struct scale {
    float low, factor;
} scale;

static scale scale_of(float low, float size)
{
    return (scale){low, size > 1e-30f && !is_inf(size) ? recip_(size) : 0.0f};
}

static float scaled(float x, scale by)
{
    return (x - by.low) * by.factor;
}

/* Values on their way into a scale: all that `add_value` is told of, at its place in the segment. */
typedef struct gathered {
    float sums[32];
    uint32_t count, least, most; /* keys */
} gathered;

static void add_value(gathered *g, uint32_t place, float x)
{
    const uint32_t up = score_key(x), down = score_key_smallest(x);
    g->sums[place % 32] += x;
    g->most = up > g->most ? up : g->most;
    g->least = down > g->least ? down : g->least;
    ++g->count;
}

static scale scale_from(gathered *g, uint32_t range)
{
    if (range) {
        const float low = g->least == 0 ? bits_f32(0x7f800000u) : number_of(~g->least);
        return scale_of(low, number_of(g->most) - low);
    }
    const float mean = tree32(g->sums) * recip_((float)(g->count ? g->count : 1));
    return scale_of(0.0f, g->count ? mean : 0.0f);
}

/* A segment while its tokens are picked. */
typedef struct balance {
    const struct wn_args_greedy_balance *pc;
    const wn_cpu_memory *m;
    uint32_t begin, n;
    float *cur, *gain; /* [n] */
    uint64_t *units; /* [n] the gains, kept from pick to pick: few rows are covered better by one */
    uint32_t *numbers; /* [n] 0: the token is NaN, not even like itself */
    scale rel;
} balance;

static scale rel_scale(const balance *b)
{
    gathered rel = {.count = 0};
    for (uint32_t j = 0; j < b->n; ++j) {
        const float x = real(b->m, b->pc->rel_at, b->begin + j);
        if (x < bits_f32(0x7f800000u)) /* never true of a NaN */
            add_value(&rel, j, x);
    }
    return scale_from(&rel, b->pc->range);
}

/* Gains from nothing. */
static void start_gains(const balance *b)
{
    memset(b->units, 0, b->n * sizeof *b->units);
    wn_cpu_add_gains(&b->m->a, b->begin, b->n, b->cur, b->n, b->units);
}

/* Scores of the unpicked. */
static void find_scores(const balance *b)
{
    const uint32_t *flag = b->m->w + b->pc->flag_at + b->begin;
    for (uint32_t j = 0; j < b->n; ++j)
        b->gain[j] = gain_value(b->units[j]);
    gathered diversity = {.count = 0}, coverage = {.count = 0};
    for (uint32_t j = 0; j < b->n; ++j)
        if (!flag[j] && b->numbers[j]) {
            add_value(&diversity, j, 1.0f - b->cur[j]);
            add_value(&coverage, j, b->gain[j]);
        }
    const scale d = scale_from(&diversity, b->pc->range), c = scale_from(&coverage, b->pc->range);
    for (uint32_t j = 0; j < b->n; ++j) {
        const float rel = real(b->m, b->pc->rel_at, b->begin + j);
        const float two = scaled(rel, b->rel) + b->pc->diversity * scaled(1.0f - b->cur[j], d);
        const float three = two + b->pc->coverage * scaled(b->gain[j], c);
        b->gain[j] = rel == bits_f32(0x7f800000u) ? rel : three;
    }
}

static uint32_t find_best(const balance *b, uint32_t pick)
{
    if (pick > 0)
        find_scores(b);
    else
        memcpy(b->gain, b->m->w + b->pc->rel_at + b->begin, b->n * sizeof *b->gain);
    for (uint32_t j = 0; j < b->n; ++j)
        if (!b->numbers[j])
            b->gain[j] = bits_f32(0x7fc00000u);
    return best_unpicked(b->m, b->pc->gain_at, b->pc->flag_at, b->begin, b->begin + b->n);
}

/* Row j is covered so far from now on. */
static void cover(const balance *b, uint32_t j, float now, bool follow)
{
    if (follow)
        wn_cpu_move_gains(f32_row(&b->m->a, b->begin + j), b->cur[j], now, b->n, b->units);
    b->cur[j] = now;
}

/* follow: further picks want the gains, and they stand. */
static void pick_token(const balance *b, uint32_t pick, bool follow)
{
    const uint32_t p = find_best(b, pick);
    const float *similar = f32_row(&b->m->a, p);
    take(b->m, b->pc->flag_at, b->pc->order_at, b->begin + pick, p);
    for (uint32_t j = 0; j < b->n; ++j) {
        if (b->begin + j == p)
            cover(b, j, bits_f32(0x7f800000u), follow);
        else if (similar[j] > b->cur[j])
            cover(b, j, similar[j], follow);
    }
}

void cpu_greedy_balance(const struct wn_args_greedy_balance *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t begin = seg[s], n = seg[s + 1] - begin, k = least(m->w[pc->k_at + s], n);
        const uint32_t stop = pc->picks ? least(k, pc->pick_from + pc->picks) : k;
        balance b = {.pc = pc, .m = m, .begin = begin, .n = n, .units = m->scratch};
        b.cur = (float *)(void *)(m->w + pc->cur_at + begin);
        b.gain = (float *)(void *)(m->w + pc->gain_at + begin);
        b.numbers = (uint32_t *)(void *)(b.units + n);
        for (uint32_t j = 0; j < n; ++j)
            b.numbers[j] = !is_nan(f32_row(&m->a, begin + j)[j]);
        for (uint32_t j = 0; pc->pick_from == 0 && j < n; ++j) {
            b.cur[j] = bits_f32(0xff800000u);
            m->w[pc->flag_at + begin + j] = 0;
        }
        b.rel = rel_scale(&b);
        for (uint32_t t = pc->pick_from; t < stop; ++t) {
            if (t == (pc->pick_from ? pc->pick_from : 1))
                start_gains(&b);
            pick_token(&b, t, t > 0 && t + 1 < stop);
        }
    }
}
