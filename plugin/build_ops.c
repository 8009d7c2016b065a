/* build_ops.c: one small function an operation: arguments from the set, bounds, hazards. */
#include "build.h"

#define SET_SEG .n_max = b->set.n_max, .segs = b->set.segs, .seg_at = b->set.seg.at

/* -- long loops: some drivers stop an invocation after so many iterations, so the work is dealt in parts ---------- */

/* Fails where not even the smallest part of an operation stays under the limit. */
bool build_loops_fit(wn_build *b, uint32_t kind, uint64_t iterations)
{
    if (iterations <= b->loop_limit)
        return b->status == WINNOW_OK;
    build_fail(
        b, WINNOW_E_UNSUPPORTED,
        "%s runs %llu loop iterations, and this driver stops a shader after %u (use plain C, a GPU, or Mesa 25 and newer)",
        wn_op_name(kind), (unsigned long long)iterations, b->loop_limit);
    return false;
}

uint64_t build_strides(const wn_build *b, uint32_t n)
{
    return (n + b->group_size - 1) / b->group_size;
}

/* Of a tile of WN_TILE x WN_TILE products: loads of 8 dimensions into shared memory, and as many steps. */
uint64_t build_tile_loops(uint32_t cols)
{
    return 3ull * cols + 64;
}

/* -- scores ------------------------------------------------------------------------------------ */

wn_mat build_text(wn_build *b, const char *advice)
{
    const wn_mat text = build_role(b, WINNOW_ROLE_TEXT);
    if (b->status == WINNOW_OK && text.cols != b->set.mat.cols)
        build_fail(b, WINNOW_E_SHAPE, "rows of `text` have %u elements and tokens %u (%s)",
                   text.cols, b->set.mat.cols, advice);
    return text;
}

wn_arr build_numbers(wn_build *b, const wn_mat *mat)
{
    const uint64_t count = (uint64_t)mat->rows * mat->cols;
    const wn_arr out = build_array(b, count);
    const struct wn_args_load_f32 args = {.rows = mat->rows, .cols = mat->cols, .dst_at = out.at};
    BUILD_OP(b, load_f32, count, mat, NULL, args, WRITES_W);
    return out;
}

wn_arr build_text_peak(wn_build *b, bool heads_meaned)
{
    const wn_mat attention = build_role(b, WINNOW_ROLE_TEXT_ATTENTION);
    const uint32_t heads = heads_meaned ? b->in.shape.llm_heads : 1;
    const wn_arr peak = build_array(b, b->set.n_max);
    const struct wn_args_text_peak args = {SET_SEG,
                                           .index_at = b->set.index.at,
                                           .heads = heads,
                                           .text_rows = heads_meaned ? b->in.shape.text_rows
                                                                     : attention.rows,
                                           .score_at = peak.at,
                                           .scale = 1.0f / (float)(heads ? heads : 1)};
    build_loops_fit(b, WN_OP_text_peak, attention.rows);
    BUILD_OP(b, text_peak, b->set.n_max, &attention, NULL, args, WRITES_W);
    return peak;
}

wn_arr build_head_sum(wn_build *b, uint32_t role, float scale)
{
    const wn_mat mat = build_role(b, role);
    const wn_arr score = build_array(b, b->set.n_max);
    const bool llm = role == WINNOW_ROLE_LLM_ATTENTION || role == WINNOW_ROLE_TEXT_ATTENTION;
    const uint32_t heads = llm ? mat.rows : mat.rows / b->in.shape.frames;
    const struct wn_args_head_sum args = {
        SET_SEG,        .index_at = b->set.index.at,       .score_at = score.at,
        .heads = heads, .rows_per_frame = llm ? 0 : heads, .cols_per_frame = mat.cols,
        .scale = scale};
    BUILD_OP(b, head_sum, b->set.n_max, &mat, NULL, args, WRITES_W);
    return score;
}

wn_arr build_frame_sim(wn_build *b, const wn_mat *history, wn_arr ref, uint32_t flags,
                       float none_value)
{
    const wn_arr score = build_array(b, b->set.n_max);
    const struct wn_args_frame_sim args = {.n_max = b->set.n_max,
                                           .frames = b->set.segs,
                                           .tokens = b->set.width,
                                           .cols = b->set.mat.cols,
                                           .rows_at = b->set.rows.at,
                                           .ref_at = ref.at,
                                           .score_at = score.at,
                                           .flags = flags,
                                           .none_value = none_value};
    BUILD_OP(b, frame_sim, b->set.n_max, &b->set.mat, history, args, WRITES_W);
    return score;
}

