/* build_layers.c: layers that a stage learned, as compositions of operations. */
#include <math.h>
#include <stdio.h>

#include "build_trained.h"
#include "numbers.h"

enum { NAME_SIZE = 96 };

static const char *join(char *full, const char *stem, const char *name, const char *end)
{
    snprintf(full, NAME_SIZE, "%s.%s%s", stem, name, end);
    return full;
}

bool build_has_tensor(wn_build *b, const char *stem, const char *name)
{
    char full[NAME_SIZE];
    uint32_t dims[4], count;
    return build_weights_shape(b, join(full, stem, name, ""), dims, &count);
}

float build_weights_number(wn_build *b, const char *stem, const char *name)
{
    char full[NAME_SIZE];
    const uint32_t *word =
        build_const_data(b, build_weights_array(b, join(full, stem, name, ""), 1));
    return word ? bits_f32(*word) : 0.0f;
}

wn_mat build_f32_rows(wn_build *b, const wn_mat *from, wn_arr list, uint32_t n)
{
    const wn_mat out = build_matrix(b, n, from->cols);
    const struct wn_args_row_affine args = {.n = n,
                                            .cols = from->cols,
                                            .list_at = list.at,
                                            .scale_at = WN_NONE,
                                            .shift_at = WN_NONE,
                                            .tap_at = WN_NONE,
                                            .share = 1.0f};
    BUILD_OP(b, row_affine, (uint64_t)n * from->cols, from, &out, args, READS_W);
    return out;
}

static wn_mat hidden_layer(wn_build *b, const char *stem, const char *name, const wn_mat *in)
{
    char full[NAME_SIZE];
    const wn_dense first = build_weights_dense(b, join(full, stem, name, ".0"), in->cols, 0);
    const wn_mat hidden = build_matrix(b, in->rows, first.weight.cols);
    build_dense(b, &first, in, &hidden, WN_ACT_GELU_ERF, 0);
    return hidden;
}

static wn_dense last_layer(wn_build *b, const char *stem, const char *name, uint32_t in,
                           uint32_t out)
{
    char full[NAME_SIZE];
    return build_weights_dense(b, join(full, stem, name, ".2"), in, out);
}

void build_mlp_into(wn_build *b, const char *stem, const char *name, const wn_mat *in,
                    const wn_mat *out)
{
    const wn_mat hidden = hidden_layer(b, stem, name, in);
    const wn_dense last = last_layer(b, stem, name, hidden.cols, out->cols);
    build_dense(b, &last, &hidden, out, WN_ACT_NONE, 0);
}

wn_mat build_mlp(wn_build *b, const char *stem, const char *name, const wn_mat *in, uint32_t out)
{
    const wn_mat hidden = hidden_layer(b, stem, name, in);
    const wn_dense last = last_layer(b, stem, name, hidden.cols, out);
    const wn_mat made = build_matrix(b, in->rows, last.weight.cols);
    build_dense(b, &last, &hidden, &made, WN_ACT_NONE, 0);
    return made;
}

/* A vector of the file times `share`, as a constant. */
static wn_arr scaled(wn_build *b, const char *name, uint32_t n, float share)
{
    const wn_arr out = build_weights_array(b, name, n);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t i = 0; data && i < n; ++i)
        data[i] = f32_bits(bits_f32(data[i]) * share);
    return out;
}

void build_layer_norm(wn_build *b, const char *stem, const char *name, const wn_mat *in,
                      float share, float keep, const wn_mat *out)
{
    char full[NAME_SIZE];
    const wn_mat unit = build_matrix(b, in->rows, in->cols);
    const struct wn_args_norm norm = {.n_max = in->rows,
                                      .seg_at = WN_NONE,
                                      .cols = in->cols,
                                      .gain_at = WN_NONE,
                                      .bias_at = WN_NONE,
                                      .eps = 1e-6f,
                                      .inv_cols = 1.0f / (float)in->cols};
    const wn_arr gain = scaled(b, join(full, stem, name, ".weight"), in->cols, share);
    const wn_arr bias = scaled(b, join(full, stem, name, ".bias"), in->cols, share);
    const struct wn_args_row_affine args = {.n = in->rows,
                                            .cols = in->cols,
                                            .list_at = WN_NONE,
                                            .scale_at = gain.at,
                                            .shift_at = bias.at,
                                            .taps = 1,
                                            .tap_at = WN_NONE,
                                            .keep = keep};
    BUILD_OP3(b, norm, in->rows, in, &unit, NULL, norm, READS_W);
    BUILD_OP(b, row_affine, (uint64_t)in->rows * in->cols, &unit, out, args, READS_W);
}

wn_mat build_heads(wn_build *b, const wn_mat *mat, uint32_t heads)
{
    wn_mat view = *mat;
    if (mat->stride != mat->cols || mat->cols % heads)
        build_fail(b, WINNOW_E_SHAPE,
                   "%u channels are not %u heads of whole channels (give heads=)", mat->cols,
                   heads);
    view.cols = view.stride = mat->cols / heads;
    view.rows = mat->rows * heads;
    return view;
}

wn_arr build_by_heads(wn_build *b, uint32_t n, uint32_t heads)
{
    const wn_arr list = build_const(b, NULL, n * heads);
    uint32_t *data = build_const_data(b, list);
    for (uint32_t h = 0; data && h < heads; ++h)
        for (uint32_t r = 0; r < n; ++r)
            data[h * n + r] = r * heads + h;
    return list;
}

static wn_mat projected(wn_build *b, const char *stem, const char *name, const char *part,
                        const wn_mat *in)
{
    char full[NAME_SIZE];
    const wn_dense layer = build_weights_dense(b, join(full, stem, name, part), in->cols, in->cols);
    const wn_mat out = build_matrix(b, in->rows, in->cols);
    build_dense(b, &layer, in, &out, WN_ACT_NONE, 0);
    return out;
}

/* A head is a segment: all heads of all queries in one operation. */
void build_multihead(wn_build *b, const char *stem, const char *name, uint32_t heads,
                     const wn_mat *queries, const wn_mat *tokens, const wn_mat *out)
{
    char full[NAME_SIZE];
    const wn_mat q = projected(b, stem, name, ".q_proj", queries);
    const wn_mat k = projected(b, stem, name, ".k_proj", tokens);
    const wn_mat v = projected(b, stem, name, ".v_proj", tokens);
    const wn_mat mixed = build_matrix(b, queries->rows, queries->cols);
    const wn_mat to = build_heads(b, &mixed, heads);
    const wn_arr of_queries = build_by_heads(b, queries->rows, heads);
    wn_rows rows = {.mat = build_heads(b, &k, heads),
                    .list = build_by_heads(b, tokens->rows, heads),
                    .seg = build_counting(b, heads + 1, tokens->rows),
                    .segs = heads,
                    .n_max = tokens->rows * heads,
                    .width = tokens->rows};
    const wn_queries by_head = {
        .mat = build_heads(b, &q, heads), .src = of_queries, .rows = queries->rows, .own = true};
    const float scale = 1.0f / sqrtf((float)to.cols);
    const wn_mat shares = build_attend_shares(b, &by_head, &rows, scale);
    rows.mat = build_heads(b, &v, heads);
    build_attend_values(b, &shares, queries->rows, &rows, of_queries, &to);
    const wn_dense last =
        build_weights_dense(b, join(full, stem, name, ".out_proj"), queries->cols, queries->cols);
    build_dense(b, &last, &mixed, out, WN_ACT_NONE, 2);
}
