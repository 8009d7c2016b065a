/* MustDrop inside the language model: Liu et al., "Multi-Stage Vision Token Dropping: Towards Efficient Multimodal Large
 * Language Model", 2024, arXiv:2411.10803. Official: liuting20/MustDrop modelling_sparse_llama.py dual_attention_filter,
 * clip_encoder.py (the key tokens); agrees with them. Its second stage, one layer's step (the authors: after layers 2, 6, 10 and
 * 14 of 32, counted from 0); the first stage is mustdrop.
 * A: attention of the rows of text to the tokens, head means. A token goes if the text as a whole and each of its rows look
 * past it: sum_k A_ki < global * the sum over all tokens, and max_k A_ki < individual. Key tokens stay in any case: of each frame
 * the ceil(N*keys) that the encoder's class token attends to most (cls_attention, where given), in all layers the same ones: a host
 * that calls later steps on what is left says how many as a count.
 * Differs: where all would go the token of most attention stays (official: none does).
 * NaN: a token whose attention is NaN is below every limit; in the sum it counts as 0. */
#include "build.h"
#include <math.h>

enum { GLOBAL, INDIVIDUAL, KEYS };

static uint32_t keys_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, ceil);
}

/* 1 for the key tokens. */
static wn_arr key_tokens(wn_build *b, const wn_value *keys)
{
    if (!build_has(b, WINNOW_ROLE_CLS_ATTENTION))
        return build_fill(b, b->set.n_max, 0);
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION,
                                        1.0f / (float)(b->in.shape.heads ? b->in.shape.heads : 1));
    return build_topk(b, score, build_counts(b, keys_of, 1, keys), false, false);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    const wn_arr flags = key_tokens(b, &v[KEYS]);
    const uint32_t heads = b->in.shape.llm_heads;
    const wn_arr all = build_head_sum(b, WINNOW_ROLE_TEXT_ATTENTION,
                                      1.0f / (float)(heads ? heads : 1)),
                 peak = build_text_peak(b, true);
    const struct wn_args_dual_filter args = {.segs = b->set.segs,
                                             .seg_at = b->set.seg.at,
                                             .index_at = b->set.index.at,
                                             .all_at = all.at,
                                             .peak_at = peak.at,
                                             .flag_at = flags.at,
                                             .share = (float)v[GLOBAL].number,
                                             .least = (float)v[INDIVIDUAL].number};
    build_loops_fit(b, WN_OP_dual_filter, b->set.n_max / 32 + 1);
    BUILD_OP(b, dual_filter, 1, NULL, NULL, args, WRITES_W);
    build_prune(b, flags, (wn_bounds){.n_max = b->set.n_max, .width = b->set.width}, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"global", "number", "0.001", "0..1",
     "share of the text's attention to all tokens, from which on a token stays"},
    {"individual", "number", "0.001", "0..1",
     "attention of one row of text from which on a token stays"},
    {"keys", "keep", "8%", "1..1e9",
     "tokens of each frame that stay for the class token's attention, where that is given"},
};

const wn_stage wn_stage_mustdrop_llm = {
    .name = "mustdrop-llm",
    .family = "attention",
    .summary =
        "in the language model: drops what the text as a whole and each of its words look past",
    .help =
        "Drops the tokens that get little of the text's attention in all and little from every row of it; those that the encoder's "
        "class token attends to most stay. How many are left depends on the content. The authors do so after layers 2, 6, 10 and 14: "
        "the host calls each step with its layer's attention. Needs text_attention, which the LLM's host gives; takes cls_attention. "
        "mustdrop is what they do in the encoder before.",
    .source =
        "Liu et al., arXiv:2411.10803; official liuting20/MustDrop modelling_sparse_llama.py dual_attention_filter, clip_encoder.py",
    .paper = "arXiv 2411.10803",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "the attention is read twice",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_CLS_ATTENTION,
    .build = build,
};
