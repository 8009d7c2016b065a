/* Token-level correlation-guided compression: Zhang et al., "Token-level Correlation-guided Compression for Efficient
 * Multimodal Document Understanding", 2024, arXiv:2407.14439. Paper alone: JiuTian-VL/TokenCorrCompressor is without code.
 * Documents are cut into crops, and crops are frames here. The paper, as its abstract and what is written about it tell:
 *   patch to patch   Tokens are compared by the cosine of their keys. One that is above a threshold with more others of its
 *                    crop than a bound allows is redundant; r is the share of these, d = 1 - r the crop's density.
 *   class to patch   Deep layer: outliers of the class token's attention, by the interquartile range, hold what the crop is
 *                    about; they stay. Shallow layer: its attention is a distribution that d*N tokens are sampled from.
 *   the rest         is added to the sampled tokens by a weighted sum.
 * Ours, as the paper's numbers and equations are not known to us:
 *   - similarity=0.8, many=8 and the first quarter of the encoder as shallow; above Q3 + 1.5 (Q3 - Q1), with numpy's
 *     quartiles, as prumerge has it; keys as the host gives them, attention the mean over heads;
 *   - the d*N likeliest tokens are taken, so that every run gives the same (ties to the lower index); d*N is the number of
 *     tokens that are not redundant, and one where all are; outliers stay beside them, global=off: they do not;
 *   - a token goes to the kept one of highest key cosine, and rows are means weighted by the deep layer's attention;
 *     merge=mean: by nothing; merge=none: the rest is dropped;
 *   - without cls_attention_shallow the deep layer's attention chooses both.
 * Sizes given weigh nothing, they add up. Rows come in raster order.
 * NaN: such a score ranks last, such a cosine is above nothing; a token of NaN that is not kept spoils the row it joins.
 * Cost: N*N*Dk multiply-adds a crop to compare, at most a quarter of it to merge; no N x N matrix. */
#include "build.h"

enum { SIMILARITY, MANY, GLOBAL, MERGE };
enum { BY_ATTENTION, BY_MEAN, NOT_AT_ALL };

/* How many others of its crop each token resembles. */
static wn_arr count_alike(wn_build *b, const wn_mat *keys, wn_arr inv, float similarity)
{
    const wn_arr count = build_array(b, b->set.n_max);
    struct wn_args_alike_count args = {.n_max = b->set.n_max,
                                       .width = b->set.width ? b->set.width : 1,
                                       .segs = b->set.segs,
                                       .seg_at = b->set.seg.at,
                                       .list_at = b->set.index.at,
                                       .inv_at = inv.at,
                                       .cols = keys->cols,
                                       .v_at = count.at,
                                       .bound = similarity};
    if (!build_loops_fit(b, WN_OP_alike_count, build_tile_loops(keys->cols)))
        return count;
    const uint64_t most = b->loop_limit / build_tile_loops(keys->cols) * WN_TILE;
    const uint64_t items = b->set.segs * (((uint64_t)args.width + WN_TILE - 1) / WN_TILE);
    args.most = most < args.width ? (uint32_t)most : 0;
    do {
        BUILD_OP(b, alike_count, items, keys, NULL, args, WRITES_W);
        args.from += args.most;
    } while (args.most && args.from < args.width && b->status == WINNOW_OK);
    return count;
}

static uint32_t one_at_least(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    (void)user;
    return n ? n : 1;
}

/* d*N of each crop: its tokens that are not redundant. */
static wn_arr local_counts(wn_build *b, wn_arr alike, double many)
{
    const wn_list own = build_list(b, build_above(b, alike, (float)many, false, true), false);
    return build_list_counts(b, &own, one_at_least, NULL);
}

/* Outliers of each crop; the operation's tables of Python's roundings are all zeros: none is wanted. */
static wn_arr outlier_counts(wn_build *b, wn_arr score)
{
    const wn_arr rank = build_rank(b, score, b->set.seg, b->set.n_max),
                 sorted = build_array(b, b->set.n_max), count = build_array(b, b->set.segs),
                 none = build_const(b, NULL, b->set.width / 32 + 1);
    const struct wn_args_outlier_count args = {.segs = b->set.segs,
                                               .seg_at = b->set.seg.at,
                                               .score_at = score.at,
                                               .rank_at = rank.at,
                                               .sorted_at = sorted.at,
                                               .bits_at = none.at,
                                               .bits2_at = none.at,
                                               .keep_at = count.at,
                                               .step_at = build_array(b, b->set.segs).at};
    BUILD_OP(b, outlier_count, b->set.segs, NULL, NULL, args, WRITES_W);
    return count;
}

