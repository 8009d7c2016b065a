/* Random programs around clusters of points, quotas of clusters, focus and scan. */
#include <math.h>

#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

/* Distances, or similarities with signs, of all points of a segment; some NaN. */
static void any_pairs(ops_case *c, const segments *s, bool signs)
{
    const flavour f = any_flavour(c);
    make_matrix(c, &c->a, s->n, s->width ? s->width : 1, WINNOW_F32, f);
    for (uint32_t i = 0; !signs && f != WILD && i < s->n; ++i)
        for (uint32_t u = 0; u < s->width; ++u)
            put_element(&c->a, i, u, fabsf(value(c, f)));
    for (uint32_t i = 0; f == WILD && i < s->n; i += 7) /* a point without numbers */
        for (uint32_t u = 0; u < s->width; ++u)
            put_element(&c->a, i, u, NAN);
}

void gen_kernel_density(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 521));
    any_pairs(c, &s, false);
    if (many_groups(c))
        s.n_max += 70000;
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, kernel_density, s.n_max, BOUNDED(s), .others = chance(c, 50),
                 .density_at = array(c, s.n_max, REALS)));
}

void gen_near_peaks(ops_case *c)
{
    const segments set = any_segments(c, any_size(c, 521));
    const list points = any_list(c, &set, chance(c, 40) ? 100 : 60);
    const uint32_t grid_w = 1 + below(c, 30), grid_h = 1 + below(c, 30), tokens = grid_w * grid_h;
    any_pairs(c, &set, false);
    describe(c, "points %u, tokens %u, segments %u, grid %u x %u", points.seg.n, set.n, set.segs,
             grid_h, grid_w);
    use_a(c, ADD(c, near_peaks, points.seg.n_max, .n_max = points.seg.n_max, .segs = set.segs,
                 .seg_at = points.seg.at, .pos_at = points.pos,
                 .index_at = words_below(c, set.n, 3 * tokens), .tokens = tokens, .grid_w = grid_w,
                 .reach_at = words_below(c, grid_h, chance(c, 30) ? 2 : grid_w + 1),
                 .density_at = reals(c, points.seg.n_max, any_flavour(c)),
                 .score_at = array(c, points.seg.n_max, REALS), .dest_at = array(c, set.n, WORDS),
                 .first = chance(c, 50)));
}

void gen_cluster_sums(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 500));
    const uint32_t all = any_size(c, 700), index = words_below(c, s.n, all),
                   group = words_below(c, all, 1 + below(c, 60));
    for (uint32_t i = 0; i < s.n; ++i)
        c->w[index + i] = chance(c, 3) ? 0u - 1u - below(c, 2) : c->w[index + i];
    for (uint32_t k = 0; k < all; ++k)
        c->w[group + k] = f32_bits(c->w[group + k] == 5   ? NAN
                                   : c->w[group + k] == 3 ? (chance(c, 50) ? -0.0f : 0.0f)
                                                          : (float)c->w[group + k]);
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    ADD(c, cluster_sums, s.n_max, BOUNDED(s), .index_at = index, .group_at = group,
        .v_at = reals(c, s.n, any_flavour(c)), .lead_at = array(c, s.n_max, WORDS),
        .size_at = array(c, s.n_max, WORDS), .sum_at = array(c, s.n_max, REALS));
}

/* Clusters of s->n tokens: the first token of each, and how many it has. */
typedef struct any_clusters {
    uint32_t lead, size;
} any_clusters;

static any_clusters make_clusters(ops_case *c, const segments *s)
{
    const uint32_t many = 1 + below(c, chance(c, 30) ? 2 : s->n),
                   label = words_below(c, s->n, many);
    const any_clusters made = {array(c, s->n_max, WORDS), array(c, s->n_max, WORDS)};
    for (uint32_t i = 0; i < s->n; ++i) {
        uint32_t lead = 0;
        if (chance(c, 40))
            c->w[label + i] = 0; /* a large one */
        while (c->w[label + lead] != c->w[label + i])
            ++lead;
        c->w[made.lead + i] = lead;
        c->w[made.size + i] = 0;
        ++c->w[made.size + lead];
    }
    return made;
}

