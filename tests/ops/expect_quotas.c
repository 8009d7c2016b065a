#include <math.h>

#include "expect.h"

/* Points that are far from each other, or at one place; NaN; a point without a distance. */
static void expect_kernel_density(expectations *e)
{
    const float pairs[9] = {0.0f, 100.0f, NAN, 100.0f, 0.0f, 0.0f, NAN, NAN, NAN};
    for (uint32_t others = 0; others < 2; ++others) {
        ops_case c;
        case_init(&c, 21, 0);
        set_a(&c, 3, 3, pairs);
        const uint32_t seg = WORDS_OF(&c, 0, 3), density = array(&c, 3, REALS);
        use_a(&c, ADD(&c, kernel_density, 3, .n_max = 3, .segs = 1, .seg_at = seg, .others = others,
                      .density_at = density));
        outcome o = run_expected(e, &c);
        if (others)
            CHECK_REALS(e, "kernel_density: of the others", (float *)(void *)(o.w + density), 0.0f,
                        1.0f, NAN);
        else
            CHECK_REALS(e, "kernel_density", (float *)(void *)(o.w + density), 1.0f, 2.0f, NAN);
        outcome_free(&o);
    }
}

/* Four points in one row of a grid, at columns 0, 1, 4 and 5, denser from left to right; the next column is within reach. The
 * second has denser points, but none so near; the last has none. */
static void expect_near_peaks(expectations *e)
{
    const float squared[16] = {0.0f, 4.0f,  9.0f, 1.0f, 4.0f, 0.0f,  25.0f, 16.0f,
                               9.0f, 25.0f, 0.0f, 1.0f, 1.0f, 16.0f, 1.0f,  0.0f};
    for (uint32_t first = 0; first < 2; ++first) {
        ops_case c;
        case_init(&c, 22, 0);
        set_a(&c, 4, 4, squared);
        const uint32_t seg = WORDS_OF(&c, 0, 4), pos = WORDS_OF(&c, 5, 3, 2, 1),
                       index = WORDS_OF(&c, 9, 5 + 6, 4, 1, 9, 6), reach = WORDS_OF(&c, 2),
                       score = array(&c, 4, REALS), dest = array(&c, 6, WORDS),
                       density = REALS_OF(&c, 1.0f, 2.0f, 3.0f, 4.0f);
        use_a(&c, ADD(&c, near_peaks, 4, .n_max = 4, .segs = 1, .seg_at = seg, .pos_at = pos,
                      .index_at = index, .tokens = 6, .grid_w = 6, .reach_at = reach,
                      .density_at = density, .score_at = score, .dest_at = dest, .first = first));
        outcome o = run_expected(e, &c);
        const float *got = (float *)(void *)(o.w + score);
        CHECK_REALS(e, "near_peaks: within reach", got, 2.0f);
        check_true(e, "near_peaks: whom it follows", o.w[dest + 5] == 3 && o.w[dest + 2] == 1);
        CHECK_REALS(e, "near_peaks: the third", got + 2, 3.0f, INFINITY);
        if (first) {
            CHECK_REALS(e, "near_peaks: nobody within reach", got + 1, INFINITY);
            check_true(e, "near_peaks: the first", o.w[dest + 3] == 5 && o.w[dest + 1] == 5);
        } else {
            CHECK_REALS(e, "near_peaks: the farthest", got + 1, 10.0f);
            check_true(e, "near_peaks: anywhere", o.w[dest + 3] == 1 && o.w[dest + 1] == WN_NONE);
        }
        outcome_free(&o);
    }
}

/* Clusters 7, 0 and the class token by itself. */
static void expect_cluster_sums(expectations *e)
{
    ops_case c;
    case_init(&c, 23, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 6), index = WORDS_OF(&c, 0, 1, -1u, 3, 2, 1),
                   group = REALS_OF(&c, 7.0f, -0.0f, 7.0f, 0.0f),
                   v = REALS_OF(&c, 1.0f, 2.0f, 4.0f, NAN, 8.0f, 16.0f), lead = array(&c, 6, WORDS),
                   size = array(&c, 6, WORDS), sum = array(&c, 6, REALS);
    ADD(&c, cluster_sums, 6, .n_max = 6, .segs = 1, .seg_at = seg, .index_at = index,
        .group_at = group, .v_at = v, .lead_at = lead, .size_at = size, .sum_at = sum);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "cluster_sums: leads", o.w + lead, 0, 1, 2, 1, 0, 1);
    CHECK_WORDS(e, "cluster_sums: sizes", o.w + size, 2, 3, 1, 0, 0, 0);
    CHECK_REALS(e, "cluster_sums", (float *)(void *)(o.w + sum), 9.0f, 18.0f, 4.0f, 0.0f, 0.0f,
                0.0f);
    outcome_free(&o);
}

