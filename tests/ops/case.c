#include <stdio.h>
#include <stdlib.h>

#include "case.h"

static void *grown(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes ? bytes : 1);
    if (!more) {
        fputs("test_ops: out of memory\n", stderr);
        abort();
    }
    return more;
}

/* ---- random numbers ---- */

static uint64_t next_random(ops_case *c) /* splitmix64 */
{
    uint64_t z = c->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t below(ops_case *c, uint32_t n)
{
    return n ? (uint32_t)((next_random(c) >> 32) % n) : 0;
}

bool chance(ops_case *c, uint32_t percent)
{
    return below(c, 100) < percent;
}

static float plain_value(ops_case *c)
{
    const float size = 0.0625f + (float)below(c, 1u << 24) * (1.9375f / 16777216.0f);
    return chance(c, 50) ? -size : size;
}

float value(ops_case *c, flavour f)
{
    static const float tied[] = {-1.0f, -0.25f, 0.0f, -0.0f, 0.3f, 0.7f, 1.0f, 1.5f};
    static const uint32_t wild[] = {0x7fc00000u, 0xffc00001u, 0x7f800000u, 0xff800000u,
                                    0x80000000u, 0u,          0x3f800000u, 0xbf800000u};
    if (f == TIED)
        return tied[below(c, 8)];
    if (f == WILD && chance(c, 20))
        return bits_f32(wild[below(c, 8)]);
    return plain_value(c);
}

flavour any_flavour(ops_case *c)
{
    static const flavour all[] = {PLAIN, WILD, TIED};
    return all[c->round % 3];
}

uint32_t any_size(ops_case *c, uint32_t most)
{
    static const uint32_t sizes[] = {1, 300, 2, 31, 1031, 3, 64, 127, 33, 521, 7, 257, 65, 13};
    const uint32_t count = sizeof sizes / sizeof *sizes;
    for (uint32_t i = c->round;; ++i)
        if (sizes[i % count] <= most)
            return sizes[i % count];
}

bool many_groups(ops_case *c)
{
    return c->round == 5;
}

uint32_t any_cols(ops_case *c, uint32_t most)
{
    static const uint32_t sizes[] = {1, 70, 32, 3, 1024, 33, 2, 64, 17, 31, 5};
    const uint32_t count = sizeof sizes / sizeof *sizes;
    for (uint32_t i = c->round + below(c, count);; ++i)
        if (sizes[i % count] <= most)
            return sizes[i % count];
}

uint8_t any_dtype(ops_case *c)
{
    return (uint8_t)(c->round % 3); /* WINNOW_F32, F16, BF16 */
}

/* ---- W ---- */

uint32_t array(ops_case *c, uint32_t n, word_kind kind)
{
    const uint32_t at = c->w_count;
    c->w_count += n;
    c->w = grown(c->w, c->w_count * sizeof *c->w);
    c->kinds = grown(c->kinds, c->w_count);
    for (uint32_t i = at; i < c->w_count; ++i) {
        c->w[i] = kind == WORDS ? below(c, 1u << 20) : f32_bits(plain_value(c));
        c->kinds[i] = (unsigned char)kind;
    }
    return at;
}

uint32_t reals(ops_case *c, uint32_t n, flavour f)
{
    const uint32_t at = array(c, n, REALS);
    for (uint32_t i = 0; i < n; ++i)
        c->w[at + i] = f32_bits(value(c, f));
    return at;
}

uint32_t positive(ops_case *c, uint32_t n)
{
    const uint32_t at = array(c, n, REALS);
    for (uint32_t i = 0; i < n; ++i)
        c->w[at + i] = f32_bits(0.25f + (float)below(c, 1u << 24) * (3.75f / 16777216.0f));
    return at;
}

uint32_t words_below(ops_case *c, uint32_t n, uint32_t limit)
{
    const uint32_t at = array(c, n, WORDS);
    for (uint32_t i = 0; i < n; ++i)
        c->w[at + i] = below(c, limit);
    return at;
}

uint32_t flags(ops_case *c, uint32_t n, uint32_t percent)
{
    const uint32_t at = array(c, n, WORDS);
    for (uint32_t i = 0; i < n; ++i)
        c->w[at + i] = chance(c, percent);
    return at;
}

uint32_t ramp(ops_case *c, uint32_t n)
{
    const uint32_t at = array(c, n, WORDS);
    for (uint32_t i = 0; i < n; ++i)
        c->w[at + i] = i;
    return at;
}

static void shuffle(ops_case *c, uint32_t *words, uint32_t n)
{
    for (uint32_t i = n; i > 1; --i) {
        const uint32_t j = below(c, i), word = words[i - 1];
        words[i - 1] = words[j];
        words[j] = word;
    }
}

uint32_t shuffled(ops_case *c, uint32_t n)
{
    const uint32_t at = ramp(c, n);
    shuffle(c, c->w + at, n);
    return at;
}

uint32_t row_list(ops_case *c, uint32_t n, bool with_none)
{
    const uint32_t at = shuffled(c, n);
    for (uint32_t i = 0; with_none && i < n; ++i)
        if (chance(c, 6))
            c->w[at + i] = chance(c, 50) ? WN_NONE : 0xfffffffeu;
    return at;
}

/* ---- segments ---- */

uint32_t seg_begin(const ops_case *c, const segments *s, uint32_t k)
{
    return c->w[s->at + k];
}

static segments new_segments(ops_case *c, uint32_t segs)
{
    const segments s = {.segs = segs, .at = array(c, segs + 1, WORDS)};
    c->w[s.at] = 0;
    return s;
}

static void finish_segments(ops_case *c, segments *s)
{
    s->n = seg_begin(c, s, s->segs);
    s->n_max = s->n + below(c, 70);
    for (uint32_t k = 0; k < s->segs; ++k) {
        const uint32_t n = seg_begin(c, s, k + 1) - seg_begin(c, s, k);
        s->width = n > s->width ? n : s->width;
    }
}

segments any_segments(ops_case *c, uint32_t n)
{
    static const uint32_t numbers[] = {1, 3, 2, 7, 5, 4};
    segments s = new_segments(c, numbers[c->round % 6]);
    uint32_t left = n;
    for (uint32_t k = 0; k + 1 < s.segs; ++k) {
        const uint32_t take = chance(c, 25) ? 0 : below(c, 2 * left / (s.segs - k) + 1);
        c->w[s.at + k + 1] = c->w[s.at + k] + (take < left ? take : left);
        left = n - c->w[s.at + k + 1];
    }
    c->w[s.at + s.segs] = n;
    finish_segments(c, &s);
    return s;
}

uint32_t counts(ops_case *c, const segments *s)
{
    const uint32_t at = array(c, s->segs, WORDS);
    for (uint32_t k = 0; k < s->segs; ++k)
        c->w[at + k] = below(c, seg_begin(c, s, k + 1) - seg_begin(c, s, k) + 4);
    return at;
}

uint32_t ranks(ops_case *c, const segments *s)
{
    const uint32_t at = array(c, s->n, WORDS);
    for (uint32_t k = 0; k < s->segs; ++k) {
        const uint32_t begin = seg_begin(c, s, k), n = seg_begin(c, s, k + 1) - begin;
        for (uint32_t i = 0; i < n; ++i)
            c->w[at + begin + i] = i;
        shuffle(c, c->w + at + begin, n);
    }
    return at;
}

list any_list(ops_case *c, const segments *s, uint32_t percent)
{
    if (percent >= 100)
        return (list){.seg = *s, .pos = WN_NONE};
    list l = {.seg = new_segments(c, s->segs)};
    uint32_t n = 0;
    l.pos = array(c, s->n, WORDS);
    for (uint32_t k = 0; k < s->segs; ++k) {
        for (uint32_t i = seg_begin(c, s, k); i < seg_begin(c, s, k + 1); ++i)
            if (chance(c, percent))
                c->w[l.pos + n++] = i;
        c->w[l.seg.at + k + 1] = n;
    }
    finish_segments(c, &l.seg);
    return l;
}

uint32_t list_position(const ops_case *c, const list *l, uint32_t e)
{
    return l->pos == WN_NONE ? e : c->w[l->pos + e];
}

/* ---- matrices ---- */

size_t dtype_bytes(uint8_t dtype)
{
    return dtype == WINNOW_F16 || dtype == WINNOW_BF16 ? 2 : 4;
}

void put_element(matrix *m, uint32_t r, uint32_t c, float x)
{
    const size_t at = (size_t)r * m->cols + c;
    if (m->dtype == WINNOW_F32) {
        memcpy(m->data + 4 * at, &x, 4);
        return;
    }
    const uint16_t half = m->dtype == WINNOW_F16 ? f32_to_f16(x) : f32_to_bf16(x);
    memcpy(m->data + 2 * at, &half, 2);
}

void make_matrix(ops_case *c, matrix *m, uint32_t rows, uint32_t cols, uint8_t dtype, flavour f)
{
    unsigned char *data = grown(m->data, (size_t)rows * cols * dtype_bytes(dtype));
    *m = (matrix){.data = data, .rows = rows, .cols = cols, .dtype = dtype};
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t i = 0; i < cols; ++i)
            put_element(m, r, i, value(c, f));
}

