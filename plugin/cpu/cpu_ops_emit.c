/* Rows and small arrays on their way out. */
#include "cpu_ops.h"

void cpu_copy_rows(const struct wn_args_copy_rows *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->n);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t src = entry(m, pc->src_at, s), dst = entry(m, pc->dst_at, s);
        if (dst == WN_NONE)
            continue;
        if (m->b.dtype == m->a.dtype && !is_none(src)) {
            memcpy(element(&m->b, dst, 0), element(&m->a, src, 0),
                   pc->cols * element_bytes(m->a.dtype));
            continue;
        }
        const float *x = wn_cpu_row(&m->a, src, pc->cols, m->scratch);
        wn_cpu_store_row(&m->b, dst, 0, pc->cols, x);
    }
}

void cpu_emit_rows(const struct wn_args_emit_rows *pc, const wn_cpu_memory *m)
{
    const uint32_t rows = m->w[pc->seg_at + pc->segs];
    const wn_cpu_span own = wn_cpu_share(m, 0, rows);
    wn_cpu_move move = wn_cpu_move_of(&m->a, &m->b, rows, pc->cols, m->scratch);
    for (uint32_t r = own.begin; r < own.end; ++r) {
        const uint32_t row = entry(m, pc->rows_at, entry(m, pc->order_at, r));
        if (r + 1 < own.end)
            move.next = entry(m, pc->rows_at, entry(m, pc->order_at, r + 1));
        wn_cpu_move_row(&move, row, r, 0);
    }
    wn_cpu_move_end(&move);
}

/* Word i of an output of the host, whose rows may lie apart. */
static void put_word(const wn_host_rows *out, uint32_t i, uint32_t value)
{
    const uint64_t row_words = out->row_bytes / sizeof value;
    unsigned char *row = (unsigned char *)out->data + i / row_words * out->stride;
    memcpy(row + i % row_words * sizeof value, &value, sizeof value);
}

static bool wanted(const struct wn_args_emit_meta *pc, const wn_cpu_memory *m, uint32_t output)
{
    return (pc->mask >> output & 1u) && m->out[output].data;
}

static void emit_position(const struct wn_args_emit_meta *pc, const wn_host_rows *out, uint32_t r,
                          uint32_t index)
{
    uint32_t position[3] = {WN_NONE, WN_NONE, WN_NONE}; /* -1 */
    if (!is_none(index)) {
        const uint32_t j = index % pc->tokens;
        position[0] = index / pc->tokens;
        position[1] = j / pc->grid_w;
        position[2] = j % pc->grid_w;
    }
    for (uint32_t axis = 0; axis < 3; ++axis)
        put_word(out, 3 * r + axis, position[axis]);
}

/* What is said of the token that output row r holds. */
static void emit_token(const struct wn_args_emit_meta *pc, const wn_cpu_memory *m, uint32_t r)
{
    const uint32_t p = entry(m, pc->order_at, r), index = entry(m, pc->index_at, p);
    if (wanted(pc, m, WINNOW_OUT_INDICES))
        put_word(&m->out[WINNOW_OUT_INDICES], r, index);
    if (wanted(pc, m, WINNOW_OUT_SIZES))
        put_word(&m->out[WINNOW_OUT_SIZES], r, f32_bits(real_or_one(m, pc->sizes_at, p)));
    if (wanted(pc, m, WINNOW_OUT_POSITIONS))
        emit_position(pc, &m->out[WINNOW_OUT_POSITIONS], r, index);
}

void cpu_emit_meta(const struct wn_args_emit_meta *pc, const wn_cpu_memory *m)
{
    const uint32_t rows = m->w[pc->seg_at + pc->segs];
    for (uint32_t r = 0; r < rows; ++r)
        emit_token(pc, m, r);
    if (wanted(pc, m, WINNOW_OUT_ASSIGNMENT)) {
        for (uint32_t i = 0; i < pc->source; ++i) {
            const uint32_t a = entry(m, pc->assign_at, i);
            put_word(&m->out[WINNOW_OUT_ASSIGNMENT], i,
                     a == WN_NONE ? WN_NONE : entry(m, pc->inverse_at, a));
        }
    }
    if (wanted(pc, m, WINNOW_OUT_COUNT_WORD)) {
        const uint32_t nan_scores = pc->stats_at == WN_NONE ? 0 : m->w[pc->stats_at];
        const uint32_t count[4] = {rows, nan_scores, 0, 0};
        for (uint32_t i = 0; i < 4; ++i)
            put_word(&m->out[WINNOW_OUT_COUNT_WORD], i, count[i]);
    }
}