void gen_cluster_quota(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 900));
    const any_clusters made = make_clusters(c, &s);
    const uint32_t want = words_below(c, 1, s.n + s.n / 4 + 2);
    describe(c, "n %u of %u, wanted %u", s.n, s.n_max, c->w[want]);
    ADD(c, cluster_quota, 1, SEG(s), .want_at = want, .lead_at = made.lead, .size_at = made.size,
        .sum_at = reals(c, s.n, any_flavour(c)), .root_at = array(c, s.n_max, WORDS),
        .quota_at = array(c, s.n_max, WORDS));
}

void gen_cluster_keep(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 500));
    const any_clusters made = make_clusters(c, &s);
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, cluster_keep, s.n_max, BOUNDED(s), .lead_at = made.lead,
        .quota_at = words_below(c, s.n, 9), .v_at = reals(c, s.n, any_flavour(c)),
        .alone_at = array(c, s.n_max, WORDS));
}

void gen_cluster_middle(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 500));
    const any_clusters made = make_clusters(c, &s);
    const uint32_t root = array(c, s.n_max, WORDS);
    uint32_t rest = WN_NONE; /* the first of those that become one */
    for (uint32_t i = 0; i < s.n; ++i) {
        if (c->w[made.lead + i] != i)
            continue;
        const bool joins = chance(c, 30);
        rest = joins && rest == WN_NONE ? i : rest;
        c->w[root + i] = joins ? rest : i;
    }
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, cluster_middle, s.n_max, BOUNDED(s), .lead_at = made.lead, .root_at = root,
        .alone_at = flags(c, s.n, 30), .keep_at = array(c, s.n_max, WORDS),
        .dest_at = array(c, s.n_max, WORDS), .own_at = array(c, s.n_max, WORDS));
}

void gen_focus_count(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 3000));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    ADD(c, focus_count, s.segs, SEG(s), .v_at = reals(c, s.n, any_flavour(c)),
        .rank_at = ranks(c, &s), .want_at = counts(c, &s), .sorted_at = array(c, s.n_max, SCRATCH),
        .sums_at = array(c, s.n_max, SCRATCH), .focus_at = array(c, s.segs, WORDS),
        .scan_at = array(c, s.segs, WORDS), .gather_at = array(c, s.segs, WORDS),
        .weight_at = array(c, s.n_max, REALS), .share = (float)below(c, 101) * 0.01f,
        .many = (float)below(c, 9) * 0.25f);
}

void gen_best_flagged(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 521));
    any_pairs(c, &s, true);
    if (many_groups(c))
        s.n_max += 70000;
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, best_flagged, s.n_max, BOUNDED(s),
                 .flag_at = flags(c, s.n, chance(c, 10) ? 0 : 30),
                 .but_at = chance(c, 50) ? flags(c, s.n, 30) : WN_NONE,
                 .skip_at = chance(c, 50) ? flags(c, s.n, 30) : WN_NONE, .apart = chance(c, 50),
                 .v_at = array(c, s.n_max, REALS),
                 .arg_at = chance(c, 80) ? array(c, s.n_max, WORDS) : WN_NONE));
}

void gen_frame_quota(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 3000));
    const uint32_t total = words_below(c, 1, s.n + s.n / 8 + 2),
                   limit = chance(c, 30) ? 1 + below(c, s.width + 1) : UINT32_MAX;
    describe(c, "n %u, segments %u, total %u, limit %u", s.n, s.segs, c->w[total], limit);
    ADD(c, frame_quota, 1, SEG(s),
        .w_at = chance(c, 70) ? positive(c, s.segs) : reals(c, s.segs, any_flavour(c)),
        .total_at = total, .limit = limit, .mark_at = array(c, s.segs, SCRATCH),
        .k_at = array(c, s.segs, WORDS), .front_at = array(c, s.segs, WORDS),
        .back_at = array(c, s.segs, WORDS));
}
