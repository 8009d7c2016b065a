/* build_counts.c: how many tokens each frame keeps, and the bounds that follow. */
#include "build.h"

/* What `user` points at for a frame that keeps more: the same place in the other values. */
static const void *user_of(const wn_build *b, const void *user, uint32_t frame)
{
    const wn_value *value = user;
    const bool inside = b->more && value >= b->values && value < b->values + WN_MAX_OPTIONS;
    return inside && frame < b->more ? b->values_more + (value - b->values) : value;
}

static wn_arr counts_constant(wn_build *b, wn_count_fn count, uint32_t parts, const void *user)
{
    const wn_arr k = build_const(b, NULL, b->set.segs * parts);
    uint32_t *data = build_const_data(b, k);
    for (uint32_t i = 0; data && i < k.n; ++i)
        data[i] = count(b->set.width, i % parts, user_of(b, user, i / parts));
    return k;
}

wn_arr build_counts(wn_build *b, wn_count_fn count, uint32_t parts, const void *user)
{
    if (b->set.regular)
        return counts_constant(b, count, parts, user);
    const uint32_t rows = b->set.width + 1;
    const wn_arr table = build_const(b, NULL, rows * parts);
    uint32_t *data = build_const_data(b, table);
    for (uint32_t i = 0; data && i < rows * parts; ++i)
        data[i] = count(i % rows, i / rows, user);
    const wn_arr k = build_array(b, (uint64_t)b->set.segs * parts);
    const struct wn_args_count_map args = {.segs = b->set.segs,
                                           .seg_at = b->set.seg.at,
                                           .span = 1,
                                           .table_at = table.at,
                                           .rows = rows,
                                           .parts = parts,
                                           .out_at = k.at};
    BUILD_OP(b, count_map, (uint64_t)b->set.segs * parts, NULL, NULL, args, WRITES_W);
    return k;
}

wn_arr build_count_of_all(wn_build *b, wn_count_fn count, const void *user)
{
    const uint32_t rows = b->set.exact ? 1 : b->set.n_max + 1;
    const wn_arr table = build_const(b, NULL, rows);
    uint32_t *data = build_const_data(b, table);
    for (uint32_t i = 0; data && i < rows; ++i)
        data[i] = count(b->set.exact ? b->set.n_max : i, 0, user);
    if (b->set.exact)
        return table;
    const wn_arr k = build_array(b, 1);
    const struct wn_args_count_map args = {.segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .span = b->set.segs,
                                           .table_at = table.at,
                                           .rows = rows,
                                           .parts = 1,
                                           .out_at = k.at};
    BUILD_OP(b, count_map, 1, NULL, NULL, args, WRITES_W);
    return k;
}

wn_bounds build_bounds(const wn_build *b, wn_count_fn count, uint32_t part, const void *user)
{
    const wn_set *set = &b->set;
    wn_bounds bounds = {.regular = set->regular && !b->more, .exact = set->regular};
    if (set->regular) {
        const uint32_t most = count(set->width, part, user_of(b, user, 0)),
                       least = count(set->width, part, user);
        bounds.width = most;
        bounds.n_max = least * set->segs + (most - least) * b->more;
        return bounds;
    } else {
        for (uint32_t n = 0; n <= set->width; ++n) {
            const uint32_t k = count(n, part, user);
            bounds.width = k > bounds.width ? k : bounds.width;
        }
    }
    const uint64_t all = (uint64_t)bounds.width * set->segs;
    bounds.n_max = all < set->n_max ? (uint32_t)all : set->n_max;
    return bounds;
}
