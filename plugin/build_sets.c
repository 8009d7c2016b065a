/* build_sets.c: how the set changes: pruning moves no row, merging writes new ones. */
#include "build_program.h"

static wn_set set_after(wn_build *b, wn_bounds after, bool sizes)
{
    wn_set set = b->set;
    set.n_max = after.n_max;
    set.width = after.width;
    set.regular = after.regular;
    set.exact = after.exact;
    set.grid_h = set.grid_w = 0;
    set.aligned = set.segs == 1 && set.regular;
    set.seg = build_array(b, set.segs + 1u);
    set.rows = build_array(b, set.n_max);
    set.index = build_array(b, set.n_max);
    set.sizes = sizes ? build_array(b, set.n_max) : WN_NO_ARR;
    set.order = WN_NO_ARR;
    return set;
}

/* The method's order by new positions: order_new[r] = map[order[r]], frame by frame, since both keep
 * their frames together; known only where every frame keeps the same number. */
static wn_arr order_after(wn_build *b, wn_arr order, wn_arr map, const wn_set *old,
                          const wn_set *set)
{
    if (order.at == WN_NONE || b->in.order != WINNOW_ORDER_METHOD || !old->regular || !set->regular)
        return WN_NO_ARR;
    const wn_arr out = build_array(b, set->n_max);
    for (uint32_t s = 0; s < set->segs; ++s) {
        const struct wn_args_remap args = {.n = set->width,
                                           .assign_at = order.at + s * old->width,
                                           .map_at = map.at,
                                           .assign_out_at = out.at + s * set->width};
        BUILD_OP(b, remap, args.n, NULL, NULL, args, WRITES_W);
    }
    return out;
}

winnow_status build_select(wn_build *b, const wn_stage_use *use, wn_selection *out)
{
    *out = (wn_selection){.flags = WN_NO_ARR};
    b->selection = out;
    build_stage(b, use);
    b->selection = NULL;
    if (b->status == WINNOW_OK && out->flags.at == WN_NONE)
        build_fail(b, WINNOW_E_INTERNAL, "%s chose nothing (report this)", use->stage->name);
    return b->status;
}

wn_arr build_leave_out(wn_build *b, const wn_selection *chosen)
{
    const wn_set old = b->set;
    const bool known = old.exact && old.regular && chosen->after.exact && chosen->after.regular;
    const uint32_t width = known ? old.width - chosen->after.width : old.width;
    const wn_bounds after = {known ? width * old.segs : old.n_max, width, known, known};
    wn_set set = set_after(b, after, old.sizes.at != WN_NONE);
    set.fresh = false;
    const wn_arr from = build_array(b, set.n_max);
    const struct wn_args_compact args = {.n_max = old.n_max,
                                         .segs = old.segs,
                                         .seg_at = old.seg.at,
                                         .flag_at = chosen->flags.at,
                                         .invert = 1,
                                         .rows_at = old.rows.at,
                                         .index_at = old.index.at,
                                         .sizes_at = old.sizes.at,
                                         .seg_out_at = set.seg.at,
                                         .rows_out_at = set.rows.at,
                                         .index_out_at = set.index.at,
                                         .sizes_out_at = set.sizes.at,
                                         .from_at = from.at,
                                         .map_at = WN_NONE};
    BUILD_OP(b, compact, 1, NULL, NULL, args, WRITES_W);
    b->set = set;
    return from;
}

void build_add_choice(wn_build *b, wn_arr from, wn_arr chosen, wn_arr flags)
{
    const struct wn_args_mark args = {.n_max = b->set.n_max,
                                      .segs = b->set.segs,
                                      .seg_at = b->set.seg.at,
                                      .from_at = from.at,
                                      .chosen_at = chosen.at,
                                      .flag_at = flags.at};
    BUILD_OP(b, mark, args.n_max, NULL, NULL, args, WRITES_W);
}

static uint32_t itself(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    (void)user;
    return n;
}

/* {0, all}: where the one segment begins and ends. */
static wn_arr one_segment(wn_build *b)
{
    const uint32_t known[2] = {0, b->set.n_max};
    if (b->set.exact)
        return build_const(b, known, 2);
    const wn_arr all = build_count_of_all(b, itself, NULL), seg = build_array(b, 2);
    const struct wn_args_fill zero = {.n = 1, .at = seg.at, .value = 0};
    const struct wn_args_remap copy = {
        .n = 1, .assign_at = WN_NONE, .map_at = all.at, .assign_out_at = seg.at + 1};
    BUILD_OP(b, fill, 1, NULL, NULL, zero, WRITES_W);
    BUILD_OP(b, remap, 1, NULL, NULL, copy, WRITES_W);
    return seg;
}