/* Clusters of 4, 3 and 1 tokens at 0, 1 and 5. Of 8: five rows are 2 more than clusters, 3/5*2 and 2/5*2 are 1 and 1. Six: 1.8 and
 * 1.2, 2 and 1. Four: 0.6 and 0.4, 1 and 0. Of two rows the smallest sum has one. */
static void expect_cluster_quota(expectations *e)
{
    const uint32_t wants[5] = {5, 6, 4, 2, 7},
                   quotas[5][3] = {{1, 1, 0}, {2, 1, 0}, {1, 0, 0}, {0, 0, 0}, {2, 2, 0}};
    for (uint32_t k = 0; k < 5; ++k) {
        ops_case c;
        case_init(&c, 24, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 8), lead = WORDS_OF(&c, 0, 1, 1, 0, 0, 5, 1, 0),
                       size = WORDS_OF(&c, 4, 3, 0, 0, 0, 1, 0, 0),
                       sum = REALS_OF(&c, 3.0f, 1.0f, 0, 0, 0, 2.0f, 0, 0),
                       want = WORDS_OF(&c, wants[k]), root = array(&c, 8, WORDS),
                       quota = array(&c, 8, WORDS);
        ADD(&c, cluster_quota, 1, .segs = 1, .seg_at = seg, .want_at = want, .lead_at = lead,
            .size_at = size, .sum_at = sum, .root_at = root, .quota_at = quota);
        outcome o = run_expected(e, &c);
        const uint32_t got[3] = {o.w[quota], o.w[quota + 1], o.w[quota + 5]},
                       roots[3] = {o.w[root], o.w[root + 1], o.w[root + 5]};
        check_words(e, "cluster_quota", got, 3, quotas[k]);
        if (wants[k] == 2)
            CHECK_WORDS(e, "cluster_quota: the others are one", roots, 0, 1, 0);
        else
            CHECK_WORDS(e, "cluster_quota: all by themselves", roots, 0, 1, 5);
        outcome_free(&o);
    }
}

/* Three clusters of 2, with 1/2 each of 3 more: all round to even, and what is missing or too much goes by their sums. */
static void expect_ties(expectations *e)
{
    ops_case c;
    case_init(&c, 25, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 12),
                   lead = WORDS_OF(&c, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2),
                   size = WORDS_OF(&c, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                   sum = REALS_OF(&c, 3.0f, 1.0f, 2.0f, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                   want = WORDS_OF(&c, 4, 8), root = array(&c, 12, WORDS),
                   quota = array(&c, 12, WORDS), quota2 = array(&c, 12, WORDS);
    ADD(&c, cluster_quota, 1, .segs = 1, .seg_at = seg, .want_at = want, .lead_at = lead,
        .size_at = size, .sum_at = sum, .root_at = root, .quota_at = quota);
    ADD(&c, cluster_quota, 1, .segs = 1, .seg_at = seg, .want_at = want + 1, .lead_at = lead,
        .size_at = size, .sum_at = sum, .root_at = root, .quota_at = quota2);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "cluster_quota: one is missing", o.w + quota, 0, 1, 0); /* 1/3 each */
    CHECK_WORDS(e, "cluster_quota: one too many", o.w + quota2, 1, 2, 2);  /* 5/3 each */
    outcome_free(&o);
}

/* Tokens 0, 2, 3 and 5 are one cluster, of which the shortest one stays; 1 and 4 another; both are one root. */
static void expect_cluster_rows(expectations *e)
{
    ops_case c;
    case_init(&c, 26, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 6), lead = WORDS_OF(&c, 0, 1, 0, 0, 1, 0),
                   quota = WORDS_OF(&c, 1, 0, 9, 9, 9, 9),
                   v = REALS_OF(&c, NAN, 1.0f, 3.0f, 2.0f, 1.0f, 2.0f),
                   root = WORDS_OF(&c, 0, 0, 9, 9, 9, 9), alone = array(&c, 6, WORDS),
                   keep = array(&c, 6, WORDS), dest = array(&c, 6, WORDS),
                   own = array(&c, 6, WORDS);
    ADD(&c, cluster_keep, 6, .n_max = 6, .segs = 1, .seg_at = seg, .lead_at = lead,
        .quota_at = quota, .v_at = v, .alone_at = alone);
    ADD(&c, cluster_middle, 6, .n_max = 6, .segs = 1, .seg_at = seg, .lead_at = lead,
        .root_at = root, .alone_at = alone, .keep_at = keep, .dest_at = dest, .own_at = own);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "cluster_keep", o.w + alone, 0, 0, 0, 1, 0, 0);
    CHECK_WORDS(e, "cluster_middle: kept", o.w + keep, 0, 0, 1, 1, 0, 0); /* 0 1 (2) 4 5 */
    CHECK_WORDS(e, "cluster_middle: where", o.w + dest, 2, 2, WN_NONE, WN_NONE, 2, 2);
    CHECK_WORDS(e, "cluster_middle: own", o.w + own, 0, 0, 1, 0, 0, 0);
    outcome_free(&o);
}

