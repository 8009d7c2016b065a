/* DyToK: Li et al., "Less Is More, but Where? Dynamic Token Compression via LLM-Guided Keyframe Prior", NeurIPS 2025. Official:
 * yu-lin-li/DyToK dytok/visionzip/utils.py generate_dynamic and dynamic_compression, modeling_qwen2.py; agrees with them.
 * Frames get tokens by what a language model makes of them: w_t = the mean over the frame's tokens of the last prompt token's
 * attention, mean over heads (llm_attention: of the layers that count, the authors' 16 to 23 of a small model's 24, each head of
 * each layer a row). T = keep a frame in all; k_t = T*w_t rounded down, what is missing goes to the largest fractions, no frame has
 * more than `limit` or its own number, and what that leaves goes one each, round after round, to the frames below it, those of
 * largest w_t first. Of each frame 6*k/7 tokens are visionzip's dominant ones, the others its contextual ones.
 * Attention that tokens receive, mean over heads and queries, stands in for the class token's where an encoder has none.
 * Differs: no more is given than frames take in all (official: it never ends); frames without weight share evenly (official: NaN).
 * NaN: attention that is NaN does not count; a frame of nothing else has no weight. */
#include "build.h"

#include <math.h>

enum { KEEP, LIMIT };

/* A budget of all frames. */
typedef struct budget {
    const wn_value *keep;
    uint32_t segs, width, limit;
} budget;

static uint32_t total_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const budget *want = user;
    const uint64_t all = (uint64_t)wn_keep_count(want->keep, want->width, trunc) * want->segs;
    const uint64_t most = (uint64_t)want->limit * want->segs, total = all < most ? all : most;
    return total < n ? (uint32_t)total : n;
}

/* Tokens of each frame: dominant and contextual ones. */
typedef struct counts {
    wn_arr dominant, contextual;
} counts;

static counts count_tokens(wn_build *b, const budget *want)
{
    const uint32_t segs = b->set.segs, heads = b->in.shape.llm_heads;
    const wn_arr attention =
        build_head_sum(b, WINNOW_ROLE_LLM_ATTENTION, 1.0f / (float)(heads ? heads : 1));
    const counts out = {build_array(b, segs), build_array(b, segs)};
    const struct wn_args_frame_quota args = {.segs = segs,
                                             .seg_at = b->set.seg.at,
                                             .w_at = build_value_mean(b, attention).at,
                                             .total_at = build_count_of_all(b, total_of, want).at,
                                             .limit = want->limit,
                                             .mark_at = build_array(b, segs).at,
                                             .k_at = build_array(b, segs).at,
                                             .front_at = out.dominant.at,
                                             .back_at = out.contextual.at};
    const uint64_t each = segs / b->group_size + 1ull,
                   rounds = segs < want->limit ? segs : want->limit;
    build_loops_fit(b, WN_OP_frame_quota, 2 * each * segs + rounds * (2 * each + 160));
    BUILD_OP(b, frame_quota, 1, NULL, NULL, args, WRITES_W);
    return out;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK || build_need_frames(b) != WINNOW_OK)
        return b->status;
    const uint32_t limit =
        v[LIMIT].given && v[LIMIT].number < b->set.width ? (uint32_t)v[LIMIT].number : b->set.width;
    const budget want = {&v[KEEP], b->set.segs, b->set.width, limit};
    const wn_mat keys = build_role(b, WINNOW_ROLE_KEYS);
    const wn_arr dest = build_fill(b, b->set.n_max, WN_NONE);
    const counts k = count_tokens(b, &want);
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const wn_arr keep = build_topk(b, score, k.dominant, false, false);
    const wn_arr inv = build_norms(b, &keys, b->set.index);
    const wn_list rest = build_list(b, keep, true);
    const wn_list targets = build_pick_counts(b, &rest, k.contextual, (limit + 6) / 7, keep);
    wn_arr best, arg;
    build_match(b, &rest, &targets, &keys, b->set.index, inv, &best, &arg);
    const wn_matched pairs = {&rest, WN_NO_ARR, WN_NO_ARR, arg};
    const uint32_t total = total_of(b->set.n_max, 0, &want);
    const wn_bounds after = {.n_max = total,
                             .width = limit < total ? limit : total,
                             .regular = b->set.segs == 1,
                             .exact = true};
    const wn_merge m = build_merge_lists(b, keep, dest, &pairs, after, 0, 1);
    build_merge_by(b, &m, WN_MERGE_ADD_MEAN, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "25%", "1..1e9", "tokens to keep of each frame on average"},
    {"limit", "count", "-", "1..1e9", "tokens of a frame that stay at most; all if absent"},
};

const wn_stage wn_stage_dytok = {
    .name = "dytok",
    .family = "temporal",
    .summary =
        "gives frames tokens by what a language model looks at, and picks them as visionzip does",
    .help =
        "Shares the budget of all frames out by the attention of the prompt's last token to each frame, in the language model itself or in "
        "a small one that looks at the video first; then each frame keeps its dominant tokens and merges others into contextual ones, six "
        "to one. Needs llm_attention, in which the heads of several layers may stand side by side, the encoder's keys, and its class "
        "attention or what tokens receive.",
    .source = "Li et al., NeurIPS 2025; official yu-lin-li/DyToK dytok/visionzip/utils.py",
    .paper = "NeurIPS 2025",
    .agrees = "official code",
    .gives = "chosen tokens and means",
    .cost = "m*contextual*Dk multiply-adds; reads every token once",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS |
                    1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_LLM_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
