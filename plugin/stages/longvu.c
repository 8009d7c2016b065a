/* LongVU: Shen et al., "LongVU: Spatiotemporal Adaptive Compression for Long Video-Language Understanding", ICML 2025,
 * arXiv:2410.17434. Official: Vision-CAIR/LongVU longvu/cambrian_arch.py; the parts of it that have no weights, and agrees with them.
 * select= (there select_frame, on DINOv2 features, 0.83): frames in windows of select-window; a frame stays if the mean cosine of its
 * frame_embeds with those of its window (itself too) is below it; the middle frame of a window counts 0. With keep=, only if
 * T >= max(1, int(keep / N)), as there.
 * threshold= ("ablation drop"): windows of `window` of the frames left; the first frame of each stays whole, of the others the tokens
 * whose cosine with the first frame's at the same place is below it. keep= is the context's room: what fits stays whole; if
 * too much is left, every window loses ceil(surplus / windows) at its end, and then the end of all goes.
 * Differs: select= takes no more than the paper's windows (the code then thins to 400 frames, "in case of OOM"); a zero vector has
 * cosine 0 (official: NaN, which drops its frame). Not here: the query-guided choice of frames that keep 144 tokens beside 64, since it
 * needs both resolutions. NaN: a similarity that is NaN is below nothing: its token, or frame, goes, as there.
 * In a stream each push has its own windows, and keep= is each push's. */
#include "build.h"
#include <math.h>

enum { THRESHOLD, WINDOW, KEEP, SELECT, SELECT_WINDOW };

typedef struct windows {
    wn_arr taken, ref, begin, count; /* taken: WN_NO_ARR: all frames */
} windows;

/* Segments of at most `window` frames. */
static wn_arr segments_of(wn_build *b, uint32_t frames, uint32_t window, uint32_t *count)
{
    *count = (frames + window - 1) / window;
    const wn_arr seg = build_const(b, NULL, *count + 1);
    uint32_t *data = build_const_data(b, seg);
    for (uint32_t k = 0; data && k <= *count; ++k)
        data[k] = k < *count ? k * window : frames;
    return seg;
}

/* 0 for the middle frame of each window, 1 for the others. */
static wn_arr all_but_middle(wn_build *b, uint32_t frames, uint32_t window)
{
    const wn_arr out = build_const(b, NULL, frames);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t t = 0; data && t < frames; ++t) {
        const uint32_t first = t / window * window,
                       length = frames - first < window ? frames - first : window;
        data[t] = t != first + length / 2;
    }
    return out;
}

/* Flags of the frames unlike their window. */
static wn_arr select_frames(wn_build *b, double threshold, uint32_t window)
{
    const wn_mat embeds = build_role(b, WINNOW_ROLE_FRAME_EMBEDS);
    const uint32_t frames = b->set.segs;
    wn_rows rows = build_all_rows(b, &embeds);
    rows.seg = segments_of(b, frames, window, &rows.segs);
    rows.width = window < frames ? window : frames;
    const wn_arr inv = build_lengths(b, &rows, WN_NO_ARR, true, 1e-12f);
    const wn_mat centre = build_matrix(b, rows.segs, embeds.cols);
    build_column_sum(b, &rows, inv, NULL, rows.seg, 1, &centre);
    const wn_arr like = build_array(b, frames), score = build_array(b, frames),
                 flags = build_array(b, frames);
    const struct wn_args_centre_cos cos = {.n_max = frames,
                                           .segs = rows.segs,
                                           .seg_at = rows.seg.at,
                                           .list_at = WN_NONE,
                                           .inv_at = inv.at,
                                           .centre_inv_at = WN_NONE,
                                           .cols = embeds.cols,
                                           .add_at = WN_NONE,
                                           .v_at = like.at};
    BUILD_OP3(b, centre_cos, frames, &embeds, NULL, &centre, cos, WRITES_W);
    const struct wn_args_prefer middle = {.n_max = frames,
                                          .segs = rows.segs,
                                          .seg_at = rows.seg.at,
                                          .v_at = like.at,
                                          .flag_at = all_but_middle(b, frames, window).at,
                                          .out_at = score.at,
                                          .factor = 0.0f};
    BUILD_OP(b, prefer, frames, NULL, NULL, middle, WRITES_W);
    const struct wn_args_above less = {.n_max = frames,
                                       .segs = rows.segs,
                                       .seg_at = rows.seg.at,
                                       .v_at = score.at,
                                       .flag_at = flags.at,
                                       .equal = 1,
                                       .below = 1,
                                       .stats_at = build_stats(b).at,
                                       .limit = (float)threshold};
    BUILD_OP(b, above, frames, NULL, NULL, less, WRITES_W);
    return flags;
}