/* A row that its own token is a member of: its size counts once. */
static void expect_own(expectations *e)
{
    ops_case c;
    case_init(&c, 27, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4), seg_new = WORDS_OF(&c, 0, 2),
                   from = WORDS_OF(&c, 1, 3), map2 = WORDS_OF(&c, 0, 0, 0, 1),
                   own = WORDS_OF(&c, 0, 1, 0, 0), sizes = REALS_OF(&c, 1.0f, 2.0f, 4.0f, 8.0f),
                   head = array(&c, 2, WORDS), next = array(&c, 4, WORDS),
                   sizes_new = array(&c, 2, REALS);
    ADD(&c, group, 2, .n_max = 2, .segs = 1, .seg_at = seg, .seg_new_at = seg_new, .span = 1,
        .map2_at = map2, .from_at = from, .head_at = head, .next_at = next, .sizes_at = sizes,
        .sizes_new_at = sizes_new, .own = 1, .own_at = own);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "group: own heads", o.w + head, 0, WN_NONE);
    CHECK_WORDS(e, "group: own", o.w + next, 1, 2, WN_NONE);
    CHECK_REALS(e, "group: own sizes", (float *)(void *)(o.w + sizes_new), 7.0f, 8.0f);
    outcome_free(&o);
}

/* 4, 2, 1 and 1 of 8: three quarters are two tokens. Of four to keep two are left, and one and a half of two is one to gather. */
static void expect_focus(expectations *e)
{
    ops_case c;
    case_init(&c, 28, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 6), v = REALS_OF(&c, 1.0f, 4.0f, NAN, 2.0f, 1.0f, -1.0f),
                   rank = WORDS_OF(&c, 2, 0, 5, 1, 3, 4), want = WORDS_OF(&c, 4, 1),
                   sorted = array(&c, 6, SCRATCH), sums = array(&c, 6, SCRATCH),
                   got = array(&c, 6, WORDS), weight = array(&c, 6, REALS);
    for (uint32_t k = 0; k < 2; ++k)
        ADD(&c, focus_count, 1, .segs = 1, .seg_at = seg, .v_at = v, .rank_at = rank,
            .want_at = want + k, .sorted_at = sorted, .sums_at = sums, .focus_at = got + 3 * k,
            .scan_at = got + 3 * k + 1, .gather_at = got + 3 * k + 2, .weight_at = weight,
            .share = 0.75f, .many = 0.75f);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "focus_count", o.w + got, 2, 3, 1);
    CHECK_WORDS(e, "focus_count: cut", o.w + got + 3, 1, 1, 0);
    CHECK_REALS(e, "focus_count: weights", (float *)(void *)(o.w + weight), 1.0f, 4.0f, 1e-30f,
                2.0f, 1.0f, 1e-30f);
    outcome_free(&o);
}

