/* EVS, efficient video sampling: Bagrov et al., "Efficient Video Sampling: Pruning Temporally Redundant Tokens for Faster VLM
 * Inference", arXiv:2510.14624; as in vllm-project/vllm vllm/multimodal/evs.py; agrees with its formulas.
 * Dissimilarity of a token: 1 - cos with the same position one frame earlier; the first frame counts 255 and so stays
 * whole. The max(N, int(T*N*(1-rate))) most dissimilar of the whole video stay (stable, descending), raster order.
 * In a stream the first frame of a push looks back to the last of the push before, and each push keeps its own
 * int(T*N*(1-rate)), the first at least N.
 * compat=bf16 rounds as torch 2 computes it in bf16 (norms by linalg_vector_norm; torch 1.13 rounds their squares first). Cost: reads every token once (twice where caches are small). */
#include "build.h"

enum { RATE, COMPAT };

static wn_arr look_back(wn_build *b, bool follows)
{
    const wn_arr ref = build_const(b, NULL, b->set.segs);
    uint32_t *data = build_const_data(b, ref);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        data[t] = t ? t - 1 : follows ? (uint32_t)-2 : (uint32_t)-1;
    return ref;
}

static void remember(wn_build *b, const wn_mat *history)
{
    /* The last frame's rows, and where they go: lists, since rows[] may be anything. */
    const uint32_t n = b->set.width;
    const wn_arr src = {b->set.rows.at + (b->set.segs - 1) * n, n};
    const wn_arr dst = build_counting(b, n, 1);
    build_copy_rows(b, &b->set.mat, src, history, dst, n);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (!b->set.aligned)
        return build_fail(
            b, WINNOW_E_SHAPE,
            "frames keep different places here, and it compares the same place in two frames "
            "(put it before the stage that prunes)");
    const bool follows = b->in.streaming && b->in.frames_before > 0;
    const uint32_t flags = 1u | (v[COMPAT].choice == 1 ? 2u : 0u);
    wn_mat history = {0};
    if (b->in.streaming)
        history = build_history(b, b->set.width, b->set.mat.cols);
    const wn_arr ref = look_back(b, follows);
    const wn_arr score = build_frame_sim(b, b->in.streaming ? &history : NULL, ref, flags, 255.0f);
    if (b->in.streaming)
        remember(b, &history);
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
    .options = options,
    .selects = WN_SELECTS_RATE,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .build = build,
};
