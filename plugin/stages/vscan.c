/* VScan, stage 1: Zhang et al., "VScan: Rethinking Visual Token Reduction for Efficient Large Vision-Language Models",
 * TMLR 2026, arXiv:2505.22654. Official: Tencent/SelfEvolvingAgent VScan/llava/model/llava_arch.py encode_images; agrees
 * with it. (Stage 2 prunes inside the language model by the last prompt token's attention: fastv.)
 * Local scan: int(keep * local) tokens, the same number, rounded down, of each 6 x 6 window of the grid, by the class
 * token's attention in a shallow layer (mean over heads; layer 5 of CLIP-L). Global scan: the other keep - int(keep * local)
 * by its attention in the last layer used, of what is not kept yet. Every other token goes to the kept one of highest
 * cosine, and a kept token becomes the mean of itself and those. Raster order out.
 * Differs: windows at the edges of a grid that 6 does not divide are smaller (the official code takes 24 x 24 alone);
 * where a window holds fewer than its number, the global scan takes more. */
#include "build.h"
#include <math.h>

enum { KEEP, LOCAL, WINDOW };

typedef struct scan {
    const wn_value *values;
    uint32_t windows;
} scan;

static uint32_t each_window(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const scan *s = user;
    const uint32_t keep = wn_keep_count(&s->values[KEEP], n, trunc);
    return (uint32_t)(keep * s->values[LOCAL].number) / s->windows;
}

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    const scan *s = user;
    const uint32_t keep = wn_keep_count(&s->values[KEEP], n, trunc);
    const uint32_t global = keep - (uint32_t)(keep * s->values[LOCAL].number);
    const uint64_t all = (uint64_t)each_window(n, part, user) * s->windows + global;
    return all < n ? (uint32_t)all : n;
}

/* The window of each place of a frame, and how many there are. */
static wn_arr window_labels(wn_build *b, uint32_t side, uint32_t *windows)
{
    const uint32_t tokens = b->in.shape.tokens, w = build_grid_width(b), h = tokens / w;
    const uint32_t across = (w + side - 1) / side;
    const wn_arr label = build_const(b, NULL, tokens);
    uint32_t *data = build_const_data(b, label);
    for (uint32_t j = 0; data && j < tokens; ++j)
        data[j] = j / w / side * across + j % w / side;
    *windows = (h + side - 1) / side * across;
    return label;
}

/* Flags of the tokens that stay. */
static wn_arr keep_flags(wn_build *b, const scan *s, wn_arr label)
{
    const wn_arr shallow = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION_SHALLOW, 1.0f);
    const wn_arr deep = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const struct wn_args_raise_best local = {.n_max = b->set.n_max,
                                             .segs = b->set.segs,
                                             .seg_at = b->set.seg.at,
                                             .index_at = b->set.index.at,
                                             .label_at = label.at,
                                             .tokens = b->in.shape.tokens,
                                             .k_at = build_counts(b, each_window, 1, s).at,
                                             .score_at = shallow.at,
                                             .raise_at = deep.at};
    if (build_loops_fit(b, WN_OP_raise_best, b->set.width))
        BUILD_OP(b, raise_best, b->set.n_max, NULL, NULL, local, WRITES_W);
    return build_topk(b, deep, build_counts(b, kept, 1, s), false, false);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    scan s = {.values = v};
    const wn_arr label = window_labels(b, (uint32_t)v[WINDOW].number, &s.windows);
    const wn_arr dest = build_fill(b, b->set.n_max, WN_NONE), keep = keep_flags(b, &s, label);
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_bounds after = build_bounds(b, kept, 0, &s);
    const wn_list rest = build_list(b, keep, true), stay = build_list(b, keep, false);
    wn_arr best, arg;
    build_match(b, &rest, &stay, &b->set.mat, b->set.rows, inv, &best, &arg);
    const struct wn_args_dest args = {.n_max = rest.n_max,
                                      .segs = b->set.segs,
                                      .src_seg_at = rest.seg.at,
                                      .src_pos_at = rest.pos.at,
                                      .rule = 1,
                                      .rank_at = WN_NONE,
                                      .k_at = WN_NONE,
                                      .arg_at = arg.at,
                                      .keep_at = keep.at,
                                      .dest_at = dest.at};
    BUILD_OP(b, dest, rest.n_max, NULL, NULL, args, WRITES_W);
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    build_merge_members(b, &m, keep, dest, 1, true);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"local", "number", "0.5", "0..1", "share of them chosen window by window in a shallow layer"},
    {"window", "count", "6", "1..1e6", "rows and columns of a window"},
};

const wn_stage wn_stage_vscan = {
    .name = "vscan",
    .family = "attention",
    .summary = "keeps what two layers attend to, window by window and overall, and merges the rest",
    .help =
        "Half of the budget goes to the windows of the grid, by the class token's attention in a shallow layer; the other half to "
        "the best by a deep layer; every other token is averaged into the kept one that it resembles most. Give the tokens "
        "behind the projector, as the authors do, or the encoder's.",
    .source =
        "Zhang et al., TMLR 2026, arXiv:2505.22654; official Tencent/SelfEvolvingAgent VScan llava_arch.py encode_images",
    .paper = "arXiv 2505.22654",
    .agrees = "official code",
    .gives = "chosen tokens with the others merged in",
    .cost =
        "n*n comparisons of scores, (n - keep)*keep*D multiply-adds a frame; reads every token once",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION |
                    1u << WINNOW_ROLE_CLS_ATTENTION_SHALLOW,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .shallow_of_24 = 5,
    .build = build,
};
