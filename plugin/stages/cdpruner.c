/* CDPruner: Zhang et al., "Beyond Attention or Similarity: Maximizing Conditional Diversity for Token Pruning in MLLMs",
 * NeurIPS 2025, arXiv:2506.10967. Official: Theia-4869/CDPruner llava_arch.py encode_images; agrees with it.
 * S = cos of tokens; r = mean over text rows of -cos(image_embeds, text), then (r - min + 1e-6)/(max - min) over the
 * whole input; kernel r_i S_ij r_j; greedy MAP of the determinantal point process, `keep` picks a frame, raster order.
 * weight=, split=: the kernel that OpenVINO GenAI ships: r = mean of +cos (its default; no negation), scaled to 0..1,
 * kernel (1-w) S + w r S r, and frames of more than `split` tokens selected in two halves, keep/2 and the rest, each scaled by
 * itself. Ours: r = 1 where all are equal (theirs 0), the range without their 1e-6, keep=% truncates (theirs rounds).
 * centre=on, Cen-Prune: Wen et al., "Centering before Pruning", arXiv:2608.30263 (no official code; its plain variant, see
 * divprune): S of tokens less their frame's mean, r times how distinct the token is in its frame.
 * Differs: d is held above 1e-12 where duplicates would make it 0 or negative (the official code divides by sqrt(d)). */
#include "build.h"
#include <math.h>

enum { KEEP, WEIGHT, SPLIT, CENTRE };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static uint32_t kept_of_half(uint32_t n, uint32_t part, const void *user)
{
    const uint32_t keep = wn_keep_count(user, n, trunc), half = n / 2;
    uint32_t front = keep / 2 < half ? keep / 2 : half;
    if (keep - front > n - half)
        front = keep - (n - half);
    return part == 0 ? front : keep - front;
}

/* Tokens of each half, front and back. */
static uint32_t half_size(uint32_t n, uint32_t part, const void *user)
{
    (void)user;
    return part == 0 ? n / 2 : n - n / 2;
}

/* Frame borders with the halves' borders between them: constants, since splitting is for regular sets. */
static wn_arr half_borders(wn_build *b)
{
    const wn_arr seg = build_const(b, NULL, b->set.segs * 2 + 1);
    uint32_t *data = build_const_data(b, seg);
    for (uint32_t i = 0; data && i < b->set.segs * 2; ++i)
        data[i + 1] = data[i] + half_size(b->set.width, i % 2, NULL);
    return seg;
}

/* x = x * y */
static void multiply(wn_build *b, wn_arr x, wn_arr y)
{
    const struct wn_args_value_product args = {.n_max = b->set.n_max,
                                               .segs = b->set.segs,
                                               .seg_at = b->set.seg.at,
                                               .x_at = x.at,
                                               .y_at = y.at,
                                               .out_at = x.at};
    BUILD_OP(b, value_product, args.n_max, NULL, NULL, args, WRITES_W);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const bool openvino = v[WEIGHT].given;
    const bool split = v[SPLIT].number > 0 && b->set.width > v[SPLIT].number;
    if (split && !b->set.regular)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "split=%g after a stage that leaves frames of different sizes (leave split= out, or put cdpruner first)",
            v[SPLIT].number);
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    const wn_arr rel = build_relevance(b, (openvino ? 1.0f : -1.0f) / (float)b->in.shape.text_rows);
    const wn_set frames = b->set;
    const wn_arr k =
        split ? build_counts(b, kept_of_half, 2, &v[KEEP]) : build_counts(b, kept, 1, &v[KEEP]);
    const bool centre = v[CENTRE].choice == 1;
    const wn_compared tokens = build_compared(b, centre);
    if (split) { /* from here to the picks a half is a frame */
        b->set.seg = half_borders(b);
        b->set.segs *= 2;
        b->set.width -= b->set.width / 2;
    }
    build_scale_range(b, rel, b->set.seg, b->set.segs, !split, openvino ? 0.0f : 1e-6f,
                      openvino ? 1e-6f : 0.0f);
    if (centre)
        multiply(b, rel, tokens.distinct);
    const wn_mat sim = build_sim_matrix(b, NULL, &tokens.mat, tokens.list, tokens.inv);
    const uint32_t k_max = after.width ? after.width : 1;
    const wn_mat factor = build_matrix(b, (uint64_t)b->set.segs * k_max, b->set.width);
    const wn_arr d = build_array(b, b->set.n_max), flags = build_array(b, b->set.n_max),
                 order = build_array(b, b->set.n_max);
    const struct wn_args_greedy_dpp args = {.segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .k_at = k.at,
                                            .k_max = k_max,
                                            .rel_at = rel.at,
                                            .d_at = d.at,
                                            .flag_at = flags.at,
                                            .order_at = order.at,
                                            .mode = openvino,
                                            .weight = (float)v[WEIGHT].number,
                                            .one_minus_weight = (float)(1.0 - v[WEIGHT].number)};
    build_greedy_dpp(b, args, &sim, &factor, k_max);
    b->set.seg = frames.seg;
    b->set.segs = frames.segs;
    b->set.width = frames.width;
    build_prune(b, flags, after, split ? WN_NO_ARR : order);
    return b->status;
}

static const char *check(const wn_value *v)
{
    return v[SPLIT].number > 0 && !v[WEIGHT].given
               ? "split= goes with weight= (the halves of OpenVINO's variant; add weight=0.5)"
               : NULL;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"weight", "number", "-", "0..1", "OpenVINO's kernel (1-w)*S + w*r*S*r instead of r*S*r"},
    {"split", "count", "0", "0..1e9",
     "select in two halves above this many tokens a frame; 0 never"},
    {"centre", "choice", "off", "off|on",
     "on: tokens less their frame's mean, the distinct ones first (Cen-Prune)"},
};

const wn_stage wn_stage_cdpruner = {
    .name = "cdpruner",
    .family = "similarity",
    .summary =
        "keeps tokens that are diverse and relevant to the question (determinantal point process)",
    .help =
        "Weighs how relevant each token is to the text and picks the subset of largest determinant greedily: diverse, but "
        "about the question. Needs image_embeds and text in one space (CLIP's, say).",
    .source =
        "Zhang et al., NeurIPS 2025, arXiv:2506.10967; official Theia-4869/CDPruner llava_arch.py; weight and split: OpenVINO GenAI",
    .paper = "arXiv 2506.10967",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost =
        "n*n*D multiply-adds a frame, then keep*keep*n/2; the n x n similarities stay in memory",
    .options = options,
    .selects = WN_SELECTS_KEEP,
    .option_count = 4,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_IMAGE_EMBEDS | 1u << WINNOW_ROLE_TEXT,
    .check = check,
    .build = build,
};
