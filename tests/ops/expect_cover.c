/* Greedy coverage and balance against all that they say evaluated at every pick, here and not as the library does it. */
#include <math.h>
#include <stdlib.h>

#include "expect.h"

/* One segment of n tokens and `extra` rows besides. */
typedef struct cover_case {
    uint32_t n, extra, k;
    const float *s;      /* [extra + n, n] */
    const float *weight; /* [n]; of balance: how relevant a token is */
    bool range;
    float diversity, coverage; /* of balance */
    float *cur;                /* [extra + n] */
    bool *taken;               /* [n] */
} cover_case;

static float similar(const cover_case *v, uint32_t r, uint32_t j)
{
    return v->s[(size_t)r * v->n + j];
}

static bool holds_nan(const cover_case *v, uint32_t j)
{
    return isnan(similar(v, v->extra + j, j));
}

static float gain_of(const cover_case *v, uint32_t j)
{
    uint64_t sum = 0;
    for (uint32_t r = 0; r < v->extra + v->n; ++r) {
        const float d = similar(v, r, j) - v->cur[r];
        if (d > 0.0f)
            sum += (uint64_t)floor(ldexp(fmin(d, 4.0 - ldexp(1.0, -22)), 45));
    }
    int shift = 0;
    for (; sum >= 1u << 24; sum /= 2)
        ++shift;
    return ldexpf((float)sum, shift - 45);
}

/* The best of the tokens left: NaN last, the earlier of equals. */
static uint32_t best_of(const cover_case *v, const float *score)
{
    uint32_t best = WN_NONE;
    for (uint32_t j = 0; j < v->n; ++j) {
        if (v->taken[j])
            continue;
        const bool number = !isnan(score[j]);
        if (best == WN_NONE || (number && (isnan(score[best]) || score[j] > score[best])))
            best = j;
    }
    return best;
}

static void score_coverage(const cover_case *v, float *score)
{
    for (uint32_t j = 0; j < v->n; ++j) {
        const float gain = gain_of(v, j);
        score[j] = !v->weight ? gain : v->weight[j] == INFINITY ? INFINITY : v->weight[j] * gain;
        if (holds_nan(v, j))
            score[j] = NAN;
    }
}

/* value[n] over the mean or range of those that count. */
static void make_comparable(const cover_case *v, float *value, const bool *counts)
{
    float sums[32] = {0}, low = INFINITY, high = -INFINITY;
    uint32_t count = 0;
    for (uint32_t j = 0; j < v->n; ++j)
        if (counts[j]) {
            sums[j % 32] += value[j];
            low = fminf(low, value[j]);
            high = fmaxf(high, value[j]);
            ++count;
        }
    for (uint32_t step = 1; step < 32; step *= 2)
        for (uint32_t l = 0; l < 32; l += 2 * step)
            sums[l] += sums[l + step];
    const float size = v->range ? high - low : sums[0] * recip_((float)(count ? count : 1));
    const float factor = count && size > 1e-30f && isfinite(size) ? recip_(size) : 0.0f;
    for (uint32_t j = 0; j < v->n; ++j)
        value[j] = (value[j] - (v->range ? low : 0.0f)) * factor;
}

static void score_balance(const cover_case *v, bool first, float *score)
{
    float *rel = malloc(3 * v->n * sizeof *rel), *unlike = rel + v->n, *covers = unlike + v->n;
    bool *counts = malloc(2 * v->n * sizeof *counts), *known = counts + v->n;
    for (uint32_t j = 0; j < v->n; ++j) {
        rel[j] = v->weight[j];
        unlike[j] = 1.0f - v->cur[j];
        covers[j] = gain_of(v, j);
        counts[j] = !v->taken[j] && !holds_nan(v, j);
        known[j] = rel[j] < INFINITY;
    }
    make_comparable(v, rel, known);
    make_comparable(v, unlike, counts);
    make_comparable(v, covers, counts);
    for (uint32_t j = 0; j < v->n; ++j) {
        const float two = rel[j] + v->diversity * unlike[j];
        score[j] = first || v->weight[j] == INFINITY ? v->weight[j] : two + v->coverage * covers[j];
        if (holds_nan(v, j))
            score[j] = NAN;
    }
    free(rel);
    free(counts);
}

/* order[k], by the long way. */
static void pick_naively(const cover_case *v, bool balance, uint32_t *order)
{
    float *score = malloc(v->n * sizeof *score);
    for (uint32_t r = 0; r < v->extra + v->n; ++r)
        v->cur[r] = balance ? -INFINITY : 0.0f;
    memset(v->taken, 0, v->n * sizeof *v->taken);
    for (uint32_t t = 0; t < v->k; ++t) {
        if (balance)
            score_balance(v, t == 0, score);
        else
            score_coverage(v, score);
        const uint32_t p = best_of(v, score);
        v->taken[p] = true;
        order[t] = p;
        for (uint32_t r = 0; r < v->extra + v->n; ++r) {
            const float s = balance ? similar(v, p, r) : similar(v, r, p);
            if (s > v->cur[r])
                v->cur[r] = s;
        }
        if (balance)
            v->cur[p] = INFINITY;
    }
    free(score);
}

