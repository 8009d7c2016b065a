#include <math.h>

#include "expect.h"

/* Tokens 0 1 2 | 3 4; kept 0 and 3. 1 goes to 2, which goes to 0; 4 goes nowhere. */
static void expect_chain(expectations *e)
{
    ops_case c;
    case_init(&c, 8, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 3, 5), seg_new = WORDS_OF(&c, 0, 1, 2);
    const uint32_t keep = WORDS_OF(&c, 1, 0, 0, 1, 0), dest = WORDS_OF(&c, 9, 2, 0, 9, WN_NONE);
    const uint32_t map = WORDS_OF(&c, 0, WN_NONE, WN_NONE, 1, WN_NONE), from = WORDS_OF(&c, 0, 3);
    const uint32_t map2 = array(&c, 5, WORDS), head = array(&c, 2, WORDS),
                   next = array(&c, 5, WORDS);
    const uint32_t sizes = REALS_OF(&c, 1.0f, 2.0f, 1.0f, 4.0f, 1.0f),
                   sizes_new = array(&c, 2, REALS);
    const uint32_t rows = ramp(&c, 5), assign = array(&c, 5, WORDS);
    ADD(&c, resolve, 5, .n_max = 5, .segs = 2, .seg_at = seg, .keep_at = keep, .dest_at = dest,
        .map_at = map, .map2_at = map2);
    ADD(&c, group, 2, .n_max = 2, .segs = 2, .seg_at = seg, .seg_new_at = seg_new, .span = 1,
        .map2_at = map2, .from_at = from, .head_at = head, .next_at = next, .sizes_at = sizes,
        .sizes_new_at = sizes_new);
    set_a(&c, 5, 1, (float[]){8.0f, 4.0f, 2.0f, 3.0f, 100.0f});
    make_pool(&c, 2, WINNOW_F32);
    wn_op *op = ADD(&c, merge, 2, .n_max = 2, .segs = 2, .seg_new_at = seg_new, .list_at = rows,
                    .from_at = from, .head_at = head, .next_at = next, .weight_at = sizes,
                    .rule = WN_MERGE_WAVG, .cols = 1, .near_at = WN_NONE);
    use_a(&c, op);
    write_pool(&c, op, 0, 1);
    ADD(&c, remap, 5, .n = 5, .assign_at = WN_NONE, .map_at = map2, .assign_out_at = assign);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "resolve", o.w + map2, 0, 0, 0, 1, WN_NONE);
    CHECK_WORDS(e, "group: heads", o.w + head, 1, WN_NONE);
    CHECK_WORDS(e, "group: the list", o.w + next + 1, 2, WN_NONE);
    CHECK_REALS(e, "group: sizes", (float *)(void *)(o.w + sizes_new), 4.0f, 4.0f);
    /* (8 + 2*4 + 2) / 4; alone: as it was. recip_ may miss by a unit in the last place. */
    CHECK_REALS(e, "merge: weighted average", o.pool, 18.0f * recip_(4.0f), 3.0f);
    check_true(e, "merge: near the average", fabsf(o.pool[0] - 4.5f) < 1e-5f);
    CHECK_WORDS(e, "remap", o.w + assign, 0, 0, 0, 1, WN_NONE);
    outcome_free(&o);
}

/* cos of (1,0), (0,2), (3,0) and a row that is none; NaN loses to every number. */
static void expect_match(expectations *e)
{
    ops_case c;
    case_init(&c, 9, 0);
    const uint32_t src_seg = WORDS_OF(&c, 0, 3, 4), src = WORDS_OF(&c, 0, 2, 4, 5);
    const uint32_t dst_seg = WORDS_OF(&c, 0, 2, 2), dst = WORDS_OF(&c, 1, 3);
    const uint32_t rows = WORDS_OF(&c, 0, 1, 2, 3, WN_NONE, 4), seg = WORDS_OF(&c, 0, 5, 6);
    const uint32_t inv = array(&c, 6, REALS), best = array(&c, 4, REALS), arg = array(&c, 4, WORDS);
    set_a(&c, 5, 2, (float[]){NAN, 0.0f, 0.0f, 2.0f, 0.0f, 4.0f, 3.0f, 0.0f, 1.0f, 1.0f});
    use_a(&c, ADD(&c, row_norm, 6, .n_max = 6, .segs = 2, .seg_at = seg, .list_at = rows,
                  .inv_at = inv, .cols = 2, .eps2 = 1e-16f, .inv_eps = 1e8f));
    use_a(&c, ADD(&c, match, 4, .n_max = 4, .segs = 2, .src_seg_at = src_seg, .src_pos_at = src,
                  .dst_seg_at = dst_seg, .dst_pos_at = dst, .list_at = rows, .inv_at = inv,
                  .cols = 2, .best_at = best, .arg_at = arg));
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "match: the first if all are NaN, ties to the lower, no target", o.w + arg, 1, 1,
                1, WN_NONE);
    check_true(e, "match: the cosine is 1", fabsf(bits_f32(o.w[best + 1]) - 1.0f) < 1e-6f);
    check_true(e, "match: NaN stays NaN", is_nan(bits_f32(o.w[best])));
    CHECK_WORDS(e, "match: a row that is none has dot 0; no target gives NaN", o.w + best + 2, 0,
                0x7fc00000u);
    outcome_free(&o);
}

