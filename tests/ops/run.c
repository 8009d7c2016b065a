#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "slack.h"

enum { FILLER = 0xa5, SHOWN = 4 };

static void *allocated(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        fputs("test_ops: out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* ---- closing a case ---- */

static wn_ref pool_ref(const ops_case *c)
{
    return (wn_ref){.slot = WN_SLOT_MATRIX,
                    .dtype = c->pool.dtype,
                    .bytes = (uint64_t)c->pool.rows * POOL_COLS * dtype_bytes(c->pool.dtype)};
}

/* Puts the matrix, which comes in by `role`, into a workspace before anything else happens. */
static void fill_first(ops_case *c, const matrix *m, wn_ref to, uint32_t role)
{
    const uint32_t row_ramp = ramp(c, m->rows);
    memmove(c->ops + 1, c->ops, c->op_count * sizeof *c->ops);
    const uint32_t kept = c->op_count;
    c->op_count = 0;
    wn_op *op = ADD(c, copy_rows, m->rows * (POOL_COLS / 2), .n = m->rows, .src_at = WN_NONE,
                    .dst_at = row_ramp, .cols = POOL_COLS);
    op->a = to;
    op->a.slot = (uint8_t)(WN_SLOT_IN + role);
    op->b = to;
    op->args[1] = op->args[3] = POOL_COLS;
    c->op_count = kept + 1;
    ++c->emit_first;
}

static wn_ref weights_ref(const ops_case *c)
{
    return (wn_ref){.slot = WN_SLOT_WEIGHTS + 1,
                    .dtype = WINNOW_F32,
                    .bytes = 4ull * c->weights.rows * POOL_COLS};
}

static void emit_pool(ops_case *c, uint32_t row_ramp, uint32_t seg_at)
{
    const uint64_t words = c->pool.dtype == WINNOW_F32 ? POOL_COLS : (POOL_COLS + 2) / 2;
    wn_op *op = ADD(c, emit_rows, c->pool.rows * words, .n_max = c->pool.rows, .segs = 1,
                    .seg_at = seg_at, .rows_at = row_ramp, .order_at = WN_NONE, .cols = POOL_COLS);
    write_out(c, op, WINNOW_OUT_TOKENS, c->pool.rows, POOL_COLS, c->pool.dtype);
    op->a = pool_ref(c);
    op->args[1] = POOL_COLS;
}

void close_case(ops_case *c)
{
    if (!c->writes_out)
        c->emit_first = c->op_count;
    if (c->pool.data) {
        const uint32_t row_ramp = ramp(c, c->pool.rows), seg_at = words_below(c, 2, 1);
        c->w[seg_at + 1] = c->pool.rows;
        fill_first(c, &c->pool, pool_ref(c), WINNOW_ROLE_SIZES);
        emit_pool(c, row_ramp, seg_at);
    }
    if (c->weights.data)
        fill_first(c, &c->weights, weights_ref(c), WINNOW_ROLE_KEYS);
    if (c->out[WINNOW_OUT_ASSIGNMENT].cols)
        return;
    const uint32_t seg_at = words_below(c, 2, 1);
    c->w[seg_at + 1] = 1;
    ADD(c, emit_meta, c->w_count, .n_max = 1, .source = c->w_count, .segs = 1, .seg_at = seg_at,
        .index_at = seg_at, .sizes_at = WN_NONE, .order_at = WN_NONE, .inverse_at = WN_NONE,
        .assign_at = 0, .stats_at = WN_NONE, .tokens = 1, .grid_w = 1,
        .mask = 1u << WINNOW_OUT_ASSIGNMENT | 1u << WINNOW_OUT_COUNT_WORD);
    expect_out(c, WINNOW_OUT_ASSIGNMENT, c->w_count, 1, WINNOW_I32);
    expect_out(c, WINNOW_OUT_COUNT_WORD, 1, 4, WINNOW_I32);
}

/* ---- running ---- */

static uint64_t row_bytes(const matrix *m)
{
    return (uint64_t)m->cols * dtype_bytes(m->dtype);
}

static uint64_t stride_bytes(const matrix *m, uint32_t pad)
{
    return (uint64_t)(m->cols + pad) * dtype_bytes(m->dtype);
}

/* The matrix with its rows `pad` elements apart, as a host may hold it. */
static wn_host_rows spread(const matrix *m, uint32_t pad)
{
    const uint64_t row = row_bytes(m), stride = stride_bytes(m, pad);
    wn_host_rows rows = {.rows = m->rows, .row_bytes = row, .stride = stride};
    rows.data = allocated(m->rows * stride);
    memset(rows.data, FILLER, m->rows * stride);
    for (uint64_t r = 0; m->data && r < m->rows; ++r)
        memcpy((unsigned char *)rows.data + r * stride, m->data + r * row, row);
    return rows;
}

static bool is_host(uint8_t slot)
{
    return slot < WN_SLOT_MATRIX;
}

/* A backend that takes rows where they lie finds their strides in the arguments. */
static void set_host_strides(wn_op *ops, uint32_t count, uint32_t pad)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (is_host(ops[i].a.slot))
            ops[i].args[1] += pad;
        if (is_host(ops[i].b.slot))
            ops[i].args[3] += pad;
    }
}