static wn_arr attention(wn_build *b, uint32_t role)
{
    const uint32_t heads = b->in.shape.heads;
    return build_head_sum(b, role, 1.0f / (float)(heads ? heads : 1));
}

/* Every token that is not kept goes to the kept one of highest key cosine. */
static void merge_rest(wn_build *b, const wn_mat *keys, wn_arr inv, wn_arr keep, wn_bounds after,
                       wn_arr weights)
{
    const wn_arr dest = build_fill(b, b->set.n_max, WN_NONE);
    const wn_list rest = build_list(b, keep, true), kept = build_list(b, keep, false);
    wn_arr best, arg;
    build_match(b, &rest, &kept, keys, b->set.index, inv, &best, &arg);
    const wn_matched pairs = {&rest, WN_NO_ARR, WN_NO_ARR, arg};
    const wn_merge m = build_merge_lists(b, keep, dest, &pairs, after, 0, 1);
    build_merge_by(b, &m, WN_MERGE_WAVG, weights);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (b->set.specials)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "rows that stand for no one token (class token, pooled rest) have no attention to go by (put it first)");
    const wn_mat keys = build_role(b, WINNOW_ROLE_KEYS);
    const wn_arr inv = build_norms(b, &keys, b->set.index);
    const wn_arr deep = attention(b, WINNOW_ROLE_CLS_ATTENTION);
    const bool two = build_has(b, WINNOW_ROLE_CLS_ATTENTION_SHALLOW);
    const wn_arr shallow = two ? attention(b, WINNOW_ROLE_CLS_ATTENTION_SHALLOW) : deep;
    const wn_arr alike = count_alike(b, &keys, inv, (float)v[SIMILARITY].number);
    const wn_arr keep =
        build_topk(b, shallow, local_counts(b, alike, v[MANY].number), false, false);
    if (v[GLOBAL].choice == 0)
        build_add_choice(b, WN_NO_ARR, build_topk(b, deep, outlier_counts(b, deep), false, false),
                         keep);
    const wn_bounds after = {.n_max = b->set.n_max, .width = b->set.width};
    if (v[MERGE].choice == NOT_AT_ALL)
        build_prune(b, keep, after, WN_NO_ARR);
    else
        merge_rest(b, &keys, inv, keep, after, v[MERGE].choice == BY_ATTENTION ? deep : WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"similarity", "number", "0.8", "-1..1", "key cosine above which two tokens are alike"},
    {"many", "count", "8", "0..1e6",
     "others of its crop that a token may be like; with more it is redundant"},
    {"global", "choice", "on", "on|off",
     "whether outliers of the deep layer's class attention stay in any case"},
    {"merge", "choice", "attention", "attention|mean|none",
     "what the others weigh in the rows that they join; none: they are dropped"},
};

const wn_stage wn_stage_correlation = {
    .name = "correlation",
    .family = "attention",
    .summary = "for crops of documents: as many tokens as a crop has that are not repeated",
    .help =
        "Tokens whose keys are like those of many others of their crop (frame) are redundant; a crop keeps as many tokens as it has "
        "others, those that the class token attends to most in a shallow layer, and what stands out in a deep one; the rest is averaged into the kept ones. "
        "How many are left depends on the content. Needs keys and cls_attention; takes cls_attention_shallow. From the paper, which "
        "has no code; its thresholds are ours.",
    .source = "Zhang et al., arXiv:2407.14439; paper alone (no official code)",
    .paper = "arXiv 2407.14439",
    .agrees = "paper (no official code)",
    .gives = "chosen tokens with the others merged in; how many depends on the content",
    .cost =
        "n*n*Dk multiply-adds a frame to compare the keys, at most a quarter of that to merge; reads every token once",
    .options = options,
    .option_count = 4,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_CLS_ATTENTION_SHALLOW | 1u << WINNOW_ROLE_SIZES,
    .shallow_of_24 = 6,
    .build = build,
};