static windows find_windows(wn_build *b, wn_arr taken, uint32_t window)
{
    const uint32_t frames = b->set.segs;
    const windows out = {taken, build_array(b, frames), build_array(b, frames + 1ull),
                         build_array(b, 1)};
    const struct wn_args_frame_windows args = {.frames = frames,
                                               .window = window,
                                               .taken_at = taken.at,
                                               .list_at = build_array(b, frames).at,
                                               .ref_at = out.ref.at,
                                               .begin_at = out.begin.at,
                                               .count_at = out.count.at};
    BUILD_OP(b, frame_windows, 1, NULL, NULL, args, WRITES_W);
    return out;
}

static void cut(wn_build *b, const windows *w, wn_arr flags, uint32_t limit)
{
    const struct wn_args_cut_windows args = {.frames = b->set.segs,
                                             .tokens = b->set.width,
                                             .taken_at = w->taken.at,
                                             .begin_at = w->begin.at,
                                             .count_at = w->count.at,
                                             .flag_at = flags.at,
                                             .limit = limit};
    if (build_loops_fit(b, WN_OP_cut_windows, b->set.n_max / 8 + b->set.segs * 90ull))
        BUILD_OP(b, cut_windows, 1, NULL, NULL, args, WRITES_W);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_aligned(b) != WINNOW_OK)
        return b->status;
    const uint32_t all = b->set.n_max, tokens = b->set.width;
    const uint32_t limit = v[KEEP].given ? wn_keep_count(&v[KEEP], all, trunc) : WN_NONE;
    if (all <= limit && limit != WN_NONE)
        return b->status;
    if (v[SELECT].given && b->set.segs != b->in.shape.frames)
        return build_fail(b, WINNOW_E_UNSUPPORTED,
                          "select= behind a stage that makes one set of all frames (put it first)");
    const uint32_t room = tokens && limit / tokens ? limit / tokens : 1;
    wn_arr taken = WN_NO_ARR;
    if (v[SELECT].given && (limit == WN_NONE || b->set.segs >= room))
        taken = select_frames(b, v[SELECT].number, (uint32_t)v[SELECT_WINDOW].number);
    const windows w = find_windows(b, taken, (uint32_t)v[WINDOW].number);
    const wn_arr like = build_frame_sim(b, NULL, w.ref, 0, -2.0f);
    const wn_arr flags = build_above(b, like, (float)v[THRESHOLD].number, true, true);
    if (limit != WN_NONE || taken.at != WN_NONE)
        cut(b, &w, flags, limit);
    const wn_bounds after = {.n_max = limit < all ? limit : all,
                             .width = limit < tokens ? limit : tokens};
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"threshold", "number", "0.7", "-1..1",
     "cosine with the window's first frame from which on a token is dropped"},
    {"window", "count", "8", "1..1e6", "frames that are compared with their first"},
    {"keep", "keep", "-", "1..1e9",
     "room for tokens of the whole media: nothing is dropped that fits, and never is more left"},
    {"select", "number", "-", "0.001..2",
     "first drop frames whose mean cosine with their window is this or more (official 0.83); needs frame_embeds"},
    {"select-window", "count", "16", "1..65535", "frames of such a window"},
};

const wn_stage wn_stage_longvu = {
    .name = "longvu",
    .family = "temporal",
    .summary = "drops frames like their neighbours, then tokens like the first frame's of a window",
    .help =
        "Works in windows of frames: the first frame of each stays whole, the others keep the tokens unlike its own, place by place. With "
        "select= frames that resemble their window go first, by an embedding a frame. keep= is the room that there is: what fits is not "
        "touched, and what is too much at the end is cut. Needs tokens of frames of one size.",
    .source =
        "Shen et al., ICML 2025, arXiv:2410.17434; official Vision-CAIR/LongVU longvu/cambrian_arch.py",
    .paper = "arXiv 2410.17434",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads every token once (twice where caches are small)",
    .options = options,
    .option_count = 5,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES | 1u << WINNOW_ROLE_FRAME_EMBEDS,
    .build = build,
};