static unsigned char *c_at(ops_case *c, uint64_t byte)
{
    return c->weights.data + c->c_ref.offset + byte;
}

void put_c(ops_case *c, uint32_t row, uint32_t col, float x)
{
    matrix one = {.data =
                      c_at(c, ((uint64_t)row * c->c_stride + col) * dtype_bytes(c->c_ref.dtype)),
                  .dtype = c->c_ref.dtype};
    put_element(&one, 0, 0, x);
}

void put_c_word(ops_case *c, uint32_t at, float x)
{
    memcpy(c_at(c, 4ull * at), &x, sizeof x);
}

uint32_t make_c(ops_case *c, uint32_t rows, uint32_t cols, uint8_t dtype, flavour f, uint32_t tail)
{
    const size_t element = dtype_bytes(dtype);
    c->c_stride = (cols + below(c, 5) + 1) & ~1u;
    const uint64_t words = ((uint64_t)rows * c->c_stride * element + 3) / 4;
    c->c_ref = (wn_ref){.slot = WN_SLOT_WEIGHTS + 1,
                        .dtype = dtype,
                        .offset = 4ull * below(c, 90),
                        .bytes = 4 * (words + tail)};
    const uint64_t all = c->c_ref.offset / 4 + words + tail;
    make_matrix(c, &c->weights, (uint32_t)(all / POOL_COLS + 1), POOL_COLS, WINNOW_F32, PLAIN);
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t i = 0; i < cols; ++i)
            put_c(c, r, i, value(c, f));
    return (uint32_t)words;
}

