/* Random programs around clustering by density peaks. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

static uint32_t points_for(ops_case *c, uint32_t cols)
{
    return any_size(c, cols > 100 ? 65 : cols > 33 ? 300 : 521);
}

void gen_distances(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments set = any_segments(c, points_for(c, cols));
    const list points = any_list(c, &set, chance(c, 40) ? 100 : 60);
    const uint32_t width = set.width ? set.width : 1, stride = width + below(c, 4);
    make_matrix(c, &c->a, set.n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 3 + (uint64_t)(points.seg.n_max + 1) * stride, WINNOW_F32);
    describe(c, "points %u of %u, segments %u, cols %u, dtype %u", points.seg.n, points.seg.n_max,
             set.segs, cols, c->a.dtype);
    const uint64_t lines = (points.seg.n_max + WN_TILE - 1) / WN_TILE + set.segs;
    const uint64_t tiles = lines * ((width + WN_TILE - 1) / WN_TILE);
    wn_op *op = ADD(c, distances, tiles, .n_max = points.seg.n_max, .width = width,
                    .segs = set.segs, .seg_at = points.seg.at, .pos_at = points.pos,
                    .list_at = row_list(c, set.n, true), .cols = cols, .scale = 1.0f / (float)cols);
    use_a(c, op);
    write_pool(c, op, 3, stride);
}

/* A matrix of squared distances, with ties, infinities and NaN in some rounds. */
static void make_distances(ops_case *c, const segments *s)
{
    const flavour f = any_flavour(c);
    make_matrix(c, &c->a, s->n, s->width ? s->width : 1, WINNOW_F32, f);
    for (uint32_t i = 0; f != WILD && i < s->n; ++i)
        for (uint32_t u = 0; u < s->width; ++u) {
            const float x = value(c, f);
            put_element(&c->a, i, u, x < 0 ? -x : x);
        }
    for (uint32_t k = 0; f == WILD && k < s->segs; ++k) /* a point without distances */
        for (uint32_t i = seg_begin(c, s, k); i < seg_begin(c, s, k + 1); ++i)
            for (uint32_t u = 0; i % 5 == 3 && u < s->width; ++u)
                put_element(&c->a, i, u, bits_f32(0x7fc00000u));
}

void gen_density(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 521));
    const uint32_t k = 1 + below(c, 9);
    make_distances(c, &s);
    if (many_groups(c))
        s.n_max += 70000;
    describe(c, "n %u of %u, segments %u, k %u", s.n, s.n_max, s.segs, k);
    use_a(c, ADD(c, density, s.n_max, BOUNDED(s), .k = chance(c, 5) ? 200 : k,
                 .k_at = chance(c, 50) ? counts(c, &s) : WN_NONE,
                 .density_at = array(c, s.n_max, REALS), .far_at = array(c, s.n_max, REALS)));
}

void gen_peaks(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 521));
    make_distances(c, &s);
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, peaks, s.n_max, BOUNDED(s), .density_at = reals(c, s.n, any_flavour(c)),
                 .far_at = reals(c, s.n, any_flavour(c)), .score_at = array(c, s.n_max, REALS),
                 .sparser = chance(c, 50)));
}

void gen_nearest(ops_case *c)
{
    const segments set = any_segments(c, any_size(c, 521));
    const list points = any_list(c, &set, chance(c, 40) ? 100 : 60);
    make_distances(c, &set);
    describe(c, "points %u, tokens %u, segments %u", points.seg.n, set.n, set.segs);
    use_a(c, ADD(c, nearest, points.seg.n_max, .n_max = points.seg.n_max, .segs = set.segs,
                 .seg_at = points.seg.at, .pos_at = points.pos,
                 .flag_at = flags(c, set.n, chance(c, 10) ? 0 : 20), .keep_at = flags(c, set.n, 50),
                 .dest_at = array(c, set.n, WORDS)));
}

void gen_lookup(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t from = words_below(c, s.n, s.n), to = shuffled(c, s.n);
    for (uint32_t i = 0; i < s.n; ++i) {
        if (chance(c, 15))
            c->w[from + i] = WN_NONE;
        if (chance(c, 15))
            c->w[to + i] = WN_NONE;
    }
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, lookup, s.n_max, BOUNDED(s), .from_at = chance(c, 70) ? from : WN_NONE,
        .to_at = chance(c, 60) ? to : WN_NONE, .values_at = array(c, s.n, WORDS),
        .out_at = array(c, s.n, WORDS));
}
