/* SparseVLM: Zhang et al., "SparseVLM: Visual Token Sparsification for Efficient Vision-Language Model Inference", ICML
 * 2025, arXiv:2410.04417. Official: Gumpest/SparseVLMs score.py attn_postprocess_topk, utils.py cluster_and_merge and
 * modelling_sparse_llama.py (version 1); agrees with them. One of its steps; the layers are the host's matter (the
 * authors: after 2, 6 and 15, the raters from the tokens before the first layer).
 * Raters: softmax over the rows of text of v . t, no scale, mean over the visual tokens; rows above the mean of those
 * rate. Score: their attention to a token, mean over raters and heads; keeps the best of all frames together.
 * recycle=on: of the n others, the int(0.3n)+1 best form int(m/10)+1 clusters by density peaks (k = as many, itself
 * one of them) and each becomes a row more: the mean, named after its centre.
 * Differs: the noise on densities is the index; all rows rate where none is above the mean (official: scores of NaN); as many
 * tokens to keep as there are, or more, keep all (official: one less); rows come in raster order (official: merged ones
 * behind, by descending score of the centres); the mean divides by the count (official: + 1e-6).
 * NaN: a text row whose share is NaN makes all rate; a NaN score ranks last. */
#include "build.h"
#include <math.h>

enum { KEEP, RECYCLE };

static uint32_t kept_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* Of n dropped tokens so many are used again, */
static uint32_t recycled_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    (void)user;
    return n ? (uint32_t)(n * 0.3) + 1 : 0;
}

/* and of those so many rows are made. */
static uint32_t clusters_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    (void)user;
    return n ? (uint32_t)(n / 10.0) + 1 : 0;
}

static uint32_t rows_of(uint32_t n, const wn_value *v)
{
    const uint32_t kept = kept_of(n, 0, &v[KEEP]);
    return kept +
           (v[RECYCLE].choice == 0 ? clusters_of(recycled_of(n - kept, 0, NULL), 0, NULL) : 0);
}

/* How much of the picture each row of text has: [M]. */
static wn_arr find_rates(wn_build *b, const wn_mat *text)
{
    const wn_set *set = &b->set;
    const wn_mat shares = build_matrix(b, set->n_max, text->rows);
    const struct wn_args_text_shares share = {.n_max = set->n_max,
                                              .segs = 1,
                                              .seg_at = set->seg.at,
                                              .list_at = set->rows.at,
                                              .cols = text->cols,
                                              .text_rows = text->rows};
    build_loops_fit(b, WN_OP_text_shares, (text->cols / 32 + 20ull) * text->rows);
    build_loops_fit(b, WN_OP_segment_mean, set->n_max);
    BUILD_OP3(b, text_shares, set->n_max, &set->mat, &shares, text, share, READS_W);
    const wn_mat mean = build_segment_means(b, 1, set->seg, &shares, WN_NO_ARR);
    return build_numbers(b, &mean);
}

static wn_arr find_scores(wn_build *b, const wn_mat *text)
{
    const wn_mat attention = build_role(b, WINNOW_ROLE_TEXT_ATTENTION);
    const uint32_t heads = attention.rows / (text->rows ? text->rows : 1);
    const wn_arr rates = find_rates(b, text), score = build_array(b, b->set.n_max);
    const struct wn_args_rated_sum args = {.n_max = b->set.n_max,
                                           .segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .index_at = b->set.index.at,
                                           .rate_at = rates.at,
                                           .heads = heads,
                                           .text_rows = text->rows,
                                           .score_at = score.at,
                                           .scale = 1.0f / (float)(heads ? heads : 1)};
    build_loops_fit(b, WN_OP_rated_sum, attention.rows + 2ull * text->rows);
    BUILD_OP(b, rated_sum, b->set.n_max, &attention, NULL, args, WRITES_W);
    return score;
}

/* The best of the dropped tokens, of which rows are made. */
static wn_list recycled(wn_build *b, wn_arr keep, wn_arr score)
{
    const wn_list dropped = build_list(b, keep, true);
    const wn_arr own = build_array(b, b->set.n_max), chosen = build_fill(b, b->set.n_max, 0);
    build_lookup(b, 1, &dropped, dropped.pos, WN_NO_ARR, score, own);
    const wn_arr flags =
        build_topk_of(b, 1, &dropped, own, build_list_counts(b, &dropped, recycled_of, NULL));
    build_lookup(b, 1, &dropped, WN_NO_ARR, dropped.pos, flags, chosen);
    wn_list list = build_list(b, chosen, false);
    list.width = list.n_max = recycled_of(b->set.n_max, 0, NULL);
    return list;
}

static wn_bounds bounds_after(const wn_build *b, const wn_value *v)
{
    uint32_t most = 0;
    for (uint32_t n = b->set.exact ? b->set.n_max : 0; n <= b->set.n_max; ++n) {
        const uint32_t rows = rows_of(n, v);
        most = rows > most ? rows : most;
    }
    return (wn_bounds){
        .n_max = most, .width = most, .regular = b->set.exact, .exact = b->set.exact};
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    const wn_mat text =
        build_text(b, "give the text as the "
                      "language model embeds it, beside the tokens that go into it");
    if (b->status != WINNOW_OK)
        return b->status;
    build_join(b);
    const wn_arr score = find_scores(b, &text);
    const wn_arr keep = build_topk(b, score, build_count_of_all(b, kept_of, &v[KEEP]), false, true);
    const wn_bounds after = bounds_after(b, v);
    if (v[RECYCLE].choice != 0) {
        build_prune(b, keep, after, WN_NO_ARR);
        return b->status;
    }
    const wn_list list = recycled(b, keep, score);
    const wn_arr dest = build_fill(b, b->set.n_max, WN_NONE);
    const wn_arr count = build_list_counts(b, &list, clusters_of, NULL);
    build_clusters(b, 1, &list, &b->set.mat, b->set.rows, clusters_of(list.n_max, 0, NULL), count,
                   count, keep, dest);
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    build_merge_members(b, &m, keep, dest, 1, true);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9",
     "tokens to keep of all frames together, before what recycle= adds"},
    {"recycle", "choice", "on", "on|off",
     "on: the best of the dropped tokens become a few rows more"},
};

const wn_stage wn_stage_sparsevlm = {
    .name = "sparsevlm",
    .family = "attention",
    .summary =
        "keeps what the words that concern the picture attend to, and merges the best of the rest",
    .help =
        "Rows of text that resemble the picture more than the average rate the visual tokens by their attention to them in a layer "
        "of the language model; the best of all frames together stay. With recycle=on the better part of the others is clustered "
        "and each cluster is one row more. The authors do so after layers 2, 6 and 15: the host calls each step with its layer's "
        "attention. Needs text (as the language model embeds it, as wide as the tokens) and text_attention, which the LLM's "
        "host gives.",
    .source =
        "Zhang et al., arXiv:2410.04417; official Gumpest/SparseVLMs score.py, utils.py, modelling_sparse_llama.py",
    .paper = "arXiv 2410.04417",
    .agrees = "official code",
    .gives = "chosen tokens, and means of clusters behind them",
    .cost = "n*M*D multiply-adds for the raters, H*M*n reads of attention; recycling (0.3n)^2*D",
    .options = options,
    .option_count = 2,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
