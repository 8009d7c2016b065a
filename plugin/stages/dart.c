/* DART: Wen et al., "Stop Looking for Important Tokens in Multimodal Language Models: Duplication Matters More", EMNLP 2025,
 * arXiv:2502.11494. Official: modeling_llama_self.py DART.get_retained_image_token (read in xqy1111111/DART); agrees with it.
 * Pivots: the 4 tokens of largest key, by L1 norm over all channels, and with text and text_keys the 4 rows of text of
 * largest key. One pivot after the other takes, of what is not kept yet, the keep / (number of pivots), rounded down,
 * tokens of least cosine to itself. The image's pivots stay as well, so `keep` counts what they choose: keep=64 leaves
 * 4 + 8*8 = 68 with text, 4 + 4*16 = 68 without. Raster order out.
 * The authors prune inside the language model behind layer 2: tokens and text are its hidden rows there, keys its keys.
 * Differs: the authors' pivots choose in the order in which CPython iterates a set of their places in the prompt, which
 * depends on nothing that the method means: mode=paper (default) takes the image's in ascending order, then the text's;
 * mode=official that of the set, exactly (a table of 8, then 32 slots; start: the prompt's tokens before the image, 35).
 * Text of fewer rows than its pivots gives fewer (the official code fails). */
#include "build.h"
#include <math.h>

enum { KEEP, PIVOTS, TEXT_PIVOTS, MODE, START };

typedef struct plan {
    const wn_value *values;
    uint32_t image, text; /* pivots */
    uint32_t chosen;      /* pivots that have chosen */
} plan;

static uint32_t image_pivots(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    const plan *p = user;
    return p->image < n ? p->image : n;
}

/* Tokens kept when `chosen` pivots have chosen. */
static uint32_t kept_so_far(uint32_t n, uint32_t part, const void *user)
{
    const plan *p = user;
    const uint32_t keep = wn_keep_count(&p->values[KEEP], n, trunc);
    const uint64_t all =
        image_pivots(n, part, user) + (uint64_t)(keep / (p->image + p->text)) * p->chosen;
    return all < n ? (uint32_t)all : n;
}

/* The pivots' similarities with all tokens: a row each of the image's, frame by frame, then of the text's. */
static wn_mat pivot_rows(wn_build *b, const plan *p, const wn_list *image, wn_arr text)
{
    const uint32_t image_rows = b->set.segs * p->image, width = b->set.width ? b->set.width : 1;
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_mat all = build_matrix(b, (uint64_t)b->set.segs * (p->image + p->text), width);
    const uint64_t split = 4ull * image_rows * all.stride;
    wn_mat front = all, back = all;
    front.ref.bytes = split;
    build_sim_rows(b, image, &b->set.mat, b->set.rows, inv, &front);
    if (!p->text || b->status != WINNOW_OK)
        return all;
    back.ref.offset += split;
    back.ref.bytes -= split;
    const wn_mat words = build_role(b, WINNOW_ROLE_TEXT);
    build_cross_sim(b, &words, text, build_row_norms(b, &words), p->text, &b->set.mat, b->set.rows,
                    inv, &back);
    return all;
}

static wn_arr key_sizes(wn_build *b, const wn_mat *keys, wn_arr list, wn_arr seg, uint32_t segs,
                        uint32_t n_max)
{
    const wn_arr out = build_array(b, n_max);
    const struct wn_args_row_abs args = {.n_max = n_max,
                                         .segs = segs,
                                         .seg_at = seg.at,
                                         .list_at = list.at,
                                         .v_at = out.at,
                                         .cols = keys->cols};
    BUILD_OP(b, row_abs, n_max, keys, NULL, args, WRITES_W);
    return out;
}

/* The text's pivots, the same for all frames: the best of its rows as a set of their own. */
static wn_list text_pivots(wn_build *b, const plan *p, wn_arr *size)
{
    const wn_mat keys = build_role(b, WINNOW_ROLE_TEXT_KEYS);
    const wn_set frames = b->set;
    b->set = (wn_set){.segs = 1,
                      .n_max = keys.rows,
                      .width = keys.rows,
                      .seg = build_counting(b, 2, keys.rows),
                      .rows = build_counting(b, keys.rows, 1)};
    b->set.index = b->set.rows;
    *size = key_sizes(b, &keys, WN_NO_ARR, b->set.seg, 1, keys.rows);
    const wn_arr k = build_const(b, &p->text, 1);
    const wn_list list = build_list(b, build_topk(b, *size, k, false, false), false);
    b->set = frames;
    return list;
}

