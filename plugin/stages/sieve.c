/* SIEVE: Ou et al., "When Vision Becomes Text: Visual Token Pruning via Cross-Modal Residual Guidance in VLMs", 2026. No official
 * code; what the paper says (its section Method, appendix C), read so. One step inside the language model; the layers are the
 * host's matter (the paper names none).
 * T: the M rows of text, V: the visual tokens, both less the mean row of text. Each token is rebuilt from the text by ridge
 * regression, v' = v T^t (G + penalty I)^-1 T, G = T T^t; penalty = the k-th largest eigenvalue of G + 1e-6, k the fewest whose
 * sum is `energy` of all. Residual r = v - v', CMR = |r| / |v|. a = attention to the token, summed over the rows of text and the
 * `heads` that attend to the picture most. Score (a * CMR)^2; again and again the token of largest score is picked, and the others'
 * scores times 1 - cos(r, r_pick)^2. Raster order out.
 * Open in the paper, ours:
 *   the small number beside the eigenvalue is 1e-6; a share of heads is rounded to the nearest, half to even, and is 37.5%, its best 12
 *   of 32; energy=0.75, its best
 *   eigenvalues below 0, which are rounding, are 0; the inverse is put together from the eigenvectors (Jacobi rotations)
 *   which rows of text there are is the host's choice: the paper takes those behind the picture, as the layer has them
 *   tokens of all frames are one set; a score below the normal numbers is 0; ties, among them all scores of 0, go to the earlier token;
 *   1 - cos^2 is held above 0; a token without length has CMR 0
 * NaN: a token that holds one comes last; a NaN in the text makes all scores NaN. */
#include "build_trained.h"
#include <math.h>

#include "numbers.h"

enum { KEEP, ENERGY, HEADS };
enum { SWEEPS = 10 };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* The rows less `mean`, the one row there is. */
static wn_mat centred(wn_build *b, const wn_rows *rows, const wn_mat *mean)
{
    const wn_mat out = build_matrix(b, rows->n_max, rows->mat.cols);
    const struct wn_args_centre_rows args = {.n_max = rows->n_max,
                                             .segs = 1,
                                             .seg_at = rows->seg.at,
                                             .list_at = rows->list.at,
                                             .cols = rows->mat.cols};
    BUILD_OP3(b, centre_rows, (uint64_t)args.n_max * ((args.cols + 1) / 2), &rows->mat, &out, mean,
              args, READS_W);
    return out;
}

/* Inner products of the text's rows, and room for eigenvectors beside them. */
static wn_mat text_gram(wn_build *b, const wn_mat *text, wn_arr seg)
{
    const uint32_t n = text->rows;
    const uint64_t across = (n + WN_TILE - 1) / WN_TILE;
    const wn_mat both = build_matrix(b, n, 2 * n);
    const struct wn_args_sim_matrix args = {.n_max = n,
                                            .width = n,
                                            .segs = 1,
                                            .src_seg_at = seg.at,
                                            .src_pos_at = WN_NONE,
                                            .seg_at = seg.at,
                                            .list_at = WN_NONE,
                                            .inv_at = build_fill(b, n, f32_bits(1.0f)).at,
                                            .cols = text->cols};
    build_loops_fit(b, WN_OP_sim_matrix, build_tile_loops(text->cols));
    BUILD_OP(b, sim_matrix, across * across, text, &both, args, READS_W);
    return both;
}

/* Eigenvalues on the diagonal, vectors behind; their order, the largest first. */
static wn_arr diagonalise(wn_build *b, const wn_mat *both)
{
    const uint32_t n = both->rows, even = (n + 1) & ~1u;
    struct wn_args_jacobi args = {.segs = 1,
                                  .groups_at = build_const(b, &n, 1).at,
                                  .most = n,
                                  .first = 1,
                                  .turns_at = build_array(b, 2ull * n).at,
                                  .order_at = build_array(b, n).at};
    const uint64_t elements = (uint64_t)even / 2 * n / b->group_size + 1,
                   sweep = (uint64_t)even * (2 * elements + even / 2 / b->group_size + 3) +
                           2ull * n * (n / b->group_size + 1);
    if (!build_loops_fit(b, WN_OP_jacobi, sweep))
        return WN_NO_ARR;
    for (uint32_t left = SWEEPS; left && b->status == WINNOW_OK; left -= args.sweeps) {
        args.sweeps = b->loop_limit / sweep < left ? (uint32_t)(b->loop_limit / sweep) : left;
        BUILD_OP(b, jacobi, 1, NULL, both, args, WRITES_W);
        args.first = 0;
    }
    return (wn_arr){args.order_at, n};
}