void build_join(wn_build *b)
{
    if (b->set.segs == 1)
        return;
    b->set.seg = one_segment(b);
    b->set.segs = 1;
    b->set.width = b->set.n_max;
    b->set.regular = b->set.exact;
    b->set.fresh =
        b->set.fresh && b->set.exact; /* else its rows were written before they are counted here */
    b->set.aligned = false;
    b->set.grid_h = b->set.grid_w = 0;
}

void build_prune(wn_build *b, wn_arr flags, wn_bounds after, wn_arr order)
{
    if (b->selection) {
        b->selection->flags = flags;
        b->selection->after = after;
        return;
    }
    const wn_set old = b->set;
    wn_set set = set_after(b, after, old.sizes.at != WN_NONE);
    set.fresh = false;
    const wn_arr map = build_array(b, old.n_max);
    const struct wn_args_compact args = {.n_max = old.n_max,
                                         .segs = old.segs,
                                         .seg_at = old.seg.at,
                                         .flag_at = flags.at,
                                         .rows_at = old.rows.at,
                                         .index_at = old.index.at,
                                         .sizes_at = old.sizes.at,
                                         .seg_out_at = set.seg.at,
                                         .rows_out_at = set.rows.at,
                                         .index_out_at = set.index.at,
                                         .sizes_out_at = set.sizes.at,
                                         .from_at = WN_NONE,
                                         .map_at = map.at};
    BUILD_OP(b, compact, 1, NULL, NULL, args, WRITES_W);
    build_remap(b, map);
    set.order = order_after(b, order, map, &old, &set);
    b->set = set;
}

/* The set that m makes of m->old, its lists still to be written. */
static wn_set set_to_merge(wn_build *b, const wn_merge *m, wn_bounds after)
{
    if (b->selection)
        build_fail(b, WINNOW_E_INTERNAL, "it merges where it should choose (report this)");
    const uint32_t added = m->first + m->last;
    after.width += added;
    after.n_max += added * b->set.segs;
    wn_set set = set_after(b, after, true);
    set.fresh = true;
    set.specials = m->old.specials || added > 0;
    return set;
}

static wn_merge merge_begin(wn_build *b, wn_arr flags, bool invert, wn_bounds after, uint32_t first,
                            uint32_t last)
{
    wn_merge m = {.old = b->set, .first = first, .last = last};
    wn_set set = set_to_merge(b, &m, after);
    m.map = build_array(b, m.old.n_max);
    m.map2 = m.map;
    m.from = build_array(b, set.n_max);
    const struct wn_args_compact args = {.n_max = m.old.n_max,
                                         .segs = m.old.segs,
                                         .seg_at = m.old.seg.at,
                                         .flag_at = flags.at,
                                         .invert = invert,
                                         .rows_at = m.old.rows.at,
                                         .index_at = m.old.index.at,
                                         .sizes_at = m.old.sizes.at,
                                         .seg_out_at = set.seg.at,
                                         .rows_out_at = set.rows.at,
                                         .index_out_at = set.index.at,
                                         .sizes_out_at =
                                             m.old.sizes.at == WN_NONE ? WN_NONE : set.sizes.at,
                                         .from_at = m.from.at,
                                         .map_at = m.map.at,
                                         .first = first,
                                         .last = last,
                                         .fresh_rows = 1};
    BUILD_OP(b, compact, 1, NULL, NULL, args, WRITES_W);
    b->set = set;
    return m;
}

wn_merge build_merge_begin(wn_build *b, wn_arr keep, wn_bounds after, uint32_t first, uint32_t last)
{
    return merge_begin(b, keep, false, after, first, last);
}

wn_merge build_merge_without(wn_build *b, wn_arr gone, wn_bounds after)
{
    return merge_begin(b, gone, true, after, 0, 0);
}

void build_merge_pooled(wn_build *b, wn_merge *m, wn_arr keep)
{
    if (!((b->in.outputs >> WINNOW_OUT_ASSIGNMENT) & 1u))
        return; /* nobody asks where they went */
    m->map2 = build_array(b, m->old.n_max);
    const struct wn_args_resolve args = {.n_max = m->old.n_max,
                                         .segs = m->old.segs,
                                         .seg_at = m->old.seg.at,
                                         .keep_at = keep.at,
                                         .dest_at = WN_NONE,
                                         .map_at = m->map.at,
                                         .map2_at = m->map2.at,
                                         .pooled = 1,
                                         .seg_new_at = b->set.seg.at};
    BUILD_OP(b, resolve, args.n_max, NULL, NULL, args, WRITES_W);
}

