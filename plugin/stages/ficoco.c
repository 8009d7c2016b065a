/* FiCoCo-V: Han et al., "Filter, Correlate, Compress: Training-Free Token Reduction for MLLM
 * Acceleration", AAAI 2026, arXiv:2411.17686. Official: kawhiiiileo/FiCoCo
 * llava/model/multimodal_encoder/FiCoCo_V.py. Runs inside an encoder's layers, between attention
 * and MLP; the authors': layers=12..-2 of CLIP-L/14 at 336, r=42, for LLaVA. S: head-mean logits
 * before the softmax. Of n rows, the class token among them, place 0 is protected and r others go.
 *
 * mode=official agrees with the authors' code on the first picture of a process:
 *   filter     redundancy v = (1-lambda)*unit(mean of a row's own logits) - lambda*unit(logits of
 *              place 0's query). A grid of numbers that lives from layer to layer takes v in order
 *              where it is not used up; the largest of each 2 x 2 window, cell p, makes row p (not
 *              counting place 0) more redundant and is used up: after the first layer these are
 *              windows of a list in order of scores. The r most redundant go, the others are put
 *              in descending order of v: place 0, the class token at first, comes last, and in the
 *              next layer another row is protected.
 *   correlate  each that goes is shared among its K highest logits; K: the most that lie above any
 *              row's quantile.
 *   compress   shares by softmax. The taker is the row that now stands where the one that was meant
 *              stood before (a slip of theirs, kept); rows are divided by 1 + their shares; sizes
 *              do not enter attention.
 *   At the end place 0 goes, as in LLaVA's [:, 1:], whichever row that is. The class token stays
 *   among the rows, index -1, while it lives.
 * Different: the grid starts anew with every picture and has the picture's own size (theirs is 24
 * x 24 and never reset, so that later pictures find all windows used up); r is at most (n-1)/2
 * (theirs fails above n/2); where scores tie the earlier row counts (theirs: as torch sorts).
 *
 * mode=paper is what the paper means, which no official code does: v = (1-lambda)*mean received
 * attention - lambda*class attention (softmax, head means), windows on the picture's grid, takers
 * among the rows that stay, each token's own number of them above the quantile of its logits to
 * these. The class token stays first, takes no part and is not in the output; rows stay in order.
 *
 * Sizes say how much of the picture a row holds, shares counted by weight. The assignment names the
 * taker of the largest share. */
#include "build_program.h"

#include <math.h>

enum { R, LAMBDA, QUANTILE, MODE };
enum { MODE_OFFICIAL, MODE_PAPER };

/* The rows that leave n. */
static uint32_t merged(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    const uint32_t most = n ? (n - 1) / 2 : 0;
    return v[R].number < most ? (uint32_t)v[R].number : most;
}

static uint32_t left(uint32_t n, uint32_t part, const void *user)
{
    return n - merged(n, part, user);
}

/* How many of a row's logits can lie above its quantile, as correlate has it. */
static uint32_t above(uint32_t n, const wn_value *v)
{
    const uint32_t count = v[MODE].choice == MODE_PAPER ? n - merged(n, 0, v) - 1 : n;
    if (count <= 1)
        return 0;
    return count - 1 - (uint32_t)floorf((float)v[QUANTILE].number * (float)(count - 1));
}

static uint32_t targets_most(const wn_build *b, const wn_value *v)
{
    uint32_t most = 1;
    for (uint32_t n = b->set.regular ? b->set.width : 1; n <= b->set.width; ++n)
        most = above(n, v) > most ? above(n, v) : most;
    return most;
}

/* -- filter ------------------------------------------------------------------------------------ */

static wn_arr mix(wn_build *b, const wn_value *v, wn_arr class_score, wn_arr own, wn_arr order)
{
    const wn_arr score = build_array(b, b->set.n_max);
    const struct wn_args_unit_mix args = {.segs = b->set.segs,
                                          .seg_at = b->set.seg.at,
                                          .order_at = order.at,
                                          .x_at = class_score.at,
                                          .y_at = own.at,
                                          .v_at = score.at,
                                          .unit = v[MODE].choice == MODE_OFFICIAL,
                                          .wx = -(float)v[LAMBDA].number,
                                          .wy = (float)(1.0 - v[LAMBDA].number)};
    BUILD_OP(b, unit_mix, args.segs, NULL, NULL, args, WRITES_W);
    return score;
}

static void raise_windows(wn_build *b, wn_arr score, wn_arr order, wn_arr index, wn_arr grid)
{
    const struct wn_args_window_raise args = {.segs = b->set.segs,
                                              .seg_at = b->set.seg.at,
                                              .order_at = order.at,
                                              .index_at = index.at,
                                              .v_at = score.at,
                                              .grid_at = grid.at,
                                              .h = b->in.shape.grid_h,
                                              .w = b->in.shape.grid_w};
    BUILD_OP(b, window_raise, args.segs, NULL, NULL, args, WRITES_W);
}

static uint64_t grid_words(const wn_build *b)
{
    return (uint64_t)b->set.segs * b->in.shape.grid_h * b->in.shape.grid_w;
}

