/* Density peaks and temporal segments worked out by hand. */
#include <math.h>

#include "expect.h"

/* 0, 1, 3 and 10, 12 on a line: of the equally dense the lower one counts as denser. */
static void expect_clusters(expectations *e)
{
    ops_case c;
    case_init(&c, 31, 0);
    set_a(&c, 5, 5, (const float[]){0,  1,  9,   100, 144, 1, 0, 4,   81,  121, 9, 4, 0,
                                    49, 81, 100, 81,  49,  0, 4, 144, 121, 81,  4, 0});
    const uint32_t seg = WORDS_OF(&c, 0, 5), k = WORDS_OF(&c, 2);
    const uint32_t density = array(&c, 5, REALS), far = array(&c, 5, REALS);
    const uint32_t score = array(&c, 5, REALS), flag = array(&c, 5, WORDS);
    const uint32_t keep = array(&c, 9, WORDS), dest = array(&c, 9, WORDS);
    const uint32_t pos = WORDS_OF(&c, 0, 2, 3, 5, 8);
    for (uint32_t i = 0; i < 9; ++i)
        c.w[keep + i] = c.w[dest + i] = 77;
    use_a(&c, ADD(&c, density, 5, .n_max = 5, .segs = 1, .seg_at = seg, .k = 7, .k_at = k,
                  .density_at = density, .far_at = far));
    use_a(&c, ADD(&c, peaks, 5, .n_max = 5, .segs = 1, .seg_at = seg, .density_at = density,
                  .far_at = far, .score_at = score));
    ADD(&c, topk, 1, .segs = 1, .seg_at = seg, .score_at = score, .flag_at = flag, .k_at = k,
        .stats_at = WN_NONE);
    use_a(&c, ADD(&c, nearest, 5, .n_max = 5, .segs = 1, .seg_at = seg, .pos_at = pos,
                  .flag_at = flag, .keep_at = keep, .dest_at = dest));
    outcome o = run_expected(e, &c);
    const float dense = exp_(-0.5f), thin = exp_(-2.0f);
    CHECK_REALS(e, "density: the two nearest, itself among them", (float *)(void *)(o.w + density),
                dense, dense, thin, thin, thin);
    CHECK_REALS(e, "density: the farthest", (float *)(void *)(o.w + far), 144, 121, 81, 100, 144);
    CHECK_REALS(e, "peaks: density times the way to a denser one", (float *)(void *)(o.w + score),
                12 * dense, dense, 2 * thin, sqrt_(49) * thin, 2 * thin);
    CHECK_WORDS(e, "peaks: one of each group", o.w + flag, 1, 0, 0, 1, 0);
    CHECK_WORDS(e, "nearest: keep", o.w + keep, 1, 77, 0, 0, 77, 1, 77, 77, 0);
    CHECK_WORDS(e, "nearest: dest", o.w + dest, 77, 77, 0, 0, 77, 77, 77, 77, 5);
    outcome_free(&o);
}

/* Two points of one segment and one of another. */
static void expect_distances(expectations *e)
{
    ops_case c;
    case_init(&c, 32, 0);
    set_a(&c, 3, 2, (const float[]){1, 2, 4, 6, 0, 0});
    make_pool(&c, 9, WINNOW_F32);
    const uint32_t seg = WORDS_OF(&c, 0, 2, 3), rows = WORDS_OF(&c, 0, 1, 2);
    wn_op *op = ADD(&c, distances, 3, .n_max = 3, .width = 2, .segs = 2, .seg_at = seg,
                    .pos_at = WN_NONE, .list_at = rows, .cols = 2, .scale = 0.5f);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "distances: squares, scaled", o.pool, 0, 12.5f, 12.5f, 0, 0);
    outcome_free(&o);
}

static void expect_cuts(expectations *e)
{
    ops_case c;
    case_init(&c, 33, 0);
    const uint32_t score = REALS_OF(&c, -9.0f, 0.95f, 0.2f, NAN, 0.92f, 0.92f);
    const uint32_t some = array(&c, 6, WORDS), low = array(&c, 6, WORDS);
    const uint32_t starts = array(&c, 7, WORDS), of = array(&c, 6, WORDS);
    const uint32_t inner = array(&c, 13, WORDS);
    ADD(&c, cut, 6, .frames = 6, .score_at = score, .flag_at = low, .least = 1, .bound = 0.94f);
    ADD(&c, cut, 6, .frames = 6, .score_at = score, .flag_at = some, .least = 2, .bound = 0.5f);
    ADD(&c, spans, 7, .frames = 6, .flag_at = some, .starts_at = starts, .of_at = of,
        .inner_at = inner);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "cut: all below the bound", o.w + low, 1, 0, 1, 0, 1, 1);
    CHECK_WORDS(e, "cut: the smallest where too few are below", o.w + some, 1, 0, 1, 0, 1, 0);
    CHECK_WORDS(e, "spans: starts", o.w + starts, 0, 2, 4, 6, 6, 6, 6);
    CHECK_WORDS(e, "spans: of", o.w + of, 0, 0, 1, 1, 2, 2);
    CHECK_WORDS(e, "spans: inner", o.w + inner, 0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6);
    outcome_free(&o);
}

