/* MMTok: Dong et al., "MMTok: Multimodal Coverage Maximization for Efficient Inference of VLMs", ICLR 2026,
 * arXiv:2508.18264. Official: Ironieser/MMTok mmtok/core/semantic_selector.py mm_coverage_selection with the temperatures
 * of mmtok_core.py; agrees with it, pick order included.
 * Rows to cover: P = softmax(cos(text, tokens) / 0.02) / m, one for each of the m words, in the language model's space, and
 * Q = softmax(cos(image_embeds, image_embeds) / 0.2) / n, times alpha, one for each of the n tokens. Again and again the
 * token is picked that raises sum over the rows of max(0, S_rj - best_r) most, best_r then being the picks' best. Raster
 * order out. Differs: patches of padding are not left out (the host gives none). */
#include "build.h"
#include <math.h>

enum { KEEP, ALPHA, TEXT_TEMPERATURE, IMAGE_TEMPERATURE };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* What both kinds of rows are multiplied by so that none is above 2: greedy_coverage tells gains above 4 from each other no
 * more. A power of two, which changes no order. */
static double unit_of(double alpha)
{
    return alpha > 2.0 ? exp2(1.0 - ceil(log2(alpha))) : 1.0;
}

/* P, a row a word in each frame. */
static wn_mat text_rows(wn_build *b, const wn_mat *text, double temperature, double unit)
{
    const wn_mat *tokens = &b->set.mat;
    const wn_arr inv = build_norms(b, tokens, b->set.rows), text_inv = build_row_norms(b, text);
    const wn_mat out =
        build_matrix(b, (uint64_t)text->rows * b->set.segs, b->set.width ? b->set.width : 1);
    build_cross_sim(b, text, WN_NO_ARR, text_inv, text->rows, tokens, b->set.rows, inv, &out);
    build_row_softmax(b, &out, text->rows, temperature, unit / text->rows, false);
    return out;
}

/* Q, a row a token. */
static wn_mat image_rows(wn_build *b, double temperature, double alpha)
{
    const wn_mat embeds = build_role(b, WINNOW_ROLE_IMAGE_EMBEDS);
    const wn_arr inv = build_norms(b, &embeds, b->set.index);
    const wn_mat out = build_sim_matrix(b, NULL, &embeds, b->set.index, inv);
    build_row_softmax(b, &out, 0, temperature, alpha, true);
    return out;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_mat text = build_role(b, WINNOW_ROLE_TEXT);
    if (text.cols != b->set.mat.cols && b->status == WINNOW_OK)
        return build_fail(b, WINNOW_E_SHAPE,
                          "`text` has %u channels and the tokens %u (give the words' embeddings of "
                          "the language model, and the tokens behind its projector)",
                          text.cols, b->set.mat.cols);
    const double alpha = v[ALPHA].number, unit = unit_of(alpha);
    const wn_mat words = text_rows(b, &text, v[TEXT_TEMPERATURE].number, unit);
    const wn_mat image = image_rows(b, v[IMAGE_TEMPERATURE].number, alpha * unit);
    const wn_arr flags = build_array(b, b->set.n_max), order = build_array(b, b->set.n_max);
    const wn_arr cur = build_array(b, (uint64_t)b->set.n_max + words.rows);
    const struct wn_args_greedy_coverage greedy = {.segs = b->set.segs,
                                                   .seg_at = b->set.seg.at,
                                                   .k_at = build_counts(b, kept, 1, &v[KEEP]).at,
                                                   .extra = text.rows,
                                                   .weight_at = WN_NONE,
                                                   .cur_at = cur.at,
                                                   .flag_at = flags.at,
                                                   .order_at = order.at};
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    build_greedy_coverage(b, greedy, &image, &words, after.width);
    build_prune(b, flags, after, order);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"alpha", "number", "0.5", "0..100", "weight of covering the picture beside covering the text"},
    {"text_temperature", "number", "0.02", "0.001..100", "of the softmax over a word's tokens"},
    {"image_temperature", "number", "0.2", "0.001..100", "of the softmax over a token's tokens"},
};

const wn_stage wn_stage_mmtok = {
    .name = "mmtok",
    .family = "similarity",
    .summary = "keeps tokens that together cover the question's words and the picture",
    .help =
        "Picks tokens one by one by how much each adds to covering the words of the text and the other patches. Needs text in "
        "the tokens' space (the language model's embeddings, the tokens behind its projector) and image_embeds, the encoder's "
        "own rows, which may have another width. --order method gives the pick order.",
    .source =
        "Dong et al., ICLR 2026, arXiv:2508.18264; official Ironieser/MMTok mmtok/core/semantic_selector.py",
    .paper = "arXiv 2508.18264",
    .agrees = "official code",
    .gives = "chosen tokens",
    .cost =
        "n*(n*Di + m*D) multiply-adds a frame, then some ln(keep)*n*(n + m) subtractions and additions; the "
        "(n + m) x n stay in memory",
    .options = options,
    .option_count = 4,
    .roles_needed =
        1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_IMAGE_EMBEDS,
    .selects = WN_SELECTS_KEEP,
    .build = build,
};
