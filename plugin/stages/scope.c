/* SCOPE: Deng et al., "SCOPE: Saliency-Coverage Oriented Token Pruning for Efficient Multimodal LLMs", NeurIPS 2025,
 * arXiv:2510.24214. Official: kinredon/SCOPE scope/clip_encoder.py SCOPE; agrees with it, pick order included.
 * S = cos of tokens. Again and again the token is picked whose class attention (summed over heads) to the power alpha,
 * times what it covers of the picture beyond the picked ones, sum over i of max(0, S_ij - cur_i), is largest; cur_i is
 * the best of 0 and the picks' S_ij. Raster order out, no class token.
 * Differs: the authors' environment variable COMBINED=add (gain plus attention) is not offered: the paper multiplies. */
#include "build.h"
#include <math.h>

enum { KEEP, ALPHA };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_arr weight = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    build_power(b, weight, v[ALPHA].number);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const wn_arr flags = build_array(b, b->set.n_max), order = build_array(b, b->set.n_max);
    const struct wn_args_greedy_coverage greedy = {.segs = b->set.segs,
                                                   .seg_at = b->set.seg.at,
                                                   .k_at = build_counts(b, kept, 1, &v[KEEP]).at,
                                                   .weight_at = weight.at,
                                                   .cur_at = build_array(b, b->set.n_max).at,
                                                   .flag_at = flags.at,
                                                   .order_at = order.at};
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    build_greedy_coverage(b, greedy, &sim, NULL, after.width);
    build_prune(b, flags, after, order);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"alpha", "number", "1", "0..8", "power of the class attention; 0: coverage alone"},
};

const wn_stage wn_stage_scope = {
    .name = "scope",
    .family = "attention",
    .summary = "keeps salient tokens that together cover the picture",
    .help =
        "Picks tokens one by one by the class token's attention to them, times how much of the picture each would cover (by "
        "cosine) that the picked ones do not. --order method gives the pick order.",
    .source = "Deng et al., NeurIPS 2025; official kinredon/SCOPE scope/clip_encoder.py SCOPE",
    .paper = "arXiv 2510.24214",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost =
        "n*n*D multiply-adds a frame, then some ln(keep)*n*n subtractions and additions; the n x n similarities stay in memory",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .selects = WN_SELECTS_KEEP,
    .build = build,
};
