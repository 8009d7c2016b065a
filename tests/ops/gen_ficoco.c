/* Random programs around FiCoCo's operations. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

/* The method's order of rows: a shuffle of each segment's positions, or none. */
static uint32_t any_order(ops_case *c, const segments *s)
{
    if (chance(c, 40))
        return WN_NONE;
    const uint32_t order = ranks(c, s);
    for (uint32_t k = 0; k < s->segs; ++k)
        for (uint32_t i = seg_begin(c, s, k); i < seg_begin(c, s, k + 1); ++i)
            c->w[order + i] += seg_begin(c, s, k);
    return order;
}

static flavour row_flavour(ops_case *c)
{
    static const flavour flavours[] = {PLAIN, TIED, PLAIN, WILD};
    return flavours[c->round % 4];
}

/* Counts below the segments' tokens; half of them at most if `half`. */
static uint32_t small_counts(ops_case *c, const segments *s, bool half)
{
    const uint32_t at = array(c, s->segs, WORDS);
    for (uint32_t k = 0; k < s->segs; ++k) {
        const uint32_t n = seg_begin(c, s, k + 1) - seg_begin(c, s, k);
        c->w[at + k] = n ? below(c, half ? n / 2 + 1 : n) : 0;
    }
    return at;
}

void gen_logit_means(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 300));
    make_matrix(c, &c->a, s.n, s.width + below(c, 3), WINNOW_F32, row_flavour(c));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, logit_means, s.n_max, BOUNDED(s), .order_at = any_order(c, &s),
                 .x_at = array(c, s.n_max, REALS), .y_at = array(c, s.n_max, REALS)));
}

void gen_unit_mix(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t x = reals(c, s.n, any_flavour(c)), y = reals(c, s.n, row_flavour(c));
    for (uint32_t k = 0; k < s.segs; ++k) /* a segment of zeros */
        for (uint32_t i = seg_begin(c, &s, k); chance(c, 10) && i < seg_begin(c, &s, k + 1); ++i)
            c->w[x + i] = 0;
    const bool unit = chance(c, 70);
    describe(c, "n %u, segments %u, unit %d", s.n, s.segs, unit);
    ADD(c, unit_mix, s.segs, SEG(s), .order_at = any_order(c, &s), .x_at = x, .y_at = y,
        .v_at = array(c, s.n, REALS), .unit = unit, .wx = -0.35f, .wy = 0.65f,
        .whole = !unit && chance(c, 50));
}

/* Cells of a grid that some tokens of each segment lie in, no two in the same. */
static uint32_t any_cells(ops_case *c, const segments *s, uint32_t cells)
{
    const uint32_t index = array(c, s->n, WORDS), turn = below(c, cells);
    for (uint32_t k = 0; k < s->segs; ++k) {
        const uint32_t begin = seg_begin(c, s, k);
        for (uint32_t i = begin; i < seg_begin(c, s, k + 1); ++i)
            c->w[index + i] = i - begin >= cells || chance(c, 10)
                                  ? 0u - 1u - below(c, 2)
                                  : (i - begin + turn) % cells + k * cells;
    }
    return index;
}

void gen_window_raise(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 700));
    const uint32_t h = 1 + below(c, 31), w = 1 + below(c, 31), cells = h * w;
    const bool by_index = chance(c, 50);
    const uint32_t index = by_index ? any_cells(c, &s, cells) : WN_NONE,
                   grid = by_index ? array(c, s.segs * cells, WORDS)
                                   : reals(c, s.segs * cells, row_flavour(c));
    for (uint32_t p = 0; !by_index && p < s.segs * cells; ++p)
        if (chance(c, 30))
            c->w[grid + p] = 0xff800000u;
    describe(c, "n %u, segments %u, grid %u x %u, by index %d", s.n, s.segs, h, w, by_index);
    ADD(c, window_raise, s.segs, SEG(s), .order_at = any_order(c, &s), .index_at = index,
        .v_at = reals(c, s.n, row_flavour(c)), .grid_at = grid, .h = h, .w = w);
}

