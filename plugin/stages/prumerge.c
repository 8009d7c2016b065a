/* PruMerge: Shang et al., "LLaVA-PruMerge: Adaptive Token Reduction for Efficient Large Multimodal Models", ICCV 2025,
 * arXiv:2403.15388. Official: 42Shawn/LLaVA-PruMerge clip_encoder.py token_prune_merge_advanced (prumerge) and
 * token_prune_merge_advanced_plus (prumerge-plus); agree with them.
 * Attention: class row (mean over the heads that are given; the authors use one head over all channels). Without ratio= the
 * share of tokens whose attention is above Q3 + 1.5 IQR (numpy's linear percentiles); int(N*ratio) tokens stay.
 * prumerge-plus also keeps every max(1, int(int(1/ratio)/3))-th token of 0..N-2. Each kept token adds the sum of
 * attn_j x_j over its 32 nearest others by key cosine, kept ones included, weights not normalised. One row more, behind:
 * the sum of attn_j x_j over the tokens that are not kept (index -2).
 * Differs: a step of 0 (the official code raises) is 1; rows come in raster order (official: descending attention). */
#include "build.h"

enum { RATIO };
enum { NEAREST = 32 };

static uint32_t kept_of_ratio(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    return (uint32_t)(n * v[RATIO].number);
}

static uint32_t step_of_ratio(double ratio)
{
    const uint32_t step = (uint32_t)((uint32_t)(1.0 / ratio) / 3);
    return step ? step : 1;
}

static uint32_t everything(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    (void)user;
    return n;
}

/* The official counts are Python's: int(N*(c/N)) and int(1/(c/N)) in double, which rounding makes one less than c
 * or N/c for some c. Bit c of row n says so; the device does the rest in whole numbers. */
static void fill_bits(uint32_t *bits, uint32_t n, bool inverse)
{
    for (uint32_t c = 1; c <= n; ++c) {
        const double ratio = (double)c / n;
        const bool less = inverse ? (uint32_t)(1.0 / ratio) < n / c : (uint32_t)(n * ratio) < c;
        if (less)
            bits[c / 32] |= 1u << (c % 32);
    }
}

typedef struct counts {
    wn_arr keep, step;
} counts;

static counts adaptive_counts(wn_build *b, wn_arr score)
{
    const uint32_t width = b->set.width, row = width / 32 + 1, base = b->set.regular ? width : 0;
    const counts out = {build_array(b, b->set.segs), build_array(b, b->set.segs)};
    if (!b->set.regular && width > 4096) {
        build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "frames of up to %u tokens whose number depends on the content (at most 4096; give ratio=, or put it first)",
            width);
        return out;
    }
    wn_arr bits[2];
    for (uint32_t inverse = 0; inverse < 2; ++inverse) {
        bits[inverse] = build_const(b, NULL, row * (width - base + 1));
        uint32_t *data = build_const_data(b, bits[inverse]);
        for (uint32_t n = base; data && n <= width; ++n)
            fill_bits(data + (size_t)(n - base) * row, n, inverse);
    }
    const wn_arr rank = build_rank(b, score, b->set.seg, b->set.n_max),
                 sorted = build_array(b, b->set.n_max);
    const struct wn_args_outlier_count args = {.segs = b->set.segs,
                                               .seg_at = b->set.seg.at,
                                               .score_at = score.at,
                                               .rank_at = rank.at,
                                               .sorted_at = sorted.at,
                                               .bits_at = bits[0].at,
                                               .bits2_at = bits[1].at,
                                               .bit_row = row,
                                               .n_base = base,
                                               .keep_at = out.keep.at,
                                               .step_at = out.step.at};
    BUILD_OP(b, outlier_count, b->set.segs, NULL, NULL, args, WRITES_W);
    return out;
}

static counts ratio_counts(wn_build *b, const wn_value *v)
{
    counts out = {build_counts(b, kept_of_ratio, 1, v), build_const(b, NULL, b->set.segs)};
    uint32_t *step = build_const_data(b, out.step);
    for (uint32_t s = 0; step && s < b->set.segs; ++s)
        step[s] = v[RATIO].number > 0 ? step_of_ratio(v[RATIO].number) : WN_NONE;
    return out;
}

static wn_arr keep_flags(wn_build *b, const wn_value *v, wn_arr score, bool plus, wn_bounds *after)
{
    const counts k = v[RATIO].given ? ratio_counts(b, v) : adaptive_counts(b, score);
    const wn_arr flags = build_topk(b, score, k.keep, false, false);
    if (v[RATIO].given && !plus) {
        *after = build_bounds(b, kept_of_ratio, 0, v);
        return flags;
    }
    *after = build_bounds(b, everything, 0, NULL);
    after->regular = after->exact = false;
    if (plus) {
        const struct wn_args_sample args = {.n_max = b->set.n_max,
                                            .segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .step_at = k.step.at,
                                            .flag_at = flags.at};
        BUILD_OP(b, sample, b->set.n_max, NULL, NULL, args, WRITES_W);
    }
    return flags;
}