wn_arr build_relevance(wn_build *b, float scale)
{
    const wn_mat images = build_role(b, WINNOW_ROLE_IMAGE_EMBEDS),
                 text = build_role(b, WINNOW_ROLE_TEXT);
    const wn_arr rel = build_array(b, b->set.n_max);
    if (images.cols != text.cols && b->status == WINNOW_OK)
        build_fail(b, WINNOW_E_SHAPE,
                   "`text` has %u channels and `image_embeds` %u (give both in one space)",
                   text.cols, images.cols);
    const struct wn_args_relevance args = {SET_SEG,
                                           .index_at = b->set.index.at,
                                           .rel_at = rel.at,
                                           .cols = images.cols,
                                           .text_rows = text.rows,
                                           .scale = scale};
    BUILD_OP(b, relevance, b->set.n_max, &images, &text, args, WRITES_W);
    return rel;
}

void build_power(wn_build *b, wn_arr values, double p)
{
    const struct wn_args_power args = {SET_SEG, .v_at = values.at, .p = (float)p};
    if (p != 1.0)
        BUILD_OP(b, power, b->set.n_max, NULL, NULL, args, WRITES_W);
}

void build_scale_range(wn_build *b, wn_arr values, wn_arr seg, uint32_t segs, bool global,
                       float offset, float tiny)
{
    const struct wn_args_scale_range args = {.segs = segs,
                                             .seg_at = seg.at,
                                             .v_at = values.at,
                                             .global = global,
                                             .offset = offset,
                                             .tiny = tiny};
    BUILD_OP(b, scale_range, global ? 1 : segs, NULL, NULL, args, WRITES_W);
}

/* -- selections -------------------------------------------------------------------------------- */

wn_arr build_topk(wn_build *b, wn_arr score, wn_arr k, bool smallest, bool global)
{
    const wn_arr flags = build_array(b, b->set.n_max);
    build_loops_fit(
        b, WN_OP_topk,
        12 * (build_strides(b, global ? b->set.n_max : b->set.width) + WN_REDUCTION_LOOPS));
    const struct wn_args_topk args = {.segs = b->set.segs,
                                      .seg_at = b->set.seg.at,
                                      .score_at = score.at,
                                      .flag_at = flags.at,
                                      .k_at = k.at,
                                      .smallest = smallest,
                                      .global = global,
                                      .stats_at = build_stats(b).at};
    /* The counter is added to atomically: its order does not matter, so it makes no hazard. */
    BUILD_OP(b, topk, global ? 1 : b->set.segs, NULL, NULL, args, WRITES_W);
    return flags;
}

wn_arr build_topk_of(wn_build *b, uint32_t segs, const wn_list *list, wn_arr score, wn_arr count)
{
    const wn_arr flags = build_array(b, list->n_max);
    build_loops_fit(b, WN_OP_topk, 12 * (build_strides(b, list->width) + WN_REDUCTION_LOOPS));
    const struct wn_args_topk args = {.segs = segs,
                                      .seg_at = list->seg.at,
                                      .score_at = score.at,
                                      .flag_at = flags.at,
                                      .k_at = count.at,
                                      .stats_at = WN_NONE};
    BUILD_OP(b, topk, segs, NULL, NULL, args, WRITES_W);
    return flags;
}

wn_arr build_rank(wn_build *b, wn_arr score, wn_arr seg, uint32_t n_max)
{
    const wn_arr rank = build_array(b, n_max);
    const struct wn_args_rank args = {.n_max = n_max,
                                      .segs = b->set.segs,
                                      .seg_at = seg.at,
                                      .score_at = score.at,
                                      .rank_at = rank.at,
                                      .stats_at = build_stats(b).at};
    BUILD_OP(b, rank, n_max, NULL, NULL, args, WRITES_W);
    return rank;
}

wn_list build_list(wn_build *b, wn_arr flags, bool invert)
{
    const wn_list list = {.seg = build_array(b, b->set.segs + 1u),
                          .pos = build_array(b, b->set.n_max),
                          .n_max = b->set.n_max,
                          .width = b->set.width};
    const struct wn_args_compact args = {SET_SEG,
                                         .flag_at = flags.at,
                                         .invert = invert,
                                         .rows_at = b->set.rows.at,
                                         .index_at = b->set.index.at,
                                         .sizes_at = WN_NONE,
                                         .seg_out_at = list.seg.at,
                                         .rows_out_at = WN_NONE,
                                         .index_out_at = WN_NONE,
                                         .sizes_out_at = WN_NONE,
                                         .from_at = list.pos.at,
                                         .map_at = WN_NONE};
    BUILD_OP(b, compact, 1, NULL, NULL, args, WRITES_W);
    return list;
}

