/* Random programs around queries of their own that pool tokens. */
#include <stddef.h>
#include <string.h>

#include "case.h"

#define SEG(s) .segs = (s).segs, .seg_at = (s).at

/* Shares as a softmax leaves them, and what else may stand there. */
static void make_shares(ops_case *c, const segments *s, uint32_t rows, flavour f)
{
    static const float odd[] = {0.0f, -0.0f, 1e-39f, 5e-20f, 6e-20f, -1.0f};
    const uint32_t all = s->segs * rows;
    make_c(c, all ? all : 1, s->width ? s->width : 1, WINNOW_F32, f == WILD ? WILD : PLAIN, 0);
    for (uint32_t e = 0; e < all; ++e)
        for (uint32_t u = 0; u < s->width; ++u)
            if (chance(c, 15))
                put_c(c, e, u, odd[below(c, 6)]);
}

void gen_attend_values(ops_case *c)
{
    const uint32_t cols = any_cols(c, 300), rows = chance(c, 30) ? 1 : any_size(c, 19);
    const segments s = any_segments(c, any_size(c, cols > 64 ? 150 : 521));
    const bool parts = chance(c, 40), moved = chance(c, 50);
    const uint32_t stride = (cols + 1 + 2 * below(c, 3)) & ~1u, all = s.segs * rows;
    const flavour f = any_flavour(c);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), f);
    make_shares(c, &s, rows, f);
    make_pool(c, 2 + (uint64_t)(all + 1) * stride, parts ? WINNOW_F32 : (uint8_t)below(c, 3));
    describe(c, "rows %u, tokens %u, segments %u, cols %u, types %u %u, in parts %d", rows, s.n,
             s.segs, cols, c->a.dtype, c->pool.dtype, parts);
    wn_op *op = ADD(c, attend_values, (uint64_t)s.segs * ((rows + 7) / 8) * ((cols + 127) / 128),
                    SEG(s), .rows = rows, .width = s.width, .list_at = row_list(c, s.n, true),
                    .to_at = moved ? shuffled(c, all) : WN_NONE, .cols = cols);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 2, stride);
    if (!parts)
        return;
    const wn_op whole = *op;
    const uint32_t first = 1 + below(c, 40);
    op->args[offsetof(struct wn_args_attend_values, most) / sizeof(uint32_t)] = first;
    wn_op *second = add_op(c, whole.kind, whole.items, whole.args, whole.args_bytes);
    second->a = whole.a;
    second->b = whole.b;
    second->c = whole.c;
    memcpy(second->args, whole.args, sizeof whole.args);
    second->args[offsetof(struct wn_args_attend_values, from) / sizeof(uint32_t)] = first;
}

void gen_attend_map(ops_case *c)
{
    const uint32_t rows = any_size(c, 70);
    const segments s = any_segments(c, any_size(c, 300));
    make_matrix(c, &c->a, s.segs * rows, s.width ? s.width : 1, WINNOW_F32, any_flavour(c));
    describe(c, "rows %u, tokens %u of %u, segments %u", rows, s.n, s.n_max, s.segs);
    use_a(c, ADD(c, attend_map, s.n_max + s.segs * rows, .n_max = s.n_max, SEG(s), .rows = rows,
                 .map_at = chance(c, 80) ? array(c, s.n_max, WORDS) : WN_NONE,
                 .mean_at = chance(c, 50) ? positive(c, s.segs) : WN_NONE,
                 .sizes_new_at = chance(c, 80) ? array(c, s.segs * rows, REALS) : WN_NONE,
                 .inv_rows = 1.0f / (float)rows));
}

void gen_row_affine(ops_case *c)
{
    const uint32_t n = any_size(c, 300), cols = any_cols(c, 130), stride = cols + below(c, 4);
    const uint32_t taps = below(c, 4), table = 1 + below(c, 9);
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 3 + (uint64_t)(n + 1) * stride, WINNOW_F32);
    describe(c, "n %u, cols %u, type %u, taps %u of %u", n, cols, c->a.dtype, taps, table);
    wn_op *op = ADD(
        c, row_affine, (uint64_t)n * cols, .n = n, .cols = cols, .list_at = row_list(c, n, true),
        .scale_at = chance(c, 50) ? reals(c, cols, PLAIN) : WN_NONE,
        .shift_at = reals(c, table * cols, PLAIN), .taps = taps,
        .tap_at =
            taps > 1 || chance(c, 50) ? words_below(c, n * (taps ? taps : 1), table) : WN_NONE,
        .share = 0.75f, .keep = chance(c, 50) ? 0.25f : 0.0f);
    use_a(c, op);
    write_pool(c, op, 3, stride);
}
