/* TOPS: Wang et al., "TOPS: First-Principles Visual Token Pruning via Constructing Token Optimal Preservation Sets for
 * Efficient MLLM Inference", arXiv:2606.27161. No official code; what the paper says (section 4, algorithms 1 and 2), read so:
 * S = cos of tokens. The first pick is the most relevant token; then, again and again, the one of largest score =
 * r + diversity * d + coverage * c, with d = 1 - its cos to the nearest pick and c = the sum over the unpicked tokens j, itself
 * included, of max(0, S_ij - cos of j and its nearest pick). Raster order out.
 *   tops      its stage I, behind the projector: r is the class token's attention, summed over heads; frame by frame
 *   tops-llm  its stage II, one step inside the language model: r is the attention of the rows of text that rate, summed over heads;
 *             all frames together. The authors do so twice, at layers 12 and 24 of 32, and leave a half, then a quarter
 * Open in the paper, ours:
 *   norm=mean as its algorithms have it, each criterion over its mean; norm=range as its formula (6) has it, scaled to 0..1.
 *   r is so scaled once, among all tokens of the frame; d and c at every pick, among the tokens not picked yet. A criterion whose
 *   mean or range is nothing counts nothing
 *   S is the cosine; tokens of one picture's tiles are frames of their own (flatten in front makes one set of them)
 *   raters=dynamic, "by thresholding their relevance to the picture": rows of text whose attention to all visual tokens of the layer,
 *   head means, is above the mean of all rows (none is: all rate); all and last are what the paper compares it with
 *   which rows of text there are is the host's choice; ties go to the earlier token
 * NaN: a token that holds one comes last, and so does one whose attention is NaN. */
#include "build.h"
#include <math.h>

#include "numbers.h"

enum { KEEP, DIVERSITY, COVERAGE, NORM, RATERS };
enum { DYNAMIC, ALL, LAST };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* The rest of both stages, once it is known how relevant each token is. */
static winnow_status pick(wn_build *b, const wn_value *v, wn_arr relevance)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const wn_arr flags = build_array(b, b->set.n_max), order = build_array(b, b->set.n_max);
    const struct wn_args_greedy_balance greedy = {.segs = b->set.segs,
                                                  .seg_at = b->set.seg.at,
                                                  .k_at = build_counts(b, kept, 1, &v[KEEP]).at,
                                                  .rel_at = relevance.at,
                                                  .cur_at = build_array(b, b->set.n_max).at,
                                                  .flag_at = flags.at,
                                                  .order_at = order.at,
                                                  .range = v[NORM].choice == 1,
                                                  .diversity = (float)v[DIVERSITY].number,
                                                  .coverage = (float)v[COVERAGE].number};
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    build_greedy_balance(b, greedy, &sim, after.width);
    build_prune(b, flags, after, order);
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    return pick(b, v, build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f));
}

/* How much each row of text attends to the tokens, head means, the mean of all tokens: [M]. */
static wn_arr engagement(wn_build *b, const wn_mat *attention)
{
    const uint32_t rows = b->in.shape.text_rows, heads = b->in.shape.llm_heads;
    const wn_mat by_token = build_matrix(b, b->set.n_max, rows);
    const struct wn_args_head_mean args = {.rows = rows,
                                           .cols = b->set.n_max,
                                           .segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .bound = 2,
                                           .rows_at = WN_NONE,
                                           .cols_at = b->set.index.at,
                                           .heads = heads,
                                           .step = rows,
                                           .width = attention->cols,
                                           .turn = 1,
                                           .scale = 1.0f / (float)(heads ? heads : 1)};
    build_loops_fit(b, WN_OP_head_mean, heads);
    build_loops_fit(b, WN_OP_segment_mean, b->set.n_max);
    BUILD_OP(b, head_mean, (uint64_t)rows * b->set.n_max, attention, &by_token, args, READS_W);
    const wn_mat mean = build_segment_means(b, 1, b->set.seg, &by_token, WN_NO_ARR);
    return build_numbers(b, &mean);
}

