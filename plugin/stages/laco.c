/* LaCo: "LaCo: Efficient Layer-wise Compression of Visual Tokens for Multimodal Large Language
 * Models", arXiv:2507.02279.
 * No official code; what the paper says, read so: a patch-merge layer behind an intermediate
 * encoder layer (best near a quarter of the depth), y = MLP(S2C(x)) + shortcut(S2C(x)), S2C torch's
 * PixelUnshuffle (channel c*f*f + di*f + dj), MLP f*f*D -> inner -> D with GELU, shortcut without
 * parameters: the f*f*D channels in D groups, each averaged. In that order of channels a group is
 * the f*f cells of one channel, so the shortcut is the mean of the window. Later layers run on
 * N/(f*f) tokens. Without weights the MLP is left out: the layer starts as its shortcut, and is
 * untrained. */
#include "build_trained.h"

enum { LAYER, FACTOR };

static wn_axis windows(wn_build *b, uint32_t n, uint32_t factor)
{
    const wn_axis axis = build_axis(b, n / factor, factor);
    for (uint32_t o = 0; o < axis.out; ++o) {
        build_axis_window(b, &axis, o, o * factor, o * factor, factor);
        for (uint32_t k = 0; k < factor; ++k)
            build_axis_weight(b, &axis, o, k, 1.0f);
    }
    return axis;
}

/* An encoder's own weights come first, then the stage's file. False: there are none. */
static bool find_mlp(wn_build *b, uint32_t in, uint32_t out, wn_merge_mlp *mlp)
{
    if (b->merge_mlp) {
        *mlp = *b->merge_mlp;
    } else if (build_has_weights(b)) {
        mlp->first = build_weights_dense(b, "first", in, 0);
        mlp->second = build_weights_dense(b, "second", mlp->first.weight.cols, out);
    } else {
        return false;
    }
    if (b->status == WINNOW_OK && (mlp->first.weight.rows != in || mlp->second.weight.cols != out))
        build_fail(b, WINNOW_E_SHAPE,
                   "its weights are for %u channels in and %u out, here they are %u and %u",
                   mlp->first.weight.rows, mlp->second.weight.cols, in, out);
    return true;
}

static void add_mlp(wn_build *b, uint32_t factor, const wn_merge_mlp *mlp, const wn_mat *out)
{
    const uint64_t mark = build_mark(b);
    const wn_mat side = build_matrix(b, out->rows, factor * factor * out->cols),
                 inner = build_matrix(b, out->rows, mlp->first.weight.cols);
    const struct wn_args_space_to_channel args = {.frames = b->set.segs,
                                                  .h = b->set.grid_h,
                                                  .w = b->set.grid_w,
                                                  .oh = b->set.grid_h / factor,
                                                  .ow = b->set.grid_w / factor,
                                                  .factor = factor,
                                                  .layout = WN_LAYOUT_CHANNEL,
                                                  .cols = out->cols,
                                                  .rows_at = b->set.rows.at};
    BUILD_OP(b, space_to_channel, (uint64_t)side.rows * ((side.cols + 1) / 2), &b->set.mat, &side,
             args, READS_W);
    build_dense(b, &mlp->first, &side, &inner, WN_ACT_GELU_ERF, 0);
    build_dense(b, &mlp->second, &inner, out, WN_ACT_NONE, 2);
    build_release(b, mark);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const uint32_t f = (uint32_t)v[FACTOR].number, h = b->set.grid_h, w = b->set.grid_w,
                   cols = b->set.mat.cols;
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    if (h % f || w % f)
        return build_fail(b, WINNOW_E_SHAPE,
                          "factor=%u does not divide the grid of %u x %u (give another)", f, h, w);
    wn_merge_mlp mlp;
    const bool trained = find_mlp(b, f * f * cols, cols, &mlp);
    const wn_axis y = windows(b, h, f), x = windows(b, w, f);
    const wn_mat out = build_matrix(b, (uint64_t)b->set.segs * y.out * x.out, cols);
    const wn_grid grid = build_set_grid(b);
    build_pool(b, &grid, &y, &x, 1.0f / (float)(f * f), &out);
    if (trained)
        add_mlp(b, f, &mlp, &out);
    build_grid_after(b, &y, &x, &out, false);
    return b->status;
}

static const winnow_option_info options[] = {
    {"layer", "count", "", "1..512",
     "layers of the encoder that run before it; best near a quarter of them"},
    {"factor", "count", "2", "2..16", "side of a window of tokens that become one"},
    {"weights", "file", "-", "",
     "its trained MLP, where the encoder has none of its own: first.weight [factor*factor*D, inner], "
     "first.bias, second.weight [inner, D], second.bias"},
};

const wn_stage wn_stage_laco = {
    .name = "laco",
    .family = "transform",
    .summary = "merges windows of tokens inside the encoder, so that later layers have fewer",
    .help =
        "Runs inside an encoder (encode --model FILE): windows of factor x factor tokens become "
        "one, by their mean and, with a weights file, a trained MLP beside it. Without weights it "
        "is untrained: the mean alone.",
    .source = "arXiv:2507.02279 (no official code)",
    .paper = "arXiv 2507.02279",
    .agrees = "paper (no official code)",
    .gives = "merged windows",
    .cost =
        "reads and writes each row once; with weights rows*(f*f*D*inner + inner*D) multiply-adds",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .needs_grid = true,
    .only_inside = true,
    .build = build,
};
