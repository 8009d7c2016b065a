/* VidCom2: Liu et al., "Video Compression Commander: Plug-and-Play Inference Acceleration for Video Large Language Models",
 * EMNLP 2025, arXiv:2505.14454. Official: xuyang-liu16/VidCom2 token_compressor/vidcom2/vidcom2.py; agrees with it. total=exact
 * adds the last step of vllm-project/vllm vllm/multimodal/video_prune/vidcom2.py, and agrees with that.
 * On the trunc(D/2) channels of least variance over the whole video, rows made unit vectors u: V = g(u, mean of all u), F = g(u, mean of
 * the frame's u), g(x, c) the sum of exp(-|x-c|^2 / 2a), a = 1/8, 1/4, 1/2, 1, 2. A frame's share of the softmax of -mean(V) / 0.01,
 * p: it keeps k = round(min(base * (1 + p - mean p), 1) * n) tokens, half to even, at least 1: those of least V + F. The total is near
 * base * T * n; total=exact then drops the largest V + F of the kept, or takes the least of the others, until there are
 * max(T, int(T * n * base)).
 * Counts are decided on the device in f32, as the official code decides them; a frame whose share lies within rounding of a half may
 * keep one more or less. NaN: a token with NaN among the channels scores NaN and comes last; in the means it counts as zeros.
 * In a stream each push is a video of its own but for V: STC-Pruner's memory (lern-to-write/STC, arXiv:2512.00891) is in the
 * place of the mean of all u: the mean of all rows so far, made a unit vector. It takes D numbers; rows weigh the same whatever
 * the pushes (official: pushes do), and it holds all channels (official: mixes the channels that each push chose). */
#include "build.h"
#include <math.h>

enum { KEEP, RATE, TOTAL };

typedef struct budget {
    double share;         /* of the tokens */
    uint32_t count, segs; /* given as a number: tokens a frame; 0: not */
} budget;

static budget budget_of(const wn_build *b, const wn_value *v)
{
    budget out = {.share = 0.25, .segs = b->set.segs};
    if (v[RATE].given)
        out.share = 1.0 - v[RATE].number;
    else if (v[KEEP].given && v[KEEP].percent)
        out.share = v[KEEP].share;
    else if (v[KEEP].given) {
        out.count =
            (uint32_t)v[KEEP].number < b->set.width ? (uint32_t)v[KEEP].number : b->set.width;
        out.share = b->set.width ? (double)out.count / b->set.width : 0;
    }
    return out;
}

/* vLLM's compute_retained_tokens_count. */
static uint32_t exact_total(uint32_t n, uint32_t part, const void *user)
{
    const budget *want = user;
    (void)part;
    uint32_t total = want->count ? want->count * want->segs : (uint32_t)(n * want->share);
    total = total < want->segs ? want->segs : total;
    return total < n ? total : n;
}

/* Sums of all frames' rows of a matrix with a row a frame, over the number of all tokens or not. */
static void sum_frames(wn_build *b, const wn_mat *frames, bool mean, const wn_mat *out)
{
    const wn_rows rows = build_all_rows(b, frames);
    build_column_sum(b, &rows, WN_NO_ARR, NULL, mean ? b->set.seg : WN_NO_ARR, b->set.segs, out);
}

/* Flags of the half of the channels that vary least; `sums`: a row a frame. */
static wn_arr quiet_channels(wn_build *b, const wn_rows *rows, const wn_mat *sums)
{
    const uint32_t dim = rows->mat.cols, half = dim / 2 ? dim / 2 : 1, range[2] = {0, dim};
    const wn_mat mean = build_matrix(b, 1, dim), squares = build_matrix(b, b->set.segs, dim),
                 variance = build_matrix(b, 1, dim);
    sum_frames(b, sums, true, &mean);
    build_column_sum(b, rows, WN_NO_ARR, &mean, WN_NO_ARR, 0, &squares);
    sum_frames(b, &squares, true, &variance);
    const wn_arr score = build_numbers(b, &variance), flags = build_array(b, dim);
    const struct wn_args_topk topk = {.segs = 1,
                                      .seg_at = build_const(b, range, 2).at,
                                      .score_at = score.at,
                                      .flag_at = flags.at,
                                      .k_at = build_const(b, &half, 1).at,
                                      .smallest = 1,
                                      .stats_at = WN_NONE};
    BUILD_OP(b, topk, 1, NULL, NULL, topk, WRITES_W);
    return flags;
}

