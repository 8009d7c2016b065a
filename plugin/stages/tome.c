/* ToMe: Bolya et al., "Token Merging: Your ViT but Faster", ICLR 2023, arXiv:2210.09461. Official:
 * facebookresearch/ToMe tome/merge.py bipartite_soft_matching and merge_wavg; agrees with it.
 * Metric: keys (head mean), normalised. Tokens at even places are sources, at odd places targets; each source finds its most
 * similar target; the r most similar sources (stable, descending) merge into theirs by the size-weighted mean; sizes add.
 * r <= floor(n/2) a pass; keep= runs as many passes as it takes, on tokens in the official order between passes
 * (unmerged sources by descending similarity, then targets), keys merged as tokens are.
 * Rows come out in raster order; --order method gives the official one.
 * Inside an encoder (layers=all, official tome/patch/timm.py): between attention and MLP, with this layer's keys, class token
 * protected, and attention in proportion to sizes in the layers behind it. */
#include "build.h"
#include <math.h>

enum { R, KEEP, METRIC };

static uint32_t removed(uint32_t n, const wn_value *v)
{
    const uint32_t most = n / 2;
    if (v[R].given)
        return (uint32_t)v[R].number < most ? (uint32_t)v[R].number : most;
    const uint32_t keep = wn_keep_count(&v[KEEP], n, trunc), surplus = n - keep;
    return surplus < most ? surplus : most;
}

/* With keep= as a share the target is a share of the first pass's n: each pass gets the absolute number. */
static uint32_t merged(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return removed(n, user);
}

static uint32_t left(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return n - removed(n, user);
}

typedef struct metric {
    wn_mat mat;
    wn_arr list;
} metric;

static metric first_metric(wn_build *b, const wn_value *v)
{
    if (v[METRIC].choice == 1 || !build_has(b, WINNOW_ROLE_KEYS))
        return (metric){b->set.mat, b->set.rows};
    return (metric){build_role(b, WINNOW_ROLE_KEYS), b->set.index};
}

static wn_arr official_order(wn_build *b, const wn_merge *m, const wn_list *from, const wn_list *to,
                             wn_arr rank, wn_arr k)
{
    const wn_arr order = build_array(b, b->set.n_max);
    const struct wn_args_merge_order args = {.n_max = from->n_max + to->n_max,
                                             .segs = b->set.segs,
                                             .src_seg_at = from->seg.at,
                                             .src_pos_at = from->pos.at,
                                             .dst_seg_at = to->seg.at,
                                             .dst_pos_at = to->pos.at,
                                             .rank_at = rank.at,
                                             .k_at = k.at,
                                             .map_at = m->map.at,
                                             .seg_new_at = b->set.seg.at,
                                             .order_at = order.at,
                                             .by_place = b->class_first};
    BUILD_OP(b, merge_order, args.n_max, NULL, NULL, args, WRITES_W);
    return order;
}

/* One bipartite matching. `order`: the places of the tokens, or WN_NO_ARR for raster. */
static wn_arr one_pass(wn_build *b, const wn_value *v, metric *by, wn_arr order, bool last)
{
    const wn_arr keep = build_fill(b, b->set.n_max, 1), dest = build_fill(b, b->set.n_max, WN_NONE);
    const wn_arr inv = build_norms(b, &by->mat, by->list);
    const wn_arr k = build_counts(b, merged, 1, v);
    const wn_bounds after = build_bounds(b, left, 0, v);
    wn_list from, to;
    wn_arr best, arg;
    if (b->class_first) /* the class token has the first place: a source that never merges */
        build_pick_parity(b, order, &to, &from);
    else
        build_pick_parity(b, order, &from, &to);
    build_match(b, &from, &to, &by->mat, by->list, inv, &best, &arg);
    const wn_arr rank = build_rank(b, best, from.seg, from.n_max);
    const wn_matched pairs = {&from, rank, k, arg};
    const wn_merge m = build_merge_lists(b, keep, dest, &pairs, after, 0, 1);
    wn_arr new_order = WN_NO_ARR;
    if (!last || b->inside || b->in.order == WINNOW_ORDER_METHOD)
        new_order = official_order(b, &m, &from, &to, rank, k);
    if (!last) {
        const wn_mat merged_keys = build_matrix(b, b->set.n_max, by->mat.cols);
        build_merge_rows(b, &m, &by->mat, by->list, &merged_keys, WN_MERGE_WAVG, m.old.sizes);
        *by = (metric){merged_keys, b->set.rows};
    }
    build_merge_by(b, &m, WN_MERGE_WAVG, m.old.sizes);
    return new_order;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    wn_value fixed[WN_MAX_OPTIONS];
    for (uint32_t i = 0; i < WN_MAX_OPTIONS; ++i)
        fixed[i] = v[i];
    if (v[KEEP].given && v[KEEP].percent) {
        if (!b->set.regular)
            return build_fail(
                b, WINNOW_E_UNSUPPORTED,
                "keep=%g%% after a stage that leaves frames of different sizes (give a count)",
                v[KEEP].number);
        fixed[KEEP] =
            (wn_value){.given = true, .number = wn_keep_count(&v[KEEP], b->set.width, trunc)};
    }
    if (b->set.regular && removed(b->set.width, fixed) == 0)
        return b->status; /* the official do_nothing: the order stays too */
    metric by = first_metric(b, v);
    wn_arr order = b->inside ? b->set.order : WN_NO_ARR; /* layers go on in the official order */
    for (uint32_t n = b->set.width, number = 0; b->status == WINNOW_OK; ++number) {
        const uint32_t rest = n - removed(n, fixed);
        const bool last = v[R].given || rest - removed(rest, fixed) == rest;
        if (number && rest == n)
            break;
        order = one_pass(b, fixed, &by, order, last);
        n = rest;
        if (last)
            break;
    }
    b->set.order = order;
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[R].given == v[KEEP].given)
        return "give either r= (tokens to merge) or keep= (tokens to leave)";
    return NULL;
}

static const winnow_option_info options[] = {
    {"r", "count", "-", "0..1e9", "tokens of each frame to merge, at most half of them"},
    {"keep", "keep", "-", "1..1e9", "tokens of each frame to leave, by as many passes as it takes"},
    {"metric", "choice", "keys", "keys|tokens",
     "what similarity is taken of; without keys: tokens"},
};

const wn_stage wn_stage_tome = {
    .name = "tome",
    .family = "similarity",
    .summary = "merges the most similar pairs of tokens (bipartite soft matching)",
    .help =
        "Deals each frame's tokens into two halves, finds every token of the first half its most similar one in the second, and "
        "merges the r most similar pairs by their size-weighted mean. Uses keys where given, else the tokens themselves.",
    .source =
        "Bolya et al., ICLR 2023, arXiv:2210.09461; official facebookresearch/ToMe tome/merge.py",
    .paper = "arXiv 2210.09461",
    .agrees = "official code",
    .gives = "size-weighted means",
    .cost = "a pass: n*n/4*Dk multiply-adds; reads every token once",
    .options = options,
    .option_count = 3,
    .merges_inside = true,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_SIZES,
    .check = check,
    .build = build,
};
