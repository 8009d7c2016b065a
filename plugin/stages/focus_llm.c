/* FocusLLaVA inside the language model: Zhu et al., "FocusLLaVA: A Coarse-to-Fine Approach for Efficient and Effective Visual
 * Token Compression", 2024, arXiv:2411.14228: its text-guided sampler, one layer's step; the vision-guided one is focus.
 * Paper alone: there is no code. The paper, as its abstract and what is written about it tell: inside the model the tokens stay
 * that are most strongly correlated with the instruction, by attention maps.
 * Ours, as the paper's equations are not known to us:
 *   - relevance of a token: the attention of the rows of text to it, mean over heads, summed over the rows;
 *   - the `keep` tokens of largest relevance of all frames together stay, ties to the lower index;
 *   - after which layer is the host's matter, as is which rows of text are the instruction.
 * NaN: such a relevance ranks last.
 * Cost: reads the attention once, moves the kept rows once. */
#include "build.h"
#include <math.h>

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    const uint32_t heads = b->in.shape.llm_heads, all = kept(b->set.n_max, 0, &v[0]);
    const wn_arr score =
        build_head_sum(b, WINNOW_ROLE_TEXT_ATTENTION, 1.0f / (float)(heads ? heads : 1));
    const wn_arr flags = build_topk(b, score, build_count_of_all(b, kept, &v[0]), false, true);
    const wn_bounds after = {.n_max = all,
                             .width = b->set.width < all ? b->set.width : all,
                             .regular = b->set.segs == 1 && b->set.regular,
                             .exact = b->set.exact};
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of all frames together"},
};

const wn_stage wn_stage_focus_llm = {
    .name = "focus-llm",
    .family = "attention",
    .summary = "in the language model: keeps what the instruction attends to",
    .help =
        "Keeps the tokens that get most of the attention of the rows of text, all of them together. Needs text_attention, which the "
        "LLM's host gives, of the layer that it wants. From the paper, which has no code. focus is what it does before the model.",
    .source = "Zhu et al., arXiv:2411.14228; paper alone (no official code)",
    .paper = "arXiv 2411.14228",
    .agrees = "paper (no official code)",
    .gives = "chosen tokens",
    .cost = "reads the attention once, moves the kept rows once",
    .options = options,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .build = build,
};
