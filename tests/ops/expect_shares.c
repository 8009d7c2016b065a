#include <math.h>

#include "expect.h"

#define INF INFINITY

/* A grid of 2 x 3, place 4 missing and a row that is no token: token 2 (place 2, the end of the first row) has its flag. */
static void expect_near(expectations *e)
{
    for (uint32_t wrap = 0; wrap < 2; ++wrap) {
        ops_case c;
        case_init(&c, 1, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 6), index = WORDS_OF(&c, 0, 1, 2, 3, 5, -1u);
        const uint32_t flag = WORDS_OF(&c, 0, 0, 1, 0, 0, 0);
        const uint32_t score = REALS_OF(&c, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f);
        ADD(&c, raise_near, 6, .n_max = 6, .segs = 1, .seg_at = seg, .index_at = index,
            .flag_at = flag, .score_at = score, .tokens = 6, .grid_w = 3, .wrap = wrap);
        outcome o = run_expected(e, &c);
        if (wrap) /* 2 - 3 is held to 0; 2 + 1 is the next row's first */
            CHECK_REALS(e, "raise_near: wrapped", (float *)(void *)(o.w + score), INF, INF, INF,
                        INF, INF, 0.5f);
        else
            CHECK_REALS(e, "raise_near", (float *)(void *)(o.w + score), 0.5f, INF, INF, 0.5f, INF,
                        0.5f);
        outcome_free(&o);
    }
}

/* Labels 0 0 1 1, the last token of another frame; one best of each: a tie goes to the earlier. */
static void expect_best(expectations *e)
{
    ops_case c;
    case_init(&c, 2, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 5), index = WORDS_OF(&c, 0, 1, 2, 3, 7);
    const uint32_t label = WORDS_OF(&c, 0, 0, 1, 1), k = WORDS_OF(&c, 1);
    const uint32_t score = REALS_OF(&c, 0.25f, 0.25f, 0.5f, 1.0f, 0.125f);
    const uint32_t raise = REALS_OF(&c, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f);
    ADD(&c, raise_best, 5, .n_max = 5, .segs = 1, .seg_at = seg, .index_at = index,
        .label_at = label, .tokens = 4, .k_at = k, .score_at = score, .raise_at = raise);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "raise_best", (float *)(void *)(o.w + raise), INF, 0.0f, 0.0f, INF, INF);
    outcome_free(&o);
}

/* Eight tokens in three chunks (3, 3, 2), the last of most worth: 1/8, 1/8, 3/4 of 7 is 0, 0, 5, and of the two that are
 * left over one goes to it, one to the first. It holds two alone: with spill the others take what it cannot. */
static void expect_quota(expectations *e)
{
    for (uint32_t spill = 0; spill < 2; ++spill) {
        ops_case c;
        case_init(&c, 3, 0);
        const uint32_t seg = WORDS_OF(&c, 0, 8), chunks = array(&c, 4, WORDS);
        const uint32_t want = WORDS_OF(&c, 7), quota = array(&c, 3, WORDS);
        const uint32_t worth = array(&c, 3, REALS);
        const uint32_t score =
            REALS_OF(&c, 0.125f, 0.125f, 0.125f, 0.125f, 0.125f, 0.125f, 0.75f, 0.75f);
        const uint32_t spread = REALS_OF(&c, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f);
        ADD(&c, split, 4, .segs = 1, .seg_at = seg, .parts = 3, .out_at = chunks);
        ADD(&c, chunk_quota, 1, .segs = 1, .parts = 3, .chunk_seg_at = chunks, .want_at = want,
            .score_at = score, .spread_at = spread, .worth_at = worth, .quota_at = quota,
            .spill = spill, .alpha = 0.09f);
        outcome o = run_expected(e, &c);
        CHECK_WORDS(e, "split", o.w + chunks, 0, 3, 6, 8);
        if (spill)
            CHECK_WORDS(e, "chunk_quota: spilled", o.w + quota, 3, 2, 2);
        else
            CHECK_WORDS(e, "chunk_quota", o.w + quota, 1, 0, 6);
        outcome_free(&o);
    }
}

