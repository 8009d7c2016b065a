/* EVS, efficient video sampling: Bagrov et al., "Efficient Video Sampling: Pruning Temporally Redundant Tokens for Faster VLM
 * Inference", arXiv:2510.14624; as in vllm-project/vllm vllm/multimodal/evs.py; agrees with its formulas.
 * Dissimilarity of a token: 1 - cos with the same position one frame earlier; the first frame counts 255 and so stays
 * whole. The max(N, int(T*N*(1-rate))) most dissimilar of the whole video stay (stable, descending), raster order.
 * In a stream the first frame of a push looks back to the last of the push before, and each push keeps its own
 * int(T*N*(1-rate)), the first at least N.
 * compat=bf16 rounds as torch 2 computes it in bf16 (norms by linalg_vector_norm; torch 1.13 rounds their squares first). */
#include "build.h"

enum { RATE, COMPAT };

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_aligned(b) != WINNOW_OK)
        return b->status;
    const bool follows = b->in.streaming && b->in.frames_before > 0;
    const uint32_t flags = 1u | (v[COMPAT].choice == 1 ? 2u : 0u);
    const wn_arr score = build_frame_before(b, flags, 255.0f);
    const double share = (double)b->set.segs * b->set.width * (1.0 - v[RATE].number);
    uint32_t k = (uint32_t)share;
    if (!follows && k < b->set.width)
        k = b->set.width;
    const wn_arr count = build_const(b, &k, 1);
    const wn_arr keep = build_topk(b, score, count, false, true);
    const wn_bounds after = {.n_max = k,
                             .width = b->set.width < k ? b->set.width : k,
                             .regular = b->set.segs == 1,
                             .exact = true};
    build_prune(b, keep, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"rate", "number", "0.75", "0..<1", "share of the video's tokens to remove"},
    {"compat", "choice", "f32", "f32|bf16",
     "arithmetic of the similarity: f32, or rounded as bf16 runtimes round"},
};

const wn_stage wn_stage_evs = {
    .name = "evs",
    .family = "temporal",
    .summary = "keeps the tokens that changed most since the frame before",
    .help =
        "Compares each token with the one at the same place a frame earlier and keeps the most different ones of the whole video; the first "
        "frame stays whole. Needs the tokens alone, on frames of one size.",
    .source = "Bagrov et al., arXiv:2510.14624; official vllm-project/vllm vllm/multimodal/evs.py",
    .paper = "arXiv 2510.14624",
    .agrees = "official formulas (vLLM)",
    .gives = "chosen tokens",
    .cost = "reads every token once (twice where caches are small)",
    .options = options,
    .selects = WN_SELECTS_RATE,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build,
};