/* The stream's sum of rows, with this push's; its factor that makes it a unit vector on the channels. */
static wn_arr remember(wn_build *b, const wn_mat *sums, wn_arr mask, const wn_mat *centre)
{
    const wn_mat memory = build_history(b, 1, sums->cols), push = build_matrix(b, 1, sums->cols);
    sum_frames(b, sums, false, &push);
    if (b->in.frames_before) {
        const struct wn_args_table_mix add = {.n_max = 1,
                                              .taps = 1,
                                              .src_at = WN_NONE,
                                              .weight_at = WN_NONE,
                                              .dst_at = WN_NONE,
                                              .cols = sums->cols,
                                              .add = 1};
        BUILD_OP3(b, table_mix, sums->cols, NULL, &memory, &push, add, READS_W);
    } else {
        build_copy_rows(b, &push, WN_NO_ARR, &memory, build_counting(b, 1, 1), 1);
    }
    build_copy_rows(b, &memory, WN_NO_ARR, centre, build_counting(b, 1, 1), 1);
    const wn_rows one = build_all_rows(b, &memory);
    return build_lengths(b, &one, mask, true, 1e-12f);
}

typedef struct likeness {
    wn_arr all, sum; /* V, V + F */
} likeness;

static likeness likenesses(wn_build *b)
{
    const uint32_t dim = b->set.mat.cols;
    const wn_rows rows = build_set_rows(b);
    const wn_mat sums = build_matrix(b, b->set.segs, dim),
                 centres = build_matrix(b, b->set.segs + 1ull, dim),
                 frames = build_rows_part(&centres, 0, b->set.segs),
                 all = build_rows_part(&centres, b->set.segs, 1);
    build_column_sum(b, &rows, WN_NO_ARR, NULL, WN_NO_ARR, 0, &sums);
    const wn_arr mask = quiet_channels(b, &rows, &sums);
    const wn_arr inv = build_lengths(b, &rows, mask, true, 1e-12f);
    build_column_sum(b, &rows, inv, NULL, WN_NO_ARR, 0, &frames);
    wn_arr factor = WN_NO_ARR;
    if (b->in.streaming)
        factor = remember(b, &sums, mask, &all);
    else
        sum_frames(b, &frames, false, &all);
    const likeness out = {build_array(b, b->set.n_max), build_array(b, b->set.n_max)};
    const struct wn_args_centre_gauss args = {.n_max = b->set.n_max,
                                              .segs = b->set.segs,
                                              .seg_at = b->set.seg.at,
                                              .list_at = b->set.rows.at,
                                              .inv_at = inv.at,
                                              .mask_at = mask.at,
                                              .cols = dim,
                                              .factor_at = factor.at,
                                              .all_at = out.all.at,
                                              .sum_at = out.sum.at};
    BUILD_OP3(b, centre_gauss, b->set.n_max, &rows.mat, NULL, &centres, args, WRITES_W);
    return out;
}

static wn_arr frame_counts(wn_build *b, wn_arr all, double base)
{
    const wn_arr mean = build_value_mean(b, all), k = build_array(b, b->set.segs);
    const wn_arr share = build_softmax(b, mean, b->set.segs, -100.0f);
    const struct wn_args_frame_shares args = {.segs = b->set.segs,
                                              .seg_at = b->set.seg.at,
                                              .p_at = share.at,
                                              .k_at = k.at,
                                              .base = (float)base};
    BUILD_OP(b, frame_shares, 1, NULL, NULL, args, WRITES_W);
    return k;
}

