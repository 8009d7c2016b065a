/* HoloV: Zou et al., "Don't Just Chase 'Highlighted Tokens' in MLLMs: Revisiting Visual Holistic Context Retention",
 * NeurIPS 2025, arXiv:2510.02912. Official: obananas/HoloV llava/model/utils.py HoloV; agrees with it.
 * The tokens of a frame in raster order in 16 runs ("crops"), the first n % 16 one longer. In a run: cos of its tokens; the
 * spread of a token's similarities with the others, sum of (x - mean)^2 / (n - 1), itself counted as 0 as the authors do;
 * score = 1000 a + 0.09 * spread scaled to 1000 a; the run's worth is its mean score (of a run of one token, a). A run's
 * share of `keep` is its share of the worth, rounded down; what is left goes, one each, to the runs of largest worth. In
 * a run the best by class attention (mean over heads) stay. Raster order out (the authors': run by run, by attention).
 * Differs: where a run's share is more than it holds, the official code fills up with rows of zeros. mode=paper (default)
 * gives what is over to the other runs, by worth; mode=official keeps fewer. */
#include "build.h"
#include <math.h>

enum { KEEP, CHUNKS, MODE };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* The set with each frame's runs as frames of their own. */
static wn_arr split_frames(wn_build *b, uint32_t parts)
{
    wn_set *set = &b->set;
    const wn_arr out = build_array(b, (uint64_t)set->segs * parts + 1);
    const struct wn_args_split args = {
        .segs = set->segs, .seg_at = set->seg.at, .parts = parts, .out_at = out.at};
    BUILD_OP(b, split, (uint64_t)set->segs * parts + 1, NULL, NULL, args, WRITES_W);
    set->seg = out;
    set->segs *= parts;
    set->width = (set->width + parts - 1) / parts;
    set->regular = set->aligned = false;
    return out;
}

static wn_arr spread_of(wn_build *b)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows),
                 spread = build_array(b, b->set.n_max);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const struct wn_args_row_spread args = {
        .n_max = b->set.n_max, .segs = b->set.segs, .seg_at = b->set.seg.at, .v_at = spread.at};
    BUILD_OP(b, row_spread, b->set.n_max, &sim, NULL, args, WRITES_W);
    return spread;
}

/* Loop iterations: a round of dealing goes through all runs for each of them, and gives the longest run one token. */
static uint64_t quota_cost(uint32_t width, uint32_t parts, bool spill)
{
    const uint64_t rounds = spill ? width / parts + 2 : 1;
    return 2ull * width + 2ull * parts + rounds * parts * (parts + 2);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const uint32_t parts = (uint32_t)v[CHUNKS].number, heads = b->in.shape.heads;
    const bool spill = v[MODE].choice == 0;
    const wn_arr score =
        build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, heads ? 1.0f / (float)heads : 1.0f);
    const wn_arr want = build_counts(b, kept, 1, v);
    wn_bounds after = build_bounds(b, kept, 0, v);
    after.regular = after.exact = after.regular && spill;
    const wn_set frames = b->set;
    const wn_arr chunks = split_frames(b, parts), spread = spread_of(b);
    const struct wn_args_chunk_quota quota = {.segs = frames.segs,
                                              .parts = parts,
                                              .chunk_seg_at = chunks.at,
                                              .want_at = want.at,
                                              .score_at = score.at,
                                              .spread_at = spread.at,
                                              .worth_at = build_array(b, b->set.segs).at,
                                              .quota_at = build_array(b, b->set.segs).at,
                                              .spill = spill,
                                              .alpha = 0.09f};
    if (build_loops_fit(b, WN_OP_chunk_quota, quota_cost(frames.width, parts, spill)))
        BUILD_OP(b, chunk_quota, frames.segs, NULL, NULL, quota, WRITES_W);
    const wn_arr quotas = {quota.quota_at, b->set.segs};
    const wn_arr flags = build_topk(b, score, quotas, false, false);
    b->set = frames;
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"chunks", "count", "16", "1..1024", "runs of each frame that share the budget"},
    {"mode", "choice", "paper", "paper|official",
     "what a full run cannot take goes to others, or is lost as in the authors' code"},
};

const wn_stage wn_stage_holov = {
    .name = "holov",
    .family = "attention",
    .summary = "deals the budget to all regions of the picture, then keeps the most attended",
    .help =
        "Cuts each frame into runs of tokens and gives each a share of the budget by the class token's attention and by how "
        "varied its tokens are, so that no region is left out; in a run the most attended tokens stay.",
    .source =
        "Zou et al., NeurIPS 2025, arXiv:2510.02912; official obananas/HoloV llava/model/utils.py HoloV",
    .paper = "arXiv 2510.02912",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "n*n/16*D multiply-adds a frame; keeps the n x n/16 similarities",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .selects = WN_SELECTS_KEEP,
    .build = build,
};
