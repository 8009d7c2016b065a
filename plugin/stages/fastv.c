/* FastV: Chen et al., "An Image is Worth 1/2 Tokens After Layer 2", ECCV 2024, arXiv:2403.06764. Official:
 * pkunlp-icler/FastV, as isolated in ModelTC/LightCompress fastv.py fastv_pruning_hook; agrees with it.
 * Score: attention of the last prompt token (LLM layer 2), mean over heads; keeps round(N*(1-rate)) of all visual
 * tokens together (Python's round, half to even; at least 1),
 * raster order. */
#include "build.h"
#include <math.h>

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const wn_value *rate = user;
    const double k = rint(n * (1.0 - rate->number));
    return k < 1.0 && n ? 1 : (uint32_t)k; /* a picture never vanishes */
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_LLM_ATTENTION, 1.0f);
    const wn_arr flags = build_topk(b, score, build_count_of_all(b, kept, &v[0]), false, true);
    const uint32_t all = kept(b->set.n_max, 0, &v[0]);
    const bool single = b->set.segs == 1 && b->set.regular;
    const wn_bounds after = {.n_max = all,
                             .width = b->set.width < all ? b->set.width : all,
                             .regular = single,
                             .exact = b->set.exact};
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"rate", "number", "0.5", "0..<1", "share of the visual tokens to remove"},
};

const wn_stage wn_stage_fastv = {
    .name = "fastv",
    .family = "attention",
    .summary = "keeps the tokens that the last prompt token attends to in an early LLM layer",
    .help =
        "Scores each visual token by the last prompt token's attention at LLM layer 2, averaged over heads, and "
        "keeps round(N*(1-rate)) of all of them in raster order. Needs llm_attention, which the LLM's host gives.",
    .source =
        "Chen et al., arXiv:2403.06764; official pkunlp-icler/FastV, ModelTC/LightCompress fastv.py",
    .paper = "arXiv 2403.06764",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads the attention once, moves the kept rows once",
    .options = options,
    .selects = WN_SELECTS_RATE,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_LLM_ATTENTION,
    .build = build,
};
