/* Shares of frames, windows of them, and runs along them, worked out by hand. */
#include <math.h>

#include "expect.h"

/* Three frames of four tokens; weights 1/2, 1/4, 1/4. */
static void expect_allocate(expectations *e)
{
    static const struct {
        uint32_t total, least, k[3];
        const char *what;
    } rows[] = {
        {7, 1, {3, 2, 2}, "allocate: one each, and 4 shared"},
        {8, 1, {4, 2, 2}, "allocate: 2.5 and 1.25 of 5: the rest to the larger fraction"},
        {11, 1, {4, 4, 3}, "allocate: a full frame's surplus to the first of equal fractions"},
        {2, 1, {1, 1, 0}, "allocate: too little for one each"},
        {12, 0, {4, 4, 4}, "allocate: all"},
        {3, 1, {1, 1, 1}, "allocate: one each and no more"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        ops_case c;
        case_init(&c, 40, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 4, 8, 12), w = REALS_OF(&c, 0.5f, 0.25f, 0.25f);
        const uint32_t total = WORDS_OF(&c, rows[i].total), k = array(&c, 3, WORDS);
        ADD(&c, allocate, 1, .segs = 3, .seg_at = seg, .w_at = w, .total_at = total,
            .least = rows[i].least, .mark_at = array(&c, 3, SCRATCH), .k_at = k);
        outcome o = run_expected(e, &c);
        check_words(e, rows[i].what, o.w + k, 3, rows[i].k);
        outcome_free(&o);
    }
}

static void expect_softmax_shares(expectations *e)
{
    ops_case c;
    case_init(&c, 41, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 10, 20), pair = WORDS_OF(&c, 0, 3, 3);
    const uint32_t p = REALS_OF(&c, 1.0f, 0.0f), k = array(&c, 2, WORDS);
    const uint32_t x = REALS_OF(&c, 3.0f, NAN, 3.0f), share = array(&c, 3, REALS);
    const uint32_t v = REALS_OF(&c, 1.0f, NAN, 3.0f), mean = array(&c, 2, REALS);
    ADD(&c, frame_shares, 1, .segs = 2, .seg_at = seg, .p_at = p, .k_at = k, .base = 0.5f);
    ADD(&c, softmax, 1, .n = 3, .x_at = x, .p_at = share, .scale = -100.0f);
    ADD(&c, value_mean, 2, .segs = 2, .seg_at = pair, .v_at = v, .mean_at = mean);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "frame_shares: 7.5 and 2.5, half to even", o.w + k, 8, 2);
    CHECK_REALS(e, "softmax: NaN has no share", (float *)(void *)(o.w + share), 0.5f, 0, 0.5f);
    CHECK_REALS(e, "value_mean: NaN left out", (float *)(void *)(o.w + mean), 2.0f);
    check_true(e, "value_mean: NaN of no token", is_nan(bits_f32(o.w[mean + 1])));
    outcome_free(&o);
}

static void expect_above(expectations *e)
{
    ops_case c;
    case_init(&c, 42, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4), v = REALS_OF(&c, 0.7f, 0.5f, NAN, 0.9f);
    const uint32_t yes = array(&c, 4, WORDS), no = array(&c, 4, WORDS), stats = WORDS_OF(&c, 5);
    const uint32_t out = array(&c, 4, REALS);
    struct wn_args_above args = {.n_max = 4,
                                 .segs = 1,
                                 .seg_at = seg,
                                 .v_at = v,
                                 .flag_at = yes,
                                 .equal = 1,
                                 .stats_at = stats,
                                 .limit = 0.7f};
    add_op(&c, WN_OP_above, 4, &args, sizeof args);
    args.flag_at = no;
    args.equal = 0;
    args.below = 1;
    add_op(&c, WN_OP_above, 4, &args, sizeof args);
    ADD(&c, prefer, 4, .n_max = 4, .segs = 1, .seg_at = seg, .v_at = v, .flag_at = yes,
        .out_at = out, .factor = 4.0f);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "above: at the limit or above", o.w + yes, 1, 0, 0, 1);
    CHECK_WORDS(e, "above: not above, NaN among them", o.w + no, 1, 1, 1, 0);
    CHECK_WORDS(e, "above: NaN counted", o.w + stats, 7);
    CHECK_REALS(e, "prefer", (float *)(void *)(o.w + out), 0.7f, 2.0f);
    outcome_free(&o);
}

