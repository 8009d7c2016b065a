/* TRIO: Zhang et al., "TRIO: Token Reduction via Inference-Objective Guidance for Efficient Vision-Language Models", 2026, first
 * as "PIO-FVLM: Rethinking Training-Free Visual Token Reduction for VLM Acceleration from an Inference-Objective Perspective",
 * arXiv:2602.04657. Official: ocy1/TRIO llava/model/modeling_llama_x.py LlamaModel.layer_prune (the same selection in
 * qwen/model/qwen2_5_vl_custom.py); agrees with it. One step inside the language model; the authors' are behind layers 1, 10, 15.
 * Saliency of a token: |dL/dh|, h its hidden state, L the layer-local proxy loss: h goes through one more layer, the last norm
 * and the output head, and L is the mean cross entropy of the last four positions against their own most probable words.
 * Non-maximum suppression: from the most salient on, a token stays unless its cosine to one that stays is at least
 * `similarity` = 0.8, until `keep` stay; are they fewer, the most salient of the suppressed fill them up. Raster order out.
 * The saliency comes from the host, in the role of that name. By hand it would be the backward pass of the head, the norm, an MLP, and
 * attention (visual tokens reach the last positions through their keys and values alone), of the host's weights: a host that
 * has those has the gradient as well. The authors' LLaVA goes through the layer behind, their Qwen once more through the same.
 * Ours: tokens of all frames are one set; a token without length resembles none; ties go to the earlier token (open in the
 * official code). NaN: such a saliency ranks last.
 * Not here: the authors' place for it behind an encoder's own compression, which is a pipeline of the host's two calls. */
#include "build.h"
#include <math.h>

enum { KEEP, SIMILARITY };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* Those that no more salient one that stays resembles: `want` of them at most. */
static wn_arr unlike_others(wn_build *b, wn_arr saliency, wn_arr want, float similarity)
{
    const uint32_t n = b->set.n_max;
    const wn_arr rank = build_rank(b, saliency, b->set.seg, n), keep = build_array(b, n);
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const struct wn_args_label_nms args = {.segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .score_at = saliency.at,
                                           .rank_at = rank.at,
                                           .label_at = WN_NONE,
                                           .upper_at = WN_NONE,
                                           .want_at = want.at,
                                           .keep_at = keep.at,
                                           .list_at = build_array(b, n).at,
                                           .out_at = build_array(b, n).at,
                                           .made_at = build_array(b, 1).at,
                                           .bound = similarity};
    build_label_nms(b, args, &sim);
    return keep;
}

/* `want` tokens: those that are unlike first, then by saliency. */
static wn_arr fill_up(wn_build *b, wn_arr saliency, wn_arr want, wn_arr unlike)
{
    const wn_arr flags = build_array(b, b->set.n_max);
    const struct wn_args_label_pick args = {.n_max = b->set.n_max,
                                            .segs = 1,
                                            .seg_at = b->set.seg.at,
                                            .most = 1,
                                            .label_at = build_fill(b, b->set.n_max, 0).at,
                                            .keep_at = unlike.at,
                                            .score_at = saliency.at,
                                            .quota_at = want.at,
                                            .flag_at = flags.at};
    if (build_loops_fit(b, WN_OP_label_pick, b->set.width))
        BUILD_OP(b, label_pick, b->set.n_max, NULL, NULL, args, WRITES_W);
    return flags;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    build_join(b);
    const wn_arr saliency = build_head_sum(b, WINNOW_ROLE_SALIENCY, 1.0f);
    const wn_arr want = build_count_of_all(b, kept, &v[KEEP]);
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    const wn_arr unlike = unlike_others(b, saliency, want, (float)v[SIMILARITY].number);
    build_prune(b, fill_up(b, saliency, want, unlike), after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of all frames together"},
    {"similarity", "number", "0.8", "-1..1",
     "cosine to a more salient token that stays from which on a token is suppressed"},
};

const wn_stage wn_stage_trio = {
    .name = "trio",
    .family = "similarity",
    .summary = "in the language model: keeps what the answer depends on most, and nothing twice",
    .help =
        "Keeps the most salient tokens of all frames together, but none that resembles a more salient one, as long as there are "
        "others. The saliency of a token is the length of the gradient, in its hidden state, of a loss that the next layer and "
        "the output head make of the last positions. Hosts that can take gradients give it in saliency; the tokens are the "
        "hidden states of that layer. The authors do this behind layers 1, 10 and 15.",
    .source = "Zhang et al., arXiv:2602.04657 (PIO-FVLM); official ocy1/TRIO modeling_llama_x.py "
              "layer_prune",
    .paper = "arXiv 2602.04657",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost =
        "N*N*D multiply-adds; keeps the N x N cosines, of which rows of the kept are read again",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_SALIENCY,
    .build = build,
};
