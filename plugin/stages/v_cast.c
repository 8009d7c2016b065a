/* V-CAST: "V-CAST: Video Curvature-Aware Spatio-Temporal Pruning for Efficient Video Large Language Models", arXiv:2603.27650.
 * Official: xinyouu/V-CAST compressor/v_cast/modeling_qwen3_vl_v_cast.py _v_cast_compress_frames; agrees with it.
 * f_t, the frame's mean token as a unit vector; its curvature 1 - cos(f_t - f_(t-1), f_(t+1) - f_t), 1 at both ends. The budget
 * round(T * n * keep), half to even, at least min a frame, goes to the frames by softmax(curvature / temperature): min each, then
 * whole shares of the rest; what is left goes to the frame of the largest fraction until that is whole, then to the next (the
 * official loop does not reset a fraction). Each frame keeps the tokens of the largest (1 - cos(x, f_t)) + (|x| - least) /
 * (most - least + 1e-6), norms of the frame. Raster order. A video of one frame stays whole, as there.
 * Shares are f32, as there; one that lies within rounding of a whole number may go the other way. NaN: a token with NaN scores NaN and
 * comes last; in its frame's mean it counts as zeros. Not for streams: a frame's curvature needs the frame after it. */
#include "build.h"
#include <math.h>

enum { KEEP, TEMPERATURE, MIN };

typedef struct budget {
    const wn_value *keep;
    uint32_t least, segs, width;
} budget;

static uint32_t total_of(uint32_t n, uint32_t part, const void *user)
{
    const budget *want = user;
    (void)part;
    const uint32_t least = want->least < want->width ? want->least : want->width;
    double total =
        want->keep->percent ? rint((double)n * want->keep->share) : want->keep->number * want->segs;
    total = total < 1 ? 1 : total;
    total = total < (double)least * want->segs ? (double)least * want->segs : total;
    return total < n ? (uint32_t)total : n;
}

typedef struct frames {
    wn_mat mean;
    wn_arr inv;
} frames;

static frames mean_frames(wn_build *b)
{
    const wn_rows rows = build_set_rows(b);
    frames f = {.mean = build_matrix(b, b->set.segs, b->set.mat.cols)};
    build_column_sum(b, &rows, WN_NO_ARR, NULL, b->set.seg, 1, &f.mean);
    const wn_rows all = build_all_rows(b, &f.mean);
    f.inv = build_lengths(b, &all, WN_NO_ARR, true, 1e-6f);
    return f;
}

static wn_arr frame_counts(wn_build *b, const frames *f, const budget *want, double temperature)
{
    const uint32_t segs = b->set.segs;
    const wn_arr curve = build_array(b, segs), mark = build_array(b, segs),
                 k = build_array(b, segs);
    const struct wn_args_curvature args = {
        .n = segs, .cols = f->mean.cols, .inv_at = f->inv.at, .curve_at = curve.at};
    BUILD_OP(b, curvature, segs, &f->mean, NULL, args, WRITES_W);
    const wn_arr weight = build_softmax(b, curve, segs, (float)(1.0 / temperature));
    const struct wn_args_allocate allocate = {.segs = segs,
                                              .seg_at = b->set.seg.at,
                                              .w_at = weight.at,
                                              .total_at = build_count_of_all(b, total_of, want).at,
                                              .least = want->least,
                                              .mark_at = mark.at,
                                              .k_at = k.at};
    if (build_loops_fit(b, WN_OP_allocate, (uint64_t)segs * 90))
        BUILD_OP(b, allocate, 1, NULL, NULL, allocate, WRITES_W);
    return k;
}

static wn_arr scores(wn_build *b, const frames *f)
{
    const wn_rows rows = build_set_rows(b);
    const wn_arr inv = build_lengths(b, &rows, WN_NO_ARR, true, 1e-6f);
    const wn_arr length = build_lengths(b, &rows, WN_NO_ARR, false, 1e-18f);
    const struct wn_args_scale_range range = {.segs = b->set.segs,
                                              .seg_at = b->set.seg.at,
                                              .v_at = length.at,
                                              .tiny = -1.0f,
                                              .more = 1e-6f};
    BUILD_OP(b, scale_range, b->set.segs, NULL, NULL, range, WRITES_W);
    const wn_arr score = build_array(b, b->set.n_max);
    const struct wn_args_centre_cos args = {.n_max = b->set.n_max,
                                            .segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .list_at = b->set.rows.at,
                                            .inv_at = inv.at,
                                            .centre_inv_at = f->inv.at,
                                            .cols = b->set.mat.cols,
                                            .distance = 1,
                                            .add_at = length.at,
                                            .v_at = score.at};
    BUILD_OP3(b, centre_cos, b->set.n_max, &rows.mat, NULL, &f->mean, args, WRITES_W);
    return score;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const budget want = {.keep = &v[KEEP],
                         .least = (uint32_t)v[MIN].number,
                         .segs = b->set.segs,
                         .width = b->set.width};
    if (b->in.streaming)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "in a stream a frame's curvature would need the frame after it (use vidcom2 or dtd)");
    if (b->set.segs == 1)
        return b->status;
    const frames f = mean_frames(b);
    const wn_arr k = frame_counts(b, &f, &want, v[TEMPERATURE].number);
    const wn_arr keep = build_topk(b, scores(b, &f), k, false, false);
    wn_bounds after = {.n_max = total_of(b->set.n_max, 0, &want), .exact = b->set.exact};
    after.width = after.n_max < b->set.width ? after.n_max : b->set.width;
    build_prune(b, keep, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "25%", "1..1e9", "tokens of a frame to keep on average, or their share"},
    {"temperature", "number", "0.7", "0.01..100",
     "how evenly frames share: large for the same number each"},
    {"min", "count", "1", "0..1e9", "tokens that every frame keeps at least"},
};

const wn_stage wn_stage_v_cast = {
    .name = "v-cast",
    .family = "temporal",
    .summary = "more tokens for frames where the film takes a turn, and there what stands out",
    .help =
        "Follows the frames' mean tokens as a path and gives more of the budget to frames where it bends. In each frame the tokens that "
        "differ most from the frame's mean, and the longest, stay. Needs the tokens alone. The total is exact; how it is dealt depends on "
        "the content.",
    .source =
        "arXiv:2603.27650; official xinyouu/V-CAST compressor/v_cast/modeling_qwen3_vl_v_cast.py _v_cast_compress_frames",
    .paper = "arXiv 2603.27650",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads every token four times; T*D numbers of memory",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
