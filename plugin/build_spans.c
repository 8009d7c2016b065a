/* build_spans.c: clustering by density peaks (Rodriguez and Laio, Science 2014, with the k nearest neighbours' density of
 * DPC-kNN), and runs of frames, for the stages that reduce videos by them. */
#include "build.h"

/* -- clusters ---------------------------------------------------------------------------------- */

static wn_peaks find_peaks(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                           wn_arr list, uint32_t k, wn_arr k_at, bool sparser)
{
    const uint32_t width = points->width ? points->width : 1;
    const wn_peaks peaks = {.distance = build_matrix(b, points->n_max ? points->n_max : 1, width),
                            .score = build_array(b, points->n_max)};
    const wn_arr density = build_array(b, points->n_max), far = build_array(b, points->n_max);
    const struct wn_args_distances distances = {.n_max = points->n_max,
                                                .width = width,
                                                .segs = segs,
                                                .seg_at = points->seg.at,
                                                .pos_at = points->pos.at,
                                                .list_at = list.at,
                                                .cols = mat->cols,
                                                .scale = 1.0f / (float)mat->cols};
    const struct wn_args_density dense = {.n_max = points->n_max,
                                          .segs = segs,
                                          .seg_at = points->seg.at,
                                          .k = k,
                                          .k_at = k_at.at,
                                          .density_at = density.at,
                                          .far_at = far.at};
    const struct wn_args_peaks args = {.n_max = points->n_max,
                                       .segs = segs,
                                       .seg_at = points->seg.at,
                                       .density_at = density.at,
                                       .far_at = far.at,
                                       .score_at = peaks.score.at,
                                       .sparser = sparser};
    const uint64_t lines = ((uint64_t)points->n_max + WN_TILE - 1) / WN_TILE + segs,
                   tiles = lines * (((uint64_t)width + WN_TILE - 1) / WN_TILE);
    const uint64_t row = (width + b->group_size - 1) / b->group_size + 80; /* and a reduction */
    build_loops_fit(b, WN_OP_distances, build_tile_loops(mat->cols) + segs);
    build_loops_fit(b, WN_OP_density, (k + 1ull) * row);
    BUILD_OP(b, distances, tiles, mat, &peaks.distance, distances, READS_W);
    BUILD_OP(b, density, points->n_max, &peaks.distance, NULL, dense, WRITES_W);
    BUILD_OP(b, peaks, points->n_max, &peaks.distance, NULL, args, WRITES_W);
    return peaks;
}

wn_peaks build_peaks(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                     wn_arr list, uint32_t k, wn_arr k_at)
{
    return find_peaks(b, segs, points, mat, list, k, k_at, false);
}

static void send_to_centres(wn_build *b, uint32_t segs, const wn_list *points, wn_peaks peaks,
                            wn_arr count, wn_arr keep, wn_arr dest)
{
    const wn_arr flags = build_topk_of(b, segs, points, peaks.score, count);
    const struct wn_args_nearest args = {.n_max = points->n_max,
                                         .segs = segs,
                                         .seg_at = points->seg.at,
                                         .pos_at = points->pos.at,
                                         .flag_at = flags.at,
                                         .keep_at = keep.at,
                                         .dest_at = dest.at};
    BUILD_OP(b, nearest, points->n_max, &peaks.distance, NULL, args, WRITES_W);
}

void build_clusters(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                    wn_arr list, uint32_t k, wn_arr k_at, wn_arr count, wn_arr keep, wn_arr dest)
{
    const wn_peaks peaks = find_peaks(b, segs, points, mat, list, k, k_at, false);
    send_to_centres(b, segs, points, peaks, count, keep, dest);
}

void build_sparse_clusters(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                           wn_arr list, uint32_t k, wn_arr k_at, wn_arr count, wn_arr keep,
                           wn_arr dest)
{
    const wn_peaks peaks = find_peaks(b, segs, points, mat, list, k, k_at, true);
    send_to_centres(b, segs, points, peaks, count, keep, dest);
}

