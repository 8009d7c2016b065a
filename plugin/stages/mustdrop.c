/* MustDrop: Liu et al., "Multi-Stage Vision Token Dropping: Towards Efficient Multimodal Large Language Model", 2024,
 * arXiv:2411.10803. Official: liuting20/MustDrop local_merge.py conditional_pooling, merge_wavg; ModelTC/LightCompress
 * mustdrop.py for keep=; agrees with them. Its first stage, the merging of neighbours that are alike (the authors: after
 * the first layer of the encoder). What it drops inside the language model is mustdrop-llm.
 * A window of w x w tokens whose mean cosine of pairs is above the threshold becomes the mean of its tokens, at the last
 * of them; the others stay as they are. keep=: the r = (N - keep)/(w*w - 1) most alike windows of each frame instead, so
 * that N - r*(w*w - 1) tokens are left.
 * Differs: above the threshold (official: from it on); frames each by its own (official: as many windows in all as in
 * the frame with fewest); rows come in raster order (official: merged ones first). Sizes given weigh nothing, they add up.
 * NaN: a window with a NaN similarity is not above any threshold, and comes last. */
#include "build.h"
#include <math.h>

enum { THRESHOLD, WINDOW, KEEP };

static const float USUAL = 0.8f;

/* Tokens by their place in the windows: the last of every window, then the first of every window, the second, ... */
typedef struct windows {
    uint32_t many, each; /* windows of all frames, tokens of one */
    wn_arr at;           /* positions [each * many] */
} windows;

static uint32_t position_of(const wn_set *set, uint32_t side, uint32_t window, uint32_t place)
{
    const uint32_t across = set->grid_w / side, down = set->grid_h / side,
                   frame = window / (across * down), y = window / across % down,
                   x = window % across;
    return frame * set->width + (y * side + place / side) * set->grid_w + x * side + place % side;
}

static windows find_windows(wn_build *b, uint32_t side)
{
    const uint32_t each = side * side;
    windows w = {.many = b->set.n_max / each, .each = each};
    w.at = build_const(b, NULL, b->set.n_max);
    uint32_t *at = build_const_data(b, w.at);
    for (uint32_t i = 0; at && i < b->set.n_max; ++i) {
        const uint32_t turn = i / w.many;
        at[i] = position_of(&b->set, side, i % w.many, turn ? turn - 1 : each - 1);
    }
    return w;
}

/* The mean cosine of each window's pairs: its tokens are what a place's tokens in the frames of a span are elsewhere. */
static wn_arr likeness(wn_build *b, const windows *w)
{
    const uint32_t n = b->set.n_max;
    const wn_arr rows = build_array(b, n), score = build_array(b, n);
    const wn_list all = {.seg = b->set.seg, .n_max = n};
    build_lookup(b, b->set.segs, &all, w->at, WN_NO_ARR, b->set.rows, rows);
    const wn_arr inv = build_norms(b, &b->set.mat, rows);
    const wn_arr starts = build_const(b, NULL, w->each + 1), of = build_const(b, NULL, w->each);
    uint32_t *start = build_const_data(b, starts);
    for (uint32_t k = 1; start && k <= w->each; ++k)
        start[k] = w->each;
    const struct wn_args_place_sim args = {.frames = w->each,
                                           .tokens = w->many,
                                           .cols = b->set.mat.cols,
                                           .rows_at = rows.at,
                                           .inv_at = inv.at,
                                           .starts_at = starts.at,
                                           .of_at = of.at,
                                           .score_at = score.at};
    BUILD_OP(b, place_sim, n, &b->set.mat, NULL, args, WRITES_W);
    return score;
}

/* 1 for tokens of windows above the threshold, by w->at, but the last ones. */
static wn_arr above(wn_build *b, const windows *w, wn_arr score, float bound)
{
    const uint32_t n = b->set.n_max;
    const wn_arr flag = build_array(b, n), starts = build_const(b, NULL, w->each + 1);
    uint32_t *start = build_const_data(b, starts);
    for (uint32_t k = 1; start && k <= w->each; ++k)
        start[k] = w->each;
    const struct wn_args_still args = {.frames = w->each,
                                       .tokens = w->many,
                                       .rule = 1,
                                       .starts_at = starts.at,
                                       .of_at = build_const(b, NULL, w->each).at,
                                       .value_at = score.at,
                                       .flag_at = flag.at,
                                       .keep_at = build_array(b, n).at,
                                       .dest_at = build_array(b, n).at,
                                       .bound = bound};
    BUILD_OP(b, still, n, NULL, NULL, args, WRITES_W);
    return (wn_arr){flag.at + w->many, n - w->many};
}

static uint32_t merged_of(uint32_t n, uint32_t each, const wn_value *keep)
{
    return (n - wn_keep_count(keep, n, trunc)) / (each - 1);
}