void gen_correlate(ops_case *c)
{
    static const float quantiles[] = {0.998f, 0.5f, 0.9f, 1.0f, 0.97f, 0.875f};
    const segments s = any_segments(c, any_size(c, 300));
    const uint32_t most = 1 + below(c, 6);
    const bool within = chance(c, 60), whole = within && chance(c, 50);
    const float q = quantiles[c->round % 6];
    make_matrix(c, &c->a, s.n, s.width + below(c, 3), WINNOW_F32, row_flavour(c));
    describe(c, "n %u of %u, segments %u, most %u, within %d, whole %d, q %g", s.n, s.n_max, s.segs,
             most, within, whole, q);
    use_a(c, ADD(c, correlate, s.n_max, BOUNDED(s), .rank_at = ranks(c, &s),
                 .k_at = small_counts(c, &s, false), .keep_at = array(c, s.n_max, WORDS),
                 .near_at = array(c, s.n_max * most, WORDS),
                 .value_at = array(c, s.n_max * most, REALS),
                 .count_at = within ? array(c, s.n_max, WORDS) : words_below(c, s.segs, 3),
                 .most = most, .within = within, .q = q, .whole = whole));
}

/* What correlate and compact leave: keep, the kept ones' positions, segments and order. */
typedef struct kept_rows {
    uint32_t keep, map, seg_new, order_new, rows;
} kept_rows;

static kept_rows keep_by_rank(ops_case *c, const segments *s, uint32_t rank, uint32_t k)
{
    kept_rows r = {.keep = array(c, s->n, WORDS),
                   .map = array(c, s->n, WORDS),
                   .seg_new = array(c, s->segs + 1, WORDS),
                   .order_new = array(c, s->n, WORDS)};
    for (uint32_t t = 0; t < s->segs; ++t) {
        c->w[r.seg_new + t] = r.rows;
        for (uint32_t i = seg_begin(c, s, t); i < seg_begin(c, s, t + 1); ++i) {
            c->w[r.keep + i] = c->w[rank + i] >= c->w[k + t];
            c->w[r.map + i] = c->w[r.keep + i] ? r.rows++ : WN_NONE;
        }
    }
    c->w[r.seg_new + s->segs] = r.rows;
    for (uint32_t t = 0; t < s->segs; ++t)
        for (uint32_t i = seg_begin(c, s, t); i < seg_begin(c, s, t + 1); ++i)
            if (c->w[r.keep + i])
                c->w[r.order_new + c->w[r.seg_new + t] + c->w[rank + i] - c->w[k + t]] =
                    c->w[r.map + i];
    return r;
}

void gen_shares(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 700));
    const uint32_t most = 1 + below(c, 4), rank = ranks(c, &s), k = small_counts(c, &s, true);
    const bool within = chance(c, 50);
    s.n_max += s.segs; /* segs <= n_max */
    const kept_rows r = keep_by_rank(c, &s, rank, k);
    const uint32_t near = array(c, s.n_max * most, WORDS), slots = s.n_max * (most + 1);
    for (uint32_t t = 0; t < s.segs; ++t) {
        const uint32_t begin = seg_begin(c, &s, t), n = seg_begin(c, &s, t + 1) - begin;
        for (uint32_t i = begin * most; i < (begin + n) * most; ++i)
            c->w[near + i] = begin + below(c, n);
    }
    describe(c, "n %u of %u, segments %u, most %u, within %d", s.n, s.n_max, s.segs, most, within);
    ADD(c, shares, s.n_max + 1, BOUNDED(s), .keep_at = r.keep, .rows_at = row_list(c, s.n, true),
        .sizes_at = chance(c, 50) ? positive(c, s.n) : WN_NONE, .map_at = r.map, .near_at = near,
        .value_at = reals(c, s.n_max * most, row_flavour(c)),
        .count_at = words_below(c, within ? s.n_max : s.segs, most + 1), .most = most,
        .within = within, .k_at = k, .place_at = chance(c, 50) ? WN_NONE : any_order(c, &s),
        .order_new_at = r.order_new, .seg_new_at = r.seg_new,
        .seg_out_at = array(c, s.segs + 1, WORDS), .rows_out_at = array(c, slots, WORDS),
        .weight_at = array(c, slots, REALS), .sizes_out_at = array(c, slots, REALS),
        .map_out_at = array(c, slots, WORDS), .from_out_at = array(c, s.n, WORDS),
        .map2_at = array(c, s.n, WORDS), .direct = chance(c, 50), .linear = chance(c, 50));
}