static bool run_program(winnow_device *device, const wn_program *program, const wn_host_io *io,
                        const ops_case *c)
{
    wn_exec_desc desc = {.flags = WINNOW_PLAN_HOST_MEMORY, .program = program};
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; ++i)
        desc.in_bytes[i] = io->in[i].rows * io->in[i].row_bytes;
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        desc.out_bytes[i] = io->out[i].rows * io->out[i].row_bytes;
    if (c->weights.data)
        desc.weight_bytes[1] = weights_ref(c).bytes;
    wn_exec *exec = NULL;
    wn_exec_stats stats;
    winnow_status status = device->backend->exec_create(device, &desc, &exec);
    if (status == WINNOW_OK)
        status = device->backend->exec_run(exec, program, io, &stats);
    device->backend->exec_destroy(exec);
    if (status != WINNOW_OK)
        printf("  %s: status %d (%s)\n", device->info.name, (int)status, c->what);
    return status == WINNOW_OK;
}

bool run_case(winnow_device *device, const ops_case *c, uint32_t pad, result *r)
{
    wn_op ops[CASE_OPS];
    wn_host_io io = {0};
    memcpy(ops, c->ops, sizeof ops);
    if (!device->backend->packs_rows)
        set_host_strides(ops, c->op_count, pad);
    const matrix *in[WINNOW_ROLE_COUNT] = {[WINNOW_ROLE_TOKENS] = &c->a,
                                           [WINNOW_ROLE_TEXT] = &c->b_in,
                                           [WINNOW_ROLE_SIZES] = &c->pool,
                                           [WINNOW_ROLE_KEYS] = &c->weights};
    *r = (result){.pad = pad};
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; ++i)
        if (in[i] && in[i]->data)
            io.in[i] = spread(in[i], pad);
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i) {
        if (!c->out[i].cols)
            continue;
        io.out[i] = spread(&c->out[i], pad);
        r->out[i] = io.out[i].data;
    }
    const wn_program program = {
        .ops = ops,
        .op_count = c->op_count,
        .emit_first = c->emit_first,
        .barriers = c->op_count,
        .consts = c->w,
        .const_words = c->w_count,
        .w_words = c->w_count,
        .matrix_bytes = c->pool.data ? pool_ref(c).bytes : 0,
    };
    const bool good = run_program(device, &program, &io, c);
    for (uint32_t i = 0; i < WINNOW_ROLE_COUNT; ++i)
        free(io.in[i].data);
    return good;
}

void result_free(result *r)
{
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        free(r->out[i]);
    *r = (result){0};
}

/* ---- comparing ---- */

