/* CLSE: Chen et al., "Spectral Evolution-Guided Token Pruning in Multimodal Large Language Models", ECCV 2026,
 * arXiv:2606.24165. Official: zjubinchen/CLSE LLaVA1.5/llava/model/language_model/tools.py and clse_model.py, Qwen2VL/tools.py,
 * and tools.py of the branch `video`; agrees with them. One step inside the language model.
 *   S      of a token in a layer: the mean over channels of |x - low|, low = the frame's grid without its high frequencies: its
 *          discrete Fourier transform times exp(-(u^2 + v^2) / (2 sigma^2)), u and v whole numbers of turns, 0 for the mean,
 *          sigma = cutoff * min(h/2, w/2), halves rounded down
 *   e      = |S' - S| / (S + mean of S + 1e-6), at most 1: S of the earlier layer (image_embeds), S' of this one (tokens); the
 *          mean over all tokens of all frames
 *   score  = sigmoid((e - its mean) / (its standard deviation (n - 1) + 1e-6) / temperature) * the last prompt token's
 *          attention in the layer before this one, mean over heads
 * The `keep` tokens of largest score of all frames together stay, raster order. score=change: without the attention, as the
 * authors' score_type "clse"; score=attention: by it alone, "attn".
 * The transform is never made: the Gaussian is a product of one along each axis, so that low is a circular convolution with a
 * kernel along the rows and then along the columns, whose weights the plan computes in f64.
 * The authors' layers and counts are the host's matter. LLaVA-1.5 (576 tokens, 32 layers): before layers 1, 11 and 21, from the
 * second step on by attention alone as the grid is gone then: 330, 210, 62 for 192 tokens on average; 220, 140, 41 for 128; 110, 70,
 * 20 for 64. Qwen2-VL: before 1, 10 and 19 of 28: 57, 36 and 9.8 percent, 38, 24 and 6.6, 19, 12 and 3.4. Both compare with what
 * goes into layer 0. Video-LLaVA: once, before layer 3, compared with what goes into layer 2.
 * What we know of the paper is its abstract and its overview (a figure beside the code), which has the same e; nothing in them
 * speaks against the code.
 * Ours, where the code has no answer or several:
 *   - a grid with a side of 1: sigma is 0, which leaves NaN in the code for pictures and the frame's mean as low in the one for
 *     films (it adds 1e-6): the latter. Elsewhere that 1e-6 is left out.
 *   - cutoff=0 takes nothing away, as the code for LLaVA has it
 *   - a single token has a deviation of 0 (torch: NaN)
 *   - behind an encoder (score=change) the earlier tokens are what goes into its layer shallow=; the paper knows the LLM alone
 *   - ties to the lower index; below a sigmoid of e^-60 all are one
 * NaN: a number that is NaN or infinite makes all S of its frame so; those are left out of the means, and their scores are NaN, which
 * rank last. */
#include "build.h"
#include "numbers.h"

#include <math.h>

enum { KEEP, SCORE, CUTOFF, TEMPERATURE };
enum { BOTH, CHANGE, ATTENTION };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* What the low-pass takes of a token k places away, going round. */
static double weight_of(uint32_t n, double sigma, uint32_t k)
{
    const double turn = 2 * acos(-1.0) / n;
    double sum = 1.0;
    for (uint32_t u = 1; u <= n / 2; ++u) {
        const double share = sigma > 0 ? exp(-(double)u * u / (2 * sigma * sigma)) : 0;
        if (share < 1e-20)
            break;
        sum += (2 * u == n ? 1 : 2) * share * cos(turn * (double)((uint64_t)u * k % n));
    }
    return sum / n;
}

/* kernel[1 - n] .. kernel[n - 1]; at: of kernel[0]. */
static wn_arr kernel_of(wn_build *b, uint32_t n, double sigma)
{
    const wn_arr all = build_const(b, NULL, 2 * n - 1);
    uint32_t *data = build_const_data(b, all);
    for (uint32_t k = 0; data && k < n; ++k) {
        data[n - 1 + k] = f32_bits((float)weight_of(n, sigma, k));
        data[n - 1 - k] = data[n - 1 + k];
    }
    return (wn_arr){all.at + n - 1, n};
}

/* The high-pass of both layers. */
typedef struct filter {
    bool passes; /* it takes nothing away */
    wn_arr down, across;
    wn_axis same, round;
} filter;

static filter make_filter(wn_build *b, double cutoff)
{
    const uint32_t h = b->set.grid_h, w = b->set.grid_w, side = h < w ? h : w;
    filter f = {.passes = cutoff == 0};
    if (f.passes)
        return f;
    const double sigma = cutoff * (side / 2);
    f.down = kernel_of(b, h, sigma);
    f.across = kernel_of(b, w, sigma);
    f.same = build_axis_same(b, h);
    f.round = build_axis_round(b, w, f.across);
    return f;
}

