/* build_recycle.c: tokens that go are shared out among those that they are correlated with (FiCoCo's correlate and
 * compress; ops_args.h says what the two operations do). */
#include "build.h"

enum { TAKERS_MOST = 64 }; /* of one token */

static bool takers_fit(wn_build *b, const wn_recycling *r)
{
    const uint64_t most = r->most, strides = (b->set.width + b->group_size - 1) / b->group_size;
    if (most > TAKERS_MOST)
        build_fail(b, WINNOW_E_UNSUPPORTED,
                   "quantile=%g shares a token among %u others, more than %u (give a higher one)",
                   (double)r->quantile, r->most, TAKERS_MOST);
    else if ((most + 1) * (strides + 80) > b->loop_limit ||
             (uint64_t)b->set.width * (most + 1) > b->loop_limit)
        build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "%u rows and quantile=%g loop longer than this driver allows (use plain C, or a GPU)",
            b->set.width, (double)r->quantile);
    return b->status == WINNOW_OK;
}

void build_correlate(wn_build *b, wn_recycling *r, const wn_mat *correlation, wn_arr score,
                     wn_arr k)
{
    const uint32_t n = b->set.n_max;
    const uint64_t slots = (uint64_t)n * r->most;
    if (!takers_fit(b, r))
        return;
    r->k = k;
    r->rank = build_rank(b, score, b->set.seg, n);
    r->keep = build_array(b, n);
    r->near = build_array(b, slots);
    r->value = build_array(b, slots);
    r->count = r->within ? build_array(b, n) : build_fill(b, b->set.segs, 0);
    const struct wn_args_correlate args = {.n_max = n,
                                           .segs = b->set.segs,
                                           .seg_at = b->set.seg.at,
                                           .rank_at = r->rank.at,
                                           .k_at = r->k.at,
                                           .keep_at = r->keep.at,
                                           .near_at = r->near.at,
                                           .value_at = r->value.at,
                                           .count_at = r->count.at,
                                           .most = r->most,
                                           .within = r->within,
                                           .q = r->quantile,
                                           .whole = r->whole};
    BUILD_OP(b, correlate, n, correlation, NULL, args, WRITES_W);
}

/* Tokens with a slot for themselves and one for each share, for `group` and `merge`. */
typedef struct share_set {
    wn_arr seg, rows, weight, sizes, map, from;
} share_set;

static share_set share_out(wn_build *b, wn_merge *m, const wn_recycling *r, wn_arr place,
                           wn_arr order)
{
    const uint32_t n = m->old.n_max;
    const uint64_t slots = (uint64_t)n * (r->most + 1);
    const share_set s = {build_array(b, b->set.segs + 1u),
                         build_array(b, slots),
                         build_array(b, slots),
                         build_array(b, slots),
                         build_array(b, slots),
                         build_array(b, b->set.n_max)};
    m->map2 = build_array(b, n);
    const struct wn_args_shares args = {.n_max = n,
                                        .segs = b->set.segs,
                                        .seg_at = m->old.seg.at,
                                        .keep_at = r->keep.at,
                                        .rows_at = m->old.rows.at,
                                        .sizes_at = m->old.sizes.at,
                                        .map_at = m->map.at,
                                        .near_at = r->near.at,
                                        .value_at = r->value.at,
                                        .count_at = r->count.at,
                                        .most = r->most,
                                        .within = r->within,
                                        .k_at = r->k.at,
                                        .place_at = place.at,
                                        .order_new_at = order.at,
                                        .seg_new_at = b->set.seg.at,
                                        .seg_out_at = s.seg.at,
                                        .rows_out_at = s.rows.at,
                                        .weight_at = s.weight.at,
                                        .sizes_out_at = s.sizes.at,
                                        .map_out_at = s.map.at,
                                        .from_out_at = s.from.at,
                                        .map2_at = m->map2.at,
                                        .direct = r->direct,
                                        .linear = r->linear};
    BUILD_OP(b, shares, n + 1u, NULL, NULL, args, WRITES_W);
    return s;
}

void build_recycle(wn_build *b, wn_merge *m, const wn_recycling *r, wn_arr place, wn_arr order,
                   uint32_t rule)
{
    const share_set s = share_out(b, m, r, place, order);
    const uint32_t n = b->set.n_max, cols = m->old.mat.cols;
    m->head = build_array(b, n);
    m->next = build_array(b, (uint64_t)m->old.n_max * (r->most + 1));
    const struct wn_args_group group = {.n_max = n,
                                        .segs = b->set.segs,
                                        .seg_at = s.seg.at,
                                        .seg_new_at = b->set.seg.at,
                                        .span = 1,
                                        .map2_at = s.map.at,
                                        .from_at = s.from.at,
                                        .head_at = m->head.at,
                                        .next_at = m->next.at,
                                        .sizes_at = s.sizes.at,
                                        .sizes_new_at = b->set.sizes.at};
    BUILD_OP(b, group, n, NULL, NULL, group, WRITES_W);
    const wn_mat out = build_matrix(b, n, cols);
    const struct wn_args_merge merge = {.n_max = n,
                                        .segs = b->set.segs,
                                        .seg_new_at = b->set.seg.at,
                                        .list_at = s.rows.at,
                                        .from_at = s.from.at,
                                        .head_at = m->head.at,
                                        .next_at = m->next.at,
                                        .weight_at = s.weight.at,
                                        .rule = rule,
                                        .cols = cols,
                                        .near_at = WN_NONE};
    BUILD_OP(b, merge, (uint64_t)n * ((cols + 1) / 2), &m->old.mat, &out, merge, READS_W);
    build_merge_end(b, m, &out);
}
