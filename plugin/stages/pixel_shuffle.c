/* Pixel shuffle (space to channel): [H, W, D] -> [H/f, W/f, f*f*D].
 *   row      channel blocks in order (di,dj): InternVL pixel_shuffle ps_version v2; Idefics3/SmolVLM
 *   column   the same blocks, the output grid transposed: InternVL ps_version v1
 *   channel  torch PixelUnshuffle: channel c*f*f + di*f + dj
 *   blocks   tokens already in merge-window order, f*f consecutive ones concatenated: Qwen2/2.5/3-VL PatchMerger
 * A grid that f does not divide: pad=error, zero (cells outside are 0) or edge (the nearest cell).
 * indices: the window's first token; `blocks` keeps its order. Cost: reads and writes each number once. */
#include <string.h>

#include "build.h"

enum { FACTOR, LAYOUT, PAD };

typedef struct windows {
    uint32_t *words; /* starts, counts, firsts */
    wn_axis axis;
} windows;

static bool windows_make(wn_build *b, windows *w, uint32_t n, uint32_t factor)
{
    const uint32_t out = (n + factor - 1) / factor;
    w->words = wn_alloc(b->host, (size_t)out * 2 * sizeof *w->words);
    if (!w->words) {
        build_fail(b, WINNOW_E_HOST_MEMORY, "no host memory for the windows of %u outputs", out);
        return false;
    }
    w->axis = (wn_axis){
        .out = out, .taps = factor, .start = w->words, .count = w->words + out, .first = w->words};
    for (uint32_t o = 0; o < out; ++o) {
        w->words[o] = o * factor;
        w->words[out + o] = n - o * factor < factor ? n - o * factor : factor;
    }
    return true;
}

static void shuffle(wn_build *b, const wn_value *v, const wn_axis *y, const wn_axis *x)
{
    const uint32_t f = (uint32_t)v[FACTOR].number, cols = b->set.mat.cols,
                   rows = b->set.segs * y->out * x->out;
    const wn_mat out = build_matrix(b, rows, f * f * cols);
    const struct wn_args_space_to_channel args = {.frames = b->set.segs,
                                                  .h = b->set.grid_h,
                                                  .w = b->set.grid_w,
                                                  .oh = y->out,
                                                  .ow = x->out,
                                                  .factor = f,
                                                  .layout = v[LAYOUT].choice,
                                                  .pad = v[PAD].choice,
                                                  .cols = cols,
                                                  .rows_at = b->set.rows.at};
    BUILD_OP(b, space_to_channel, (uint64_t)rows * ((out.cols + 1) / 2), &b->set.mat, &out, args,
             READS_W);
    build_grid_after(b, y, x, &out, v[LAYOUT].choice == WN_LAYOUT_COLUMN);
}

/* In window order the tokens of a window are f*f neighbours of the list: windows of the sequence, on a line. */
static void shuffle_blocks(wn_build *b, const wn_value *v, uint32_t oh, uint32_t ow)
{
    const uint32_t f = (uint32_t)v[FACTOR].number;
    windows all = {0};
    const wn_set before = b->set;
    if (!windows_make(b, &all, b->set.width, f * f))
        return;
    const uint32_t zero = 0, one = 1;
    const wn_axis line = {.out = 1, .taps = 1, .start = &zero, .count = &one, .first = &zero};
    const uint32_t cols = b->set.mat.cols, rows = b->set.segs * oh * ow;
    const wn_mat out = build_matrix(b, rows, f * f * cols);
    const struct wn_args_space_to_channel args = {.frames = b->set.segs,
                                                  .h = before.grid_h,
                                                  .w = before.grid_w,
                                                  .oh = oh,
                                                  .ow = ow,
                                                  .factor = f,
                                                  .layout = WN_LAYOUT_BLOCKS,
                                                  .cols = cols,
                                                  .rows_at = b->set.rows.at};
    BUILD_OP(b, space_to_channel, (uint64_t)rows * ((out.cols + 1) / 2), &b->set.mat, &out, args,
             READS_W);
    b->set.grid_h = 1;
    b->set.grid_w = before.width;
    build_grid_after(b, &line, &all.axis, &out, false);
    b->set.grid_h = oh;
    b->set.grid_w = ow;
    wn_free(b->host, all.words);
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
        shuffle_blocks(b, v, h / f, w / f);
        return b->status;
    }
    windows y = {0}, x = {0};
    if (windows_make(b, &y, h, f) && windows_make(b, &x, w, f))
        shuffle(b, v, &y.axis, &x.axis);
    wn_free(b->host, y.words);
    wn_free(b->host, x.words);
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
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .build = build,
};
