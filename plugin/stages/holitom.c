/* HoliTom: Shao et al., "HoliTom: Holistic Token Merging for Fast Video Large Language Models", NeurIPS 2025,
 * arXiv:2505.21334.
 * Official: cokeshao/HoliTom holitom/llava_arch.py; agrees with it, but for the merge inside the language model.
 * A place stands still from one frame to the next where the cosine of its two tokens is above `still`. Segments are
 * what drops the most: a dynamic program over frames, a segment a..b gaining (b-a) for each place that stands still
 * all through it (the shortest last segment among equals; 1024 frames at most). Such a place becomes one token, the
 * mean, at the segment's first frame.
 * r = min(keep / (what is then left / all), 1). Of the m other tokens of a frame t = ceil(m*r) stay:
 * round(t*(1-contextual)) by attention, and t less these as peaks of density of the rest, which collect it. The p
 * still places of a segment become round(p*r) clusters. k = min(7, clusters); a cluster is beta*centre +
 * (1-beta)*mean(others), or with merge=mean the mean of all.
 * As shipped: contextual=0, so that tokens that are neither still nor attended to are dropped.
 * Differs: contextual above 0 works (the official code stops there, on the shape of a mask); the noise on densities
 * is the index; rows come in raster order (official: of a segment the clusters of still places first, without
 * newlines). Sizes given weigh nothing, they add up.
 * In a stream each push is a video of its own.
 * NaN: a place with a NaN similarity does not stand still; a NaN token is no centre as long as there are others. */
#include "build.h"

#include <math.h>
#include <string.h>

enum { KEEP, STILL, CONTEXTUAL, BETA, MERGE };
enum { NEAREST = 7, LONGEST = 1024 };

static double ratio_of(const wn_build *b, const wn_value *v)
{
    return v[KEEP].percent ? v[KEEP].share : b->set.width ? v[KEEP].number / b->set.width : 1;
}

/* The segments, and what they gain. */
static wn_spans find_segments(wn_build *b, const wn_value *v, wn_arr *run, wn_arr *gain)
{
    const uint32_t frames = b->set.segs, tokens = b->set.width;
    const wn_arr ref = build_const(b, NULL, frames);
    uint32_t *before = build_const_data(b, ref);
    for (uint32_t t = 0; before && t < frames; ++t)
        before[t] = t - 1;
    const wn_arr similar = build_frame_sim(b, NULL, ref, 0, -2.0f);
    const wn_arr count = build_array(b, (uint64_t)frames * frames);
    const wn_arr total = build_array(b, frames), from = build_array(b, frames),
                 flags = build_array(b, frames);
    *run = build_array(b, b->set.n_max);
    *gain = build_array(b, 1);
    const struct wn_args_runs runs = {.frames = frames,
                                      .tokens = tokens,
                                      .score_at = similar.at,
                                      .run_at = run->at,
                                      .bound = (float)v[STILL].number};
    const struct wn_args_run_counts counts = {
        .frames = frames, .tokens = tokens, .run_at = run->at, .count_at = count.at};
    const struct wn_args_best_cuts cuts = {.frames = frames,
                                           .most = LONGEST,
                                           .count_at = count.at,
                                           .total_at = total.at,
                                           .from_at = from.at,
                                           .flag_at = flags.at,
                                           .gain_at = gain->at};
    build_loops_fit(b, WN_OP_best_cuts, frames * (frames / b->group_size + 80ull));
    BUILD_OP(b, runs, tokens, NULL, NULL, runs, WRITES_W);
    BUILD_OP(b, run_counts, (uint64_t)frames * frames, NULL, NULL, counts, WRITES_W);
    BUILD_OP(b, best_cuts, 1, NULL, NULL, cuts, WRITES_W);
    return build_spans(b, flags);
}

static wn_arr share(wn_build *b, const wn_value *v, const wn_list *list, wn_arr gain, uint32_t rule,
                    uint32_t all)
{
    const wn_arr out = build_array(b, b->set.segs);
    const double ratio = ratio_of(b, v);
    uint64_t bits;
    memcpy(&bits, &ratio, sizeof bits);
    const struct wn_args_share_counts args = {.segs = b->set.segs,
                                              .seg_at = list->seg.at,
                                              .rule = rule,
                                              .starts_at = WN_NONE,
                                              .of_at = WN_NONE,
                                              .all = all,
                                              .gain_at = gain.at,
                                              .ratio_high = (uint32_t)(bits >> 32),
                                              .ratio_low = (uint32_t)bits,
                                              .out_at = out.at};
    BUILD_OP(b, share_counts, b->set.segs, NULL, NULL, args, WRITES_W);
    return out;
}

/* Of a frame's `total` tokens that stay, those by attention (or the others). */
static wn_arr part_of(wn_build *b, const wn_value *v, wn_arr total, bool others)
{
    const uint32_t rows = b->set.width + 1;
    const wn_arr table = build_const(b, NULL, rows);
    uint32_t *data = build_const_data(b, table);
    for (uint32_t n = 0; data && n < rows; ++n) {
        const uint32_t dominant = (uint32_t)rint(n * (1.0 - v[CONTEXTUAL].number));
        data[n] = others ? n - dominant : dominant;
    }
    return build_follow(b, total, table);
}