/* What a case is filled with: numbers that are sums of each other again and again, any, and those with holes. */
enum filling { EIGHTHS, ANY, HOLES, NOTHING, FILLINGS };

static float filled(ops_case *c, enum filling how)
{
    const float eighth = (float)below(c, 9) * 0.25f - 1.0f;
    if (how == HOLES && chance(c, 4))
        return chance(c, 50) ? NAN : chance(c, 50) ? INFINITY : -INFINITY;
    return how == NOTHING                    ? 0.0f
           : how == EIGHTHS || chance(c, 30) ? eighth
                                             : value(c, PLAIN) * 0.5f;
}

static float weight_of(ops_case *c, enum filling how)
{
    if (how == HOLES && chance(c, 15))
        return chance(c, 50) ? NAN : chance(c, 50) ? INFINITY : -0.5f;
    return how == NOTHING   ? 0.0f
           : how == EIGHTHS ? (float)below(c, 5) * 0.25f
                            : 0.5f + 0.25f * value(c, PLAIN);
}

static void check_case(expectations *e, uint32_t seed, bool balance)
{
    static const uint32_t sizes[] = {1, 2, 37, 130, 301};
    const enum filling how = seed / 5 % FILLINGS;
    ops_case c;
    case_init(&c, 100 + seed, 0);
    const uint32_t n = sizes[seed % 5], extra = balance || below(&c, 2) ? 0 : 1 + below(&c, 9);
    const uint32_t k = n < 40 ? n : 40, rows = extra + n, seg = WORDS_OF(&c, 0, n);
    const uint32_t k_at = WORDS_OF(&c, k), order = array(&c, n, WORDS);
    float *s = malloc(((size_t)rows * n + n + rows) * sizeof *s), *weight = s + (size_t)rows * n;
    bool *taken = malloc(n * sizeof *taken);
    for (size_t i = 0; i < (size_t)rows * n; ++i)
        s[i] = filled(&c, how);
    for (uint32_t j = 0; j < n; ++j)
        weight[j] = weight_of(&c, how);
    const cover_case v = {.n = n,
                          .extra = extra,
                          .k = k,
                          .s = s,
                          .weight = balance || below(&c, 3) ? weight : NULL,
                          .range = below(&c, 2),
                          .diversity = 0.25f * (float)below(&c, 5),
                          .coverage = 0.25f + 0.25f * (float)below(&c, 4),
                          .cur = weight + n,
                          .taken = taken};
    const uint32_t weight_at = v.weight ? reals_of(&c, n, weight) : WN_NONE;
    set_a(&c, n, n, s + (size_t)extra * n);
    make_c(&c, extra ? extra : 1, n, WINNOW_F32, PLAIN, 0);
    for (uint32_t i = 0; i < extra * n; ++i)
        put_c(&c, i / n, i % n, s[i]);
    const uint32_t flag = array(&c, n, WORDS), cur = array(&c, rows, SCRATCH);
    const uint32_t gain = array(&c, n, SCRATCH), sum = array(&c, 2 * n, SCRATCH);
    const uint32_t changes = array(&c, 2 * (rows + 1), SCRATCH);
    wn_op *op;
    if (balance) {
        op = ADD(&c, greedy_balance, 1, .segs = 1, .seg_at = seg, .k_at = k_at, .rel_at = weight_at,
                 .cur_at = cur, .gain_at = gain, .sum_at = sum, .list_at = changes, .flag_at = flag,
                 .order_at = order, .range = v.range, .diversity = v.diversity,
                 .coverage = v.coverage);
    } else {
        op = ADD(&c, greedy_coverage, 1, .segs = 1, .seg_at = seg, .k_at = k_at, .extra = extra,
                 .weight_at = weight_at, .cur_at = cur, .gain_at = gain, .sum_at = sum,
                 .list_at = changes, .flag_at = flag, .order_at = order);
        use_c(&c, op);
    }
    use_a(&c, op);
    uint32_t *want = malloc(n * sizeof *want);
    pick_naively(&v, balance, want);
    outcome o = run_expected(e, &c);
    check_words(e,
                balance ? "greedy_balance: against all evaluated"
                        : "greedy_coverage: against all evaluated",
                o.w + order, k, want);
    outcome_free(&o);
    free(want);
    free(taken);
    free(s);
}

void expect_cover(expectations *e)
{
    for (uint32_t seed = 0; seed < 60; ++seed) {
        check_case(e, seed, false);
        check_case(e, seed, true);
    }
}