/* -(G + penalty I)^-1. */
static wn_mat negative_inverse(wn_build *b, const wn_mat *text, wn_arr seg, float energy)
{
    const uint32_t n = text->rows;
    const wn_mat both = text_gram(b, text, seg), out = build_matrix(b, n, n);
    const wn_arr order = diagonalise(b, &both), factor = build_array(b, n);
    const struct wn_args_ridge_factors factors = {
        .n = n, .order_at = order.at, .factor_at = factor.at, .energy = energy, .tiny = 1e-6f};
    const struct wn_args_ridge_inverse inverse = {.n = n, .factor_at = factor.at, .scale = -1.0f};
    build_loops_fit(b, WN_OP_ridge_factors, 3ull * n);
    BUILD_OP(b, ridge_factors, 1, &both, NULL, factors, WRITES_W);
    BUILD_OP(b, ridge_inverse, (uint64_t)n * n, &both, &out, inverse, READS_W);
    return out;
}

/* Products of the tokens' rows with the text's: [n, M]. */
static wn_mat cross_products(wn_build *b, const wn_mat *tokens, const wn_mat *text, wn_arr seg)
{
    const wn_mat out = build_matrix(b, tokens->rows, text->rows);
    const struct wn_args_cross_sim args = {.segs = 1,
                                           .seg_at = seg.at,
                                           .rows = tokens->rows,
                                           .width = text->rows,
                                           .src_at = WN_NONE,
                                           .c_inv_at =
                                               build_fill(b, tokens->rows, f32_bits(1.0f)).at,
                                           .list_at = WN_NONE,
                                           .inv_at = build_fill(b, text->rows, f32_bits(1.0f)).at,
                                           .cols = text->cols};
    build_loops_fit(b, WN_OP_cross_sim, text->cols);
    BUILD_OP3(b, cross_sim, (uint64_t)args.rows * ((args.width + 3) / 4), text, &out, tokens, args,
              READS_W);
    return out;
}

static void multiply(wn_build *b, wn_arr x, wn_arr y, wn_arr out)
{
    const struct wn_args_value_product args = {.n_max = b->set.n_max,
                                               .segs = 1,
                                               .seg_at = b->set.seg.at,
                                               .x_at = x.at,
                                               .y_at = y.at,
                                               .out_at = out.at};
    BUILD_OP(b, value_product, args.n_max, NULL, NULL, args, WRITES_W);
}

/* What the text leaves unexplained of each token, and into `cmr` the share of its length that this is. */
static wn_mat residuals(wn_build *b, const wn_mat *text, float energy, wn_arr *cmr)
{
    const wn_rows words = build_all_rows(b, text), tokens = build_set_rows(b);
    const wn_arr seg = words.seg;
    build_loops_fit(b, WN_OP_segment_mean, text->rows);
    const wn_mat mean = build_segment_means(b, 1, seg, text, WN_NO_ARR);
    const wn_mat base = centred(b, &words, &mean), rest = centred(b, &tokens, &mean);
    const wn_rows lengths = {.mat = rest,
                             .list = WN_NO_ARR,
                             .seg = b->set.seg,
                             .segs = 1,
                             .n_max = rest.rows,
                             .width = rest.rows};
    const wn_arr whole = build_lengths(b, &lengths, WN_NO_ARR, true, 1e-8f);
    const wn_dense solve = {.weight = negative_inverse(b, &base, seg, energy), .bias_at = WN_NONE},
                   rebuild = {.weight = base, .bias_at = WN_NONE};
    const wn_mat products = cross_products(b, &rest, &base, seg),
                 shares = build_matrix(b, rest.rows, base.rows);
    build_dense(b, &solve, &products, &shares, WN_ACT_NONE, 0);
    build_dense(b, &rebuild, &shares, &rest, WN_ACT_NONE, 2);
    *cmr = build_lengths(b, &lengths, WN_NO_ARR, false, 1e-30f);
    multiply(b, *cmr, whole, *cmr);
    return rest;
}

static uint32_t heads_of(const wn_value *v, uint32_t heads)
{
    return wn_keep_count(v, heads, rint);
}

