/* Random programs around PruneSID's operations. */
#include <stddef.h>
#include <string.h>

#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

/* Segments with a number of components each. */
typedef struct grouped {
    segments s;
    uint32_t at, most, width;
} grouped;

static grouped any_grouped(ops_case *c, uint32_t tokens, uint32_t most)
{
    grouped g = {.s = any_segments(c, any_size(c, tokens)), .most = 1 + below(c, most)};
    g.at = array(c, g.s.segs, WORDS);
    for (uint32_t k = 0; k < g.s.segs; ++k)
        c->w[g.at + k] = 1 + below(c, g.most);
    g.width = g.s.width ? g.s.width : 1;
    describe(c, "n %u of %u, segments %u, at most %u groups", g.s.n, g.s.n_max, g.s.segs, g.most);
    return g;
}
#define GROUPED(g) .groups_at = (g).at, .most = (g).most

void gen_sigmoid_rows(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const uint32_t cols = any_cols(c, 1024), stride = cols + below(c, 4);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 3 + (uint64_t)(s.n_max + 1) * stride, WINNOW_F32);
    describe(c, "n %u of %u, cols %u, dtype %u", s.n, s.n_max, cols, c->a.dtype);
    wn_op *op = ADD(c, sigmoid_rows, s.n_max, BOUNDED(s), .rows_at = row_list(c, s.n, true),
                    .cols = cols, .inv_cols = 1.0f / (float)cols);
    use_a(c, op);
    write_pool(c, op, 3, stride);
}

void gen_fold_columns(ops_case *c)
{
    const grouped g = any_grouped(c, 300, 19);
    make_matrix(c, &c->a, g.s.n, g.width, WINNOW_F32, any_flavour(c));
    make_pool(c, 1 + (uint64_t)(g.s.n_max + 1) * g.most, WINNOW_F32);
    wn_op *op = ADD(c, fold_columns, g.s.n_max * g.most, BOUNDED(g.s), GROUPED(g));
    use_a(c, op);
    write_pool(c, op, 1, g.most);
}

void gen_orthonormal(ops_case *c)
{
    const grouped g = any_grouped(c, 300, 19);
    make_pool(c, 1 + (uint64_t)(g.s.n_max + 1) * g.most, WINNOW_F32);
    wn_op *op = ADD(c, orthonormal, g.s.segs, SEG(g.s), GROUPED(g), .width = g.width,
                    .parts_at = array(c, g.s.segs * g.most, SCRATCH));
    write_pool(c, op, 1, g.most);
    if (!chance(c, 40))
        return;
    const size_t from = offsetof(struct wn_args_orthonormal, from) / sizeof(uint32_t);
    const size_t count = offsetof(struct wn_args_orthonormal, count) / sizeof(uint32_t);
    const wn_op whole = *op;
    const uint32_t first = 1 + below(c, 7);
    op->args[count] = first;
    wn_op *second = add_op(c, whole.kind, whole.items, whole.args, whole.args_bytes);
    second->b = whole.b;
    memcpy(second->args, whole.args, sizeof whole.args);
    second->args[from] = first;
}

void gen_segment_product(ops_case *c)
{
    const grouped g = any_grouped(c, 300, 19);
    make_matrix(c, &c->a, g.s.n, g.width, WINNOW_F32, any_flavour(c));
    make_c(c, g.s.n, g.most, WINNOW_F32, PLAIN, 0);
    make_pool(c, 1 + (uint64_t)(g.s.n_max + 1) * g.most, WINNOW_F32);
    wn_op *op = ADD(c, segment_product, g.s.n_max * g.most, BOUNDED(g.s), GROUPED(g));
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 1, g.most);
}

void gen_segment_gram(ops_case *c)
{
    const grouped g = any_grouped(c, 300, 11);
    make_matrix(c, &c->a, g.s.n, g.most, WINNOW_F32, any_flavour(c));
    make_c(c, g.s.n, g.most, WINNOW_F32, PLAIN, 0);
    make_pool(c, 1 + (uint64_t)(g.s.segs + 1) * g.most * g.most, WINNOW_F32);
    wn_op *op =
        ADD(c, segment_gram, g.s.segs * g.most * g.most, SEG(g.s), GROUPED(g), .width = g.width);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 1, g.most);
}

void gen_jacobi(ops_case *c)
{
    const grouped g = any_grouped(c, 60, 19);
    const uint32_t stride = 2 * g.most + below(c, 3);
    make_pool(c, 1 + (uint64_t)(g.s.segs * g.most + 1) * stride, WINNOW_F32);
    wn_op *op =
        ADD(c, jacobi, g.s.segs, .segs = g.s.segs, GROUPED(g), .sweeps = 1 + below(c, 4),
            .first = chance(c, 70), .turns_at = array(c, 2 * g.s.segs * g.most + 2, SCRATCH),
            .order_at = array(c, g.s.segs * g.most, WORDS));
    write_pool(c, op, 1, stride);
}

