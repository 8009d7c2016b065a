/* Explain: Lei et al., "Task-Related Token Compression in Multimodal Large Language Models from an Explainability Perspective",
 * ICLR 2026, arXiv:2506.01097. No official code. The abstract and a published reading note on the paper say, read so:
 *   a = the attention of the instruction's tokens to each visual token in the language model's FIRST layer, mean over the
 *   instruction's tokens; a small convolutional network maps a to relevance, softmax at the end; the top-k tokens of all go into
 *   the language model, before its first layer. The network: five depthwise separable convolutions along the row of visual
 *   tokens, of 32, 64, 128, 256 and 512 channels. Its target: relevance by attention times gradient, through all layers.
 * Ours, as neither says: kernels of the size that the file tells, zeros around; ReLU behind each layer but the last and nothing
 * between a depthwise convolution and its mix of channels; a layer of no kernel that mixes the channels into one at the end; the
 * softmax left out, as the order is the same. And beside the paper's: heads as channels in place of their mean, where the first
 * layer takes so many, convolutions that mix channels themselves, and kernels of two dimensions on each frame's grid.
 * weights=: layer I (from 1 on) is tensors `layerI.weight` [in, out] and, if it has one, `layerI.bias` [out]:
 *   behind `layerI.depth.weight` [kernel, in] (and `.bias` [in]): channel by channel, then the mix;
 *   [kernel*in, out] in place of [in, out]: a convolution, of kernel cell (row by row) * in + channel.
 * The last gives one channel. The metadata's `kernel` says which: `5`, along the tokens of all frames in their order, or `3x3`, on
 * each frame's grid (odd ones up to 63 and 15 a side).
 * The network sees all source tokens, those too that a stage before it dropped. keep=25%: int(N*0.25), at least 1.
 * NaN: attention of NaN is NaN as far as the kernels reach, and ranks last.
 * Cost: reads the attention once, multiply-adds as the weights have numbers for each token; two matrices of N x the widest layer. */
#include "build_trained.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEEP, WEIGHTS, FRAMES };
enum { LAYERS_MOST = 16, NAME_SIZE = 40, SIDE_MOST = 15, LINE_MOST = 63 };

typedef struct layer {
    bool has_depth;
    wn_dense depth, mix;
    uint32_t in, out, taps; /* taps 1: the mix has no kernel */
} layer;

typedef struct network {
    uint32_t kh, kw;       /* of its kernels */
    uint32_t frames, h, w; /* the grids that they move on */
    uint32_t count, widest;
    layer layers[LAYERS_MOST];
} network;

static bool is_side(unsigned long n, uint32_t most)
{
    return n % 2 == 1 && n <= most;
}

/* `5` or `3x3` of the metadata. */
static winnow_status read_kernel(wn_build *b, network *net)
{
    const char *text = build_weights_note(b, "kernel");
    char *end = NULL;
    const unsigned long first = text ? strtoul(text, &end, 10) : 0;
    const bool grid = end && *end == 'x';
    const unsigned long second = grid ? strtoul(end + 1, &end, 10) : 1;
    const winnow_shape *shape = &b->in.shape;
    if (!text || *end || !is_side(first, grid ? SIDE_MOST : LINE_MOST) ||
        !is_side(second, SIDE_MOST))
        return build_fail(b, WINNOW_E_FILE,
                          "its weights' metadata say `%.20s` as their kernel (write `3x3`, odd "
                          "sides up to 15, or `5`, along the tokens, up to 63)",
                          text ? text : "");
    if (grid && !shape->grid_h)
        return build_fail(b, WINNOW_E_SHAPE,
                          "its weights are for tokens on a grid, and no grid was given (give the "
                          "grid's height and width)");
    net->kh = grid ? (uint32_t)first : 1;
    net->kw = (uint32_t)(grid ? second : first);
    net->frames = grid ? shape->frames : 1;
    net->h = grid ? shape->grid_h : 1;
    net->w = grid ? shape->grid_w : shape->frames * shape->tokens;
    return b->status;
}

static const char *name_of(char *name, uint32_t i, const char *end)
{
    snprintf(name, NAME_SIZE, "layer%u%s", i + 1, end);
    return name;
}

