/* FLASH: "FLASH: Latent-Aware Semi-Autoregressive Speculative Decoding for Multimodal Tasks", arXiv:2505.12728.
 * Official: ZihuaEvan/FlashSD flash/model/llama_sar.py; its file uses a matrix A that the class does not make, so that the
 * shape [64, D] and the use are the code's and the numbers must come from a file. The draft model's picture:
 *   W = softmax over the tokens of A X^T (no 1/sqrt(D)), rows = W X
 * for A [R, D], R learned queries, and X [n, D] the hidden states of the picture's tokens. It is one attention pooling, values and
 * keys the tokens themselves.
 * weights=: tensor `queries` [R, D]. scale= multiplies the products (1: the paper's). frames=together: all tokens of all frames
 * are one set; each: R rows a frame.
 * Rows stand for no one token: index -2, no position; sizes: every row has the same share of the tokens; the assignment
 * names the row that has most of a token. Sizes of tokens that come in do not weigh.
 * Agrees with the authors' code in f32; differs: that rounds the result to fp16, and writes it over the first R places of the
 * picture in a sequence that becomes shorter, which is the host's matter.
 * NaN: a token of NaN has no share; where no token has one (a query's products all NaN or none below infinity) the row is 0.
 * A share below 2^-64 counts as none. */
#include "build_trained.h"

enum { WEIGHTS, SCALE, FRAMES };

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (b->inside)
        return build_fail(b, WINNOW_E_UNSUPPORTED,
                          "inside an encoder's layers rows must stand for tokens (put it behind)");
    wn_queries q = {.mat = build_weights(b, "queries", 0, b->set.mat.cols), .src = WN_NO_ARR};
    q.rows = q.mat.rows;
    if (b->status != WINNOW_OK)
        return b->status;
    if (v[FRAMES].choice == 0)
        build_join(b);
    const wn_rows tokens = build_set_rows(b);
    const wn_mat shares = build_attend_shares(b, &q, &tokens, (float)v[SCALE].number);
    const wn_mat out = build_matrix(b, (uint64_t)b->set.segs * q.rows, b->set.mat.cols);
    build_attend_values(b, &shares, q.rows, &tokens, WN_NO_ARR, &out);
    build_attend_end(b, &shares, q.rows, 1, &out);
    return b->status;
}

static const winnow_option_info options[] = {
    {"weights", "file", "", "", "its learned queries: a tensor `queries` [rows, D]"},
    {"scale", "number", "1", "0..1000", "factor of the products before the softmax"},
    {"frames", "choice", "together", "together|each",
     "together: the queries look at all frames at once; each: at one after the other"},
};

const wn_stage wn_stage_flash = {
    .name = "flash",
    .family = "attention",
    .summary = "pools all tokens by a few learned queries",
    .help =
        "Each of the queries in the weights file takes a softmax of its products with the tokens and becomes the tokens' mean by "
        "those shares: 64 rows in the paper, for the draft model of speculative decoding. The queries are trained for the tokens "
        "that they see: there is no use without a weights file.",
    .source =
        "arXiv:2505.12728; official ZihuaEvan/FlashSD flash/model/llama_sar.py (without its queries)",
    .paper = "arXiv 2505.12728",
    .agrees = "official code",
    .gives = "rows of learned queries",
    .cost = "2*R*N*D multiply-adds of R queries; tokens are read R/8 times; R*N numbers in memory",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