/* -- lists ------------------------------------------------------------------------------------- */

void build_lookup(wn_build *b, uint32_t segs, const wn_list *entries, wn_arr from, wn_arr to,
                  wn_arr values, wn_arr out)
{
    const struct wn_args_lookup args = {.n_max = entries->n_max,
                                        .segs = segs,
                                        .seg_at = entries->seg.at,
                                        .from_at = from.at,
                                        .to_at = to.at,
                                        .values_at = values.at,
                                        .out_at = out.at};
    BUILD_OP(b, lookup, entries->n_max, NULL, NULL, args, WRITES_W);
}

wn_arr build_carry(wn_build *b, const wn_merge *m, wn_arr values)
{
    const wn_list rows = {.seg = b->set.seg, .n_max = b->set.n_max};
    const wn_arr out = build_array(b, b->set.n_max);
    build_lookup(b, b->set.segs, &rows, m->from, WN_NO_ARR, values, out);
    return out;
}

wn_arr build_list_counts(wn_build *b, const wn_list *list, wn_count_fn count, const void *user)
{
    const uint32_t rows = list->width + 1;
    const wn_arr table = build_const(b, NULL, rows), k = build_array(b, b->set.segs);
    uint32_t *data = build_const_data(b, table);
    for (uint32_t n = 0; data && n < rows; ++n)
        data[n] = count(n, 0, user);
    const struct wn_args_count_map args = {.segs = b->set.segs,
                                           .seg_at = list->seg.at,
                                           .span = 1,
                                           .table_at = table.at,
                                           .rows = rows,
                                           .parts = 1,
                                           .out_at = k.at};
    BUILD_OP(b, count_map, b->set.segs, NULL, NULL, args, WRITES_W);
    return k;
}

wn_arr build_follow(wn_build *b, wn_arr places, wn_arr map)
{
    const wn_arr out = build_array(b, places.n);
    const struct wn_args_remap args = {
        .n = places.n, .assign_at = places.at, .map_at = map.at, .assign_out_at = out.at};
    BUILD_OP(b, remap, places.n, NULL, NULL, args, WRITES_W);
    return out;
}

/* -- frames ------------------------------------------------------------------------------------ */

winnow_status build_need_frames(wn_build *b)
{
    if (b->inside)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "inside an encoder's layers each frame attends to itself (put it behind)");
    if (!b->set.regular || b->set.segs != b->in.shape.frames)
        return build_fail(b, WINNOW_E_SHAPE,
                          "it needs the frames one by one, each with as many tokens as the others "
                          "(put it before the stage that prunes or flattens)");
    return b->status;
}

wn_mat build_segment_means(wn_build *b, uint32_t segs, wn_arr seg, const wn_mat *mat, wn_arr list)
{
    const wn_mat means = build_matrix(b, segs, mat->cols);
    const struct wn_args_segment_mean args = {
        .segs = segs, .seg_at = seg.at, .list_at = list.at, .cols = mat->cols};
    BUILD_OP(b, segment_mean, (uint64_t)segs * mat->cols, mat, &means, args, READS_W);
    return means;
}

wn_arr build_neighbour_sim(wn_build *b, const wn_mat *rows, uint32_t frames)
{
    const wn_arr score = build_array(b, frames), ref = build_const(b, NULL, frames);
    uint32_t *before = build_const_data(b, ref);
    for (uint32_t t = 0; before && t < frames; ++t)
        before[t] = t - 1;
    const struct wn_args_frame_sim args = {.n_max = frames,
                                           .frames = frames,
                                           .tokens = 1,
                                           .cols = rows->cols,
                                           .rows_at = WN_NONE,
                                           .ref_at = ref.at,
                                           .score_at = score.at};
    BUILD_OP(b, frame_sim, frames, rows, NULL, args, WRITES_W);
    return score;
}

