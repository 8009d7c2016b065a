/* Pixel shuffle (space to channel): [H, W, D] -> [H/f, W/f, f*f*D].
 *   row      channel blocks in order (di,dj): InternVL pixel_shuffle ps_version v2; Idefics3/SmolVLM
 *   column   the same blocks, the output grid transposed: InternVL ps_version v1
 *   channel  torch PixelUnshuffle: channel c*f*f + di*f + dj
 *   blocks   tokens already in merge-window order, f*f consecutive ones concatenated: Qwen2/2.5/3-VL PatchMerger
 * A grid that f does not divide: pad=error, zero (cells outside are 0) or edge (the nearest cell).
 * indices: the window's first token; `blocks` keeps its order. */
#include "build.h"

enum { FACTOR, LAYOUT, PAD };

static wn_axis windows(wn_build *b, uint32_t n, uint32_t factor)
{
    const wn_axis axis = build_axis(b, (n + factor - 1) / factor, 0);
    for (uint32_t o = 0; o < axis.out; ++o)
        build_axis_window(b, &axis, o, o * factor, o * factor,
                          n - o * factor < factor ? n - o * factor : factor);
    return axis;
}

static wn_mat shuffle(wn_build *b, const wn_value *v, uint32_t oh, uint32_t ow)
{
    const uint32_t f = (uint32_t)v[FACTOR].number, cols = b->set.mat.cols,
                   rows = b->set.segs * oh * ow;
    const wn_mat out = build_matrix(b, rows, f * f * cols);
    const struct wn_args_space_to_channel args = {.frames = b->set.segs,
                                                  .h = b->set.grid_h,
                                                  .w = b->set.grid_w,
                                                  .oh = oh,
                                                  .ow = ow,
                                                  .factor = f,
                                                  .layout = v[LAYOUT].choice,
                                                  .pad = v[PAD].choice,
                                                  .cols = cols,
                                                  .rows_at = b->set.rows.at};
    BUILD_OP(b, space_to_channel, (uint64_t)rows * ((out.cols + 1) / 2), &b->set.mat, &out, args,
             READS_W);
    return out;
}

/* In window order the tokens of a window are f*f neighbours of the list: windows of a line. */
static void shuffle_blocks(wn_build *b, const wn_value *v, uint32_t f, uint32_t oh, uint32_t ow)
{
    const wn_mat out = shuffle(b, v, oh, ow);
    const wn_axis line = windows(b, 1, 1), all = windows(b, b->set.width, f * f);
    b->set.grid_h = 1;
    b->set.grid_w = b->set.width;
    build_grid_after(b, &line, &all, &out, false);
    b->set.grid_h = oh;
    b->set.grid_w = ow;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    const uint32_t f = (uint32_t)v[FACTOR].number, h = b->set.grid_h, w = b->set.grid_w;
    const bool whole = h % f == 0 && w % f == 0, blocks = v[LAYOUT].choice == WN_LAYOUT_BLOCKS;
    if (!whole && (v[PAD].choice == 0 || blocks))
        return build_fail(
            b, WINNOW_E_SHAPE, "factor=%u does not divide the grid of %u x %u (%s)", f, h, w,
            blocks ? "layout=blocks cannot pad" : "give pad=zero or pad=edge, or another factor");
    if ((uint64_t)f * f * b->set.mat.cols > UINT32_MAX / 4)
        return build_fail(b, WINNOW_E_SHAPE,
                          "factor=%u makes rows of %llu channels (use a smaller factor)", f,
                          (unsigned long long)f * f * b->set.mat.cols);
    if (blocks) {
        shuffle_blocks(b, v, f, h / f, w / f);
        return b->status;
    }
    const wn_axis y = windows(b, h, f), x = windows(b, w, f);
    const wn_mat out = shuffle(b, v, y.out, x.out);
    build_grid_after(b, &y, &x, &out, v[LAYOUT].choice == WN_LAYOUT_COLUMN);
    return b->status;
}

static const winnow_option_info options[] = {
    {"factor", "count", "2", "1..64", "side of a window"},
    {"layout", "choice", "row", "row|column|channel|blocks",
     "order of channels and of the grid: row InternVL v2 and Idefics3, column InternVL v1, channel torch, blocks Qwen-VL"},
    {"pad", "choice", "error", "error|zero|edge", "a grid that the factor does not divide"},
};

const wn_stage wn_stage_pixel_shuffle = {
    .name = "pixel-shuffle",
    .family = "transform",
    .summary = "folds f x f neighbouring tokens into one of f*f times the channels",
    .help =
        "Loses nothing: the projector behind it must expect the channels. Four layouts cover InternVL, Idefics3/SmolVLM, torch and Qwen-VL.",
    .source =
        "OpenGVLab/InternVL pixel_shuffle v1 and v2; transformers Idefics3; torch pixel_unshuffle; Qwen2-VL PatchMerger",
    .paper = "InternVL, Idefics3, Qwen-VL",
    .agrees = "official code",
    .gives = "windows as wide rows",
    .cost = "reads and writes each number once",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .build = build,
};
