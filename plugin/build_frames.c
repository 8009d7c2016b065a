/* build_frames.c: centres of frames, shares of a budget, and what else stages for videos have in common. */
#include "build.h"

wn_rows build_set_rows(const wn_build *b)
{
    return (wn_rows){.mat = b->set.mat,
                     .list = b->set.rows,
                     .seg = b->set.seg,
                     .segs = b->set.segs,
                     .n_max = b->set.n_max,
                     .width = b->set.width};
}

wn_rows build_all_rows(wn_build *b, const wn_mat *mat)
{
    const uint32_t range[2] = {0, mat->rows};
    return (wn_rows){.mat = *mat,
                     .list = WN_NO_ARR,
                     .seg = build_const(b, range, 2),
                     .segs = 1,
                     .n_max = mat->rows,
                     .width = mat->rows};
}

wn_mat build_rows_part(const wn_mat *mat, uint32_t first, uint32_t rows)
{
    const uint64_t element = mat->ref.dtype == WINNOW_F32 ? 4 : 2;
    wn_mat part = *mat;
    part.ref.offset += (uint64_t)first * mat->stride * element;
    part.ref.bytes = (uint64_t)rows * mat->stride * element;
    part.rows = rows;
    return part;
}

wn_arr build_lengths(wn_build *b, const wn_rows *rows, wn_arr mask, bool inverse, float eps)
{
    const wn_arr out = build_array(b, rows->n_max);
    const struct wn_args_row_length args = {.n_max = rows->n_max,
                                            .segs = rows->segs,
                                            .seg_at = rows->seg.at,
                                            .list_at = rows->list.at,
                                            .mask_at = mask.at,
                                            .out_at = out.at,
                                            .cols = rows->mat.cols,
                                            .inverse = inverse,
                                            .eps2 = eps * eps,
                                            .inv_eps = 1.0f / eps};
    BUILD_OP(b, row_length, rows->n_max, &rows->mat, NULL, args, WRITES_W);
    return out;
}

void build_column_sum(wn_build *b, const wn_rows *rows, wn_arr weight, const wn_mat *centre,
                      wn_arr over, uint32_t span, const wn_mat *out)
{
    const struct wn_args_column_sum args = {.segs = rows->segs,
                                            .seg_at = rows->seg.at,
                                            .list_at = rows->list.at,
                                            .weight_at = weight.at,
                                            .cols = rows->mat.cols,
                                            .square = centre != NULL,
                                            .over_at = over.at,
                                            .span = span};
    if (!build_loops_fit(b, WN_OP_column_sum, rows->width))
        return;
    BUILD_OP3(b, column_sum, (uint64_t)rows->segs * ((rows->mat.cols + 1) / 2), &rows->mat, out,
              centre, args, READS_W);
}

wn_arr build_value_mean(wn_build *b, wn_arr values)
{
    const wn_arr mean = build_array(b, b->set.segs);
    const struct wn_args_value_mean args = {
        .segs = b->set.segs, .seg_at = b->set.seg.at, .v_at = values.at, .mean_at = mean.at};
    if (build_loops_fit(b, WN_OP_value_mean, b->set.width / 32 + 1))
        BUILD_OP(b, value_mean, b->set.segs, NULL, NULL, args, WRITES_W);
    return mean;
}

wn_arr build_softmax(wn_build *b, wn_arr values, uint32_t n, float scale)
{
    const wn_arr p = build_array(b, n);
    const struct wn_args_softmax args = {.n = n, .x_at = values.at, .p_at = p.at, .scale = scale};
    if (build_loops_fit(b, WN_OP_softmax, n / 8 + 100))
        BUILD_OP(b, softmax, 1, NULL, NULL, args, WRITES_W);
    return p;
}

wn_arr build_look_back(wn_build *b)
{
    const bool follows = b->in.streaming && b->in.frames_before > 0;
    const wn_arr ref = build_const(b, NULL, b->set.segs);
    uint32_t *data = build_const_data(b, ref);
    for (uint32_t t = 0; data && t < b->set.segs; ++t)
        data[t] = t ? t - 1 : follows ? (uint32_t)-2 : (uint32_t)-1;
    return ref;
}

