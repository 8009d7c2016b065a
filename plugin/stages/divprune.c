/* DivPrune: Alvar et al., "DivPrune: Diversity-based Visual Token Pruning for Large Multimodal Models", CVPR 2025,
 * arXiv:2503.02175. Official: vbdi/divprune llava_arch.py DivPrune; agrees with it, pick order included.
 * Distance 1 - cos. First pick: the token whose second smallest distance (the smallest is to itself) is largest; then,
 * again and again, the token farthest from the picked ones (max-min). Raster order out.
 * Differs: a picked token is never picked again (the official code relies on its distance being 0).
 * Cost: n*n*D multiply-adds a frame; keeps the n x n similarities in memory, since every pick reads a row of them. */
#include "build.h"
#include <math.h>

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, rint);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const wn_arr first = build_array(b, b->set.n_max), md = build_array(b, b->set.n_max);
    const wn_arr flags = build_array(b, b->set.n_max), order = build_array(b, b->set.n_max);
    const wn_arr k = build_counts(b, kept, 1, &v[0]);
    const struct wn_args_row_second second = {
        .n_max = b->set.n_max, .segs = b->set.segs, .seg_at = b->set.seg.at, .score_at = first.at};
    BUILD_OP(b, row_second, b->set.n_max, &sim, NULL, second, WRITES_W);
    const struct wn_args_greedy_maxmin greedy = {.segs = b->set.segs,
                                                 .seg_at = b->set.seg.at,
                                                 .k_at = k.at,
                                                 .first_at = first.at,
                                                 .md_at = md.at,
                                                 .flag_at = flags.at,
                                                 .order_at = order.at};
    const wn_bounds after = build_bounds(b, kept, 0, &v[0]);
    build_greedy_maxmin(b, greedy, &sim, after.width);
    build_prune(b, flags, after, order);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9",
     "tokens to keep of each frame; a share is rounded half to even, as the authors do"},
};

const wn_stage wn_stage_divprune = {
    .name = "divprune",
    .family = "similarity",
    .summary = "keeps the most diverse tokens: greedy max-min distance",
    .help =
        "Picks tokens one by one, each the farthest (by cosine) from those already picked, so that the kept ones cover "
        "the picture. Needs the tokens alone. --order method gives the pick order.",
    .source =
        "Alvar et al., CVPR 2025, arXiv:2503.02175; official vbdi/divprune llava_arch.py DivPrune",
    .options = options,
    .selects = WN_SELECTS_KEEP,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build,
};