/* Tokens 0..4 | 5: (1,0), (2,0), (1,1), a NaN, none | (1,0): only the first two have a cosine above 0.8, and not of their own. */
static void expect_alike(expectations *e)
{
    ops_case c;
    case_init(&c, 11, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 5, 6), rows = WORDS_OF(&c, 0, 1, 2, 3, WN_NONE, 4);
    const uint32_t inv = array(&c, 6, REALS), sharp = array(&c, 6, REALS),
                   all = array(&c, 6, REALS);
    set_a(&c, 5, 2, (float[]){1.0f, 0.0f, 2.0f, 0.0f, 1.0f, 1.0f, NAN, 0.0f, 1.0f, 0.0f});
    use_a(&c, ADD(&c, row_norm, 6, .n_max = 6, .segs = 2, .seg_at = seg, .list_at = rows,
                  .inv_at = inv, .cols = 2, .eps2 = 1e-16f, .inv_eps = 1e8f));
    use_a(&c, ADD(&c, alike_count, 2, .n_max = 6, .width = 5, .segs = 2, .seg_at = seg,
                  .list_at = rows, .inv_at = inv, .cols = 2, .v_at = sharp, .bound = 0.8f));
    use_a(&c, ADD(&c, alike_count, 2, .n_max = 6, .width = 5, .segs = 2, .seg_at = seg,
                  .list_at = rows, .inv_at = inv, .cols = 2, .v_at = all, .bound = -2.0f));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "alike_count: others above the bound, of the segment alone",
                (float *)(void *)(o.w + sharp), 1.0f, 1.0f, 0.0f, 0.0f, 0.0f, 0.0f);
    CHECK_REALS(e, "alike_count: NaN is above nothing, a row that is none has dot 0",
                (float *)(void *)(o.w + all), 3.0f, 3.0f, 3.0f, 0.0f, 3.0f, 0.0f);
    outcome_free(&o);
}

/* Weights that add up to nothing leave the row as it was. */
static void expect_no_weight(expectations *e)
{
    ops_case c;
    case_init(&c, 12, 0);
    const uint32_t seg_new = WORDS_OF(&c, 0, 2), rows = ramp(&c, 4), from = WORDS_OF(&c, 0, 2);
    const uint32_t head = WORDS_OF(&c, 1, 3),
                   next = WORDS_OF(&c, WN_NONE, WN_NONE, WN_NONE, WN_NONE);
    const uint32_t weight = REALS_OF(&c, 0.0f, 0.0f, 0.0f, 2.0f);
    set_a(&c, 4, 1, (float[]){8.0f, 4.0f, 5.0f, 3.0f});
    make_pool(&c, 2, WINNOW_F32);
    wn_op *op = ADD(&c, merge, 2, .n_max = 2, .segs = 1, .seg_new_at = seg_new, .list_at = rows,
                    .from_at = from, .head_at = head, .next_at = next, .weight_at = weight,
                    .rule = WN_MERGE_WAVG, .cols = 1, .near_at = WN_NONE);
    use_a(&c, op);
    write_pool(&c, op, 0, 1);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "merge: weights of 0", o.pool, 8.0f, 6.0f * recip_(2.0f));
    outcome_free(&o);
}

