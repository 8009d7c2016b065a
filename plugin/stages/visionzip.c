/* VisionZip: Yang et al., "VisionZip: Longer is Better but Not Necessary in Vision Language Models", CVPR 2025,
 * arXiv:2412.04467. Official: dvlab-research/VisionZip visionzip/clip_encoder.py
 * CLIPVisionTower_VisionZip.forward; agrees with it.
 * Class attention summed over heads: the top `dominant` stay. Of the m others every max(1, m // contextual)-th, at most
 * `contextual`, is a target; each remaining one goes to the target of highest key cosine; a target becomes itself plus the
 * mean of its members (a sum of two, not an average: as the authors do). The class token, if given, comes first. */
#include "build.h"

enum { DOMINANT, CONTEXTUAL };

static uint32_t dominant_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *v = user;
    return v[DOMINANT].number < n ? (uint32_t)v[DOMINANT].number : n;
}

static uint32_t contextual_of(uint32_t n, const wn_value *v)
{
    return (uint32_t)v[CONTEXTUAL].number < n ? (uint32_t)v[CONTEXTUAL].number : n;
}

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    const uint32_t dominant = dominant_of(n, part, user);
    return dominant + contextual_of(n - dominant, user);
}

/* The class tokens become the first row of each frame. */
static void put_class_tokens(wn_build *b, const wn_mat *out)
{
    const wn_mat cls = build_role(b, WINNOW_ROLE_CLS);
    build_copy_rows(b, &cls, WN_NO_ARR, out, b->set.seg, b->set.segs);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_mat keys = build_role(b, WINNOW_ROLE_KEYS);
    const wn_arr dest = build_fill(b, b->set.n_max, WN_NONE);
    if (build_has(b, WINNOW_ROLE_CLS) && build_need_class_tokens(b) != WINNOW_OK)
        return b->status;
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const wn_arr keep = build_topk(b, score, build_counts(b, dominant_of, 1, v), false, false);
    const wn_arr inv = build_norms(b, &keys, b->set.index);
    const wn_bounds after = build_bounds(b, kept, 0, v);
    const wn_list rest = build_list(b, keep, true);
    const wn_list targets = build_pick_stride(b, &rest, (uint32_t)v[CONTEXTUAL].number, keep);
    wn_arr best, arg;
    build_match(b, &rest, &targets, &keys, b->set.index, inv, &best, &arg);
    const wn_matched pairs = {&rest, WN_NO_ARR, WN_NO_ARR, arg};
    const wn_merge m =
        build_merge_lists(b, keep, dest, &pairs, after, build_has(b, WINNOW_ROLE_CLS), 1);
    const wn_mat out = build_matrix(b, b->set.n_max, m.old.mat.cols);
    build_merge_rows(b, &m, &m.old.mat, m.old.rows, &out, WN_MERGE_ADD_MEAN, WN_NO_ARR);
    if (m.first)
        put_class_tokens(b, &out);
    build_merge_end(b, &m, &out);
    return b->status;
}

static const winnow_option_info options[] = {
    {"dominant", "count", "54", "0..1e9", "tokens of each frame kept by class attention"},
    {"contextual", "count", "10", "0..1e9", "tokens of each frame that collect the others"},
};

const wn_stage wn_stage_visionzip = {
    .name = "visionzip",
    .family = "attention",
    .summary = "keeps the dominant tokens and merges the others into contextual ones",
    .help =
        "Keeps the `dominant` tokens that the class token attends to most; of the others, evenly spaced ones become "
        "`contextual` targets and collect the rest by key similarity. With the class token given it comes first.",
    .source =
        "Yang et al., CVPR 2025, arXiv:2412.04467; official dvlab-research/VisionZip visionzip/clip_encoder.py",
    .paper = "arXiv 2412.04467",
    .agrees = "official code",
    .gives = "chosen tokens, the class token first, and means",
    .cost = "m*contextual*Dk multiply-adds; reads every token once",
    .options = options,
    .option_count = 2,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_CLS | 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
