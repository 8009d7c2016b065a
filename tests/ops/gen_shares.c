/* Random programs around the operations that deal budgets to parts of a segment. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

/* Source tokens of n positions, ascending in part, some that are none. */
static uint32_t any_index(ops_case *c, uint32_t n, uint32_t tokens)
{
    const uint32_t at = words_below(c, n, 3 * tokens);
    const bool in_order = chance(c, 60);
    for (uint32_t i = 0; i < n; ++i) {
        if (in_order)
            c->w[at + i] = i % (3 * tokens);
        if (chance(c, 5))
            c->w[at + i] = 0u - 1u - below(c, 2);
    }
    return at;
}

void gen_raise_near(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t w = 1 + below(c, 9), tokens = w * (1 + below(c, 9));
    describe(c, "n %u of %u, segments %u, grid %u of %u", s.n, s.n_max, s.segs, w, tokens);
    ADD(c, raise_near, s.n_max, BOUNDED(s), .index_at = any_index(c, s.n, tokens),
        .flag_at = flags(c, s.n, 8), .score_at = reals(c, s.n, any_flavour(c)), .tokens = tokens,
        .grid_w = w, .wrap = chance(c, 50));
}

/* A label for each place, some that are none. */
static uint32_t any_labels(ops_case *c, uint32_t tokens, uint32_t labels)
{
    const uint32_t at = words_below(c, tokens, labels);
    for (uint32_t j = 0; j < tokens; ++j)
        if (chance(c, 5))
            c->w[at + j] = WN_NONE;
    return at;
}

void gen_raise_best(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t tokens = any_size(c, 300), labels = 1 + below(c, 17);
    describe(c, "n %u of %u, segments %u, labels %u", s.n, s.n_max, s.segs, labels);
    ADD(c, raise_best, s.n_max, BOUNDED(s), .index_at = any_index(c, s.n, tokens),
        .label_at = any_labels(c, tokens, labels), .tokens = tokens,
        .k_at = words_below(c, s.segs, 5), .score_at = reals(c, s.n, any_flavour(c)),
        .raise_at = array(c, s.n, REALS));
}

void gen_split(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t parts = 1 + below(c, 17);
    describe(c, "n %u, segments %u, parts %u", s.n, s.segs, parts);
    ADD(c, split, s.segs * parts + 1, SEG(s), .parts = parts,
        .out_at = array(c, s.segs * parts + 1, WORDS));
}

void gen_chunk_quota(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t parts = 1 + below(c, 17), chunks = s.segs * parts;
    const flavour f = any_flavour(c);
    const uint32_t seg = array(c, chunks + 1, WORDS);
    for (uint32_t k = 0; k < s.segs; ++k) {
        const uint32_t begin = seg_begin(c, &s, k), n = seg_begin(c, &s, k + 1) - begin;
        for (uint32_t p = 0; p < parts; ++p)
            c->w[seg + k * parts + p] = begin + p * n / parts;
    }
    c->w[seg + chunks] = s.n;
    describe(c, "n %u, segments %u, parts %u, flavour %u", s.n, s.segs, parts, (unsigned)f);
    ADD(c, chunk_quota, s.segs, .segs = s.segs, .parts = parts, .chunk_seg_at = seg,
        .want_at = counts(c, &s), .score_at = f == PLAIN ? positive(c, s.n) : reals(c, s.n, f),
        .spread_at = chance(c, 70) ? positive(c, s.n) : reals(c, s.n, f),
        .worth_at = array(c, chunks, REALS), .quota_at = array(c, chunks, WORDS),
        .spill = chance(c, 50), .alpha = 0.09f);
}

void gen_label_quota(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t tokens = any_size(c, 300), labels = 1 + below(c, 17);
    describe(c, "n %u, segments %u, labels %u", s.n, s.segs, labels);
    ADD(c, label_quota, labels, .seg_at = s.at, .index_at = any_index(c, s.n, tokens),
        .flag_at = flags(c, s.n, 40), .label_at = any_labels(c, tokens, labels), .tokens = tokens,
        .labels = labels, .table_at = array(c, s.n + 1, WORDS), .out_at = array(c, labels, WORDS));
}

/* Up to `most` positions of each segment. */
static list few(ops_case *c, const segments *s, uint32_t most)
{
    list l = any_list(c, s, 99);
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->segs; ++k) {
        const uint32_t begin = seg_begin(c, s, k), count = seg_begin(c, s, k + 1) - begin;
        const uint32_t step = count / most + 1;
        c->w[l.seg.at + k] = n;
        for (uint32_t i = below(c, step); i < count; i += step)
            c->w[l.pos + n++] = begin + i;
    }
    c->w[l.seg.at + s->segs] = n;
    return l;
}

void gen_pivot_order(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t image = 1 + below(c, 8), text = below(c, 9), rows = text + below(c, 60);
    const list pivots = few(c, &s, image);
    const uint32_t text_pos = array(c, text, WORDS);
    for (uint32_t k = 0; k < text; ++k)
        c->w[text_pos + k] = k * rows / text;
    const flavour f = any_flavour(c);
    describe(c, "n %u, segments %u, pivots %u and %u of %u", s.n, s.segs, image, text, rows);
    ADD(c, pivot_order, s.segs, SEG(s), .piv_seg_at = pivots.seg.at, .piv_pos_at = pivots.pos,
        .image = image, .text = text, .text_pos_at = text_pos, .text_row = s.segs * image,
        .by_set = chance(c, 75), .start = below(c, 70), .norm_at = reals(c, s.n, f),
        .text_norm_at = reals(c, rows, f), .order_at = array(c, s.segs * (image + text), WORDS));
}

void gen_pivot_score(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t step = 1 + below(c, 8), row = words_below(c, s.segs * step, s.n);
    for (uint32_t k = 0; k < s.segs * step; ++k)
        if (chance(c, 15))
            c->w[row + k] = WN_NONE;
    make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, any_flavour(c));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, pivot_score, s.n_max, BOUNDED(s), .flag_at = flags(c, s.n, 30), .row_at = row,
                 .step = step, .place = below(c, step), .score_at = array(c, s.n_max, REALS)));
}