/* Sources ranked 1 0 2, one merged away; targets follow. */
static void expect_order(expectations *e)
{
    ops_case c;
    case_init(&c, 10, 0);
    const uint32_t src_seg = WORDS_OF(&c, 0, 3), src = WORDS_OF(&c, 0, 2, 4),
                   seg_new = WORDS_OF(&c, 0, 4);
    const uint32_t dst_seg = WORDS_OF(&c, 0, 2), dst = WORDS_OF(&c, 1, 3), k = WORDS_OF(&c, 1);
    const uint32_t rank = WORDS_OF(&c, 1, 0, 2), map = WORDS_OF(&c, 0, 1, WN_NONE, 2, 3);
    const uint32_t order = array(&c, 4, WORDS), inverse = array(&c, 4, WORDS);
    ADD(&c, merge_order, 9, .n_max = 9, .segs = 1, .src_seg_at = src_seg, .src_pos_at = src,
        .dst_seg_at = dst_seg, .dst_pos_at = dst, .rank_at = rank, .k_at = k, .map_at = map,
        .seg_new_at = seg_new, .order_at = order);
    ADD(&c, invert, 9, .n_max = 9, .segs = 1, .seg_at = seg_new, .order_at = order,
        .inverse_at = inverse);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "merge_order", o.w + order, 0, 3, 1, 2);
    CHECK_WORDS(e, "invert", o.w + inverse, 0, 2, 3, 1);
    outcome_free(&o);
}

/* Tokens 0 1 2 | 3 4 5, of sizes 1 2 1 4 1 1. Sources 0 1 and 4, the two of best rank in the first segment and one of
 * the second: 0 goes to 2, 1 to 0 and so to 2, 4 to 5. A class token comes first. */
static void expect_lists(expectations *e)
{
    ops_case c;
    case_init(&c, 11, 0);
    struct wn_args_merge_lists args = {
        .segs = 2,
        .seg_at = WORDS_OF(&c, 0, 3, 6),
        .keep_at = WORDS_OF(&c, 1, 1, 1, 1, 1, 1),
        .src_seg_at = WORDS_OF(&c, 0, 2, 3),
        .src_pos_at = WORDS_OF(&c, 0, 1, 4),
        .rank_at = WORDS_OF(&c, 1, 0, 0),
        .k_at = WORDS_OF(&c, 2, 1),
        .arg_at = WORDS_OF(&c, 2, 0, 5),
        .dest_at = WORDS_OF(&c, WN_NONE, WN_NONE, WN_NONE, WN_NONE, WN_NONE, WN_NONE),
        .rows_at = WORDS_OF(&c, 9, 8, 7, 6, 5, 4),
        .index_at = WORDS_OF(&c, 10, 11, 12, 13, 14, 15),
        .sizes_at = REALS_OF(&c, 1.0f, 2.0f, 1.0f, 4.0f, 1.0f, 1.0f),
        .first = 1,
        .span = 1};
    uint32_t *const lists[] = {&args.seg_out_at, &args.rows_out_at, &args.index_out_at,
                               &args.from_at,    &args.map_at,      &args.map2_at,
                               &args.head_at,    &args.next_at};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i)
        *lists[i] = array(&c, 6, WORDS);
    args.sizes_out_at = array(&c, 6, REALS);
    add_op(&c, WN_OP_merge_lists, 1, &args, sizeof args);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "merge_lists: kept", o.w + args.keep_at, 0, 0, 1, 1, 0, 1);
    CHECK_WORDS(e, "merge_lists: segments", o.w + args.seg_out_at, 0, 2, 5);
    CHECK_WORDS(e, "merge_lists: rows", o.w + args.rows_out_at, 0, 1, 2, 3, 4);
    CHECK_WORDS(e, "merge_lists: index", o.w + args.index_out_at, -1u, 12, -1u, 13, 15);
    CHECK_WORDS(e, "merge_lists: from", o.w + args.from_at, WN_NONE, 2, WN_NONE, 3, 5);
    CHECK_WORDS(e, "merge_lists: where to", o.w + args.map2_at, 1, 1, 1, 3, 4, 4);
    CHECK_WORDS(e, "merge_lists: heads", o.w + args.head_at, WN_NONE, 0, WN_NONE, WN_NONE, 4);
    CHECK_WORDS(e, "merge_lists: the list", o.w + args.next_at, 1, WN_NONE);
    CHECK_REALS(e, "merge_lists: sizes", (float *)(void *)(o.w + args.sizes_out_at), 1.0f, 4.0f,
                1.0f, 4.0f, 2.0f);
    outcome_free(&o);
}

void expect_merging(expectations *e)
{
    expect_chain(e);
    expect_lists(e);
    expect_match(e);
    expect_alike(e);
    expect_no_weight(e);
    expect_order(e);
}
