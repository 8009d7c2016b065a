/* PyramidDrop: Xing et al., "PyramidDrop: Accelerating Your Large Vision-Language Models via Pyramid Visual Redundancy
 * Reduction", CVPR 2025, arXiv:2410.17247. Official: Cooperx521/PyramidDrop modeling_llama_pdrop.py pdrop_rank_drop; agrees
 * with it. One of its steps; which layers they stand before is the host's matter (the authors: 8, 16 and 24 of 32).
 * Score: attention of the last prompt token in that layer, mean over heads; keeps int(N*ratio) of all visual tokens
 * together, raster order. N counts the tokens before the first step: those of the run, or of=.
 * Differs: at least 1 stays; more than there are: all. */
#include "build.h"

enum { STEP, RATIO, OF };

static const double step_ratio[] = {0.5, 0.25, 0.125}; /* of N, as the authors set them */

/* What the step keeps; the set may be smaller. */
static uint32_t wanted(const wn_build *b, const wn_value *v)
{
    const double all = v[OF].given ? v[OF].number : (double)b->in.shape.frames * b->in.shape.tokens,
                 ratio = v[RATIO].given ? v[RATIO].number : step_ratio[v[STEP].choice];
    const double k = all * ratio;
    return k < 1.0 ? 1 : k > UINT32_MAX ? UINT32_MAX : (uint32_t)k; /* a picture never vanishes */
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_LLM_ATTENTION, 1.0f);
    const uint32_t want = wanted(b, v), most = want < b->set.n_max ? want : b->set.n_max;
    const wn_arr flags = build_topk(b, score, build_const(b, &want, 1), false, true);
    const bool single = b->set.segs == 1 && b->set.regular;
    const wn_bounds after = {.n_max = most,
                             .width = b->set.width < most ? b->set.width : most,
                             .regular = single,
                             .exact = b->set.exact};
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[STEP].choice != 0 && v[RATIO].given)
        return "give either step= (the authors' shares) or ratio= (a share of your own)";
    return NULL;
}

static const winnow_option_info options[] = {
    {"step", "choice", "1", "1|2|3",
     "which of the authors' steps: 0.5, 0.25 or 0.125 of the tokens are left after it"},
    {"ratio", "number", "-", "0..1", "share of the tokens that is left, instead of a step's"},
    {"of", "count", "-", "1..1e9",
     "tokens before the first step, which the shares are of; absent: as many as the run has"},
};

const wn_stage wn_stage_pyramiddrop = {
    .name = "pyramiddrop",
    .family = "attention",
    .summary =
        "one step of a pyramid: keeps the tokens that the last prompt token attends to in an LLM layer",
    .help =
        "Scores each visual token by the last prompt token's attention, averaged over heads, and keeps int(N*ratio) of all of "
        "them in raster order. The authors do so before layers 8, 16 and 24 of 32, on what the step before left: the host "
        "calls each step with its layer's attention, and of= says how many tokens there were at first. Needs llm_attention, "
        "which the LLM's host gives.",
    .source =
        "Xing et al., arXiv:2410.17247; official Cooperx521/PyramidDrop modeling_llama_pdrop.py pdrop_rank_drop",
    .paper = "arXiv 2410.17247",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads the attention once, moves the kept rows once",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_LLM_ATTENTION,
    .check = check,
    .build = build,
};