static wn_arr choosing_order(wn_build *b, const plan *p, const wn_list *image, wn_arr size,
                             const wn_list *text, wn_arr text_size)
{
    const uint32_t pivots = p->image + p->text;
    const struct wn_args_pivot_order args = {.segs = b->set.segs,
                                             .seg_at = b->set.seg.at,
                                             .piv_seg_at = image->seg.at,
                                             .piv_pos_at = image->pos.at,
                                             .image = p->image,
                                             .text = p->text,
                                             .text_pos_at = text->pos.at,
                                             .text_row = b->set.segs * p->image,
                                             .by_set = p->values[MODE].choice == 1,
                                             .start = (uint32_t)p->values[START].number,
                                             .norm_at = size.at,
                                             .text_norm_at = text_size.at,
                                             .order_at =
                                                 build_array(b, (uint64_t)b->set.segs * pivots).at};
    BUILD_OP(b, pivot_order, b->set.segs, NULL, NULL, args, WRITES_W);
    return (wn_arr){args.order_at, b->set.segs * pivots};
}

/* Each pivot in turn: what it is least like joins what is kept. */
static wn_arr choose(wn_build *b, plan *p, const wn_mat *rows, wn_arr order, wn_arr flags)
{
    for (uint32_t place = 0; place < p->image + p->text; ++place) {
        p->chosen = place + 1;
        const struct wn_args_pivot_score args = {.n_max = b->set.n_max,
                                                 .segs = b->set.segs,
                                                 .seg_at = b->set.seg.at,
                                                 .flag_at = flags.at,
                                                 .row_at = order.at,
                                                 .step = p->image + p->text,
                                                 .place = place,
                                                 .score_at = build_array(b, b->set.n_max).at};
        BUILD_OP(b, pivot_score, b->set.n_max, rows, NULL, args, WRITES_W);
        const wn_arr score = {args.score_at, b->set.n_max};
        flags = build_topk(b, score, build_counts(b, kept_so_far, 1, p), true, false);
    }
    return flags;
}

static winnow_status check_text(wn_build *b)
{
    const wn_mat text = build_role(b, WINNOW_ROLE_TEXT);
    if (text.cols != b->set.mat.cols)
        build_fail(
            b, WINNOW_E_SHAPE,
            "`text` has %u channels and the tokens %u (give hidden rows of the same layer, or "
            "leave text_keys out)",
            text.cols, b->set.mat.cols);
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    plan p = {.values = v, .image = (uint32_t)v[PIVOTS].number};
    const wn_mat keys = build_role(b, WINNOW_ROLE_KEYS);
    wn_list text = {.pos = WN_NO_ARR};
    wn_arr text_size = WN_NO_ARR;
    if (build_has(b, WINNOW_ROLE_TEXT) && build_has(b, WINNOW_ROLE_TEXT_KEYS)) {
        const uint32_t rows = b->in.shape.text_rows, most = (uint32_t)v[TEXT_PIVOTS].number;
        p.text = most < rows ? most : rows;
        WN_TRY(check_text(b));
    }
    if (p.text)
        text = text_pivots(b, &p, &text_size);
    const wn_arr size = key_sizes(b, &keys, b->set.index, b->set.seg, b->set.segs, b->set.n_max);
    const wn_arr first = build_topk(b, size, build_counts(b, image_pivots, 1, &p), false, false);
    wn_list image = build_list(b, first, false);
    image.n_max = b->set.segs * p.image < image.n_max ? b->set.segs * p.image : image.n_max;
    const wn_arr order = choosing_order(b, &p, &image, size, &text, text_size);
    const wn_mat rows = pivot_rows(b, &p, &image, text.pos);
    const wn_arr flags = choose(b, &p, &rows, order, first);
    build_prune(b, flags, build_bounds(b, kept_so_far, 0, &p), WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens of each frame that the pivots choose"},
    {"pivots", "count", "4", "1..8", "tokens that choose, and stay"},
    {"text_pivots", "count", "4", "0..8", "rows of text that choose as well, where it is given"},
    {"mode", "choice", "paper", "paper|official",
     "the pivots' order: ascending, or as a set of CPython's has it"},
    {"start", "count", "35", "0..1e6", "with mode=official: the prompt's tokens before the image"},
};

const wn_stage wn_stage_dart = {
    .name = "dart",
    .family = "similarity",
    .summary = "keeps what is least like a few pivots: duplicates go",
    .help =
        "The tokens of largest key are pivots, and with text and text_keys so are the largest rows of text; in turn each "
        "keeps the tokens that it is least like. `keep` counts those; the image's pivots stay besides. Needs keys of all "
        "channels.",
    .source = "Wen et al., EMNLP 2025, arXiv:2502.11494; official DART.get_retained_image_token",
    .paper = "arXiv 2502.11494",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost = "pivots*n*D multiply-adds a frame, a selection a pivot",
    .options = options,
    .option_count = 5,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS,
    .roles_optional = 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_TEXT_KEYS,
    .flat_keys = true,
    .build = build,
};