/* Rows of a tensor; 0: it is not there. */
static uint32_t rows_of(wn_build *b, const char *name)
{
    uint32_t dims[4], count;
    return build_weights_shape(b, name, dims, &count) ? dims[0] : 0;
}

/* Layer i; in: what the layer before gives, 0 for the first, which says itself. */
static void read_layer(wn_build *b, network *net, uint32_t i, uint32_t in)
{
    layer *l = &net->layers[i];
    char name[NAME_SIZE];
    const uint32_t taps = net->kh * net->kw, rows = rows_of(b, name_of(name, i, ".weight"));
    *l = (layer){.has_depth = rows_of(b, name_of(name, i, ".depth.weight")) != 0, .taps = 1};
    if (l->has_depth) {
        l->depth = build_weights_dense(b, name_of(name, i, ".depth"), taps, in);
        l->in = l->depth.weight.cols;
    } else {
        l->taps = in && rows == in ? 1 : taps;
        l->in = in ? in : rows / taps;
    }
    l->mix = build_weights_dense(b, name_of(name, i, ""), l->taps * l->in, 0);
    l->out = l->mix.weight.cols;
    net->widest = l->in > net->widest ? l->in : net->widest;
    net->widest = l->out > net->widest ? l->out : net->widest;
}

static winnow_status read_network(wn_build *b, network *net)
{
    char name[NAME_SIZE];
    const uint32_t heads = b->in.shape.llm_heads;
    *net = (network){.count = 0};
    if (read_kernel(b, net) != WINNOW_OK)
        return b->status;
    do {
        if (net->count == LAYERS_MOST)
            return build_fail(b, WINNOW_E_FILE, "its weights have more than %d layers",
                              LAYERS_MOST);
        read_layer(b, net, net->count, net->count ? net->layers[net->count - 1].out : 0);
        ++net->count;
    } while (b->status == WINNOW_OK && (rows_of(b, name_of(name, net->count, ".weight")) ||
                                        rows_of(b, name_of(name, net->count, ".depth.weight"))));
    const uint32_t in = net->layers[0].in, out = net->layers[net->count - 1].out;
    if (b->status == WINNOW_OK && in != 1 && in != heads)
        return build_fail(b, WINNOW_E_SHAPE,
                          "its weights are for attention of %u heads, and `text_attention` has %u "
                          "(give those of this language model, or of heads' means)",
                          in, heads);
    if (b->status == WINNOW_OK && out != 1)
        return build_fail(b, WINNOW_E_FILE,
                          "the last layer of its weights gives %u channels, and 1 is wanted", out);
    return b->status;
}

/* Two matrices that layers write by turns. */
typedef struct turns {
    wn_mat room[2];
    uint32_t next;
} turns;

static wn_mat next_of(turns *t, uint32_t cols)
{
    wn_mat mat = t->room[t->next++ % 2];
    mat.cols = mat.stride = cols;
    mat.ref.bytes = 4ull * mat.rows * cols;
    return mat;
}

/* Attention by source token: a column a head, or the heads' mean; in both the rows' mean. */
static wn_mat attention_of(wn_build *b, const network *net, turns *t)
{
    const uint32_t heads = b->in.shape.llm_heads, text = b->in.shape.text_rows,
                   channels = net->layers[0].in, sum = channels == 1 ? heads * text : text;
    const wn_mat from = build_role(b, WINNOW_ROLE_TEXT_ATTENTION), to = next_of(t, channels);
    const struct wn_args_head_mean args = {.rows = channels,
                                           .cols = to.rows,
                                           .segs = b->set.segs,
                                           .seg_at = b->set.seg.at,
                                           .rows_at = build_counting(b, channels, text).at,
                                           .cols_at = WN_NONE,
                                           .heads = sum,
                                           .step = 1,
                                           .width = to.rows,
                                           .turn = 1,
                                           .scale = 1.0f / (float)sum};
    build_loops_fit(b, WN_OP_head_mean, sum);
    BUILD_OP(b, head_mean, (uint64_t)channels * to.rows, &from, &to, args, READS_W);
    return to;
}