/* Moving places: keep and dest. */
static void choose_moving(wn_build *b, const wn_value *v, wn_arr still, wn_arr total,
                          const wn_list *moving, wn_arr keep, wn_arr dest)
{
    const uint32_t frames = b->set.segs;
    const wn_arr attention = build_head_sum(b, WINNOW_ROLE_RECEIVED_ATTENTION_DEEP, 1.0f);
    const wn_arr score = build_array(b, moving->n_max);
    build_lookup(b, frames, moving, moving->pos, WN_NO_ARR, attention, score);
    const wn_arr dominant = build_topk_of(b, frames, moving, score, part_of(b, v, total, false));
    build_lookup(b, frames, moving, WN_NO_ARR, moving->pos, dominant, keep);
    if (v[CONTEXTUAL].number == 0.0)
        return;
    const wn_list all = {.seg = b->set.seg, .n_max = b->set.n_max};
    const wn_arr taken = build_array(b, b->set.n_max);
    build_lookup(b, frames, &all, WN_NO_ARR, WN_NO_ARR, still, taken);
    build_lookup(b, frames, moving, WN_NO_ARR, moving->pos, dominant, taken);
    const wn_list rest = build_list(b, taken, true);
    const wn_arr count = part_of(b, v, total, true);
    build_clusters(b, frames, &rest, &b->set.mat, b->set.rows, NEAREST, count, count, keep, dest);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_frames(b) != WINNOW_OK)
        return b->status;
    if (!b->set.aligned)
        return build_fail(b, WINNOW_E_SHAPE,
                          "frames keep different places here, and it compares the same place in "
                          "two frames (put it before the stage that prunes)");
    const uint32_t all = b->set.n_max, frames = b->set.segs;
    wn_arr run, gain;
    const wn_spans spans = find_segments(b, v, &run, &gain);
    const wn_arr still = build_still(b, &spans, 0, run, 0.0f);
    wn_list standing = build_list(b, still, false);
    const wn_list moving = build_list(b, still, true);
    standing.n_max = frames / 2 * b->set.width; /* in first frames of two or more */
    const wn_arr keep = build_fill(b, b->set.n_max, 0), dest = build_fill(b, b->set.n_max, WN_NONE);
    const wn_arr total = share(b, v, &moving, gain, 1, all);
    const wn_arr clusters = share(b, v, &standing, gain, 2, all);
    choose_moving(b, v, still, total, &moving, keep, dest);
    build_clusters(b, frames, &standing, &b->set.mat, b->set.rows, NEAREST, clusters, clusters,
                   keep, dest);
    /* Of what is left, r: keep of all, each count rounded to the next. */
    const double most = ratio_of(b, v) * all + 2.0 * frames + 1.0;
    const wn_bounds after = {.n_max = most < b->set.n_max ? (uint32_t)most : b->set.n_max,
                             .width = b->set.width,
                             .regular = false,
                             .exact = false};
    wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, 1);
    const wn_mat out = build_matrix(b, b->set.n_max, m.old.mat.cols);
    if (v[MERGE].choice == 0)
        build_merge_blend(b, &m, &m.old.mat, m.old.rows, &out, WN_MERGE_BLEND,
                          (float)v[BETA].number);
    else
        build_merge_rows(b, &m, &m.old.mat, m.old.rows, &out, WN_MERGE_WAVG, WN_NO_ARR);
    build_merge_end(b, &m, &out);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "10%", "1..1e9", "tokens to keep of each frame, on the average of the video"},
    {"still", "number", "0.8", "-1..1",
     "cosine above which a place stands still from frame to frame (the authors: 0.65 with keep=10%)"},
    {"contextual", "number", "0", "0..1", "share of a frame's kept tokens that collect others"},
    {"beta", "number", "0.6", "0..1", "weight of a centre in its merged token"},
    {"merge", "choice", "beta", "beta|mean", "a centre with that weight, or the mean of a cluster"},
};

const wn_stage wn_stage_holitom = {
    .name = "holitom",
    .family = "temporal",
    .summary =
        "merges places that stand still over whole segments of a video, then keeps by attention",
    .help =
        "Cuts the video where merging places that stand still drops the most, keeps the most attended of what moves, and clusters what "
        "stands still. received_attention_deep: the mean attention that each token receives in the encoder's last layer. How many "
        "tokens are left depends a little on the content; the plan's rows_max holds for all.",
    .source =
        "Shao et al., NeurIPS 2025, arXiv:2505.21334; official cokeshao/HoliTom holitom/llava_arch.py",
    .paper = "arXiv 2505.21334",
    .agrees = "official code",
    .gives = "chosen tokens, and means through frames",
    .cost = "reads every token twice; T*T*N counts; p*p*D for the still places",
    .options = options,
    .option_count = 5,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