/* Rates of the rows of text: those above the mean of them rate, all where none is. */
static wn_arr rates(wn_build *b, const wn_mat *attention, uint32_t raters)
{
    if (raters == DYNAMIC)
        return engagement(b, attention);
    const uint32_t rows = b->in.shape.text_rows;
    const wn_arr rate = build_const(b, NULL, rows);
    uint32_t *data = build_const_data(b, rate);
    if (data && rows && raters == LAST)
        data[rows - 1] = f32_bits(1.0f);
    return rate;
}

static winnow_status build_llm(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    build_join(b);
    const wn_mat attention = build_role(b, WINNOW_ROLE_TEXT_ATTENTION);
    const wn_arr score = build_array(b, b->set.n_max);
    const struct wn_args_rated_sum args = {.n_max = b->set.n_max,
                                           .segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .index_at = b->set.index.at,
                                           .rate_at = rates(b, &attention, v[RATERS].choice).at,
                                           .heads = b->in.shape.llm_heads,
                                           .text_rows = b->in.shape.text_rows,
                                           .score_at = score.at,
                                           .scale = 1.0f};
    build_loops_fit(b, WN_OP_rated_sum, attention.rows + 2ull * args.text_rows);
    BUILD_OP(b, rated_sum, b->set.n_max, &attention, NULL, args, WRITES_W);
    return pick(b, v, score);
}

/* Of both; tops has no raters. */
static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9",
     "tokens to keep: of each frame, inside the language model of all frames together"},
    {"diversity", "number", "0.5", "0..100", "weight of being unlike the picks (alpha)"},
    {"coverage", "number", "0.5", "0..100", "weight of covering what the picks do not (lambda)"},
    {"norm", "choice", "mean", "mean|range",
     "what makes the three comparable: over their mean, or scaled to 0..1"},
    {"raters", "choice", "dynamic", "dynamic|all|last",
     "rows of text that say what is relevant: those that look at the picture more than the average, all, or the last"},
};

static const char source[] =
    "Wang et al., arXiv:2606.27161, section 4, algorithms 1 and 2 (no official code)";

const wn_stage wn_stage_tops = {
    .name = "tops",
    .family = "attention",
    .summary = "keeps tokens that are salient, cover the picture and are unlike each other",
    .help =
        "Picks tokens one by one by the sum of three scores: the class token's attention, how much of the picture each would cover "
        "that the picked ones do not, and how unlike them it is. --order method gives the pick order. tops-llm is what the authors do "
        "with the rest inside the language model.",
    .source = source,
    .paper = "arXiv 2606.27161",
    .agrees = "paper",
    .gives = "chosen tokens",
    .cost =
        "n*n*D multiply-adds a frame, then some ln(keep)*n*n subtractions and additions; the n x n similarities stay in memory",
    .options = options,
    .option_count = 4,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .selects = WN_SELECTS_KEEP,
    .build = build,
};

const wn_stage wn_stage_tops_llm = {
    .name = "tops-llm",
    .family = "attention",
    .summary =
        "in the language model: keeps tokens that the text looks at, that cover the picture and are unlike each other",
    .help =
        "As tops, by the attention of the rows of text that look at the picture most, in a layer of the language model; all frames are "
        "one set. The authors do so twice, at layers 12 and 24 of 32: the host calls each step with its layer's hidden states and "
        "attention. Needs text_attention, which the LLM's host gives.",
    .source = source,
    .paper = "arXiv 2606.27161",
    .agrees = "paper",
    .gives = "chosen tokens",
    .cost =
        "the attention is read twice; N*N*D multiply-adds, some ln(keep)*N*N subtractions and additions; the N x N similarities stay in memory",
    .options = options,
    .option_count = 5,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .build = build_llm,
};
