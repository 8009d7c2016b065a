/* build_attend.c: queries of their own that pool tokens: products, a softmax over the tokens, their weighted rows. */
#include "build_trained.h"
#include "numbers.h"

wn_mat build_attend_shares(wn_build *b, const wn_queries *q, const wn_rows *keys, float scale)
{
    const uint32_t width = keys->width ? keys->width : 1, all = keys->segs * q->rows;
    const wn_mat shares = build_matrix(b, all, width);
    const struct wn_args_cross_sim score = {
        .segs = keys->segs,
        .seg_at = keys->seg.at,
        .rows = q->rows,
        .width = width,
        .src_at = q->src.at,
        .c_inv_at = build_fill(b, q->mat.rows, f32_bits(1.0f)).at,
        .list_at = keys->list.at,
        .inv_at = build_fill(b, keys->n_max, f32_bits(scale)).at,
        .cols = q->mat.cols,
        .own = q->own};
    const struct wn_args_row_softmax soften = {.segs = keys->segs,
                                               .row_seg_at =
                                                   build_counting(b, keys->segs + 1, q->rows).at,
                                               .seg_at = keys->seg.at,
                                               .factor = 1.0f,
                                               .scale = 1.0f};
    build_loops_fit(b, WN_OP_cross_sim, q->mat.cols);
    build_loops_fit(b, WN_OP_row_softmax, 4 * (width / 32ull + 1));
    BUILD_OP3(b, cross_sim, (uint64_t)all * ((width + 3) / 4), &keys->mat, &shares, &q->mat, score,
              READS_W);
    BUILD_OP(b, row_softmax, all, NULL, &shares, soften, READS_W);
    return shares;
}

static void add_values(wn_build *b, struct wn_args_attend_values args, const wn_mat *shares,
                       const wn_rows *values, const wn_mat *out)
{
    const uint64_t items = (uint64_t)args.segs * ((args.rows + 7) / 8) * ((args.cols + 127) / 128);
    BUILD_OP3(b, attend_values, items, &values->mat, out, shares, args, READS_W);
}

/* Where a driver stops long loops the sums grow in a matrix of f32, so that they are the same. */
void build_attend_values(wn_build *b, const wn_mat *shares, uint32_t rows, const wn_rows *values,
                         wn_arr to, const wn_mat *out)
{
    struct wn_args_attend_values args = {.segs = values->segs,
                                         .seg_at = values->seg.at,
                                         .rows = rows,
                                         .width = values->width,
                                         .list_at = values->list.at,
                                         .to_at = to.at,
                                         .cols = out->cols};
    const uint32_t most = b->loop_limit - b->loop_limit / 8;
    if (values->width <= most) {
        add_values(b, args, shares, values, out);
        return;
    }
    const wn_mat sums = build_matrix(b, out->rows, out->cols);
    for (args.most = most; args.from < values->width && b->status == WINNOW_OK; args.from += most)
        add_values(b, args, shares, values, &sums);
    build_copy_rows(b, &sums, WN_NO_ARR, out, WN_NO_ARR, out->rows);
}

wn_arr build_same(wn_build *b, uint32_t n, uint32_t value)
{
    const wn_arr out = build_const(b, NULL, n);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t i = 0; data && i < n; ++i)
        data[i] = value;
    return out;
}

/* Row h*rows + r of the shares is row r. */
static wn_arr without_heads(wn_build *b, wn_arr map, uint32_t rows, uint32_t heads)
{
    if (heads == 1)
        return map;
    const wn_arr row = build_const(b, NULL, rows * heads);
    uint32_t *data = build_const_data(b, row);
    for (uint32_t e = 0; data && e < rows * heads; ++e)
        data[e] = e % rows;
    return build_follow(b, map, row);
}

static void assign(wn_build *b, const wn_mat *shares, uint32_t rows, uint32_t heads)
{
    const wn_arr map = build_array(b, b->set.n_max);
    const struct wn_args_attend_map args = {.n_max = b->set.n_max,
                                            .segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .rows = rows * heads,
                                            .map_at = map.at,
                                            .mean_at = WN_NONE,
                                            .sizes_new_at = WN_NONE};
    build_loops_fit(b, WN_OP_attend_map, args.rows);
    BUILD_OP(b, attend_map, args.n_max, shares, NULL, args, WRITES_W);
    build_remap(b, without_heads(b, map, rows, heads));
}

/* What rows of each segment stand for, its tokens in `rows` equal parts, into sizes; mean: of the tokens' sizes. */
static void share_sizes(wn_build *b, const wn_rows *tokens, uint32_t rows, wn_arr mean,
                        wn_arr sizes)
{
    const struct wn_args_attend_map args = {.segs = tokens->segs,
                                            .seg_at = tokens->seg.at,
                                            .rows = rows,
                                            .map_at = WN_NONE,
                                            .mean_at = mean.at,
                                            .sizes_new_at = sizes.at,
                                            .inv_rows = 1.0f / (float)rows};
    BUILD_OP(b, attend_map, (uint64_t)tokens->segs * rows, NULL, NULL, args, WRITES_W);
}

wn_arr build_attend_sizes(wn_build *b, const wn_rows *tokens, uint32_t rows, wn_arr sizes,
                          wn_arr out)
{
    wn_arr mean = WN_NO_ARR;
    if (sizes.at != WN_NONE) {
        mean = build_array(b, tokens->segs);
        const struct wn_args_value_mean args = {
            .segs = tokens->segs, .seg_at = tokens->seg.at, .v_at = sizes.at, .mean_at = mean.at};
        BUILD_OP(b, value_mean, tokens->segs, NULL, NULL, args, WRITES_W);
    }
    if (out.at == WN_NONE)
        out = build_array(b, tokens->segs * rows);
    share_sizes(b, tokens, rows, mean, out);
    return out;
}

void build_attend_end(wn_build *b, const wn_mat *shares, uint32_t rows, uint32_t heads,
                      const wn_mat *out)
{
    const wn_set *old = &b->set;
    const bool known = old->sizes.at == WN_NONE && old->exact && old->regular;
    wn_set set = *old;
    set.n_max = old->segs * rows;
    set.width = rows;
    set.regular = set.exact = set.fresh = set.specials = true;
    set.aligned = false;
    set.grid_h = set.grid_w = 0;
    set.mat = *out;
    set.seg = build_counting(b, old->segs + 1, rows);
    set.rows = build_counting(b, set.n_max, 1);
    set.index = build_same(b, set.n_max, (uint32_t)-2);
    set.order = WN_NO_ARR;
    const wn_rows tokens = build_set_rows(b);
    set.sizes = known ? build_same(b, set.n_max, f32_bits((float)old->width * (1.0f / (float)rows)))
                      : build_attend_sizes(b, &tokens, rows, old->sizes, WN_NO_ARR);
    if ((b->in.outputs >> WINNOW_OUT_ASSIGNMENT) & 1u)
        assign(b, shares, rows, heads);
    b->set = set;
}