static wn_arr official_scores(wn_build *b, const wn_value *v, const wn_mat *logits)
{
    const wn_arr x = build_array(b, b->set.n_max), y = build_array(b, b->set.n_max),
                 order = b->set.order;
    const struct wn_args_logit_means args = {.n_max = b->set.n_max,
                                             .segs = b->set.segs,
                                             .seg_at = b->set.seg.at,
                                             .order_at = order.at,
                                             .x_at = x.at,
                                             .y_at = y.at};
    BUILD_OP(b, logit_means, args.n_max, logits, NULL, args, WRITES_W);
    if (b->carried.at == WN_NONE)
        b->carried = build_fill(b, grid_words(b), 0xce6e6b28u); /* -1e9, the authors' start */
    const wn_arr score = mix(b, v, x, y, order);
    raise_windows(b, score, order, WN_NO_ARR, b->carried);
    return score;
}

/* Means over the heads, by row. */
static wn_arr attention(wn_build *b, enum wn_look what)
{
    const wn_mat mat = build_look(b, what);
    build_give_role(b, WINNOW_ROLE_CLS_ATTENTION, &mat);
    return build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f / (float)b->in.shape.heads);
}

static wn_arr paper_scores(wn_build *b, const wn_value *v)
{
    const wn_arr x = attention(b, WN_LOOK_CLASS), y = attention(b, WN_LOOK_RECEIVED),
                 score = mix(b, v, x, y, WN_NO_ARR);
    raise_windows(b, score, WN_NO_ARR, b->set.index, build_array(b, grid_words(b)));
    return score;
}

/* -- correlate and compress -------------------------------------------------------------------- */

static wn_recycling recycle(wn_build *b, const wn_value *v, const wn_mat *logits, wn_arr score)
{
    wn_recycling r = {.most = targets_most(b, v),
                      .within = v[MODE].choice == MODE_PAPER,
                      .quantile = (float)v[QUANTILE].number};
    build_correlate(b, &r, logits, score, build_counts(b, merged, 1, v));
    return r;
}

/* Place of each position in the order that came in. */
static wn_arr places(wn_build *b)
{
    if (b->set.order.at == WN_NONE)
        return WN_NO_ARR;
    const wn_arr place = build_array(b, b->set.n_max);
    const struct wn_args_invert args = {.n_max = b->set.n_max,
                                        .segs = b->set.segs,
                                        .seg_at = b->set.seg.at,
                                        .order_at = b->set.order.at,
                                        .inverse_at = place.at};
    BUILD_OP(b, invert, args.n_max, NULL, NULL, args, WRITES_W);
    return place;
}

/* The kept rows by rank. */
static wn_arr new_order(wn_build *b, const wn_merge *m, const wn_recycling *r)
{
    const wn_arr order = build_array(b, b->set.n_max);
    const uint32_t n = m->old.n_max;
    const struct wn_args_merge_order args = {.n_max = n,
                                             .segs = b->set.segs,
                                             .src_seg_at = m->old.seg.at,
                                             .src_pos_at = build_counting(b, n, 1).at,
                                             .dst_seg_at = build_const(b, NULL, b->set.segs + 1).at,
                                             .rank_at = r->rank.at,
                                             .k_at = r->k.at,
                                             .map_at = m->map.at,
                                             .seg_new_at = b->set.seg.at,
                                             .order_at = order.at};
    BUILD_OP(b, merge_order, n, NULL, NULL, args, WRITES_W);
    return order;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const bool paper = v[MODE].choice == MODE_PAPER;
    if (paper && b->set.order.at != WN_NONE)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "mode=paper in a layer behind mode=official (the class token has no place of its own)");
    const wn_mat logits = build_look(b, WN_LOOK_LOGITS);
    if (b->status != WINNOW_OK || (b->set.regular && merged(b->set.width, 0, v) == 0))
        return b->status; /* the order stays too */
    const wn_arr score = paper ? paper_scores(b, v) : official_scores(b, v, &logits),
                 place = places(b);
    const wn_recycling r = recycle(b, v, &logits, score);
    if (b->status != WINNOW_OK)
        return b->status;
    wn_merge m = build_merge_begin(b, r.keep, build_bounds(b, left, 0, v), 0, 0);
    const wn_arr order = paper ? WN_NO_ARR : new_order(b, &m, &r);
    build_recycle(b, &m, &r, place, order, WN_MERGE_WAVG);
    b->set.order = order;
    return b->status;
}

static const winnow_option_info options[] = {
    {"r", "count", "42", "0..1e9", "rows to remove in each layer, at most half of them"},
    {"lambda", "number", "0.35", "0..1", "weight of the class token's attention in what is kept"},
    {"quantile", "number", "0.998", "0..1",
     "of a token's correlations; it is shared among those above"},
    {"mode", "choice", "official", "official|paper",
     "the authors' code to the letter, or their formulas"},
};

const wn_stage wn_stage_ficoco = {
    .name = "ficoco",
    .family = "similarity",
    .summary = "inside an encoder: shares redundant tokens among those they attend to most",
    .help =
        "Runs inside the layers of an encoder with a class token (encode --model FILE; "
        "layers=12..-2 for CLIP-L): in each, the r tokens that attend much and that the class "
        "token attends to little are shared out among the rows that they correlate with most. "
        "mode=official orders rows as the authors' code does, and the class token is one of them.",
    .source = "Han et al., AAAI 2026, arXiv:2411.17686; official kawhiiiileo/FiCoCo "
              "llava/model/multimodal_encoder/FiCoCo_V.py",
    .paper = "arXiv 2411.17686",
    .agrees = "official code",
    .gives = "tokens with others shared in",
    .cost = "a layer: n*n*D multiply-adds for S; reads S about 2 + (1-quantile)*n times",
    .options = options,
    .option_count = 4,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .merges_inside = true,
    .all_rows = true,
    .build = build,
};
