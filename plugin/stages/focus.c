/* FocusLLaVA before the language model: Zhu et al., "FocusLLaVA: A Coarse-to-Fine Approach for Efficient and Effective Visual
 * Token Compression", 2024, arXiv:2411.14228: its vision-guided sampler; the text-guided one is focus-llm. Paper alone: there
 * is neither code nor a trained gate. The paper, as its abstract and what is written about it tell: the feature map falls
 * into local windows; each is pooled at several scales (maxima of 4 x 4, 2 x 2, 1 x 1 tokens), and a gate, trained with a
 * loss that balances the scales, takes one scale for each window, a coarse one where there is little to see.
 * Ours, as the paper's equations are not known to us:
 *   - window=4: side of a window, a power of two; its scales are cells of 1, 2, 4, ... x as many tokens, up to the window;
 *   - the learned gate (weights=: gate.weight [D, scales], gate.bias [scales], the finest first) is a linear layer on the mean
 *     of the window's tokens; the scale of the largest number is taken, and rows are not multiplied by its share;
 *   - without weights the gate learns nothing: a scale is good if the mean cosine of the window's tokens with the direction
 *     of their cell (the sum of its unit vectors) is at least similarity; the coarsest good one is taken, else the finest;
 *   - pool=mean: means in place of maxima; windows at the right and lower edge may be smaller.
 * Rows come in raster order, each named after the first token of its cell. Sizes given weigh nothing, they add up.
 * NaN: a scale whose number is NaN is not taken; the maximum of a token and NaN is the token, the first one's NaN stays.
 * Cost: without weights each token is read log2(window) times for the gate, with them once. */
#include "build_trained.h"

enum { SIMILARITY, WINDOW, POOL, WEIGHTS };
enum { BY_MAXIMUM, BY_MEAN };

static uint32_t windows_of(uint32_t n, uint32_t side)
{
    return (n + side - 1) / side;
}

/* Windows of a side along an axis, the last one what is left; weights: a mean's. */
static wn_axis axis_of(wn_build *b, uint32_t n, uint32_t side)
{
    const wn_axis axis = build_axis(b, windows_of(n, side), side);
    for (uint32_t o = 0; o < axis.out; ++o) {
        const uint32_t start = o * side, count = n - start < side ? n - start : side;
        build_axis_window(b, &axis, o, start, start, count);
        for (uint32_t k = 0; k < count; ++k)
            build_axis_weight(b, &axis, o, k, 1.0f / (float)count);
    }
    return axis;
}

/* [windows, levels]: what the windows keep of their tokens at each level from 1 on. */
static wn_mat likeness(wn_build *b, uint32_t windows, uint32_t levels)
{
    const wn_mat out = build_matrix(b, windows, levels);
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const struct wn_args_scale_likeness args = {.frames = b->set.segs,
                                                .h = b->set.grid_h,
                                                .grid_w = b->set.grid_w,
                                                .levels = levels,
                                                .cols = b->set.mat.cols,
                                                .rows_at = b->set.rows.at,
                                                .inv_at = inv.at};
    const uint64_t loops = ((uint64_t)args.cols + 31) / 32 * levels << 2 * levels;
    if (build_loops_fit(b, WN_OP_scale_likeness, loops))
        BUILD_OP(b, scale_likeness, windows, &b->set.mat, &out, args, READS_W);
    return out;
}

/* [windows, levels + 1]: the learned gate's numbers. */
static wn_mat gate(wn_build *b, uint32_t side, uint32_t levels)
{
    const uint32_t cols = b->set.mat.cols;
    const wn_dense layer = build_weights_dense(b, "gate", cols, levels + 1);
    const wn_axis y = axis_of(b, b->set.grid_h, side), x = axis_of(b, b->set.grid_w, side);
    const wn_mat mean = build_matrix(b, (uint64_t)b->set.segs * y.out * x.out, cols),
                 out = build_matrix(b, mean.rows, levels + 1);
    if (b->status != WINNOW_OK)
        return out;
    const wn_grid grid = build_set_grid(b);
    build_pool(b, &grid, &y, &x, 1.0f, &mean);
    build_dense(b, &layer, &mean, &out, WN_ACT_NONE, 0);
    return out;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    const uint32_t side = (uint32_t)v[WINDOW].number;
    const uint32_t levels = side == 2 ? 1 : side == 4 ? 2 : 3;
    const uint32_t windows =
        b->set.segs * windows_of(b->set.grid_h, side) * windows_of(b->set.grid_w, side);
    const bool learned = build_has_weights(b);
    const wn_mat scales = learned ? gate(b, side, levels) : likeness(b, windows, levels);
    const wn_arr keep = build_array(b, b->set.n_max), dest = build_array(b, b->set.n_max);
    const struct wn_args_scale_pick args = {.frames = b->set.segs,
                                            .h = b->set.grid_h,
                                            .grid_w = b->set.grid_w,
                                            .levels = levels,
                                            .largest = learned,
                                            .keep_at = keep.at,
                                            .dest_at = dest.at,
                                            .bound = (float)v[SIMILARITY].number};
    BUILD_OP(b, scale_pick, b->set.n_max, &scales, NULL, args, WRITES_W);
    const wn_bounds after = {.n_max = b->set.n_max, .width = b->set.width};
    const wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, 1);
    build_merge_by(b, &m, v[POOL].choice == BY_MAXIMUM ? WN_MERGE_MAX : WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    const double side = v[WINDOW].number;
    return side == 2 || side == 4 || side == 8 ? NULL : "window= is 2, 4 or 8";
}

static const winnow_option_info options[] = {
    {"similarity", "number", "0.9", "-1..1",
     "without weights: mean cosine with the direction of its cell that a window must keep at a scale"},
    {"window", "count", "4", "2..8", "side of a window: 2, 4 or 8"},
    {"pool", "choice", "max", "max|mean", "what the tokens of a cell become"},
    {"weights", "file", "-", "", "a trained gate: gate.weight [D, scales] and gate.bias"},
};

const wn_stage wn_stage_focus = {
    .name = "focus",
    .family = "transform",
    .summary = "pools each window of the grid as coarsely as what it shows allows",
    .help =
        "Each window of the grid becomes one token, a few, or stays as it is. Without weights its tokens decide: the coarsest scale at "
        "which they are still like what they become. With weights a trained gate does. How many are left depends on the content. "
        "From the paper, which has neither code nor weights; the gate without weights is ours. focus-llm is its second step, in the language model.",
    .source = "Zhu et al., arXiv:2411.14228; paper alone (no official code)",
    .paper = "arXiv 2411.14228",
    .agrees = "paper (no official code)",
    .gives = "maxima of cells of several sizes; how many depends on the content",
    .cost =
        "reads every token log2(window) times for the gate (with weights once, and D*scales multiply-adds a window), and once for the rows",
    .options = options,
    .option_count = 4,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .check = check,
    .build = build,
};