/* own WN_NO_ARR: no row is a member of itself. */
static void group_members(wn_build *b, const wn_merge *m, uint32_t span, bool sum_sizes, wn_arr own)
{
    const struct wn_args_group group = {.n_max = b->set.n_max,
                                        .segs = b->set.segs,
                                        .seg_at = m->old.seg.at,
                                        .seg_new_at = b->set.seg.at,
                                        .span = span,
                                        .map2_at = m->map2.at,
                                        .from_at = m->from.at,
                                        .head_at = m->head.at,
                                        .next_at = m->next.at,
                                        .sizes_at = m->old.sizes.at,
                                        .sizes_new_at = sum_sizes ? b->set.sizes.at : WN_NONE,
                                        .own = own.at != WN_NONE,
                                        .own_at = own.at};
    BUILD_OP(b, group, b->set.n_max, NULL, NULL, group, WRITES_W);
}

static void resolve_members(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest, uint32_t steps)
{
    const uint32_t old_max = m->old.n_max;
    m->map2 = build_array(b, old_max);
    m->head = build_array(b, b->set.n_max);
    m->next = build_array(b, old_max);
    const struct wn_args_resolve resolve = {.n_max = old_max,
                                            .segs = m->old.segs,
                                            .seg_at = m->old.seg.at,
                                            .keep_at = keep.at,
                                            .dest_at = dest.at,
                                            .map_at = m->map.at,
                                            .map2_at = m->map2.at,
                                            .steps = steps};
    BUILD_OP(b, resolve, old_max, NULL, NULL, resolve, WRITES_W);
}

void build_merge_members(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest, uint32_t span,
                         bool sum_sizes)
{
    resolve_members(b, m, keep, dest, 0);
    group_members(b, m, span, sum_sizes, WN_NO_ARR);
}

void build_merge_chains(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest)
{
    const uint32_t longest = m->old.width;
    build_loops_fit(b, WN_OP_resolve, longest);
    resolve_members(b, m, keep, dest, longest ? longest : 1);
    group_members(b, m, 1, true, WN_NO_ARR);
}

void build_merge_own(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest, wn_arr own)
{
    resolve_members(b, m, keep, dest, 0);
    group_members(b, m, 1, true, own);
}

/* One workgroup is soon done with so few tokens, and with the members of so few rows. */
enum { LISTS_MOST = 4096, LISTS_ROWS_MOST = 256 };

static void send_sources(wn_build *b, wn_arr keep, wn_arr dest, const wn_matched *by)
{
    const struct wn_args_dest args = {.n_max = by->sources->n_max,
                                      .segs = b->set.segs,
                                      .src_seg_at = by->sources->seg.at,
                                      .src_pos_at = by->sources->pos.at,
                                      .rule = by->rank.at == WN_NONE,
                                      .rank_at = by->rank.at,
                                      .k_at = by->k.at,
                                      .arg_at = by->arg.at,
                                      .keep_at = keep.at,
                                      .dest_at = dest.at};
    BUILD_OP(b, dest, by->sources->n_max, NULL, NULL, args, WRITES_W);
}

/* The lists by one operation; those of the members by themselves where there are many rows. */
static wn_merge lists_at_once(wn_build *b, wn_arr keep, wn_arr dest, const wn_matched *by,
                              wn_bounds after, uint32_t first, uint32_t span)
{
    wn_merge m = {.old = b->set, .first = first};
    wn_set set = set_to_merge(b, &m, after);
    m.map = build_array(b, m.old.n_max);
    m.map2 = build_array(b, m.old.n_max);
    m.from = build_array(b, set.n_max);
    m.head = build_array(b, set.n_max);
    m.next = build_array(b, m.old.n_max);
    const bool members = set.n_max <= LISTS_ROWS_MOST;
    const struct wn_args_merge_lists args = {.segs = m.old.segs,
                                             .seg_at = m.old.seg.at,
                                             .keep_at = keep.at,
                                             .src_seg_at = by ? by->sources->seg.at : WN_NONE,
                                             .src_pos_at = by ? by->sources->pos.at : WN_NONE,
                                             .rank_at = by ? by->rank.at : WN_NONE,
                                             .k_at = by ? by->k.at : WN_NONE,
                                             .arg_at = by ? by->arg.at : WN_NONE,
                                             .dest_at = dest.at,
                                             .rows_at = m.old.rows.at,
                                             .index_at = m.old.index.at,
                                             .sizes_at = m.old.sizes.at,
                                             .seg_out_at = set.seg.at,
                                             .rows_out_at = set.rows.at,
                                             .index_out_at = set.index.at,
                                             .sizes_out_at = set.sizes.at,
                                             .from_at = m.from.at,
                                             .map_at = m.map.at,
                                             .first = first,
                                             .map2_at = m.map2.at,
                                             .span = span,
                                             .head_at = members ? m.head.at : WN_NONE,
                                             .next_at = m.next.at};
    BUILD_OP(b, merge_lists, 1, NULL, NULL, args, WRITES_W);
    b->set = set;
    if (!members)
        group_members(b, &m, span, true, WN_NO_ARR);
    return m;
}

