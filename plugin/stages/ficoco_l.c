/* FiCoCo-L: Han et al., "Filter, Correlate, Compress: Training-Free Token Reduction for MLLM Acceleration", AAAI 2026,
 * arXiv:2411.17686. Official: kawhiiiileo/FiCoCo llava/model/language_model/FiCoCo_L.py. One layer's step inside the
 * language model; in which layers is the host's matter (the authors: from the sixth on, r=42). A: attention of that
 * layer, head means: between visual tokens (attention, one frame), of N rows; of M rows of text to visual tokens
 * (text_attention); of visual tokens to text (attention_to_text; absent: 0, as under a causal mask).
 *
 * mode=paper, the formulas of the paper:
 *   filter     v_i = beta * mean_j A_ji - (1-beta) * mean_k A_ki over rows j of visual tokens and k of text: tokens that
 *              many look at, but not the text; the r of largest v go. ("Received attention" is what the paper's words
 *              say; its eq. 3 and the code have the indices the other way round.)
 *   correlate  C_ij = gamma * A_ij + (1-gamma)/M * sum_k A_ik A_kj; takers of i are the kept j with C_ij at or above
 *              the quantile of i's row over the kept.
 *   compress   i is shared out in proportion to C_ij; taker: (x_j + sum a_ij x_i) / (1 + sum a_ij).
 *   A token without a correlation above 1e-30 is dropped. Of equal correlations at the quantile the first count.
 * mode=official agrees with the authors' code, which gives it logits, without softmax and mask (give all three roles):
 *   v_i = beta * sum_j A_ij - (1-beta) * mean_k A_ik; the first token is protected; C without the 1/M, its diagonal out;
 *   K takers each among all tokens, K the most that lie above any row's quantile; shares by softmax, those of tokens
 *   that go themselves are lost; rows are x_j + sum a_ij x_i, not divided. As committed their file does not compile
 *   (one line's indent); r is at most N-1.
 * VL, both together, is ficoco= in the encoder's layers and ficoco-l= in the model's: each with its own plan.
 * Rows stay in order; sizes count shares by weight; the assignment names the taker of the largest share.
 * NaN: a score that is NaN ranks last, so that its token stays; a correlation that is NaN comes last. */
#include "build.h"

#include <math.h>

enum { R, KEEP, BETA, GAMMA, QUANTILE, MODE };
enum { MODE_PAPER, MODE_OFFICIAL };
enum { USUAL_R = 42 };

/* The tokens that leave n. */
static uint32_t merged(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    if (v[KEEP].given)
        return n - wn_keep_count(&v[KEEP], n, trunc);
    const double r = v[R].given ? v[R].number : USUAL_R, most = n ? n - 1.0 : 0.0;
    return (uint32_t)(r < most ? r : most);
}

static uint32_t left(uint32_t n, uint32_t part, const void *user)
{
    return n - merged(n, part, user);
}

/* Takers of one token, as correlate has it. */
static uint32_t takers(uint32_t n, const wn_value *v)
{
    const bool paper = v[MODE].choice == MODE_PAPER;
    const uint32_t count = paper ? left(n, 0, v) : n;
    if (count == 0)
        return 0;
    const float at = (float)v[QUANTILE].number * (float)(count - 1);
    return count - 1 - (uint32_t)floorf(at) + (paper && at == floorf(at));
}

static uint32_t takers_most(const wn_build *b, const wn_value *v)
{
    uint32_t most = 1;
    for (uint32_t n = b->set.exact ? b->set.n_max : 1; n <= b->set.n_max; ++n)
        most = takers(n, v) > most ? takers(n, v) : most;
    return most;
}

/* -- head means -------------------------------------------------------------------------------- */

enum { ROWS_ARE_TOKENS = 1, COLUMNS_ARE_TOKENS = 2 };

static wn_mat head_mean(wn_build *b, const wn_mat *from, struct wn_args_head_mean args)
{
    const wn_mat to =
        args.turn ? build_matrix(b, args.cols, args.rows) : build_matrix(b, args.rows, args.cols);
    args.segs = b->set.segs;
    args.seg_at = b->set.seg.at;
    args.width = from->cols;
    build_loops_fit(b, WN_OP_head_mean, args.heads);
    BUILD_OP(b, head_mean, (uint64_t)args.rows * args.cols, from, &to, args, READS_W);
    return to;
}

