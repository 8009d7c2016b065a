/* DyCoke: Tao et al., "DyCoke: Dynamic Compression of Tokens for Fast Video Large Language Models", CVPR 2025,
 * arXiv:2411.15024. Official: KD-TAO/DyCoke llava/model/llava_arch.py dycole_ttm; mode=drop agrees with it.
 * keep = int((1-rate)*N) of each reduced frame. Pass 1: of frame i+1, i = 0, 2, 4..., the `keep` least similar to frame i, place by place,
 * stay. Pass 2: of frame i+2, i = 0, 4, 8... while i < T-4, the `keep` least similar to frame i. Frames i stay whole.
 * mode=merge (the paper's words; the shipped code only drops): a dropped token is averaged, by sizes, into the token that it was
 * compared with, or where that one was dropped too, into the one that took it.
 * Differs: an odd last frame stays whole (the official code drops it silently); rows come in raster order (official: ascending
 * similarity inside a reduced frame); fewer than 5 frames work. In a stream every window of 4 is reduced by both passes. */
#include "build.h"

enum { RATE, MODE };

static bool compares(uint32_t t, uint32_t frames, bool streaming)
{
    return t % 2 == 1 || (t % 4 == 2 && (streaming || t + 2 < frames));
}

/* The frame that frame t of the video is compared with: i+1 and i+2 with i, i+3 with i+2. */
static uint32_t reference(uint32_t t)
{
    return t % 2 == 1 ? t - 1 : t - 2;
}

typedef struct frames {
    wn_arr ref, k;
    uint32_t total;
} frames;

/* Which frame each is compared with (within the push, -1 none, -2 the remembered one) and what it keeps. */
static frames layout(wn_build *b, uint32_t keep)
{
    const uint32_t before = b->in.streaming ? b->in.frames_before : 0, count = b->set.segs;
    frames f = {build_const(b, NULL, count), build_const(b, NULL, count), 0};
    uint32_t *ref = build_const_data(b, f.ref), *k = build_const_data(b, f.k);
    for (uint32_t t = 0; t < count; ++t) {
        const uint32_t number = before + t;
        const bool reduced = compares(number, before + count, b->in.streaming);
        const uint32_t with = reduced ? reference(number) : 0, kept = reduced ? keep : b->set.width;
        f.total += kept;
        if (ref && k) { /* not where bounds alone are wanted */
            ref[t] = !reduced ? (uint32_t)-1 : with >= before ? with - before : (uint32_t)-2;
            k[t] = kept;
        }
    }
    return f;
}

/* Only the last even frame can be looked back to: i for i+1 and i+2, i+2 for i+3. */
static void remember(wn_build *b, const wn_mat *history)
{
    const uint32_t end = b->in.frames_before + b->set.segs;
    const uint32_t last_even = (end - 1) & ~1u;
    if (last_even < b->in.frames_before)
        return; /* one odd frame: what is remembered stays */
    build_remember(b, last_even - b->in.frames_before, history);
}

static void merge_dropped(wn_build *b, wn_arr keep, wn_arr ref, wn_bounds after)
{
    const wn_arr dest = build_array(b, b->set.n_max);
    const struct wn_args_frame_dest args = {
        .n_max = b->set.n_max, .tokens = b->set.width, .ref_at = ref.at, .dest_at = dest.at};
    BUILD_OP(b, frame_dest, b->set.n_max, NULL, NULL, args, WRITES_W);
    const wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, 4);
    build_merge_by(b, &m, WN_MERGE_WAVG, m.old.sizes);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_aligned(b) != WINNOW_OK)
        return b->status;
    if (b->in.streaming && v[MODE].choice == 1)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "mode=merge in a stream (a token of an earlier push cannot be changed any more; use mode=drop)");
    const uint32_t keep = (uint32_t)((1.0 - v[RATE].number) * b->set.width);
    wn_mat history = {0};
    if (b->in.streaming)
        history = build_history(b, b->set.width, b->set.mat.cols);
    const frames f = layout(b, keep);
    const wn_arr score = build_frame_sim(b, b->in.streaming ? &history : NULL, f.ref, 0, 0.0f);
    if (b->in.streaming)
        remember(b, &history);
    const wn_arr flags = build_topk(b, score, f.k, true, false);
    const wn_bounds after = {.n_max = f.total,
                             .width = b->set.segs == 1 ? f.total : b->set.width,
                             .regular = keep == b->set.width || b->set.segs == 1,
                             .exact = true};
    if (v[MODE].choice == 1)
        merge_dropped(b, flags, f.ref, after);
    else
        build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"rate", "number", "0.7", "0..<1", "share of a reduced frame's tokens to remove"},
    {"mode", "choice", "drop", "drop|merge",
     "what becomes of a token like its forerunner: dropped (official code) or averaged into it (paper)"},
};

const wn_stage wn_stage_dycoke = {
    .name = "dycoke",
    .family = "temporal",
    .summary = "reduces three of every four frames to what differs from the frame before",
    .help =
        "Works in windows of four frames: the first stays whole, the others keep the tokens least similar to the frame they are compared "
        "with, place by place. Needs the tokens alone, on frames of one size.",
    .source =
        "Tao et al., CVPR 2025, arXiv:2411.15024; official KD-TAO/DyCoke llava/model/llava_arch.py dycole_ttm",
    .paper = "arXiv 2411.15024",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "reads every token once (twice where caches are small), writes the kept ones",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
