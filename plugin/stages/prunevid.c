/* PruneVid: Huang et al., "PruneVid: Visual Token Pruning for Efficient Video Large Language Models", Findings of ACL
 * 2025, arXiv:2412.16117. The part before the language model; formulas from the paper, checked against
 * Visual-AI/PruneVid models/pllava/modeling_pllava.py, whose code (CC BY-NC-SA) nothing here is taken from.
 * Segments: mean tokens of the frames in int(T*segments) clusters by density peaks; of a label only its longest runs
 * stay, those of two frames or more, and the frames between go to the longer neighbour. In a segment of W > 1 frames
 * a place is static where the mean cosine of its tokens with each other is above `still`: it becomes their mean, at
 * the first frame. The static tokens of a segment, and the others of each frame, become int(n*clusters) clusters
 * (means, at their centres) where they are more than 14. k = min(7, tokens) throughout.
 * Differs: a segment of one frame has no static tokens (official: rounding errors divided by 0, so any); the noise on
 * densities is the index; too few frames for a cluster are one; rows come in raster order (official: of a segment the
 * static ones first, each group by descending score of the centres). Sizes given weigh nothing, they add up.
 * In a stream each push is a video of its own.
 * NaN: a place with a NaN similarity is not static; a NaN token is no centre as long as there are others. */
#include "build.h"

enum { STILL, SEGMENTS, CLUSTERS };
enum { NEAREST = 7, FEW = 14 };

/* Frames by density peaks of their mean tokens, then runs of one label. */
static wn_spans find_segments(wn_build *b, const wn_value *v)
{
    const uint32_t frames = b->set.segs, bounds[2] = {0, frames};
    const uint32_t wanted = (uint32_t)(frames * v[SEGMENTS].number), count = wanted ? wanted : 1;
    const wn_mat means = build_segment_means(b, frames, b->set.seg, &b->set.mat, b->set.rows);
    const wn_list points = {
        .seg = build_const(b, bounds, 2), .pos = WN_NO_ARR, .n_max = frames, .width = frames};
    const wn_arr keep = build_array(b, frames), dest = build_array(b, frames);
    build_clusters(b, 1, &points, &means, WN_NO_ARR, NEAREST, WN_NO_ARR, build_const(b, &count, 1),
                   keep, dest);
    const wn_arr flags = build_array(b, frames);
    const struct wn_args_label_runs args = {.frames = frames,
                                            .keep_at = keep.at,
                                            .dest_at = dest.at,
                                            .label_at = build_array(b, frames).at,
                                            .length_at = build_array(b, frames).at,
                                            .flag_at = flags.at};
    build_loops_fit(b, WN_OP_label_runs,
                    8ull * frames + 3ull * frames * (frames / b->group_size + 1));
    BUILD_OP(b, label_runs, 1, NULL, NULL, args, WRITES_W);
    return build_spans(b, flags);
}

static wn_arr place_similarity(wn_build *b, const wn_spans *spans)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows),
                 score = build_array(b, b->set.n_max);
    const struct wn_args_place_sim args = {.frames = b->set.segs,
                                           .tokens = b->set.width,
                                           .cols = b->set.mat.cols,
                                           .rows_at = b->set.rows.at,
                                           .inv_at = inv.at,
                                           .starts_at = spans->starts.at,
                                           .of_at = spans->of.at,
                                           .score_at = score.at};
    BUILD_OP(b, place_sim, b->set.n_max, &b->set.mat, NULL, args, WRITES_W);
    return score;
}

/* Clusters of n tokens. */
static uint32_t clusters_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    const uint32_t count = n > FEW ? (uint32_t)(n * v[CLUSTERS].number) : n;
    return n > 0 && count == 0 ? 1 : count;
}

/* Tokens that a frame of n or fewer leaves at most, however many of them are static: 15 may leave fewer than 14. */
static uint32_t most_of(uint32_t n, const wn_value *v)
{
    uint32_t most = 0;
    for (uint32_t still = 0; still <= n; ++still)
        for (uint32_t moving = 0; moving <= n - still; ++moving) {
            const uint32_t sum = clusters_of(still, 0, v) + clusters_of(moving, 0, v);
            most = sum > most ? sum : most;
        }
    return most;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_frames(b) != WINNOW_OK)
        return b->status;
    if (!b->set.aligned)
        return build_fail(b, WINNOW_E_SHAPE,
                          "frames keep different places here, and it compares the same place in "
                          "several frames (put it before the stage that prunes)");
    const uint32_t frames = b->set.segs, width = most_of(b->set.width, v);
    const wn_spans spans = find_segments(b, v);
    const wn_arr score = place_similarity(b, &spans);
    const wn_arr still = build_still(b, &spans, 1, score, (float)v[STILL].number);
    const wn_arr keep = build_fill(b, b->set.n_max, 0), dest = build_fill(b, b->set.n_max, WN_NONE);
    for (uint32_t moves = 0; moves < 2; ++moves) {
        wn_list list = build_list(b, still, moves == 1);
        if (!moves)
            list.n_max = frames / 2 * b->set.width; /* in first frames of two or more */
        const wn_arr count = build_list_counts(b, &list, clusters_of, v);
        build_clusters(b, frames, &list, &b->set.mat, b->set.rows, NEAREST, WN_NO_ARR, count, keep,
                       dest);
    }
    const wn_bounds after = {.n_max = width * frames, .width = width};
    wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, 1);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"still", "number", "0.8", "-1..1", "mean cosine above which a place of a segment is static"},
    {"segments", "number", "0.25", "0..1", "clusters of frames, as a share of the frames"},
    {"clusters", "number", "0.5", "0..1", "share of the tokens that are left as clusters"},
};

const wn_stage wn_stage_prunevid = {
    .name = "prunevid",
    .family = "temporal",
    .summary = "merges the static places of a video's segments, then clusters what each frame has",
    .help =
        "Frames that resemble each other form segments; places that stay the same in a segment become one token; static tokens, and the "
        "others of each frame, are clustered. The authors prune once more inside the language model, by attention: that is prunevid-llm. "
        "Needs the tokens alone, on frames of one size. How many are left depends on the content; the plan's rows_max "
        "holds for all.",
    .source =
        "Huang et al., Findings of ACL 2025, arXiv:2412.16117; official Visual-AI/PruneVid models/pllava/modeling_pllava.py",
    .paper = "arXiv 2412.16117",
    .agrees = "official code",
    .gives = "means through frames, and of clusters",
    .cost = "reads every token three times; up to N*N*D a frame for clusters",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