static winnow_status build_with(wn_build *b, const wn_value *v, bool plus)
{
    const uint32_t one = 0x3f800000u;
    if (b->set.specials)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "rows that stand for no one token (class token, pooled rest) have no attention to weigh by (put it first)");
    const wn_mat keys = build_role(b, WINNOW_ROLE_KEYS);
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION,
                                        1.0f / (float)(b->in.shape.heads ? b->in.shape.heads : 1));
    if (b->set.sizes.at == WN_NONE)
        b->set.sizes = build_fill(b, b->set.n_max, one);
    const wn_arr inv = build_norms(b, &keys, b->set.index);
    wn_bounds after;
    const wn_arr keep = keep_flags(b, v, score, plus, &after);
    wn_list chosen = build_list(b, keep, false);
    chosen.n_max = after.n_max;
    const wn_mat sim = build_sim_matrix(b, &chosen, &keys, b->set.index, inv);
    const wn_arr near = build_array(b, (uint64_t)chosen.n_max * NEAREST);
    const struct wn_args_neighbours nearest = {.n_max = chosen.n_max,
                                               .segs = b->set.segs,
                                               .src_seg_at = chosen.seg.at,
                                               .src_pos_at = chosen.pos.at,
                                               .seg_at = b->set.seg.at,
                                               .index_at = b->set.index.at,
                                               .many = NEAREST,
                                               .near_at = near.at};
    BUILD_OP(b, neighbours, chosen.n_max, &sim, NULL, nearest, WRITES_W);
    wn_merge m = build_merge_begin(b, keep, after, 0, 1);
    build_merge_pooled(b, &m, keep);
    const wn_mat out = build_matrix(b, b->set.n_max, m.old.mat.cols);
    build_merge_near(b, &m, &m.old.mat, m.old.rows, &out, score, near, NEAREST);
    const struct wn_args_pool_rest rest = {.segs = b->set.segs,
                                           .seg_at = m.old.seg.at,
                                           .seg_new_at = b->set.seg.at,
                                           .keep_at = keep.at,
                                           .list_at = m.old.rows.at,
                                           .weight_at = score.at,
                                           .cols = m.old.mat.cols,
                                           .sizes_at = m.old.sizes.at,
                                           .sizes_new_at = b->set.sizes.at};
    BUILD_OP(b, pool_rest, (uint64_t)b->set.segs * ((rest.cols + 1) / 2), &m.old.mat, &out, rest,
             WRITES_W);
    build_merge_end(b, &m, &out);
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    return build_with(b, v, false);
}

static winnow_status build_plus(wn_build *b, const wn_value *v)
{
    return build_with(b, v, true);
}

static const winnow_option_info options[] = {
    {"ratio", "number", "-", "0..1",
     "share of tokens to keep; absent: the share of attention outliers, as the authors do"},
};

#define ROLES_NEEDED \
    (1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_CLS_ATTENTION)

const wn_stage wn_stage_prumerge = {
    .name = "prumerge",
    .family = "attention",
    .summary = "keeps attention outliers and folds their nearest neighbours into them",
    .help =
        "Keeps the tokens whose class attention stands out (or a given ratio), adds to each its 32 nearest neighbours by key "
        "similarity weighted by attention, and pools what is left into one more row (index -2). Needs keys (all channels) and cls_attention.",
    .source =
        "Shang et al., arXiv:2403.15388; official 42Shawn/LLaVA-PruMerge clip_encoder.py token_prune_merge_advanced",
    .paper = "arXiv 2403.15388",
    .agrees = "official code",
    .gives = "chosen tokens with neighbours added, and the sum of the rest",
    .cost =
        "kept*n*Dk multiply-adds; kept x n similarities in memory, read 32 times; reads every token about twice",
    .options = options,
    .option_count = 1,
    .roles_needed = ROLES_NEEDED,
    .flat_keys = true,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};

const wn_stage wn_stage_prumerge_plus = {
    .name = "prumerge-plus",
    .family = "attention",
    .summary = "prumerge with evenly spaced tokens kept as well",
    .help =
        "As prumerge, and keeps every int(int(1/ratio)/3)-th token besides, so that no part of the picture is left out.",
    .source =
        "Shang et al., arXiv:2403.15388; official 42Shawn/LLaVA-PruMerge token_prune_merge_advanced_plus",
    .paper = "arXiv 2403.15388",
    .agrees = "official code",
    .gives = "chosen tokens with neighbours added, and the sum of the rest",
    .cost =
        "kept*n*Dk multiply-adds; kept x n similarities in memory, read 32 times; reads every token about twice",
    .options = options,
    .option_count = 1,
    .roles_needed = ROLES_NEEDED,
    .flat_keys = true,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build_plus,
};