static wn_mat convolve(wn_build *b, const network *net, turns *t, const wn_mat *in,
                       const wn_dense *by, bool depth, bool relu)
{
    const wn_mat out = next_of(t, by->weight.cols);
    const struct wn_args_grid_conv args = {.frames = net->frames,
                                           .h = net->h,
                                           .w = net->w,
                                           .kh = net->kh,
                                           .kw = net->kw,
                                           .inner = in->cols,
                                           .cols = out.cols,
                                           .depth = depth,
                                           .bias_at = by->bias_at,
                                           .relu = relu};
    build_loops_fit(b, WN_OP_grid_conv, by->weight.rows);
    BUILD_OP3(b, grid_conv,
              (uint64_t)net->frames * net->h * ((net->w + 3) / 4) * ((out.cols + 3) / 4), in, &out,
              &by->weight, args, READS_W);
    return out;
}

static wn_mat run_layer(wn_build *b, const network *net, turns *t, wn_mat x, const layer *l,
                        bool relu)
{
    if (l->has_depth)
        x = convolve(b, net, t, &x, &l->depth, true, false);
    if (l->taps != 1)
        return convolve(b, net, t, &x, &l->mix, false, relu);
    const wn_mat out = next_of(t, l->out);
    build_loops_fit(b, WN_OP_matmul, l->in);
    build_dense(b, &l->mix, &x, &out, relu ? WN_ACT_RELU : WN_ACT_NONE, 0);
    return out;
}

/* The network's answer for each token of the set. */
static wn_arr relevance(wn_build *b, const network *net)
{
    const uint64_t mark = build_mark(b);
    const uint32_t all = b->in.shape.frames * b->in.shape.tokens;
    turns t = {.room = {build_matrix(b, all, net->widest), build_matrix(b, all, net->widest)}};
    wn_mat x = attention_of(b, net, &t);
    for (uint32_t i = 0; i < net->count; ++i)
        x = run_layer(b, net, &t, x, &net->layers[i], i + 1 < net->count);
    x.cols = x.stride = all;
    x.rows = 1;
    const wn_arr score = build_array(b, b->set.n_max);
    const struct wn_args_head_sum args = {.n_max = b->set.n_max,
                                          .segs = b->set.segs,
                                          .seg_at = b->set.seg.at,
                                          .index_at = b->set.index.at,
                                          .score_at = score.at,
                                          .heads = 1,
                                          .cols_per_frame = all,
                                          .scale = 1.0f};
    BUILD_OP(b, head_sum, b->set.n_max, &x, NULL, args, WRITES_W);
    build_release(b, mark);
    return score;
}

static uint32_t kept_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    network net;
    if (build_need_outside(b) != WINNOW_OK || read_network(b, &net) != WINNOW_OK)
        return b->status;
    const wn_arr score = relevance(b, &net);
    if (v[FRAMES].choice == 0)
        build_join(b);
    const wn_bounds after = build_bounds(b, kept_of, 0, &v[KEEP]);
    build_prune(b, build_topk(b, score, build_counts(b, kept_of, 1, &v[KEEP]), false, false), after,
                WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "50%", "1..1e9",
     "tokens to keep, or their share: of all frames, or of each (frames=)"},
    {"weights", "file", "", "",
     "its network: layer1.weight [kernel*heads, channels], layer1.bias, ... to one channel, or "
     "with layer1.depth.weight [kernel, heads] before it; metadata kernel=3x3 or 5"},
    {"frames", "choice", "together", "together|each",
     "together: the best of all frames stay; each: so many of each one"},
};

const wn_stage wn_stage_explain = {
    .name = "explain",
    .family = "attention",
    .summary =
        "keeps what a small trained network takes for relevant, by the first layer's attention",
    .help =
        "A few convolutions turn the text's attention to the visual tokens in the language model's first layer into how relevant "
        "each will be for the answer, which they learned from attention and gradients of all layers; the best stay. The first "
        "layer alone has to be run for it. Needs text_attention of that layer, which the LLM's host gives (one row of text: the "
        "last prompt token's), and weights for that language model: samples/video_qa/train/train_explain.py trains some.",
    .source = "Lei et al., ICLR 2026, arXiv:2506.01097 (no official code)",
    .paper = "arXiv 2506.01097",
    .agrees = "paper (no official code)",
    .gives = "chosen tokens",
    .cost =
        "the attention is read once; N multiply-adds for each number of the weights; N x the widest layer in memory, twice",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .build = build,
};