static void expect_labels(expectations *e)
{
    ops_case c;
    case_init(&c, 4, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 5), index = WORDS_OF(&c, 0, 1, 2, 3, -1u);
    const uint32_t flag = WORDS_OF(&c, 1, 0, 1, 1, 1), label = WORDS_OF(&c, 0, 0, 1, 1);
    const uint32_t table = WORDS_OF(&c, 9, 8, 7), out = array(&c, 3, WORDS);
    ADD(&c, label_quota, 3, .seg_at = seg, .index_at = index, .flag_at = flag, .label_at = label,
        .tokens = 4, .labels = 3, .table_at = table, .out_at = out);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "label_quota", o.w + out, 8, 7, 9);
    outcome_free(&o);
}

/* Pivots at places 3, 10, 40, 72 of 100 tokens, rows 0..3, and rows 2 and 27 of text, rows 4 and 5. By set, as CPython
 * 3.11 has it: list(set([75, 38, 107, 45, 162, 137])) is [162, 38, 137, 107, 75, 45]. */
static void expect_pivots(expectations *e)
{
    for (uint32_t by_set = 0; by_set < 2; ++by_set) {
        ops_case c;
        case_init(&c, 5, 0);
        float norms[100] = {[40] = 9.0f, [3] = 8.0f, [72] = 7.0f, [10] = 6.0f};
        float text_norms[30] = {[27] = 5.0f, [2] = 4.0f};
        const uint32_t seg = WORDS_OF(&c, 0, 100), piv_seg = WORDS_OF(&c, 0, 4);
        const uint32_t pos = WORDS_OF(&c, 3, 10, 40, 72), text_pos = WORDS_OF(&c, 2, 27);
        const uint32_t order = array(&c, 6, WORDS);
        ADD(&c, pivot_order, 1, .segs = 1, .seg_at = seg, .piv_seg_at = piv_seg, .piv_pos_at = pos,
            .image = 4, .text = 2, .text_pos_at = text_pos, .text_row = 4, .by_set = by_set,
            .start = 35, .norm_at = reals_of(&c, 100, norms),
            .text_norm_at = reals_of(&c, 30, text_norms), .order_at = order);
        outcome o = run_expected(e, &c);
        if (by_set)
            CHECK_WORDS(e, "pivot_order: as a set", o.w + order, 5, 0, 4, 3, 2, 1);
        else
            CHECK_WORDS(e, "pivot_order", o.w + order, 0, 1, 2, 3, 4, 5);
        outcome_free(&o);
    }
}

/* Rows 2 1 0 and one that is none of three tokens' similarities; the second token has its flag. Their softmax, and how
 * unlike each other the others' are: row 0 (x 1 3) has mean 2, row 1 (2 x 2) mean 2: (4 + 1 + 1)/2 and (0 + 4 + 0)/2. */
static void expect_rows(expectations *e)
{
    static const float similarity[9] = {9.0f, 1.0f, 3.0f, 2.0f, 9.0f, 2.0f, 0.0f, NAN, 9.0f};
    ops_case c;
    case_init(&c, 6, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 3), flag = WORDS_OF(&c, 0, 1, 0),
                   row = WORDS_OF(&c, 1, WN_NONE);
    const uint32_t score = array(&c, 3, REALS), none = array(&c, 3, REALS), v = array(&c, 3, REALS);
    const uint32_t sum = array(&c, 3, REALS);
    set_a(&c, 3, 3, similarity);
    use_a(&c, ADD(&c, pivot_score, 3, .n_max = 3, .segs = 1, .seg_at = seg, .flag_at = flag,
                  .row_at = row, .step = 2, .place = 0, .score_at = score));
    use_a(&c, ADD(&c, pivot_score, 3, .n_max = 3, .segs = 1, .seg_at = seg, .flag_at = flag,
                  .row_at = row, .step = 2, .place = 1, .score_at = none));
    use_a(&c, ADD(&c, row_spread, 3, .n_max = 3, .segs = 1, .seg_at = seg, .v_at = v));
    use_a(&c, ADD(&c, row_abs, 2, .n_max = 2, .segs = 1, .seg_at = WORDS_OF(&c, 0, 2),
                  .list_at = WORDS_OF(&c, 0, 1), .v_at = sum, .cols = 3));
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "pivot_score", (float *)(void *)(o.w + score), 2.0f, -INF, 2.0f);
    CHECK_REALS(e, "pivot_score: no pivot", (float *)(void *)(o.w + none), NAN, -INF, NAN);
    CHECK_REALS(e, "row_spread", (float *)(void *)(o.w + v), 3.0f, 2.0f, 0.0f);
    CHECK_REALS(e, "row_abs", (float *)(void *)(o.w + sum), 13.0f, 13.0f);
    outcome_free(&o);
}