static uint32_t count_of(const wn_build *b, const windows *w, const wn_value *v)
{
    const uint32_t count = merged_of(b->set.width, w->each, &v[KEEP]),
                   most = b->set.width / w->each;
    return count < most ? count : most;
}

/* The same of the most alike windows of each frame. */
static wn_arr most_alike(wn_build *b, const windows *w, wn_arr score, const wn_value *v)
{
    const uint32_t width = b->set.width / w->each, frames = b->set.segs,
                   others = b->set.n_max - w->many;
    const wn_list list = {.seg = build_counting(b, frames + 1, width),
                          .pos = WN_NO_ARR,
                          .n_max = w->many,
                          .width = width};
    const wn_arr count = build_const(b, NULL, frames), window = build_const(b, NULL, others);
    uint32_t *c = build_const_data(b, count);
    for (uint32_t t = 0; c && t < frames; ++t)
        c[t] = count_of(b, w, v);
    c = build_const_data(b, window);
    for (uint32_t i = 0; c && i < others; ++i)
        c[i] = i % w->many;
    const wn_arr flags = build_topk_of(b, frames, &list, score, count),
                 out = build_array(b, others);
    const wn_list each = {.seg = build_counting(b, 2, others), .n_max = others};
    build_lookup(b, 1, &each, window, WN_NO_ARR, flags, out);
    return out;
}

/* Every flagged token goes to the last one of its window. */
static void send(wn_build *b, const windows *w, wn_arr flags, wn_arr keep, wn_arr dest)
{
    const uint32_t others = b->set.n_max - w->many;
    const wn_arr last = build_const(b, NULL, others);
    uint32_t *p = build_const_data(b, last);
    const uint32_t *at = build_const_data(b, w->at);
    for (uint32_t i = 0; p && at && i < others; ++i)
        p[i] = at[i % w->many];
    const struct wn_args_dest args = {.n_max = others,
                                      .segs = 1,
                                      .src_seg_at = build_counting(b, 2, others).at,
                                      .src_pos_at = w->at.at + w->many,
                                      .rule = 2,
                                      .rank_at = flags.at,
                                      .arg_at = last.at,
                                      .keep_at = keep.at,
                                      .dest_at = dest.at};
    BUILD_OP(b, dest, others, NULL, NULL, args, WRITES_W);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const uint32_t side = (uint32_t)v[WINDOW].number, n = b->set.n_max;
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    if (b->set.grid_h % side || b->set.grid_w % side)
        return build_fail(b, WINNOW_E_SHAPE,
                          "windows of %u x %u do not fill a grid of %u x %u (give another window=)",
                          side, side, b->set.grid_h, b->set.grid_w);
    const windows w = find_windows(b, side);
    const wn_arr score = likeness(b, &w);
    const wn_arr flags =
        v[KEEP].given
            ? most_alike(b, &w, score, v)
            : above(b, &w, score, v[THRESHOLD].given ? (float)v[THRESHOLD].number : USUAL);
    const wn_arr keep = build_fill(b, n, 1), dest = build_fill(b, n, WN_NONE);
    send(b, &w, flags, keep, dest);
    wn_bounds after = {.n_max = n, .width = b->set.width};
    if (v[KEEP].given) {
        after.width -= count_of(b, &w, v) * (w.each - 1);
        after.n_max = after.width * b->set.segs;
        after.regular = after.exact = true;
    }
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    build_merge_members(b, &m, keep, dest, 1, true);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    return v[KEEP].given && v[THRESHOLD].given ? "give either threshold= or keep=" : NULL;
}

static const winnow_option_info options[] = {
    {"threshold", "number", "-", "-1..1",
     "mean cosine of pairs above which a window is merged; absent: 0.8, unless keep= is given"},
    {"window", "count", "3", "2..64", "side of a window"},
    {"keep", "keep", "-", "1..1e9",
     "instead of the threshold: tokens to leave of each frame, or the next number above that windows allow"},
};

const wn_stage wn_stage_mustdrop = {
    .name = "mustdrop",
    .family = "similarity",
    .summary = "merges the windows of the grid whose tokens are alike",
    .help =
        "Cuts the grid into windows and makes one token of each whose tokens resemble each other: sky and walls shrink, the rest stays. "
        "How many are left depends on the content, unless keep= says so. The authors merge after the first layer of the encoder, and "
        "drop more inside the language model (mustdrop-llm). Needs the tokens alone, on a grid that windows fill.",
    .source =
        "Liu et al., arXiv:2411.10803; official liuting20/MustDrop local_merge.py, ModelTC/LightCompress mustdrop.py",
    .paper = "arXiv 2411.10803",
    .agrees = "official code",
    .gives = "means of windows, and single tokens",
    .cost = "reads every token three times",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .check = check,
    .build = build,
};