/* The mean of a role of `each` rows a head; tokens: ROWS_ARE_TOKENS, COLUMNS_ARE_TOKENS. */
static wn_mat role_mean(wn_build *b, uint32_t role, uint32_t tokens, float scale, bool turn)
{
    const wn_mat mat = build_role(b, role);
    const winnow_shape *shape = &b->in.shape;
    const uint32_t n = b->set.n_max, index = b->set.index.at;
    const bool rows = tokens & ROWS_ARE_TOKENS, columns = tokens & COLUMNS_ARE_TOKENS;
    const uint32_t heads = role == WINNOW_ROLE_ATTENTION ? shape->heads : shape->llm_heads;
    return head_mean(b, &mat,
                     (struct wn_args_head_mean){.rows = rows ? n : shape->text_rows,
                                                .cols = columns ? n : mat.cols,
                                                .bound = tokens,
                                                .rows_at = rows ? index : WN_NONE,
                                                .cols_at = columns ? index : WN_NONE,
                                                .heads = heads,
                                                .step = rows ? shape->tokens : shape->text_rows,
                                                .turn = turn,
                                                .scale = scale / (float)(heads ? heads : 1)});
}

/* The same matrix with other numbers: between tokens, one "head". */
static wn_mat copy_of(wn_build *b, const wn_mat *links, float scale, bool alone, bool turn)
{
    const uint32_t n = b->set.n_max;
    return head_mean(b, links,
                     (struct wn_args_head_mean){.rows = n,
                                                .cols = n,
                                                .bound = ROWS_ARE_TOKENS | COLUMNS_ARE_TOKENS,
                                                .rows_at = WN_NONE,
                                                .cols_at = WN_NONE,
                                                .heads = 1,
                                                .alone = alone,
                                                .turn = turn,
                                                .scale = scale});
}

/* Sums of columns, or their means over the rows of seg, by position. */
static wn_arr column_sums(wn_build *b, const wn_mat *mat, wn_arr seg, bool mean)
{
    const wn_rows rows = {
        .mat = *mat, .list = WN_NO_ARR, .seg = seg, .segs = 1, .width = mat->rows};
    const wn_mat sums = build_matrix(b, 1, mat->cols);
    build_column_sum(b, &rows, WN_NO_ARR, NULL, mean ? seg : WN_NO_ARR, 1, &sums);
    return build_numbers(b, &sums);
}

/* -- filter ------------------------------------------------------------------------------------ */

typedef struct links {
    wn_mat tokens, text; /* A between tokens [n,n], of text to tokens [M,n] */
    bool answers;        /* attention_to_text is there */
} links;

static wn_arr text_scores(wn_build *b, const links *l, bool paper)
{
    const wn_arr seg = build_counting(b, 2, b->in.shape.text_rows);
    if (paper)
        return column_sums(b, &l->text, seg, true);
    if (!l->answers)
        return build_fill(b, b->set.n_max, 0);
    const wn_mat turned = role_mean(b, WINNOW_ROLE_ATTENTION_TO_TEXT, ROWS_ARE_TOKENS, 1.0f, true);
    return column_sums(b, &turned, seg, true);
}

static wn_arr scores(wn_build *b, const wn_value *v, const links *l)
{
    const bool paper = v[MODE].choice == MODE_PAPER;
    const wn_mat looked_at = paper ? l->tokens : copy_of(b, &l->tokens, 1.0f, false, true);
    const wn_arr x = column_sums(b, &looked_at, b->set.seg, paper), y = text_scores(b, l, paper),
                 score = build_array(b, b->set.n_max);
    const struct wn_args_unit_mix args = {.segs = 1,
                                          .seg_at = b->set.seg.at,
                                          .order_at = WN_NONE,
                                          .x_at = x.at,
                                          .y_at = y.at,
                                          .v_at = score.at,
                                          .wx = (float)v[BETA].number,
                                          .wy = (float)(v[BETA].number - 1.0),
                                          .whole = paper};
    BUILD_OP(b, unit_mix, 1, NULL, NULL, args, WRITES_W);
    return score;
}

/* -- correlate --------------------------------------------------------------------------------- */

