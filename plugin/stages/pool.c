/* Pooling on the grid, and along the sequence.
 *   avg-pool=stride=s   1-D over all tokens in order, a tail shorter than s dropped: Chen et al., "LLaVolta: Efficient
 *                       Multi-modal Models via Stage-wise Visual Context Compression", NeurIPS 2024, arXiv:2406.20092; official
 *                       Beckschen/LLaVolta llava_llama.py visual_avg_pool1d; agrees with it.
 *   avg-pool=factor=f   torch avg_pool2d(f), rows and columns beyond a multiple of f dropped.
 *   adaptive-pool       torch AdaptiveAvgPool2d: bin i covers floor(i*n/s) .. ceil((i+1)*n/s): Yao et al., "DeCo",
 *                       arXiv:2405.20985.
 *   bilinear-pool       torch interpolate(bilinear, align_corners=False) to ceil(n/f): LLaVA-OneVision get_2dPool.
 * indices: a window's first token; adaptive and bilinear: the token at floor(i*n/s). */
#include "build.h"

enum { FACTOR, STRIDE };

static wn_axis axis_average(wn_build *b, uint32_t n, uint32_t factor)
{
    const wn_axis axis = build_axis(b, n / factor, factor);
    for (uint32_t o = 0; o < axis.out; ++o) {
        build_axis_window(b, &axis, o, o * factor, o * factor, factor);
        for (uint32_t k = 0; k < factor; ++k)
            build_axis_weight(b, &axis, o, k, 1.0f);
    }
    return axis;
}

static wn_axis axis_adaptive(wn_build *b, uint32_t n, uint32_t size)
{
    const wn_axis axis = build_axis(b, size, n / size + 2);
    for (uint32_t o = 0; o < size; ++o) {
        const uint32_t start = (uint32_t)((uint64_t)o * n / size);
        const uint32_t end = (uint32_t)(((uint64_t)(o + 1) * n + size - 1) / size);
        build_axis_window(b, &axis, o, start, start, end - start);
        for (uint32_t k = 0; k < end - start; ++k)
            build_axis_weight(b, &axis, o, k, 1.0f / (float)(end - start));
    }
    return axis;
}

/* torch: src = (o + 0.5) * n/size - 0.5 in f32, at least 0; neighbours src and src+1, the last one held. */
static wn_axis axis_bilinear(wn_build *b, uint32_t n, uint32_t size)
{
    const wn_axis axis = build_axis(b, size, 2);
    const float scale = (float)n / (float)size;
    for (uint32_t o = 0; o < size; ++o) {
        float source = ((float)o + 0.5f) * scale - 0.5f;
        source = source < 0.0f ? 0.0f : source;
        const uint32_t start = (uint32_t)source < n ? (uint32_t)source : n - 1;
        const float part = source - (float)start;
        const bool pair = start + 1 < n && part > 0.0f;
        build_axis_window(b, &axis, o, (uint32_t)((uint64_t)o * n / size), start, pair ? 2 : 1);
        build_axis_weight(b, &axis, o, 0, pair ? 1.0f - part : 1.0f);
        build_axis_weight(b, &axis, o, 1, part);
    }
    return axis;
}

typedef wn_axis (*axis_fn)(wn_build *b, uint32_t n, uint32_t parameter);

static winnow_status pool_grid(wn_build *b, axis_fn make, uint32_t py, uint32_t px, float scale)
{
    const wn_axis y = make(b, b->set.grid_h, py), x = make(b, b->set.grid_w, px);
    const wn_mat out = build_matrix(b, (uint64_t)b->set.segs * y.out * x.out, b->set.mat.cols);
    const wn_grid grid = build_set_grid(b);
    build_pool(b, &grid, &y, &x, scale, &out);
    build_grid_after(b, &y, &x, &out, false);
    return b->status;
}