/* Attention to each token of the heads that attend to the picture most, summed over the rows of text. */
static wn_arr attention_of(wn_build *b, const wn_value *v)
{
    const wn_mat attention = build_role(b, WINNOW_ROLE_TEXT_ATTENTION);
    const uint32_t heads = b->in.shape.llm_heads, rows = b->in.shape.text_rows,
                   most = heads_of(v, heads);
    const wn_mat by_head = build_matrix(b, b->set.n_max, heads);
    const struct wn_args_head_mean args = {.rows = heads, /* sums over rows of text, head by head */
                                           .cols = b->set.n_max,
                                           .segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .bound = 2,
                                           .rows_at = build_counting(b, heads, rows).at,
                                           .cols_at = b->set.index.at,
                                           .heads = rows,
                                           .step = 1,
                                           .width = attention.cols,
                                           .turn = 1,
                                           .scale = 1.0f};
    build_loops_fit(b, WN_OP_head_mean, rows);
    BUILD_OP(b, head_mean, (uint64_t)heads * b->set.n_max, &attention, &by_head, args, READS_W);
    build_loops_fit(b, WN_OP_segment_mean, b->set.n_max);
    const wn_mat mass = build_segment_means(b, 1, b->set.seg, &by_head, WN_NO_ARR);
    const wn_list list = {
        .seg = build_counting(b, 2, heads), .pos = WN_NO_ARR, .n_max = heads, .width = heads};
    const wn_arr flags =
        build_topk_of(b, 1, &list, build_numbers(b, &mass), build_const(b, &most, 1));
    const wn_arr out = build_array(b, b->set.n_max);
    const struct wn_args_flagged_sum sum = {.n_max = b->set.n_max,
                                            .segs = 1,
                                            .seg_at = b->set.seg.at,
                                            .index_at = b->set.index.at,
                                            .cols = heads,
                                            .flag_at = flags.at,
                                            .out_at = out.at};
    build_loops_fit(b, WN_OP_flagged_sum, heads);
    BUILD_OP(b, flagged_sum, b->set.n_max, &by_head, NULL, sum, WRITES_W);
    return out;
}

static winnow_status pick(wn_build *b, const wn_value *v, const wn_mat *rest, wn_arr score)
{
    const wn_arr inv = build_norms(b, rest, WN_NO_ARR);
    const wn_mat sim = build_sim_matrix(b, NULL, rest, WN_NO_ARR, inv);
    const wn_arr flags = build_array(b, b->set.n_max), order = build_array(b, b->set.n_max);
    const struct wn_args_greedy_maxmin greedy = {.segs = 1,
                                                 .seg_at = b->set.seg.at,
                                                 .k_at = build_counts(b, kept, 1, &v[KEEP]).at,
                                                 .first_at = score.at,
                                                 .md_at = build_array(b, b->set.n_max).at,
                                                 .flag_at = flags.at,
                                                 .order_at = order.at,
                                                 .discount = 1};
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    build_greedy_maxmin(b, greedy, &sim, after.width);
    build_prune(b, flags, after, order);
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    const wn_mat text = build_text(b, "give both as the layer "
                                      "of the language model has them");
    if (b->status != WINNOW_OK)
        return b->status;
    build_join(b);
    wn_arr cmr = WN_NO_ARR;
    const wn_mat rest = residuals(b, &text, (float)v[ENERGY].number, &cmr);
    const wn_arr score = attention_of(b, &v[HEADS]);
    multiply(b, score, cmr, score);
    multiply(b, score, score, score);
    return pick(b, v, &rest, score);
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of all frames together"},
    {"energy", "number", "0.75", "0..1",
     "share of the text's energy that says how much of a token the text may explain (eta)"},
    {"heads", "keep", "37.5%", "1..1e9",
     "attention heads that count: those that attend to the picture most"},
};

const wn_stage wn_stage_sieve = {
    .name = "sieve",
    .family = "attention",
    .summary =
        "in the language model: keeps what the text attends to and has not yet taken up, each unlike the others",
    .help =
        "Rebuilds each token from the rows of text by ridge regression; what is left over says what the text does not hold yet. Tokens "
        "are picked one by one by attention times left-over share, each pick making those less valuable whose left-overs resemble its "
        "own. --order method gives the pick order. Needs text (the hidden states of the rows behind the picture, as wide as the tokens) "
        "and text_attention, both of one layer, which the LLM's host gives.",
    .source =
        "Ou et al., When Vision Becomes Text: Visual Token Pruning via Cross-Modal Residual Guidance in VLMs, 2026 (no official code)",
    .paper = "SIEVE, 2026",
    .agrees = "paper",
    .gives = "chosen tokens",
    .cost =
        "N*M*(2D + M) multiply-adds and N*N*D, M rows of text; H*M*N reads of attention; the N x N similarities and the left-overs stay in memory",
    .options = options,
    .option_count = 3,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .build = build,
};