wn_merge build_merge_lists(wn_build *b, wn_arr keep, wn_arr dest, const wn_matched *by,
                           wn_bounds after, uint32_t first, uint32_t span)
{
    if (b->set.n_max <= LISTS_MOST)
        return lists_at_once(b, keep, dest, by, after, first, span);
    if (by)
        send_sources(b, keep, dest, by);
    wn_merge m = build_merge_begin(b, keep, after, first, 0);
    build_merge_members(b, &m, keep, dest, span, true);
    return m;
}

void build_merge_runs(wn_build *b, wn_merge *m, wn_arr gone)
{
    m->map2 = build_array(b, m->old.n_max);
    m->head = build_array(b, b->set.n_max);
    m->next = build_array(b, m->old.n_max);
    const struct wn_args_run_members args = {.frames = m->old.segs,
                                             .tokens = m->old.width,
                                             .gone_at = gone.at,
                                             .map_at = m->map.at,
                                             .map2_at = m->map2.at,
                                             .head_at = m->head.at,
                                             .next_at = m->next.at,
                                             .sizes_at = m->old.sizes.at,
                                             .sizes_new_at = b->set.sizes.at};
    if (build_loops_fit(b, WN_OP_run_members, m->old.segs))
        BUILD_OP(b, run_members, m->old.width, NULL, NULL, args, WRITES_W);
}

/* A merge of member lists without weights, into `out`. */
static struct wn_args_merge merge_args(const wn_build *b, const wn_merge *m, const wn_mat *mat,
                                       wn_arr list, uint32_t rule)
{
    return (struct wn_args_merge){.n_max = b->set.n_max,
                                  .segs = b->set.segs,
                                  .seg_new_at = b->set.seg.at,
                                  .list_at = list.at,
                                  .from_at = m->from.at,
                                  .head_at = m->head.at,
                                  .next_at = m->next.at,
                                  .weight_at = WN_NONE,
                                  .rule = rule,
                                  .cols = mat->cols,
                                  .near_at = WN_NONE,
                                  .first = m->first,
                                  .last = m->last};
}

static void add_merge(wn_build *b, const struct wn_args_merge *args, const wn_mat *mat,
                      const wn_mat *out)
{
    BUILD_OP(b, merge, (uint64_t)b->set.n_max * ((mat->cols + 1) / 2), mat, out, *args, READS_W);
}

void build_merge_rows(wn_build *b, const wn_merge *m, const wn_mat *mat, wn_arr list,
                      const wn_mat *out, uint32_t rule, wn_arr weights)
{
    struct wn_args_merge args = merge_args(b, m, mat, list, rule);
    args.weight_at = weights.at;
    add_merge(b, &args, mat, out);
}

void build_merge_blend(wn_build *b, const wn_merge *m, const wn_mat *mat, wn_arr list,
                       const wn_mat *out, uint32_t rule, float blend)
{
    struct wn_args_merge args = merge_args(b, m, mat, list, rule);
    args.blend = blend;
    add_merge(b, &args, mat, out);
}

void build_merge_near(wn_build *b, const wn_merge *m, const wn_mat *mat, wn_arr list,
                      const wn_mat *out, wn_arr weights, wn_arr near, uint32_t many)
{
    struct wn_args_merge args = merge_args(b, m, mat, list, WN_MERGE_ADD_SUM);
    args.head_at = args.next_at = WN_NONE;
    args.weight_at = weights.at;
    args.near_at = near.at;
    args.many = many;
    add_merge(b, &args, mat, out);
}

void build_merge_by(wn_build *b, const wn_merge *m, uint32_t rule, wn_arr weights)
{
    const wn_mat out = build_matrix(b, b->set.n_max, m->old.mat.cols);
    build_merge_rows(b, m, &m->old.mat, m->old.rows, &out, rule, weights);
    build_merge_end(b, m, &out);
}

void build_merge_end(wn_build *b, const wn_merge *m, const wn_mat *out)
{
    build_remap(b, m->map2);
    b->set.mat = *out;
}