void build_remember(wn_build *b, uint32_t frame, const wn_mat *history)
{
    /* The frame's rows, and where they go: lists, since rows[] may be anything. */
    const uint32_t n = b->set.width;
    const wn_arr src = {b->set.rows.at + frame * n, n};
    const wn_arr dst = build_counting(b, n, 1);
    build_copy_rows(b, &b->set.mat, src, history, dst, n);
}

wn_arr build_frame_before(wn_build *b, uint32_t flags, float none_value)
{
    const bool streaming = b->in.streaming;
    wn_mat history = {0};
    if (streaming)
        history = build_history(b, b->set.width, b->set.mat.cols);
    const wn_arr ref = build_look_back(b);
    const wn_arr score = build_frame_sim(b, streaming ? &history : NULL, ref, flags, none_value);
    if (streaming)
        build_remember(b, b->set.segs - 1, &history);
    return score;
}

winnow_status build_need_aligned(wn_build *b)
{
    if (b->set.aligned)
        return b->status;
    return build_fail(
        b, WINNOW_E_SHAPE,
        "frames keep different places here, and it compares the same place in two frames "
        "(put it before the stage that prunes)");
}

winnow_status build_need_class_tokens(wn_build *b)
{
    if (b->set.segs != b->in.shape.frames)
        return build_fail(
            b, WINNOW_E_SHAPE,
            "there is a class token a frame, and the frames are one set here (leave `cls` out, or "
            "put it in front of flatten)");
    if (b->set.mat.cols != b->in.shape.dim)
        return build_fail(b, WINNOW_E_SHAPE,
                          "class tokens have %u channels, and tokens %u here (leave `cls` out, or "
                          "put it in front of what changes the channels)",
                          b->in.shape.dim, b->set.mat.cols);
    return b->status;
}

winnow_status build_need_outside(wn_build *b)
{
    if (!b->inside)
        return b->status;
    return build_fail(
        b, WINNOW_E_UNSUPPORTED,
        "it goes by the language model's attention, not an encoder's (put it behind)");
}

wn_arr build_above(wn_build *b, wn_arr values, float limit, bool equal, bool below)
{
    const wn_arr flags = build_array(b, b->set.n_max);
    const struct wn_args_above args = {.n_max = b->set.n_max,
                                       .segs = b->set.segs,
                                       .seg_at = b->set.seg.at,
                                       .v_at = values.at,
                                       .flag_at = flags.at,
                                       .equal = equal,
                                       .below = below,
                                       .stats_at = build_stats(b).at,
                                       .limit = limit};
    BUILD_OP(b, above, b->set.n_max, NULL, NULL, args, WRITES_W);
    return flags;
}

wn_compared build_compared(wn_build *b, bool centred)
{
    const wn_rows rows = build_set_rows(b);
    const uint32_t n = b->set.n_max, segs = b->set.segs, cols = rows.mat.cols;
    const wn_arr inv = build_norms(b, &rows.mat, rows.list);
    if (!centred)
        return (wn_compared){rows.mat, rows.list, inv, WN_NO_ARR};
    const wn_mat mean = build_matrix(b, segs, cols), direction = build_matrix(b, segs, cols);
    build_column_sum(b, &rows, WN_NO_ARR, NULL, b->set.seg, 1, &mean);
    build_column_sum(b, &rows, inv, NULL, b->set.seg, 1, &direction);
    wn_compared out = {
        .mat = build_matrix(b, n, cols), .list = WN_NO_ARR, .distinct = build_array(b, n)};
    const struct wn_args_centre_cos alike = {.n_max = n,
                                             .segs = segs,
                                             .seg_at = b->set.seg.at,
                                             .list_at = rows.list.at,
                                             .inv_at = inv.at,
                                             .centre_inv_at = WN_NONE,
                                             .cols = cols,
                                             .distance = 1,
                                             .add_at = WN_NONE,
                                             .v_at = out.distinct.at};
    BUILD_OP3(b, centre_cos, n, &rows.mat, NULL, &direction, alike, WRITES_W);
    build_scale_range(b, out.distinct, b->set.seg, segs, false, 0.0f, 1e-6f);
    const struct wn_args_centre_rows args = {
        .n_max = n, .segs = segs, .seg_at = b->set.seg.at, .list_at = rows.list.at, .cols = cols};
    BUILD_OP3(b, centre_rows, (uint64_t)n * ((cols + 1) / 2), &rows.mat, &out.mat, &mean, args,
              READS_W);
    out.inv = build_norms(b, &out.mat, WN_NO_ARR);
    return out;
}