static wn_mat correlation(wn_build *b, const wn_value *v, const links *l)
{
    const bool paper = v[MODE].choice == MODE_PAPER;
    const uint32_t n = b->set.n_max, words = b->in.shape.text_rows;
    const double gamma = v[GAMMA].number;
    const wn_mat c = copy_of(b, &l->tokens, (float)gamma, !paper, false);
    if (!l->answers)
        return c;
    const float share = (float)((1.0 - gamma) / (paper && words ? words : 1));
    const wn_mat answers =
        role_mean(b, WINNOW_ROLE_ATTENTION_TO_TEXT, ROWS_ARE_TOKENS, share, false);
    const struct wn_args_matmul args = {.n_max = n,
                                        .segs = 1,
                                        .seg_at = b->set.seg.at,
                                        .inner = words,
                                        .cols = n,
                                        .bias_at = WN_NONE,
                                        .scale_at = WN_NONE,
                                        .with = 2};
    BUILD_OP3(b, matmul, (uint64_t)((n + 7) / 8) * ((n + 127) / 128), &answers, &c, &l->text, args,
              READS_W);
    return c;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const bool paper = v[MODE].choice == MODE_PAPER;
    if (b->inside)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "it goes by the language model's attention, not an encoder's (use ficoco there)");
    if (b->in.shape.frames != 1)
        return build_fail(b, WINNOW_E_SHAPE,
                          "it needs the attention of all visual tokens with each other (give %u "
                          "frames of %u tokens as one frame of all)",
                          b->in.shape.frames, b->in.shape.tokens);
    if (b->set.exact && merged(b->set.n_max, 0, v) == 0)
        return b->status;
    links l = {.answers = build_has(b, WINNOW_ROLE_ATTENTION_TO_TEXT)};
    l.tokens =
        role_mean(b, WINNOW_ROLE_ATTENTION, ROWS_ARE_TOKENS | COLUMNS_ARE_TOKENS, 1.0f, false);
    if (paper || l.answers)
        l.text = role_mean(b, WINNOW_ROLE_TEXT_ATTENTION, COLUMNS_ARE_TOKENS, 1.0f, false);
    const wn_arr score = scores(b, v, &l);
    const wn_mat c = correlation(b, v, &l);
    wn_recycling r = {.most = takers_most(b, v),
                      .within = paper,
                      .whole = paper,
                      .direct = true,
                      .linear = paper,
                      .quantile = (float)v[QUANTILE].number};
    build_correlate(b, &r, &c, score, build_counts(b, merged, 1, v));
    if (b->status != WINNOW_OK)
        return b->status;
    wn_merge m = build_merge_begin(b, r.keep, build_bounds(b, left, 0, v), 0, 0);
    build_recycle(b, &m, &r, WN_NO_ARR, WN_NO_ARR, paper ? WN_MERGE_WAVG : WN_MERGE_ADD_SUM);
    return b->status;
}

static const char *check(const wn_value *v)
{
    return v[R].given && v[KEEP].given ? "give either r= or keep=" : NULL;
}

static const winnow_option_info options[] = {
    {"r", "count", "-", "0..1e9", "tokens to remove; absent: 42, unless keep= is given"},
    {"keep", "keep", "-", "1..1e9", "instead: tokens to leave, or their share"},
    {"beta", "number", "0.6", "0..1",
     "weight of what visual tokens look at, beside what the text does not, in what goes"},
    {"gamma", "number", "0.6", "0..1",
     "weight of direct correlation beside that by way of the text"},
    {"quantile", "number", "0.998", "0..1",
     "of a token's correlations; it is shared among those above"},
    {"mode", "choice", "paper", "paper|official",
     "the paper's formulas, or the authors' code to the letter (on logits)"},
};

const wn_stage wn_stage_ficoco_l = {
    .name = "ficoco-l",
    .family = "attention",
    .summary =
        "in the language model: shares what the text does not look at among what it correlates with",
    .help =
        "Removes the visual tokens that other visual tokens look at and the text does not, and shares each out among "
        "the tokens that it is correlated with, directly or by way of the text. The authors do so in each layer from the sixth on: the "
        "host calls each step with its layer's attention. Needs attention between the visual tokens, all as one frame, and "
        "text_attention, and takes attention_to_text, all from the LLM's host. mode=official wants logits in place of "
        "attention, as the authors' code has them. With ficoco= in the encoder's layers before it this is FiCoCo in both.",
    .source = "Han et al., AAAI 2026, arXiv:2411.17686; official kawhiiiileo/FiCoCo "
              "llava/model/language_model/FiCoCo_L.py",
    .paper = "arXiv 2411.17686",
    .agrees = "official code",
    .gives = "tokens that took others in",
    .cost =
        "attention read once; N*N*M multiply-adds of M rows of text where attention_to_text is given",
    .options = options,
    .option_count = 6,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_ATTENTION | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_SIZES | 1u << WINNOW_ROLE_ATTENTION_TO_TEXT,
    .check = check,
    .build = build,
};