/* Of a regular set in raster order the places are known while planning. */
static wn_list parity_constant(wn_build *b, uint32_t odd)
{
    const uint32_t segs = b->set.segs, width = b->set.width, own = (width + 1 - odd) / 2;
    const wn_list list = {.seg = build_counting(b, segs + 1, own),
                          .pos = build_const(b, NULL, segs * own),
                          .n_max = segs * own,
                          .width = own};
    uint32_t *pos = build_const_data(b, list.pos);
    for (uint32_t i = 0; pos && i < list.n_max; ++i)
        pos[i] = i / own * width + 2 * (i % own) + odd;
    return list;
}

void build_pick_parity(wn_build *b, wn_arr pos, wn_list *even, wn_list *odd)
{
    if (b->set.regular && pos.at == WN_NONE) {
        *even = parity_constant(b, 0);
        *odd = parity_constant(b, 1);
        return;
    }
    const uint32_t half = (b->set.width + 1) / 2, other = b->set.width / 2;
    const uint64_t evens = (uint64_t)half * b->set.segs, odds = (uint64_t)other * b->set.segs;
    *even =
        (wn_list){.width = half, .n_max = (uint32_t)(evens < b->set.n_max ? evens : b->set.n_max)};
    *odd =
        (wn_list){.width = other, .n_max = (uint32_t)(odds < b->set.n_max ? odds : b->set.n_max)};
    even->seg = build_array(b, b->set.segs + 1u);
    odd->seg = build_array(b, b->set.segs + 1u);
    even->pos = build_array(b, even->n_max);
    odd->pos = build_array(b, odd->n_max);
    const struct wn_args_pick args = {.rule = WN_PICK_PARITY,
                                      .segs = b->set.segs,
                                      .seg_at = b->set.seg.at,
                                      .pos_at = pos.at,
                                      .seg1_at = even->seg.at,
                                      .pos1_at = even->pos.at,
                                      .seg2_at = odd->seg.at,
                                      .pos2_at = odd->pos.at,
                                      .flag_at = WN_NONE,
                                      .dest_at = WN_NONE};
    BUILD_OP(b, pick, 1, NULL, NULL, args, WRITES_W);
}

static wn_list pick_stride(wn_build *b, const wn_list *from, uint32_t want, wn_arr each,
                           wn_arr flags)
{
    wn_list list = {.width = want < from->width ? want : from->width};
    const uint64_t all = (uint64_t)list.width * b->set.segs;
    list.n_max = all < from->n_max ? (uint32_t)all : from->n_max;
    list.seg = build_array(b, b->set.segs + 1u);
    list.pos = build_array(b, list.n_max);
    const struct wn_args_pick args = {.rule = WN_PICK_STRIDE,
                                      .want = want,
                                      .segs = b->set.segs,
                                      .seg_at = from->seg.at,
                                      .pos_at = from->pos.at,
                                      .seg1_at = list.seg.at,
                                      .pos1_at = list.pos.at,
                                      .seg2_at = WN_NONE,
                                      .pos2_at = WN_NONE,
                                      .flag_at = flags.at,
                                      .dest_at = WN_NONE,
                                      .wants = each.at != WN_NONE,
                                      .want_at = each.at};
    BUILD_OP(b, pick, 1, NULL, NULL, args, WRITES_W);
    return list;
}

wn_list build_pick_stride(wn_build *b, const wn_list *from, uint32_t want, wn_arr flags)
{
    return pick_stride(b, from, want, WN_NO_ARR, flags);
}

wn_list build_pick_counts(wn_build *b, const wn_list *from, wn_arr want, uint32_t most,
                          wn_arr flags)
{
    return pick_stride(b, from, most, want, flags);
}

void build_match(wn_build *b, const wn_list *sources, const wn_list *targets, const wn_mat *mat,
                 wn_arr list, wn_arr inv, wn_arr *best, wn_arr *arg)
{
    *best = build_array(b, sources->n_max);
    *arg = build_array(b, sources->n_max);
    struct wn_args_match args = {.n_max = sources->n_max,
                                 .width = sources->width ? sources->width : 1,
                                 .segs = b->set.segs,
                                 .src_seg_at = sources->seg.at,
                                 .src_pos_at = sources->pos.at,
                                 .dst_seg_at = targets->seg.at,
                                 .dst_pos_at = targets->pos.at,
                                 .list_at = list.at,
                                 .inv_at = inv.at,
                                 .cols = mat->cols,
                                 .best_at = best->at,
                                 .arg_at = arg->at};
    if (!build_loops_fit(b, WN_OP_match, build_tile_loops(mat->cols)))
        return;
    const uint64_t most = b->loop_limit / build_tile_loops(mat->cols) * WN_TILE;
    const uint64_t items = b->set.segs * (((uint64_t)args.width + WN_TILE - 1) / WN_TILE);
    args.most = most < targets->width ? (uint32_t)most : 0;
    do {
        BUILD_OP(b, match, items, mat, NULL, args, WRITES_W);
        args.from += args.most;
    } while (args.most && args.from < targets->width && b->status == WINNOW_OK);
}