/* Frames 0, 2, 3 and 5 of six, in windows of two. */
static void expect_windows(expectations *e)
{
    ops_case c;
    case_init(&c, 43, 0);
    const uint32_t taken = WORDS_OF(&c, 1, 0, 1, 1, 0, 1), ref = array(&c, 6, WORDS);
    const uint32_t begin = array(&c, 7, WORDS), count = array(&c, 1, WORDS);
    const uint32_t cut = flags(&c, 12, 100), whole = flags(&c, 12, 0), plain = flags(&c, 12, 100);
    ADD(&c, frame_windows, 1, .frames = 6, .window = 2, .taken_at = taken,
        .list_at = array(&c, 6, SCRATCH), .ref_at = ref, .begin_at = begin, .count_at = count);
    struct wn_args_cut_windows args = {.frames = 6,
                                       .tokens = 2,
                                       .taken_at = taken,
                                       .begin_at = begin,
                                       .count_at = count,
                                       .flag_at = cut,
                                       .limit = 5};
    add_op(&c, WN_OP_cut_windows, 1, &args, sizeof args);
    args.flag_at = whole;
    args.limit = 8;
    add_op(&c, WN_OP_cut_windows, 1, &args, sizeof args);
    args.flag_at = plain;
    args.limit = WN_NONE;
    add_op(&c, WN_OP_cut_windows, 1, &args, sizeof args);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "frame_windows: refer to the first", o.w + ref, WN_NONE, WN_NONE, 0, WN_NONE,
                WN_NONE, 3);
    CHECK_WORDS(e, "frame_windows: begins", o.w + begin, 0, 3, 6);
    CHECK_WORDS(e, "frame_windows: two", o.w + count, 2);
    CHECK_WORDS(e, "cut_windows: 3 too many, so 2 of each window", o.w + cut, 1, 1, 0, 0, 0, 0, 1,
                1, 0, 0, 0, 0);
    CHECK_WORDS(e, "cut_windows: what fits stays whole", o.w + whole, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0,
                1, 1);
    CHECK_WORDS(e, "cut_windows: no limit", o.w + plain, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1);
    outcome_free(&o);
}

/* Three frames of two tokens: the first place runs through, the second begins with nothing to join. */
static void expect_runs_of_members(expectations *e)
{
    ops_case c;
    case_init(&c, 44, 0);
    const uint32_t gone = WORDS_OF(&c, 0, 1, 1, 0, 1, 1);
    const uint32_t map = WORDS_OF(&c, 0, WN_NONE, WN_NONE, 1, WN_NONE, WN_NONE);
    const uint32_t map2 = array(&c, 6, WORDS), head = array(&c, 2, WORDS);
    const uint32_t next = array(&c, 6, WORDS), sizes = array(&c, 2, REALS);
    ADD(&c, run_members, 2, .frames = 3, .tokens = 2, .gone_at = gone, .map_at = map,
        .map2_at = map2, .head_at = head, .next_at = next, .sizes_at = WN_NONE,
        .sizes_new_at = sizes);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "run_members: rows", o.w + map2, 0, WN_NONE, 0, 1, 0, 1);
    CHECK_WORDS(e, "run_members: first members", o.w + head, 2, 5);
    CHECK_WORDS(e, "run_members: the next ones", o.w + next + 2, 4);
    check_true(e, "run_members: the ends", o.w[next + 4] == WN_NONE && o.w[next + 5] == WN_NONE);
    CHECK_REALS(e, "run_members: sizes", (float *)(void *)(o.w + sizes), 3, 2);
    outcome_free(&o);
}

/* There and back: the path turns by 180 degrees. Lengths and means over channels 0 and 2 of three. */
static void expect_paths(expectations *e)
{
    ops_case c;
    case_init(&c, 45, 0);
    set_a(&c, 4, 3, (const float[]){0, 0, 0, 1, 7, 0, 0, 0, 0, 3, NAN, 4});
    const uint32_t inv = REALS_OF(&c, 1.0f, 1.0f, 1.0f), curve = array(&c, 3, REALS);
    const uint32_t seg = WORDS_OF(&c, 0, 2, 4), mask = WORDS_OF(&c, 1, 0, 1);
    const uint32_t length = array(&c, 4, REALS), inverse = array(&c, 4, REALS);
    make_pool(&c, 6, WINNOW_F32);
    use_a(&c, ADD(&c, curvature, 3, .n = 3, .cols = 1, .inv_at = inv, .curve_at = curve));
    struct wn_args_row_length args = {.n_max = 4,
                                      .segs = 2,
                                      .seg_at = seg,
                                      .list_at = WN_NONE,
                                      .mask_at = mask,
                                      .out_at = length,
                                      .cols = 3,
                                      .eps2 = 1e-12f,
                                      .inv_eps = 1e6f};
    use_a(&c, add_op(&c, WN_OP_row_length, 4, &args, sizeof args));
    args.out_at = inverse;
    args.inverse = 1;
    use_a(&c, add_op(&c, WN_OP_row_length, 4, &args, sizeof args));
    wn_op *op = ADD(&c, column_sum, 4, .segs = 2, .seg_at = seg, .list_at = WN_NONE,
                    .weight_at = WN_NONE, .cols = 3, .over_at = seg, .span = 1);
    use_a(&c, op);
    write_pool(&c, op, 0, 3);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "curvature: ends 1, a way back 2", (float *)(void *)(o.w + curve), 1, 2, 1);
    CHECK_REALS(e, "row_length", (float *)(void *)(o.w + length), 0, 1, 0, 25.0f * rsqrt_(25.0f));
    CHECK_REALS(e, "row_length: inverse", (float *)(void *)(o.w + inverse), 1e6f, 1, 1e6f,
                rsqrt_(25.0f));
    CHECK_REALS(e, "column_sum: means, NaN as 0", o.pool, 0.5f, 3.5f, 0, 1.5f, 0, 2);
    outcome_free(&o);
}

void expect_frames(expectations *e)
{
    expect_allocate(e);
    expect_softmax_shares(e);
    expect_above(e);
    expect_windows(e);
    expect_runs_of_members(e);
    expect_paths(e);
}
