#include <math.h>

#include "expect.h"

/* A grid of 2 x 3 in windows of 2 x 2: tokens 0 1 3 4, two along each axis, and 2 5, of which one has no row. */
static void expect_likeness(expectations *e)
{
    ops_case c;
    case_init(&c, 13, 0);
    const uint32_t rows = WORDS_OF(&c, 0, 1, WN_NONE, 2, 3, 4),
                   inv = REALS_OF(&c, 1.0f, 1.0f, 1.0f, 0.5f, 1.0f, 0.2f);
    set_a(&c, 5, 2, (float[]){1.0f, 0.0f, 0.0f, 1.0f, 2.0f, 0.0f, 0.0f, 1.0f, 3.0f, 4.0f});
    make_pool(&c, 4, WINNOW_F32);
    wn_op *op = ADD(&c, scale_likeness, 2, .frames = 1, .h = 2, .grid_w = 3, .levels = 1, .cols = 2,
                    .rows_at = rows, .inv_at = inv);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    /* |(2, 2)| / 4 and |(0.6, 0.8)| / 2 */
    check_true(e, "scale_likeness: of two directions", fabsf(o.pool[0] - sqrtf(8.0f) / 4) < 1e-6f);
    check_true(e, "scale_likeness: of one, and no row", fabsf(o.pool[2] - 0.5f) < 1e-6f);
    outcome_free(&o);
}

/* The same grid: by a bound the first window is one cell; by size a tie is the finest, and NaN is below all. */
static void expect_pick(expectations *e)
{
    ops_case c;
    case_init(&c, 14, 0);
    const uint32_t keep = array(&c, 6, WORDS), dest = array(&c, 6, WORDS);
    const uint32_t keep2 = array(&c, 6, WORDS), dest2 = array(&c, 6, WORDS);
    set_a(&c, 2, 2, (float[]){0.75f, 0.75f, NAN, 0.5f});
    use_a(&c, ADD(&c, scale_pick, 6, .frames = 1, .h = 2, .grid_w = 3, .levels = 1, .keep_at = keep,
                  .dest_at = dest, .bound = 0.75f));
    use_a(&c, ADD(&c, scale_pick, 6, .frames = 1, .h = 2, .grid_w = 3, .levels = 1, .largest = 1,
                  .keep_at = keep2, .dest_at = dest2));
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "scale_pick: kept by a bound", o.w + keep, 1, 0, 1, 0, 0, 1);
    CHECK_WORDS(e, "scale_pick: where the others go", o.w + dest, WN_NONE, 0, WN_NONE, 0, 0,
                WN_NONE);
    CHECK_WORDS(e, "scale_pick: kept by size", o.w + keep2, 1, 1, 1, 1, 1, 0);
    CHECK_WORDS(e, "scale_pick: and where to", o.w + dest2, WN_NONE, WN_NONE, WN_NONE, WN_NONE,
                WN_NONE, 2);
    outcome_free(&o);
}

/* Rows 0 and 1 of two columns; members 1, 2 of the first: a NaN among them is passed over. */
static void expect_largest(expectations *e)
{
    ops_case c;
    case_init(&c, 15, 0);
    const uint32_t seg_new = WORDS_OF(&c, 0, 2), rows = ramp(&c, 4), from = WORDS_OF(&c, 0, 3);
    const uint32_t head = WORDS_OF(&c, 1, WN_NONE),
                   next = WORDS_OF(&c, WN_NONE, 2, WN_NONE, WN_NONE);
    set_a(&c, 4, 2, (float[]){1.0f, -2.0f, NAN, -3.0f, 0.5f, -1.0f, 7.0f, 8.0f});
    make_pool(&c, 4, WINNOW_F32);
    wn_op *op = ADD(&c, merge, 2, .n_max = 2, .segs = 1, .seg_new_at = seg_new, .list_at = rows,
                    .from_at = from, .head_at = head, .next_at = next, .weight_at = WN_NONE,
                    .rule = WN_MERGE_MAX, .cols = 2, .near_at = WN_NONE);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "merge: the largest of each column", o.pool, 1.0f, -1.0f, 7.0f, 8.0f);
    outcome_free(&o);
}

void expect_scales(expectations *e)
{
    expect_likeness(e);
    expect_pick(e);
    expect_largest(e);
}
