/* Random programs around high frequencies of the grid. */
#include "case.h"

void gen_spectral_score(ops_case *c)
{
    static const uint32_t sides[] = {1, 7, 2, 14, 5, 3, 16, 9, 4, 13, 6, 8, 11, 31};
    const uint32_t cols = any_cols(c, 1024), frames = 1 + below(c, 3), h = sides[c->round % 14];
    const uint32_t w = cols > 100 ? 3 : sides[(c->round * 5 + below(c, 3)) % 14];
    const uint32_t n = frames * h * w;
    const bool filtered = !chance(c, 15);
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    make_matrix(c, &c->b_in, n, cols, WINNOW_F32, c->round % 4 ? PLAIN : WILD);
    const uint32_t weights = reals(c, 2 * h - 1, PLAIN);
    describe(c, "%u x %u x %u, cols %u, dtype %u, filtered %d", frames, h, w, cols, c->a.dtype,
             filtered);
    wn_op *op =
        ADD(c, spectral_score, n, .frames = frames, .h = h, .grid_w = w, .cols = cols,
            .rows_at = row_list(c, n, true), .taps = filtered ? h : 0, .weight_at = weights + h - 1,
            .v_at = array(c, n, REALS), .scale = 1.0f / (float)cols);
    use_a(c, op);
    use_b_in(c, op);
}

/* Scores are no less than 0, or NaN; some are no numbers, and some very large. */
static uint32_t some_scores(ops_case *c, uint32_t n, flavour f)
{
    const uint32_t at = reals(c, n, f);
    for (uint32_t i = 0; i < n; ++i)
        c->w[at + i] &= 0x7fffffffu;
    if (c->round % 7 == 6)
        c->w[at + below(c, n)] = 0x7f7fffffu; /* the mean is infinite, or as good as */
    return at;
}

void gen_spectral_change(ops_case *c)
{
    static const float sharp[] = {10.0f, 1.0f, 1000.0f, 0.01f};
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t x = some_scores(c, s.n, any_flavour(c)), y = some_scores(c, s.n, any_flavour(c));
    for (uint32_t i = 0; i < s.n; ++i) /* one that stands out, and many that change as one does */
        if (c->round % 5 == 4 && i != s.n / 2)
            c->w[y + i] = c->w[x + i];
    describe(c, "n %u, segments %u", s.n, s.segs);
    ADD(c, spectral_change, 1, .segs = s.segs, .seg_at = s.at, .x_at = x, .y_at = y,
        .weight_at = chance(c, 70) ? reals(c, s.n, any_flavour(c)) : WN_NONE,
        .score_at = array(c, s.n, REALS), .sharp = sharp[below(c, 4)]);
}