static const unsigned char *at(const ops_case *c, const result *r, uint32_t out, uint32_t row,
                               uint32_t col)
{
    const matrix *m = &c->out[out];
    return r->out[out] + row * stride_bytes(m, r->pad) + (uint64_t)col * dtype_bytes(m->dtype);
}

static uint32_t bits_at(const ops_case *c, const result *r, uint32_t out, uint32_t row,
                        uint32_t col)
{
    uint32_t word = 0; /* of a 16-bit type: the low half, as the machine is little-endian */
    memcpy(&word, at(c, r, out, row, col), dtype_bytes(c->out[out].dtype));
    return word;
}

static bool is_nan_bits(uint32_t bits, uint8_t dtype)
{
    if (dtype == WINNOW_F16)
        return (bits & 0x7fffu) > 0x7c00u;
    if (dtype == WINNOW_BF16)
        return (bits & 0x7fffu) > 0x7f80u;
    return is_nan(bits_f32(bits));
}

/* How element (row, ..) of an output is compared. */
static word_kind kind_of(const ops_case *c, uint32_t out, uint32_t row)
{
    if (out == WINNOW_OUT_ASSIGNMENT)
        return row < c->w_count && c->out[out].rows == c->w_count ? (word_kind)c->kinds[row]
                                                                  : WORDS;
    if (out == WINNOW_OUT_TOKENS)
        return c->out[out].dtype == WINNOW_I32 ? WORDS : REALS;
    return out == WINNOW_OUT_SIZES ? REALS : WORDS;
}

static bool same(const ops_case *c, uint32_t out, uint32_t row, uint32_t want, uint32_t got)
{
    const word_kind kind = kind_of(c, out, row);
    const uint8_t dtype = c->out[out].dtype;
    return want == got || kind == SCRATCH ||
           (kind == REALS && is_nan_bits(want, dtype) && is_nan_bits(got, dtype));
}

/* Within the slack of an element of the pool, and one unit of its type. */
static bool near(const ops_case *c, const double *slack, uint64_t element, uint32_t want,
                 uint32_t got)
{
    const uint8_t dtype = c->pool.dtype;
    const double x = element_value(want, dtype), y = element_value(got, dtype);
    return slack[element] >= 0 && isfinite(slack[element]) &&
           fabs(x - y) <= slack[element] + element_ulp(fabs(x) > fabs(y) ? x : y, dtype);
}

static uint64_t compare_row(const ops_case *c, const result *expected, const result *got,
                            uint32_t out, uint32_t row, uint64_t shown)
{
    uint64_t wrong = 0;
    for (uint32_t col = 0; col < c->out[out].cols; ++col) {
        const uint32_t x = bits_at(c, expected, out, row, col), y = bits_at(c, got, out, row, col);
        if (same(c, out, row, x, y) || (got->slack && out == WINNOW_OUT_TOKENS &&
                                        near(c, got->slack, (uint64_t)row * POOL_COLS + col, x, y)))
            continue;
        if (shown + wrong++ < SHOWN)
            printf("    output %u (%u, %u): expected %08x (%.9g), got %08x (%.9g)\n", out, row, col,
                   x, (double)bits_f32(x), y, (double)bits_f32(y));
    }
    const unsigned char *gap = at(c, got, out, row, c->out[out].cols);
    const uint64_t gap_bytes = got->pad * dtype_bytes(c->out[out].dtype);
    for (uint64_t i = 0; i < gap_bytes; ++i) {
        if (gap[i] == FILLER)
            continue;
        if (shown + wrong++ < SHOWN)
            printf("    output %u, row %u: the gap behind the row was written\n", out, row);
    }
    return wrong;
}

uint64_t compare(const ops_case *c, const result *expected, const result *got)
{
    uint64_t wrong = 0;
    for (uint32_t out = 0; out < WINNOW_OUT_COUNT; ++out)
        for (uint32_t row = 0; c->out[out].cols && row < c->out[out].rows; ++row)
            wrong += compare_row(c, expected, got, out, row, wrong);
    return wrong;
}