void gen_component(ops_case *c)
{
    const grouped g = any_grouped(c, 300, 19);
    const uint32_t order = array(c, g.s.segs * g.most, WORDS);
    for (uint32_t k = 0; k < g.s.segs; ++k)
        for (uint32_t r = 0; r < c->w[g.at + k]; ++r)
            c->w[order + k * g.most + r] = c->w[g.at + k] - 1 - r;
    make_matrix(c, &c->a, g.s.n, g.most, WINNOW_F32, any_flavour(c));
    make_c(c, g.s.segs * g.most, 2 * g.most, WINNOW_F32, PLAIN, 0);
    wn_op *op = ADD(c, component, g.s.n_max, BOUNDED(g.s), GROUPED(g), .order_at = order,
                    .label_at = array(c, g.s.n_max, WORDS));
    use_a(c, op);
    use_c(c, op);
}

void gen_row_upper(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    make_matrix(c, &c->a, s.n, s.width ? s.width : 1, WINNOW_F32, any_flavour(c));
    describe(c, "n %u of %u, segments %u", s.n, s.n_max, s.segs);
    use_a(c, ADD(c, row_upper, s.n_max, BOUNDED(s), .v_at = array(c, s.n_max, REALS)));
}

/* A label for each token, below its segment's groups. */
static uint32_t any_labels(ops_case *c, const grouped *g)
{
    const uint32_t at = array(c, g->s.n, WORDS);
    for (uint32_t k = 0; k < g->s.segs; ++k)
        for (uint32_t i = seg_begin(c, &g->s, k); i < seg_begin(c, &g->s, k + 1); ++i)
            c->w[at + i] = below(c, c->w[g->at + k]);
    return at;
}

/* A bound of its own, met by some similarity, and all of one label, or the group's. */
static void bound_apart(ops_case *c, wn_op *op, const grouped *g)
{
    struct wn_args_label_nms *args = (void *)op->args;
    args->upper_at = WN_NONE;
    if (chance(c, 50))
        args->label_at = WN_NONE;
    args->bound = (float)below(c, 5) * 0.25f - 0.25f;
    for (uint32_t i = 0; i < g->s.n; ++i)
        if (chance(c, 50))
            put_element(&c->a, i, below(c, g->width), args->bound);
}

void gen_label_nms(ops_case *c)
{
    const grouped g = any_grouped(c, 300, 9);
    const flavour f = any_flavour(c);
    const uint32_t score = f == WILD ? reals(c, g.s.n, f) : positive(c, g.s.n);
    const uint32_t rank = array(c, g.s.n, WORDS);
    make_matrix(c, &c->a, g.s.n, g.width, WINNOW_F32, f);
    ADD(c, rank, g.s.n_max, BOUNDED(g.s), .score_at = score, .rank_at = rank, .stats_at = WN_NONE);
    wn_op *op = ADD(c, label_nms, g.s.segs, SEG(g.s), .score_at = score, .rank_at = rank,
                    .label_at = any_labels(c, &g), .upper_at = reals(c, g.s.n, PLAIN),
                    .want_at = words_below(c, g.s.segs, 100), .keep_at = array(c, g.s.n, WORDS),
                    .list_at = array(c, g.s.n, SCRATCH), .out_at = array(c, g.s.n, SCRATCH),
                    .made_at = array(c, g.s.segs, WORDS));
    use_a(c, op);
    if (chance(c, 60))
        bound_apart(c, op, &g);
    if (!chance(c, 40))
        return;
    struct wn_args_label_nms *args = (void *)op->args, rest = *args;
    args->count = rest.from = 1 + below(c, 20);
    use_a(c, add_op(c, op->kind, op->items, &rest, sizeof rest));
}

void gen_label_share(ops_case *c)
{
    const grouped g = any_grouped(c, 521, 40);
    ADD(c, label_share, g.s.segs, SEG(g.s), GROUPED(g), .label_at = any_labels(c, &g),
        .keep_at = flags(c, g.s.n, 60), .want_at = counts(c, &g.s),
        .quota_at = array(c, g.s.segs * g.most, WORDS),
        .room_at = array(c, 3 * g.s.segs * g.most, SCRATCH));
}

void gen_label_pick(ops_case *c)
{
    const grouped g = any_grouped(c, 521, 40);
    ADD(c, label_pick, g.s.n_max, BOUNDED(g.s), .most = g.most, .label_at = any_labels(c, &g),
        .keep_at = flags(c, g.s.n, 60), .score_at = reals(c, g.s.n, any_flavour(c)),
        .quota_at = words_below(c, g.s.segs * g.most, 9), .flag_at = array(c, g.s.n_max, WORDS));
}