/* A vector of text, (0, 2), with tokens (3, 4) and (0, 5), then the softmax of its row at temperature 1/5: 4/5 and 1 are
 * one e apart, 1 : e. */
static void expect_cross(expectations *e)
{
    static const float tokens[4] = {3.0f, 4.0f, 0.0f, 5.0f};
    ops_case c;
    case_init(&c, 7, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 2), inv = REALS_OF(&c, 0.2f, 0.2f),
                   c_inv = REALS_OF(&c, 0.5f);
    set_a(&c, 2, 2, tokens);
    make_c(&c, 1, 2, WINNOW_F32, PLAIN, 0);
    put_c(&c, 0, 0, 0.0f);
    put_c(&c, 0, 1, 2.0f);
    make_pool(&c, 2, WINNOW_F32);
    wn_op *op =
        ADD(&c, cross_sim, 1, .segs = 1, .seg_at = seg, .rows = 1, .width = 2, .src_at = WN_NONE,
            .c_inv_at = c_inv, .list_at = WN_NONE, .inv_at = inv, .cols = 2);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 2);
    write_pool(&c,
               ADD(&c, row_softmax, 1, .segs = 1, .row_seg_at = WORDS_OF(&c, 0, 1), .seg_at = seg,
                   .by_tokens = 1, .factor = 5.0f, .scale = 2.0f),
               0, 2);
    outcome o = run_expected(e, &c);
    check_true(e, "cross_sim, row_softmax",
               fabsf(o.pool[0] - 0.268941f) < 1e-6f && fabsf(o.pool[1] - 0.731059f) < 1e-6f);
    outcome_free(&o);
}

/* H = (2 1; 1 2): eigenvalues 3 along (1, 1) and 1 along (1, -1). Of three tokens in two groups 0 and 1 stay, not 2, which
 * resembles 1. */
static void expect_components(expectations *e)
{
    static const float similarity[9] = {1.0f, 0.9f, 0.0f, 0.9f, 1.0f, 0.8f, 0.0f, 0.8f, 1.0f};
    ops_case c;
    case_init(&c, 8, 0);
    const uint32_t groups = WORDS_OF(&c, 2), order = array(&c, 2, WORDS);
    make_pool(&c, 8, WINNOW_F32);
    static const float h[8] = {2.0f, 1.0f, 0.0f, 0.0f, 1.0f, 2.0f, 0.0f, 0.0f};
    for (uint32_t i = 0; i < 8; ++i)
        put_element(&c.pool, 0, i, h[i]);
    write_pool(&c,
               ADD(&c, jacobi, 1, .segs = 1, .groups_at = groups, .most = 2, .sweeps = 3,
                   .first = 1, .turns_at = array(&c, 4, SCRATCH), .order_at = order),
               0, 4);
    const uint32_t seg = WORDS_OF(&c, 0, 3), score = REALS_OF(&c, 0.5f, 0.4f, 0.3f);
    const uint32_t rank = WORDS_OF(&c, 0, 1, 2), label = WORDS_OF(&c, 0, 1, 1);
    const uint32_t upper = array(&c, 3, REALS), keep = array(&c, 3, WORDS), want = WORDS_OF(&c, 2);
    const uint32_t quota = array(&c, 2, WORDS), flag = array(&c, 3, WORDS);
    set_a(&c, 3, 3, similarity);
    use_a(&c, ADD(&c, row_upper, 3, .n_max = 3, .segs = 1, .seg_at = seg, .v_at = upper));
    use_a(&c, ADD(&c, label_nms, 1, .segs = 1, .seg_at = seg, .score_at = score, .rank_at = rank,
                  .label_at = label, .upper_at = upper, .want_at = want, .keep_at = keep,
                  .list_at = array(&c, 3, SCRATCH), .out_at = array(&c, 3, SCRATCH),
                  .made_at = array(&c, 1, WORDS)));
    ADD(&c, label_share, 1, .segs = 1, .seg_at = seg, .groups_at = groups, .most = 2,
        .label_at = label, .keep_at = keep, .want_at = want, .quota_at = quota,
        .room_at = array(&c, 6, SCRATCH));
    ADD(&c, label_pick, 3, .n_max = 3, .segs = 1, .seg_at = seg, .most = 2, .label_at = label,
        .keep_at = keep, .score_at = score, .quota_at = quota, .flag_at = flag);
    outcome o = run_expected(e, &c);
    const float *m = o.pool;
    check_true(e, "jacobi: eigenvalues",
               fabsf(m[0] + m[5] - 4.0f) < 1e-6f && fabsf(m[0] * m[5] - 3.0f) < 1e-5f &&
                   fabsf(m[1]) < 1e-6f);
    check_true(e, "jacobi: the largest first",
               m[o.w[order] * 5] > 2.9f && m[o.w[order + 1] * 5] < 1.1f);
    check_true(e, "jacobi: its vector", fabsf(m[2 + o.w[order]] - m[6 + o.w[order]]) < 1e-6f);
    CHECK_REALS(e, "row_upper", (float *)(void *)(o.w + upper), 0.9f, 0.8f, 0.0f);
    CHECK_WORDS(e, "label_nms: 0.8 is above 2/32 of the mean", o.w + keep, 1, 1, 0);
    CHECK_WORDS(e, "label_share: one each", o.w + quota, 1, 1);
    CHECK_WORDS(e, "label_pick", o.w + flag, 1, 1, 0);
    outcome_free(&o);
}