void make_pool(ops_case *c, uint64_t elements, uint8_t dtype)
{
    const uint32_t rows = (uint32_t)(elements / POOL_COLS + 1);
    make_matrix(c, &c->pool, rows, POOL_COLS, dtype, PLAIN);
}

/* ---- operations ---- */

wn_op *add_op(ops_case *c, uint16_t kind, uint64_t items, const void *args, size_t bytes)
{
    wn_op *op = &c->ops[c->op_count++];
    *op = (wn_op){.kind = kind, .barrier = 1, .items = (uint32_t)items};
    op->args_bytes = (uint32_t)bytes;
    memcpy(op->args, args, bytes);
    op->a.slot = WN_SLOT_NONE;
    op->b.slot = WN_SLOT_NONE;
    op->c.slot = WN_SLOT_NONE;
    return op;
}

static wn_ref host_ref(uint32_t slot, const matrix *m)
{
    return (wn_ref){.slot = (uint8_t)slot,
                    .dtype = m->dtype,
                    .bytes = (uint64_t)m->rows * m->cols * dtype_bytes(m->dtype)};
}

/* A in the matrix workspace, from some element on and with gaps, as operations leave it. */
static void use_a_in_pool(ops_case *c, wn_op *op)
{
    const uint32_t stride = c->a.cols + below(c, 4), first = below(c, 9);
    const size_t bytes = dtype_bytes(c->a.dtype), row = c->a.cols * bytes;
    make_pool(c, first + (uint64_t)c->a.rows * stride, c->a.dtype);
    for (size_t r = 0; r < c->a.rows; ++r)
        memcpy(c->pool.data + (first + r * stride) * bytes, c->a.data + r * row, row);
    op->a = host_ref(WN_SLOT_MATRIX, &c->pool);
    op->a.offset = first * bytes;
    op->a.bytes -= op->a.offset;
    op->args[1] = stride;
}

void use_a(ops_case *c, wn_op *op)
{
    if (c->a_may_move && !c->pool.data && c->a.dtype != WINNOW_I32 && chance(c, 40)) {
        use_a_in_pool(c, op);
        return;
    }
    op->a = host_ref(WN_SLOT_IN + WINNOW_ROLE_TOKENS, &c->a);
    op->args[1] = c->a.cols;
}

void use_b_in(ops_case *c, wn_op *op)
{
    op->b = host_ref(WN_SLOT_IN + WINNOW_ROLE_TEXT, &c->b_in);
    op->args[3] = c->b_in.cols;
}

void use_c(ops_case *c, wn_op *op)
{
    op->c = c->c_ref;
    op->args[WN_ARG_C_STRIDE] = c->c_stride;
}

void write_pool(ops_case *c, wn_op *op, uint64_t first_element, uint32_t stride)
{
    const size_t element = dtype_bytes(c->pool.dtype);
    op->b = host_ref(WN_SLOT_MATRIX, &c->pool);
    op->b.offset = first_element * element;
    op->b.bytes -= op->b.offset;
    op->args[3] = stride;
}

void expect_out(ops_case *c, uint32_t out, uint32_t rows, uint32_t cols, uint8_t dtype)
{
    c->out[out] = (matrix){.rows = rows, .cols = cols, .dtype = dtype};
    c->writes_out = true;
}

void write_out(ops_case *c, wn_op *op, uint32_t out, uint32_t rows, uint32_t cols, uint8_t dtype)
{
    expect_out(c, out, rows, cols, dtype);
    op->b = host_ref(WN_SLOT_OUT + out, &c->out[out]);
    op->args[3] = cols;
}

/* ---- the case ---- */

void case_init(ops_case *c, uint64_t seed, uint32_t round)
{
    *c = (ops_case){.random = seed, .round = round};
}

void case_free(ops_case *c)
{
    free(c->w);
    free(c->kinds);
    free(c->a.data);
    free(c->b_in.data);
    free(c->pool.data);
    free(c->weights.data);
}

void describe(ops_case *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->what, sizeof c->what, format, args);
    va_end(args);
}