/* Flagged are 0, 2 and 3, of which 0 does not count; 3 is skipped. */
static void expect_best_flagged(expectations *e)
{
    const float similar[16] = {1.0f, 0.5f, 0.25f, 0.25f, 0.9f, 1.0f, NAN,  0.5f,
                               NAN,  0.9f, NAN,   NAN,   1.0f, 1.0f, 1.0f, 1.0f};
    for (uint32_t apart = 0; apart < 2; ++apart) {
        ops_case c;
        case_init(&c, 29, 0);
        set_a(&c, 4, 4, similar);
        const uint32_t seg = WORDS_OF(&c, 0, 4), flag = WORDS_OF(&c, 1, 0, 1, 1),
                       but = WORDS_OF(&c, 1, 1, 0, 0), skip = WORDS_OF(&c, 0, 0, 0, 1),
                       v = array(&c, 4, REALS), arg = array(&c, 4, WORDS);
        use_a(&c, ADD(&c, best_flagged, 4, .n_max = 4, .segs = 1, .seg_at = seg, .flag_at = flag,
                      .but_at = but, .skip_at = skip, .apart = apart, .v_at = v, .arg_at = arg));
        outcome o = run_expected(e, &c);
        CHECK_WORDS(e, "best_flagged: who", o.w + arg, 2, 3, WN_NONE, WN_NONE);
        if (apart)
            CHECK_REALS(e, "best_flagged: apart", (float *)(void *)(o.w + v), 0.75f, 0.5f, NAN,
                        NAN);
        else
            CHECK_REALS(e, "best_flagged", (float *)(void *)(o.w + v), 0.25f, 0.5f, -INFINITY,
                        -INFINITY);
        outcome_free(&o);
    }
}

/* Frames of 9 tokens, weights 1, 6, 0 and 1 of 8: of 20 tokens 2.5, 15, 0 and 2.5. The first fraction has one more; the second
 * frame is full with 9. Of the 6 that are left each of the others has two. Weights that are none are all the same: 5 each. */
static void expect_frame_quota(expectations *e)
{
    const float weights[2][4] = {{1.0f, 6.0f, -1.0f, 1.0f}, {NAN, -1.0f, INFINITY, 0.0f}};
    for (uint32_t k = 0; k < 2; ++k) {
        ops_case c;
        case_init(&c, 30, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 9, 18, 27, 36), w = reals_of(&c, 4, weights[k]),
                       total = WORDS_OF(&c, 20), mark = array(&c, 4, SCRATCH),
                       count = array(&c, 4, WORDS), front = array(&c, 4, WORDS),
                       back = array(&c, 4, WORDS);
        ADD(&c, frame_quota, 1, .segs = 4, .seg_at = seg, .w_at = w, .total_at = total, .limit = 12,
            .mark_at = mark, .k_at = count, .front_at = front, .back_at = back);
        outcome o = run_expected(e, &c);
        if (k) {
            CHECK_WORDS(e, "frame_quota: no weights", o.w + count, 5, 5, 5, 5);
        } else {
            CHECK_WORDS(e, "frame_quota", o.w + count, 5, 9, 2, 4);
            CHECK_WORDS(e, "frame_quota: six of seven", o.w + front, 4, 7, 1, 3);
            CHECK_WORDS(e, "frame_quota: the rest", o.w + back, 1, 2, 1, 1);
        }
        outcome_free(&o);
    }
}

/* Two of 5 places and none of 2. */
static void expect_pick_counts(expectations *e)
{
    ops_case c;
    case_init(&c, 31, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 5, 7, 8), want = WORDS_OF(&c, 2, 0, 3),
                   seg1 = array(&c, 4, WORDS), pos1 = array(&c, 8, WORDS), flag = flags(&c, 8, 0);
    ADD(&c, pick, 1, .rule = WN_PICK_STRIDE, .want = 3, .segs = 3, .seg_at = seg, .pos_at = WN_NONE,
        .seg1_at = seg1, .pos1_at = pos1, .seg2_at = WN_NONE, .pos2_at = WN_NONE, .flag_at = flag,
        .dest_at = WN_NONE, .wants = 1, .want_at = want);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "pick: counts", o.w + seg1, 0, 2, 2, 3);
    CHECK_WORDS(e, "pick: each segment's", o.w + pos1, 0, 2, 7);
    CHECK_WORDS(e, "pick: flags", o.w + flag, 1, 0, 1, 0, 0, 0, 0, 1);
    outcome_free(&o);
}

void expect_quotas(expectations *e)
{
    expect_frame_quota(e);
    expect_pick_counts(e);
    expect_kernel_density(e);
    expect_near_peaks(e);
    expect_cluster_sums(e);
    expect_cluster_quota(e);
    expect_ties(e);
    expect_cluster_rows(e);
    expect_own(e);
    expect_focus(e);
    expect_best_flagged(e);
}
