/* Random programs around attention. */
#include "case.h"

/* Queries, keys and values side by side in A, somewhere in its rows; all columns even. */
typedef struct attention_case {
    segments s;
    uint32_t width, heads, dim, q_col, k_col, v_col, rows, list, sizes;
    bool whole;
} attention_case;

static attention_case any_attention(ops_case *c)
{
    static const uint32_t dims[] = {2, 64, 8, 34, 72, 16, 80, 6, 32, 128};
    attention_case a = {.heads = 1 + below(c, 3), .dim = dims[(c->round + below(c, 10)) % 10]};
    a.s = any_segments(c, any_size(c, a.dim > 30 ? 65 : chance(c, 30) ? 300 : 127));
    a.whole = a.s.segs == 1 && chance(c, 40);
    a.width = a.whole ? a.s.n_max : a.s.width + below(c, 9);
    const uint32_t part = a.heads * a.dim, gap = 2 * below(c, 3);
    a.q_col = 2 * below(c, 3);
    a.k_col = a.q_col + part + gap;
    a.v_col = a.k_col + part;
    a.rows = a.s.n_max + below(c, 7);
    make_matrix(c, &c->a, a.rows, a.v_col + part + gap, any_dtype(c),
                c->round % 5 == 4 ? WILD : PLAIN);
    a.list = chance(c, 50) ? shuffled(c, a.rows) : WN_NONE;
    a.sizes = chance(c, 50) ? positive(c, a.s.n_max) : WN_NONE;
    return a;
}

static void describe_attention(ops_case *c, const attention_case *a)
{
    describe(
        c, "n %u, segments %u, width %u, heads %u of %u, types %u %u, list %d, sizes %d, whole %d",
        a->s.n, a->s.segs, a->width, a->heads, a->dim, c->a.dtype, c->pool.dtype,
        a->list != WN_NONE, a->sizes != WN_NONE, a->whole);
}

/* Tokens by their place in a frame of `columns`, no two alike in a segment, some without one; or WN_NONE. */
static uint32_t any_index(ops_case *c, const attention_case *a, uint32_t columns)
{
    if (chance(c, 50))
        return WN_NONE;
    const uint32_t index = array(c, a->s.n_max, WORDS), turn = below(c, columns);
    for (uint32_t i = 0; i < a->s.n_max; ++i)
        c->w[index + i] = chance(c, 10) ? (uint32_t)-1 - below(c, 2)
                                        : (i + turn) % columns + columns * below(c, 3);
    return index;
}

#define KEYS(a)                                                                         \
    .n_max = (a).s.n_max, .segs = (a).s.segs, .seg_at = (a).whole ? WN_NONE : (a).s.at, \
    .list_at = (a).list, .heads = (a).heads, .head_dim = (a).dim, .k_col = (a).k_col,   \
    .scale = 1.0f / (float)(1 + below(c, 9))

static uint32_t tiles(uint32_t n, uint32_t size)
{
    return (n + size - 1) / size;
}

void gen_attention(ops_case *c)
{
    const attention_case a = any_attention(c);
    const uint32_t out_col = 2 * below(c, 3), stride = out_col + a.heads * a.dim + 2 * below(c, 3);
    make_pool(c, 6 + (uint64_t)a.rows * stride, (uint8_t)below(c, 3));
    describe_attention(c, &a);
    wn_op *op = ADD(c, attention, a.s.segs * a.heads * tiles(a.dim, 32) * tiles(a.width, 128),
                    KEYS(a), .sizes_at = a.sizes, .width = a.width, .q_col = a.q_col,
                    .v_col = a.v_col, .out_col = out_col);
    use_a(c, op);
    write_pool(c, op, 2 * below(c, 4), stride);
}

void gen_attention_row(ops_case *c)
{
    const attention_case a = any_attention(c);
    const uint32_t q_col = 2 * below(c, 4), rows = 1 + below(c, 6), skip = below(c, 3);
    const uint32_t columns = a.width + below(c, 3), stride = columns + below(c, 3);
    const bool listed = chance(c, 60);
    make_c(c, rows, q_col + a.heads * a.dim, (uint8_t)below(c, 3), PLAIN, 0);
    make_pool(c, 3 + (uint64_t)a.s.segs * a.heads * stride, WINNOW_F32);
    describe_attention(c, &a);
    const uint32_t index = any_index(c, &a, columns);
    wn_op *op = ADD(c, attention_row, a.s.segs * a.heads, KEYS(a), .sizes_at = a.sizes,
                    .q_row_at = listed ? words_below(c, a.s.segs, rows) : WN_NONE, .q_col = q_col,
                    .skip = skip, .index_at = index, .columns = columns);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, below(c, 4), stride);
}

void gen_attention_stats(ops_case *c)
{
    const attention_case a = any_attention(c);
    const uint32_t stride = 2 * a.heads + below(c, 3);
    make_pool(c, 3 + (uint64_t)a.s.n_max * stride, WINNOW_F32);
    describe_attention(c, &a);
    wn_op *op = ADD(c, attention_stats, a.s.segs * a.heads * tiles(a.width, 128), KEYS(a),
                    .sizes_at = a.sizes, .width = a.width, .q_col = a.q_col);
    use_a(c, op);
    write_pool(c, op, below(c, 4), stride);
}

void gen_attention_received(ops_case *c)
{
    const attention_case a = any_attention(c);
    const uint32_t columns = a.width + below(c, 3), stride = columns + below(c, 3);
    make_c(c, a.s.n_max, 2 * a.heads, WINNOW_F32, PLAIN, 0);
    make_pool(c, 3 + (uint64_t)a.s.segs * a.heads * stride, WINNOW_F32);
    describe_attention(c, &a);
    const uint32_t index = any_index(c, &a, columns);
    wn_op *op = ADD(c, attention_received, a.s.segs * a.heads * tiles(a.width, 128), KEYS(a),
                    .sizes_at = a.sizes, .width = a.width, .q_col = a.q_col, .skip = below(c, 3),
                    .from = below(c, 3), .index_at = index, .columns = columns);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, below(c, 4), stride);
}

void gen_attention_logits(ops_case *c)
{
    const attention_case a = any_attention(c);
    const uint32_t stride = a.width + below(c, 3);
    make_pool(c, 3 + (uint64_t)a.s.n_max * stride, WINNOW_F32);
    describe_attention(c, &a);
    wn_op *op =
        ADD(c, attention_logits, a.s.segs * tiles(a.width, 128) * tiles(a.width, 8), KEYS(a),
            .width = a.width, .q_col = a.q_col, .inv_heads = 1.0f / (float)a.heads);
    use_a(c, op);
    write_pool(c, op, below(c, 4), stride);
}