/* From the largest score on: 2 puts 0 out, which is exactly as similar as the bound says, so that 1, which 0 resembles, stays; 3 would
 * too, but is one too many where two are wanted. The second operation goes on behind the first two. */
static void expect_suppression(expectations *e)
{
    static const float similarity[16] = {1.0f, 0.9f, 0.8f, 0.0f, 0.9f, 1.0f, 0.7f, 0.1f,
                                         0.8f, 0.7f, 1.0f, 0.2f, 0.0f, 0.1f, 0.2f, 1.0f};
    ops_case c;
    case_init(&c, 11, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 4), score = REALS_OF(&c, 2.0f, 1.0f, 3.0f, 0.0f),
                   rank = WORDS_OF(&c, 1, 2, 0, 3), keep = array(&c, 4, WORDS),
                   three = array(&c, 4, WORDS), made = array(&c, 2, WORDS);
    set_a(&c, 4, 4, similarity);
    struct wn_args_label_nms args = {.segs = 1,
                                     .seg_at = seg,
                                     .score_at = score,
                                     .rank_at = rank,
                                     .label_at = WN_NONE,
                                     .upper_at = WN_NONE,
                                     .want_at = WORDS_OF(&c, 2),
                                     .keep_at = keep,
                                     .list_at = array(&c, 4, SCRATCH),
                                     .out_at = array(&c, 4, SCRATCH),
                                     .made_at = made,
                                     .bound = 0.8f};
    use_a(&c, add_op(&c, WN_OP_label_nms, 1, &args, sizeof args));
    args.want_at = WORDS_OF(&c, 4);
    args.keep_at = three;
    args.made_at = made + 1;
    args.count = 2;
    use_a(&c, add_op(&c, WN_OP_label_nms, 1, &args, sizeof args));
    args.from = 2;
    args.count = 0;
    use_a(&c, add_op(&c, WN_OP_label_nms, 1, &args, sizeof args));
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "label_nms: 0 is as similar as the bound", o.w + keep, 0, 1, 1, 0);
    CHECK_WORDS(e, "label_nms: no score is too small", o.w + three, 0, 1, 1, 1);
    CHECK_WORDS(e, "label_nms: kept", o.w + made, 2, 3);
    outcome_free(&o);
}

/* Columns (3, 4) and (1, 0) become (0.6, 0.8) and (0.8, -0.6); tokens are their rows. */
static void expect_orthonormal(expectations *e)
{
    ops_case c;
    case_init(&c, 9, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 2), groups = WORDS_OF(&c, 2);
    make_pool(&c, 4, WINNOW_F32);
    static const float columns[4] = {3.0f, 1.0f, 4.0f, 0.0f};
    for (uint32_t i = 0; i < 4; ++i)
        put_element(&c.pool, 0, i, columns[i]);
    write_pool(&c,
               ADD(&c, orthonormal, 1, .segs = 1, .seg_at = seg, .groups_at = groups, .most = 2,
                   .width = 2, .parts_at = array(&c, 2, SCRATCH)),
               0, 2);
    outcome o = run_expected(e, &c);
    check_true(e, "orthonormal",
               fabsf(o.pool[0] - 0.6f) < 1e-6f && fabsf(o.pool[2] - 0.8f) < 1e-6f &&
                   fabsf(o.pool[1] - 0.8f) < 1e-6f && fabsf(o.pool[3] + 0.6f) < 1e-6f);
    outcome_free(&o);
}