/* Windows of `stride` tokens of the whole sequence: a merge of each window into its first token. */
static winnow_status pool_sequence(wn_build *b, uint32_t stride)
{
    if (stride > b->set.n_max)
        return build_fail(b, WINNOW_E_SHAPE,
                          "stride=%u on %u tokens leaves nothing (use a smaller stride)", stride,
                          b->set.n_max);
    const wn_arr flags = build_array(b, b->set.n_max), dest = build_array(b, b->set.n_max);
    const struct wn_args_pick args = {.rule = WN_PICK_WINDOW,
                                      .want = stride,
                                      .segs = b->set.segs,
                                      .seg_at = b->set.seg.at,
                                      .pos_at = WN_NONE,
                                      .seg1_at = WN_NONE,
                                      .pos1_at = WN_NONE,
                                      .seg2_at = WN_NONE,
                                      .pos2_at = WN_NONE,
                                      .flag_at = flags.at,
                                      .dest_at = dest.at};
    BUILD_OP(b, pick, 1, NULL, NULL, args, WRITES_W);
    const uint32_t all = b->set.n_max / stride, frame = b->set.width / stride + 1;
    const wn_bounds after = {.n_max = all,
                             .width = frame < all ? frame : all,
                             .exact = b->set.exact,
                             .regular = b->set.segs == 1 && b->set.exact};
    /* A window that starts in one frame can end in a later one. */
    const uint32_t span = b->set.regular && b->set.width ? stride / b->set.width + 2 : b->set.segs;
    wn_merge m = build_merge_begin(b, flags, after, 0, 0);
    if (after.regular)
        b->set.width = all;
    build_merge_members(b, &m, flags, dest, span, true);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static winnow_status build_avg(wn_build *b, const wn_value *v)
{
    if (v[STRIDE].given)
        return pool_sequence(b, (uint32_t)v[STRIDE].number);
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    const uint32_t f = (uint32_t)v[FACTOR].number;
    if (b->set.grid_h < f || b->set.grid_w < f)
        return build_fail(b, WINNOW_E_SHAPE,
                          "factor=%u on a grid of %u x %u (use a smaller factor)", f, b->set.grid_h,
                          b->set.grid_w);
    return pool_grid(b, axis_average, f, f, 1.0f / (float)(f * f));
}

static winnow_status build_adaptive(wn_build *b, const wn_value *v)
{
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    const uint32_t size = (uint32_t)v[0].number;
    return pool_grid(b, axis_adaptive, size, size, 1.0f);
}

static winnow_status build_bilinear(wn_build *b, const wn_value *v)
{
    if (build_need_grid(b) != WINNOW_OK)
        return b->status;
    const uint32_t f = (uint32_t)v[0].number;
    return pool_grid(b, axis_bilinear, (b->set.grid_h + f - 1) / f, (b->set.grid_w + f - 1) / f,
                     1.0f);
}

static const char *check_avg(const wn_value *v)
{
    if (v[FACTOR].given == v[STRIDE].given)
        return "give either factor= (windows of the grid) or stride= (runs of the sequence)";
    return NULL;
}

static const winnow_option_info avg_options[] = {
    {"factor", "count", "-", "1..1024", "side of a window of the grid"},
    {"stride", "count", "-", "1..1e9",
     "tokens of a run of the sequence; a shorter tail is dropped"},
};

static const winnow_option_info adaptive_options[] = {
    {"size", "count", "12", "1..4096", "rows and columns of the grid that comes out"},
};

static const winnow_option_info bilinear_options[] = {
    {"factor", "count", "2", "1..1024", "the grid comes out ceil(n/factor) a side"},
};

const wn_stage wn_stage_avg_pool = {
    .name = "avg-pool",
    .family = "transform",
    .summary = "averages windows of the grid, or runs of the sequence",
    .help =
        "factor= averages f x f windows of the grid; stride= averages runs of tokens in order, across rows and frames.",
    .source =
        "torch avg_pool2d; Chen et al., LLaVolta, NeurIPS 2024, arXiv:2406.20092, official Beckschen/LLaVolta visual_avg_pool1d",
    .paper = "LLaVolta",
    .agrees = "official code, torch",
    .gives = "means",
    .cost = "reads and writes each row once",
    .options = avg_options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .check = check_avg,
    .build = build_avg,
};

const wn_stage wn_stage_adaptive_pool = {
    .name = "adaptive-pool",
    .family = "transform",
    .summary = "averages the grid down to a fixed size",
    .help =
        "As torch's AdaptiveAvgPool2d: bin i covers floor(i*n/s) to ceil((i+1)*n/s), so any grid becomes size x size.",
    .source = "Yao et al., DeCo, arXiv:2405.20985; torch adaptive_avg_pool2d",
    .paper = "DeCo",
    .agrees = "torch",
    .gives = "means",
    .cost = "reads and writes each row once",
    .options = adaptive_options,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .build = build_adaptive,
};

const wn_stage wn_stage_bilinear_pool = {
    .name = "bilinear-pool",
    .family = "transform",
    .summary = "shrinks the grid by bilinear interpolation",
    .help =
        "As torch's interpolate(mode='bilinear', align_corners=False) to ceil(n/factor) rows and columns.",
    .source = "LLaVA-OneVision get_2dPool; torch interpolate",
    .paper = "LLaVA-OneVision",
    .agrees = "torch",
    .gives = "weighted means",
    .cost = "reads and writes each row once",
    .options = bilinear_options,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .build = build_bilinear,
};
