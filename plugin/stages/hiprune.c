/* HiPrune: Liu et al., "HiPrune: Training-Free Visual Token Pruning via Hierarchical Attention in Vision-Language Models",
 * AAAI 2026, arXiv:2508.00553. Official: Danielement321/HiPrune LLaVA/llava/model/llava_arch.py encode_images.
 * g = the attention that a patch receives, mean over heads and over all queries, the class token's too. Anchors: the
 * round(keep * alpha / 5) best by g of a shallow layer (9 of CLIP-L's 24), half to even; buffers: their neighbours above,
 * below, left and right; registers: the best others by g of a deep layer, until `keep`. Raster order out.
 * The official code finds neighbours at j-1, j+1, j-24 and j+24 held to 0..575: beside the left or right edge it takes the patch
 * at the other end of the next row, in the first and last rows the picture's first or last patch. mode=official (default: the
 * published figures were measured with it) does so on any grid; mode=paper takes what is on the grid. Ours: no more than keep/5
 * anchors, so that anchors and buffers never pass `keep` (the official code fails there). */
#include "build.h"
#include <math.h>

enum { KEEP, ALPHA, MODE };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static uint32_t anchors_of(uint32_t n, uint32_t part, const void *user)
{
    const wn_value *v = user;
    const uint32_t keep = kept(n, part, v);
    const double anchors = rint(keep * v[ALPHA].number / 5);
    return anchors < keep / 5 ? (uint32_t)anchors : keep / 5;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_arr shallow = build_head_sum(b, WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW, 1.0f);
    const wn_arr deep = build_head_sum(b, WINNOW_ROLE_RECEIVED_ATTENTION_DEEP, 1.0f);
    const wn_arr anchors = build_topk(b, shallow, build_counts(b, anchors_of, 1, v), false, false);
    const struct wn_args_raise_near near = {.n_max = b->set.n_max,
                                            .segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .index_at = b->set.index.at,
                                            .flag_at = anchors.at,
                                            .score_at = deep.at,
                                            .tokens = b->in.shape.tokens,
                                            .grid_w = build_grid_width(b),
                                            .wrap = v[MODE].choice == 0};
    if (build_loops_fit(b, WN_OP_raise_near, b->set.width))
        BUILD_OP(b, raise_near, b->set.n_max, NULL, NULL, near, WRITES_W);
    const wn_arr flags = build_topk(b, deep, build_counts(b, kept, 1, v), false, false);
    build_prune(b, flags, build_bounds(b, kept, 0, v), WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"alpha", "number", "0.1", "0..1", "share of them for anchors and their four neighbours"},
    {"mode", "choice", "official", "official|paper",
     "neighbours as the authors' code finds them, across the ends of rows, or on the grid"},
};

const wn_stage wn_stage_hiprune = {
    .name = "hiprune",
    .family = "attention",
    .summary = "keeps objects that a shallow layer looks at, and what a deep one looks at",
    .help =
        "A few anchors come from the attention that patches receive in a shallow layer, with their neighbours; the rest of the "
        "budget goes to what receives most in a deep layer. No class token is needed. Attention is the mean over heads and "
        "queries, the class token among them where there is one.",
    .source =
        "Liu et al., AAAI 2026, arXiv:2508.00553; official Danielement321/HiPrune llava_arch.py encode_images",
    .paper = "arXiv 2508.00553",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "n*n looks at a flag a frame; reads two numbers a token",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW |
                    1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP,
    .selects = WN_SELECTS_KEEP,
    .shallow_of_24 = 8,
    .build = build,
};