/* Rows (1, 2) and (3, 4) times columns (1, 0) and (1, -1); components by the last two columns, the second first. */
static void expect_products(expectations *e)
{
    static const float a[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    ops_case c;
    case_init(&c, 10, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 2), groups = WORDS_OF(&c, 2), order = WORDS_OF(&c, 1, 0);
    const uint32_t label = array(&c, 2, WORDS);
    set_a(&c, 2, 2, a);
    make_c(&c, 2, 4, WINNOW_F32, PLAIN, 0);
    static const float by[8] = {1.0f, 1.0f, 1.0f, 1.0f, 0.0f, -1.0f, 0.0f, -1.0f};
    for (uint32_t i = 0; i < 8; ++i)
        put_c(&c, i / 4, i % 4, by[i]);
    make_pool(&c, 8, WINNOW_F32);
    wn_op *product = ADD(&c, segment_product, 4, .n_max = 2, .segs = 1, .seg_at = seg,
                         .groups_at = groups, .most = 2);
    use_a(&c, product);
    use_c(&c, product);
    write_pool(&c, product, 0, 2);
    wn_op *gram = ADD(&c, segment_gram, 4, .segs = 1, .seg_at = seg, .groups_at = groups, .most = 2,
                      .width = 2);
    use_a(&c, gram);
    use_c(&c, gram);
    write_pool(&c, gram, 4, 2);
    wn_op *longest = ADD(&c, component, 2, .n_max = 2, .segs = 1, .seg_at = seg,
                         .groups_at = groups, .most = 2, .order_at = order, .label_at = label);
    use_a(&c, longest);
    use_c(&c, longest);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "segment_product", o.pool, 1.0f, -1.0f, 3.0f, -1.0f);
    CHECK_REALS(e, "segment_gram", o.pool + 4, 1.0f, -2.0f, 2.0f, -2.0f);
    CHECK_WORDS(e, "component: |-1| equals |1|; |3| is more than |-1|", o.w + label, 0, 1);
    outcome_free(&o);
}

/* sig(0) = 1/2 and sig(large) = 1 without their mean; columns 0 and 2, and column 1, of two groups. */
static void expect_sigmoids(expectations *e)
{
    static const float tokens[4] = {0.0f, 60.0f, NAN, -90.0f}, sums[3] = {1.0f, 2.0f, 4.0f};
    ops_case c;
    case_init(&c, 11, 0);
    const uint32_t seg = WORDS_OF(&c, 0, 2);
    set_a(&c, 2, 2, tokens);
    make_pool(&c, 4, WINNOW_F32);
    wn_op *op = ADD(&c, sigmoid_rows, 2, .n_max = 2, .segs = 1, .seg_at = seg, .rows_at = WN_NONE,
                    .cols = 2, .inv_cols = 0.5f);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    check_true(e, "sigmoid_rows",
               fabsf(o.pool[0] + 0.25f) < 1e-6f && fabsf(o.pool[1] - 0.25f) < 1e-6f &&
                   fabsf(o.pool[2] - 0.25f) < 1e-6f && fabsf(o.pool[3] + 0.25f) < 1e-6f);
    outcome_free(&o);
    case_init(&c, 12, 0);
    const uint32_t one = WORDS_OF(&c, 0, 3), two = WORDS_OF(&c, 2);
    static float rows[9];
    for (uint32_t i = 0; i < 9; ++i)
        rows[i] = sums[i % 3];
    set_a(&c, 3, 3, rows);
    make_pool(&c, 6, WINNOW_F32);
    op =
        ADD(&c, fold_columns, 6, .n_max = 3, .segs = 1, .seg_at = one, .groups_at = two, .most = 2);
    use_a(&c, op);
    write_pool(&c, op, 0, 2);
    o = run_expected(e, &c);
    CHECK_REALS(e, "fold_columns", o.pool, 5.0f, 2.0f, 5.0f, 2.0f, 5.0f, 2.0f);
    outcome_free(&o);
}

void expect_shares(expectations *e)
{
    expect_components(e);
    expect_suppression(e);
    expect_orthonormal(e);
    expect_products(e);
    expect_sigmoids(e);
    expect_near(e);
    expect_best(e);
    expect_quota(e);
    expect_labels(e);
    expect_pivots(e);
    expect_rows(e);
    expect_cross(e);
}