/* Each frame's own choice; a NaN is counted where this is the last one. */
static wn_arr frame_choice(wn_build *b, wn_arr sum, wn_arr k, bool last)
{
    const wn_arr flags = build_array(b, b->set.n_max);
    const struct wn_args_topk args = {.segs = b->set.segs,
                                      .seg_at = b->set.seg.at,
                                      .score_at = sum.at,
                                      .flag_at = flags.at,
                                      .k_at = k.at,
                                      .smallest = 1,
                                      .stats_at = WN_NONE};
    if (last)
        return build_topk(b, sum, k, true, false);
    BUILD_OP(b, topk, b->set.segs, NULL, NULL, args, WRITES_W);
    return flags;
}

/* Those that the frames' counts take come first: a V + F is between 1 and 10, or between 2^20 and 10 * 2^20. */
static wn_arr reconciled(wn_build *b, wn_arr sum, wn_arr taken, const budget *want)
{
    const wn_arr score = build_array(b, b->set.n_max);
    const struct wn_args_prefer args = {.n_max = b->set.n_max,
                                        .segs = b->set.segs,
                                        .seg_at = b->set.seg.at,
                                        .v_at = sum.at,
                                        .flag_at = taken.at,
                                        .out_at = score.at,
                                        .factor = 1048576.0f};
    BUILD_OP(b, prefer, b->set.n_max, NULL, NULL, args, WRITES_W);
    return build_topk(b, score, build_count_of_all(b, exact_total, want), true, true);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const budget want = budget_of(b, v);
    const bool exact = v[TOTAL].choice == 1;
    if (want.count && !b->set.regular)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "keep=%g after a stage that leaves frames of different sizes (give a share, as 25%%)",
            v[KEEP].number);
    const likeness like = likenesses(b);
    const wn_arr k = frame_counts(b, like.all, want.share);
    wn_arr flags = frame_choice(b, like.sum, k, !exact);
    /* Frames of the same size share by need; of others, the one that stands out may be the largest. */
    const double most =
        want.share * b->set.n_max * 1.0001 * (b->set.regular ? 1 : 2) + b->set.segs + 1;
    wn_bounds after = {.n_max = most < b->set.n_max ? (uint32_t)most : b->set.n_max,
                       .width = b->set.width};
    if (exact) {
        flags = reconciled(b, like.sum, flags, &want);
        after.n_max = exact_total(b->set.n_max, 0, &want);
        after.exact = b->set.exact;
    }
    after.width = after.n_max < after.width ? after.n_max : after.width;
    after.regular = after.exact && b->set.segs == 1;
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[RATE].given && v[KEEP].given)
        return "give either keep= (what stays) or rate= (what goes)";
    return NULL;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "-", "1..1e9",
     "tokens of a frame to keep on average, or their share; without keep and rate 25%"},
    {"rate", "number", "-", "0..<1", "instead: share of the tokens to remove"},
    {"total", "choice", "near", "near|exact",
     "near: each frame's count is rounded by itself (authors' code); exact: the total is exact (vLLM's)"},
};

const wn_stage wn_stage_vidcom2 = {
    .name = "vidcom2",
    .family = "temporal",
    .summary = "keeps what is unlike the video and its frame, more of frames that stand out",
    .help =
        "Measures on the quieter half of the channels how like each token is to the mean of the video and to the mean of its frame. Frames "
        "that stand out keep more tokens, and in each frame the least alike stay. Needs the tokens alone. How many tokens stay depends on the "
        "content; total=exact fixes it.",
    .source =
        "Liu et al., EMNLP 2025, arXiv:2505.14454; official xuyang-liu16/VidCom2 token_compressor/vidcom2/vidcom2.py; "
        "vllm-project/vllm vllm/multimodal/video_prune/vidcom2.py",
    .paper = "arXiv 2505.14454",
    .agrees = "official code, vLLM",
    .gives = "chosen tokens",
    .cost = "reads every token five times; T*D numbers of memory",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .check = check,
    .build = build,
};
