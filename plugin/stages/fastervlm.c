/* FasterVLM: Zhang et al., "[CLS] Attention is All You Need for Training-Free Visual Token Pruning: Make VLM Inference
 * Faster", arXiv:2412.01818. Official: Theia-4869/FasterVLM llava_arch.py encode_images; agrees with it.
 * Score: class attention, mean over heads (the sum here: the same order); the `keep` best of each frame, raster order. */
#include "build.h"
#include <math.h>

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const wn_arr flags = build_topk(b, score, build_counts(b, kept, 1, &v[0]), false, false);
    build_prune(b, flags, build_bounds(b, kept, 0, &v[0]), WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
};

const wn_stage wn_stage_fastervlm = {
    .name = "fastervlm",
    .family = "attention",
    .summary = "keeps the tokens that the class token attends to most",
    .help =
        "Scores each token by the class token's attention, averaged over heads, and keeps the best `keep` of "
        "each frame in raster order. Needs cls_attention from the encoder layer that produces the tokens.",
    .source =
        "Zhang et al., arXiv:2412.01818; official Theia-4869/FasterVLM llava_arch.py encode_images",
    .paper = "arXiv 2412.01818",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads the attention once, moves the kept rows once",
    .options = options,
    .selects = WN_SELECTS_KEEP,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .build = build,
};