/* S of rows list[] of a matrix, by positions. */
static wn_arr spectral_score(wn_build *b, const filter *f, const wn_mat *mat, wn_arr list)
{
    const wn_set *set = &b->set;
    const wn_grid grid = {*mat, list, set->grid_h, set->grid_w};
    const uint64_t mark = build_mark(b);
    const wn_arr out = build_array(b, set->n_max);
    wn_mat rows = *mat;
    if (!f->passes) {
        rows = build_matrix(b, set->n_max, mat->cols);
        build_loops_fit(b, WN_OP_pool, 256ull * set->grid_w);
        build_pool(b, &grid, &f->same, &f->round, 1.0f, &rows);
    }
    const struct wn_args_spectral_score args = {.frames = set->segs,
                                                .h = set->grid_h,
                                                .grid_w = set->grid_w,
                                                .cols = mat->cols,
                                                .rows_at = list.at,
                                                .taps = f->passes ? 0 : set->grid_h,
                                                .weight_at = f->passes ? 0 : f->down.at,
                                                .v_at = out.at,
                                                .scale = (float)(1.0 / mat->cols)};
    build_loops_fit(b, WN_OP_spectral_score, (mat->cols / 32 + 1ull) * (args.taps + 1ull));
    BUILD_OP(b, spectral_score, set->n_max, mat, f->passes ? NULL : &rows, args, WRITES_W);
    build_release(b, mark);
    return out;
}

/* The scores by how much the tokens changed, times `attention` (WN_NO_ARR: nothing). */
static wn_arr changes(wn_build *b, const wn_value *v, wn_arr attention)
{
    const wn_set *set = &b->set;
    const winnow_shape *shape = &b->in.shape;
    if (build_need_grid(b) != WINNOW_OK)
        return WN_NO_ARR;
    if (set->grid_h != shape->grid_h || set->grid_w != shape->grid_w)
        build_fail(
            b, WINNOW_E_SHAPE,
            "it compares a token with the same one of an earlier layer, and a stage before it "
            "made others (put it first)");
    const filter f = make_filter(b, v[CUTOFF].number);
    const wn_mat before = build_role(b, WINNOW_ROLE_IMAGE_EMBEDS);
    const wn_arr old = spectral_score(b, &f, &before, set->index),
                 now = spectral_score(b, &f, &set->mat, set->rows),
                 score = build_array(b, set->n_max);
    const struct wn_args_spectral_change args = {.segs = set->segs,
                                                 .seg_at = set->seg.at,
                                                 .x_at = old.at,
                                                 .y_at = now.at,
                                                 .weight_at = attention.at,
                                                 .score_at = score.at,
                                                 .sharp = (float)(1 / v[TEMPERATURE].number)};
    build_loops_fit(b, WN_OP_spectral_change,
                    3ull * (set->n_max / 32 + 64) + set->n_max / b->group_size + 64);
    BUILD_OP(b, spectral_change, 1, NULL, NULL, args, WRITES_W);
    return score;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    const uint32_t heads = b->in.shape.llm_heads, all = kept(b->set.n_max, 0, &v[KEEP]);
    wn_arr score = WN_NO_ARR;
    if (v[SCORE].choice != CHANGE)
        score = build_head_sum(b, WINNOW_ROLE_LLM_ATTENTION, 1.0f / (float)(heads ? heads : 1));
    if (v[SCORE].choice != ATTENTION)
        score = changes(b, v, score);
    if (b->status != WINNOW_OK)
        return b->status;
    const wn_arr flags = build_topk(b, score, build_count_of_all(b, kept, &v[KEEP]), false, true);
    const wn_bounds after = {.n_max = all,
                             .width = b->set.width < all ? b->set.width : all,
                             .regular = b->set.segs == 1 && b->set.regular,
                             .exact = b->set.exact};
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

/* Roles that an option makes needless. */
static uint32_t spares(const wn_value *v)
{
    switch (v[SCORE].choice) {
    case CHANGE: return 1u << WINNOW_ROLE_LLM_ATTENTION;
    case ATTENTION: return 1u << WINNOW_ROLE_IMAGE_EMBEDS;
    default: return 0;
    }
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of all frames together"},
    {"score", "choice", "both", "both|change|attention",
     "what ranks them: change times attention, or one of them (attention: for later steps, when the grid is gone)"},
    {"cutoff", "number", "0.1", "0..8",
     "width of what counts as low frequencies, of half the smaller side of the grid; 0: nothing does"},
    {"temperature", "number", "0.1", "0.001..1000",
     "the smaller, the more a change above the mean counts as one"},
};

const wn_stage wn_stage_clse = {
    .name = "clse",
    .family = "attention",
    .summary =
        "in the language model: keeps tokens whose high frequencies change from layer to layer, by attention",
    .help =
        "How much of each token is high frequencies of the grid, in an early layer and in a later one: those that change most, times the "
        "last prompt token's attention, stay. `tokens` are those of the later layer, image_embeds those of the earlier one (the "
        "authors: what goes into layers 1 and 0), llm_attention of the layer between. They prune three times, 330, 210 and 62 of 576 "
        "tokens before layers 1, 11 and 21 of 32, and later steps go by attention alone: score=attention on what is left. "
        "score=change needs no attention: an encoder gives what goes into its layer `shallow` (five sixths of the way) as the earlier tokens.",
    .source =
        "Chen et al., ECCV 2026, arXiv:2606.24165; official zjubinchen/CLSE tools.py, clse_model.py (branches main and video)",
    .paper = "arXiv 2606.24165",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost =
        "(h + w)*N*D multiply-adds a layer on grids of h x w; reads every token of both layers once, moves the kept rows once",
    .options = options,
    .option_count = 4,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_IMAGE_EMBEDS | 1u << WINNOW_ROLE_LLM_ATTENTION,
    .spares = spares,
    .shallow_tokens = true,
    .shallow_of_24 = 20,
    .build = build,
};