/* Two places, five frames: place 0 stands still in 0..2, place 1 in 1..4. */
static void expect_best_cuts(expectations *e)
{
    ops_case c;
    case_init(&c, 34, 0);
    const uint32_t score = REALS_OF(&c, 0, 0, 0.9f, 0.1f, 0.9f, 0.9f, 0.1f, 0.9f, NAN, 0.9f);
    const uint32_t run = array(&c, 10, WORDS), count = array(&c, 25, WORDS);
    const uint32_t total = array(&c, 5, WORDS), from = array(&c, 5, WORDS);
    const uint32_t flag = array(&c, 5, WORDS), gain = array(&c, 1, WORDS);
    const uint32_t starts = WORDS_OF(&c, 0, 1, 5, 5, 5, 5), of = WORDS_OF(&c, 0, 1, 1, 1, 1);
    const uint32_t still = array(&c, 10, WORDS), keep = array(&c, 10, WORDS);
    const uint32_t dest = array(&c, 10, WORDS);
    ADD(&c, runs, 2, .frames = 5, .tokens = 2, .score_at = score, .run_at = run, .bound = 0.8f);
    ADD(&c, run_counts, 25, .frames = 5, .tokens = 2, .run_at = run, .count_at = count);
    ADD(&c, best_cuts, 1, .frames = 5, .most = 1024, .count_at = count, .total_at = total,
        .from_at = from, .flag_at = flag, .gain_at = gain);
    ADD(&c, still, 10, .frames = 5, .tokens = 2, .rule = 0, .starts_at = starts, .of_at = of,
        .value_at = run, .flag_at = still, .keep_at = keep, .dest_at = dest);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "runs", o.w + run, 0, 0, 1, 0, 2, 1, 0, 2, 0, 3);
    CHECK_WORDS(e, "run_counts of the last frame", o.w + count + 20, 0, 1, 1, 1, 0);
    /* 1-2 gains 2, and 3-4 one more; 1-4 gains 3 too, but is longer */
    CHECK_WORDS(e, "best_cuts: totals", o.w + total, 0, 1, 2, 2, 3);
    CHECK_WORDS(e, "best_cuts: flags", o.w + flag, 1, 1, 0, 1, 0);
    CHECK_WORDS(e, "best_cuts: gain", o.w + gain, 3);
    CHECK_WORDS(e, "still", o.w + still, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1);
    CHECK_WORDS(e, "still: keep", o.w + keep, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0);
    CHECK_WORDS(e, "still: dest", o.w + dest, WN_NONE, WN_NONE, WN_NONE, WN_NONE, WN_NONE, 3,
                WN_NONE, 3, WN_NONE, 3);
    outcome_free(&o);
}

/* aa b aaa c bb b: the pair of a goes right, b alone too, c to the longer left. */
static void expect_label_runs(expectations *e)
{
    ops_case c;
    case_init(&c, 35, 0);
    const uint32_t keep = WORDS_OF(&c, 0, 0, 1, 1, 0, 0, 1, 0, 0);
    const uint32_t dest = WORDS_OF(&c, 3, 3, 9, 9, 3, 3, 9, 2, 2), flag = array(&c, 9, WORDS);
    const uint32_t label = array(&c, 9, SCRATCH), length = array(&c, 9, SCRATCH);
    const uint32_t alone = WORDS_OF(&c, 1, 1, 1), flag2 = array(&c, 3, WORDS);
    ADD(&c, label_runs, 1, .frames = 9, .keep_at = keep, .dest_at = dest, .label_at = label,
        .length_at = length, .flag_at = flag);
    ADD(&c, label_runs, 1, .frames = 3, .keep_at = alone, .dest_at = dest, .label_at = label,
        .length_at = length, .flag_at = flag2);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "label_runs: short runs go to their neighbours", o.w + flag, 1, 0, 0, 0, 0, 0, 0,
                1, 0);
    CHECK_WORDS(e, "label_runs: nothing but single frames is one span", o.w + flag2, 1, 0, 0);
    outcome_free(&o);
}

/* Python: 49 * (21 / 147) is 7, but 25 * (7 / 25) is above 7; round(2.5) is 2. */
static void expect_counts(expectations *e)
{
    ops_case c;
    case_init(&c, 36, 0);
    const uint32_t starts = WORDS_OF(&c, 0, 3, 3, 3), of = WORDS_OF(&c, 0, 0, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 49, 50, 147), thirds = array(&c, 3, WORDS);
    const uint32_t up = array(&c, 3, WORDS), even = array(&c, 3, WORDS);
    const uint32_t singles = WORDS_OF(&c, 0, 1, 2), own = WORDS_OF(&c, 0, 1),
                   seg25 = WORDS_OF(&c, 0, 25, 50), above = array(&c, 2, WORDS);
    const uint32_t gain = WORDS_OF(&c, 0), halves = WORDS_OF(&c, 0, 5, 8, 20);
    ADD(&c, share_counts, 3, .segs = 3, .seg_at = seg, .rule = 0, .starts_at = starts, .of_at = of,
        .each = 7, .out_at = thirds);
    ADD(&c, share_counts, 2, .segs = 2, .seg_at = seg25, .rule = 0, .starts_at = singles,
        .of_at = own, .each = 7, .out_at = above);
    ADD(&c, share_counts, 3, .segs = 3, .seg_at = halves, .rule = 1, .all = 100, .gain_at = gain,
        .ratio_high = 0x3fe00000u, .out_at = up);
    ADD(&c, share_counts, 3, .segs = 3, .seg_at = halves, .rule = 2, .all = 100, .gain_at = gain,
        .ratio_high = 0x3fe00000u, .out_at = even);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "share_counts: of a span", o.w + thirds, 7, 1, 14);
    CHECK_WORDS(e, "share_counts: as doubles round", o.w + above, 8, 8);
    CHECK_WORDS(e, "share_counts: up", o.w + up, 3, 2, 6);
    CHECK_WORDS(e, "share_counts: half to even", o.w + even, 2, 2, 6);
    outcome_free(&o);
}

void expect_spans(expectations *e)
{
    expect_clusters(e);
    expect_distances(e);
    expect_cuts(e);
    expect_best_cuts(e);
    expect_label_runs(e);
    expect_counts(e);
}