void build_sim_rows(wn_build *b, const wn_list *sources, const wn_mat *mat, wn_arr list, wn_arr inv,
                    const wn_mat *out)
{
    const uint32_t n = sources ? sources->n_max : b->set.n_max,
                   width = b->set.width ? b->set.width : 1;
    const struct wn_args_sim_matrix args = {.n_max = n,
                                            .width = width,
                                            .segs = b->set.segs,
                                            .src_seg_at = sources ? sources->seg.at : b->set.seg.at,
                                            .src_pos_at = sources ? sources->pos.at : WN_NONE,
                                            .seg_at = b->set.seg.at,
                                            .list_at = list.at,
                                            .inv_at = inv.at,
                                            .cols = mat->cols};
    const uint64_t across = (width + WN_TILE - 1) / WN_TILE;
    build_loops_fit(b, WN_OP_sim_matrix, build_tile_loops(mat->cols));
    BUILD_OP(b, sim_matrix, b->set.segs * across * across, mat, out, args, READS_W);
}

wn_mat build_sim_matrix(wn_build *b, const wn_list *sources, const wn_mat *mat, wn_arr list,
                        wn_arr inv)
{
    const uint32_t n = sources ? sources->n_max : b->set.n_max,
                   width = b->set.width ? b->set.width : 1;
    const wn_mat sim = build_matrix(b, n, width);
    build_sim_rows(b, sources, mat, list, inv, &sim);
    return sim;
}

void build_cross_sim(wn_build *b, const wn_mat *from, wn_arr src, wn_arr from_inv, uint32_t rows,
                     const wn_mat *mat, wn_arr list, wn_arr inv, const wn_mat *out)
{
    const uint32_t width = b->set.width ? b->set.width : 1;
    const struct wn_args_cross_sim args = {.segs = b->set.segs,
                                           .seg_at = b->set.seg.at,
                                           .rows = rows,
                                           .width = width,
                                           .src_at = src.at,
                                           .c_inv_at = from_inv.at,
                                           .list_at = list.at,
                                           .inv_at = inv.at,
                                           .cols = mat->cols};
    const uint64_t tiles = (uint64_t)b->set.segs * rows * ((width + 3) / 4);
    BUILD_OP3(b, cross_sim, tiles, mat, out, from, args, READS_W);
}

void build_row_softmax(wn_build *b, const wn_mat *sim, uint32_t rows, double temperature,
                       double scale, bool by_tokens)
{
    const wn_arr row_seg = rows ? build_counting(b, b->set.segs + 1u, rows) : b->set.seg;
    const struct wn_args_row_softmax args = {.segs = b->set.segs,
                                             .row_seg_at = row_seg.at,
                                             .seg_at = b->set.seg.at,
                                             .by_tokens = by_tokens,
                                             .factor = (float)(1.0 / temperature),
                                             .scale = (float)scale};
    const uint64_t most = rows ? (uint64_t)rows * b->set.segs : b->set.n_max;
    BUILD_OP(b, row_softmax, most, NULL, sim, args, READS_W);
}

void build_copy_rows(wn_build *b, const wn_mat *from, wn_arr src, const wn_mat *to, wn_arr dst,
                     uint32_t n)
{
    const struct wn_args_copy_rows args = {
        .n = n, .src_at = src.at, .dst_at = dst.at, .cols = from->cols};
    BUILD_OP(b, copy_rows, (uint64_t)n * ((from->cols + 1) / 2), from, to, args, READS_W);
}

void build_remap(wn_build *b, wn_arr map)
{
    if (!((b->in.outputs >> WINNOW_OUT_ASSIGNMENT) & 1u))
        return;
    const uint32_t n = b->in.shape.frames * b->in.shape.tokens;
    const wn_arr out = build_array(b, n);
    const struct wn_args_remap args = {
        .n = n, .assign_at = b->assign.at, .map_at = map.at, .assign_out_at = out.at};
    BUILD_OP(b, remap, n, NULL, NULL, args, WRITES_W);
    b->assign = out;
}
