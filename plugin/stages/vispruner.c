/* VisPruner: Zhang et al., "Beyond Text-Visual Attention: Exploiting Visual Cues for Effective Token Pruning in VLMs",
 * ICCV 2025, arXiv:2412.01818 v2. Official: Theia-4869/VisPruner llava_arch.py encode_images; agrees with it.
 * int(keep*important) tokens by class attention (mean over heads); the rest, in descending attention, loses duplicates: again
 * and again the list is dealt into even and odd places, each even one scored by its highest cosine to an odd one, the
 * (up to 8) highest dropped, the surviving even ones re-ordered by descending score, then the odd ones. Raster order out.
 * Differs: lists of odd length work (the official code raises, or keeps one too few): the even places are one more than the odd. */
#include "build.h"
#include <math.h>

enum { KEEP, IMPORTANT };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static uint32_t important_of(uint32_t n, uint32_t part, const void *user)
{
    const wn_value *v = user;
    return (uint32_t)(kept(n, part, user) * v[IMPORTANT].number);
}

static uint32_t diverse_of(uint32_t n, uint32_t part, const void *user)
{
    return kept(n, part, user) - important_of(n, part, user);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const wn_arr flags = build_topk(b, score, build_counts(b, important_of, 1, v), false, false);
    const wn_arr rank = build_rank(b, score, b->set.seg, b->set.n_max);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const wn_arr want = build_counts(b, diverse_of, 1, v);
    const wn_arr list = build_array(b, b->set.n_max), other = build_array(b, b->set.n_max);
    const wn_arr scores = build_array(b, b->set.n_max);
    const struct wn_args_pair_prune args = {.segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .rank_at = rank.at,
                                            .want_at = want.at,
                                            .flag_at = flags.at,
                                            .list_at = list.at,
                                            .list2_at = other.at,
                                            .sc_at = scores.at,
                                            .len_at = build_array(b, b->set.segs).at};
    build_pair_prune(b, args, &sim, b->set.width);
    build_prune(b, flags, build_bounds(b, kept, 0, v), WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"important", "number", "0.5", "0..1",
     "share of them chosen by class attention; the others are chosen to be diverse"},
};

const wn_stage wn_stage_vispruner = {
    .name = "vispruner",
    .family = "attention",
    .summary = "keeps important tokens by class attention and diverse ones by removing duplicates",
    .help =
        "A share of the budget goes to the tokens that the class token attends to most; the rest of the budget is what is left "
        "when near-duplicates of the others are removed round by round.",
    .source = "Zhang et al., ICCV 2025; official Theia-4869/VisPruner llava_arch.py encode_images",
    .paper = "ICCV 2025",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "n*n*D multiply-adds a frame; keeps the n x n similarities, which every round reads",
    .options = options,
    .selects = WN_SELECTS_KEEP,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .build = build,
};