wn_spans build_spans(wn_build *b, wn_arr flags)
{
    const uint32_t frames = b->set.segs;
    const wn_spans spans = {.starts = build_array(b, frames + 1u),
                            .of = build_array(b, frames),
                            .inner = build_array(b, 2u * frames + 1u)};
    const struct wn_args_spans args = {.frames = frames,
                                       .flag_at = flags.at,
                                       .starts_at = spans.starts.at,
                                       .of_at = spans.of.at,
                                       .inner_at = spans.inner.at};
    BUILD_OP(b, spans, frames + 1u, NULL, NULL, args, WRITES_W);
    return spans;
}

wn_spans build_cut(wn_build *b, wn_arr score, uint32_t least, float bound)
{
    const uint32_t frames = b->set.segs;
    const wn_arr flags = build_array(b, frames);
    const struct wn_args_cut args = {.frames = frames,
                                     .score_at = score.at,
                                     .flag_at = flags.at,
                                     .least = least,
                                     .bound = bound};
    BUILD_OP(b, cut, frames, NULL, NULL, args, WRITES_W);
    return build_spans(b, flags);
}

/* -- merges inside spans ----------------------------------------------------------------------- */

void build_merge_span(wn_build *b, wn_merge *m, const wn_spans *spans, wn_arr keep, wn_arr dest)
{
    const wn_arr starts = build_follow(b, spans->starts, m->old.seg);
    const wn_arr ends = {starts.at + 1, starts.n - 1};
    const wn_arr begin = build_follow(b, spans->of, starts), end = build_follow(b, spans->of, ends);
    m->map2 = build_array(b, m->old.n_max);
    m->head = build_array(b, b->set.n_max);
    m->next = build_array(b, m->old.n_max);
    const struct wn_args_resolve resolve = {.n_max = m->old.n_max,
                                            .segs = m->old.segs,
                                            .seg_at = m->old.seg.at,
                                            .keep_at = keep.at,
                                            .dest_at = dest.at,
                                            .map_at = m->map.at,
                                            .map2_at = m->map2.at,
                                            .steps = m->old.segs};
    const struct wn_args_group group = {.n_max = b->set.n_max,
                                        .segs = b->set.segs,
                                        .seg_at = m->old.seg.at,
                                        .seg_new_at = b->set.seg.at,
                                        .span = 1,
                                        .map2_at = m->map2.at,
                                        .from_at = m->from.at,
                                        .head_at = m->head.at,
                                        .next_at = m->next.at,
                                        .sizes_at = m->old.sizes.at,
                                        .sizes_new_at = b->set.sizes.at,
                                        .ranged = 1,
                                        .begin_at = begin.at,
                                        .end_at = end.at};
    BUILD_OP(b, resolve, m->old.n_max, NULL, NULL, resolve, WRITES_W);
    BUILD_OP(b, group, b->set.n_max, NULL, NULL, group, WRITES_W);
}

wn_arr build_still(wn_build *b, const wn_spans *spans, uint32_t rule, wn_arr value, float bound)
{
    const uint32_t all = b->set.n_max;
    const wn_arr still = build_array(b, all), keep = build_array(b, all),
                 dest = build_array(b, all);
    const struct wn_args_still args = {.frames = b->set.segs,
                                       .tokens = b->set.width,
                                       .rule = rule,
                                       .starts_at = spans->starts.at,
                                       .of_at = spans->of.at,
                                       .value_at = value.at,
                                       .flag_at = still.at,
                                       .keep_at = keep.at,
                                       .dest_at = dest.at,
                                       .bound = bound};
    BUILD_OP(b, still, all, NULL, NULL, args, WRITES_W);
    const wn_bounds after = {.n_max = all,
                             .width = b->set.width,
                             .regular = b->set.segs == 1,
                             .exact = b->set.segs == 1};
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    build_merge_span(b, &m, spans, keep, dest);
    const wn_mat out = build_matrix(b, all, m.old.mat.cols);
    build_merge_rows(b, &m, &m.old.mat, m.old.rows, &out, WN_MERGE_WAVG, WN_NO_ARR);
    build_merge_end(b, &m, &out);
    return build_carry(b, &m, still);
}
