/* build.c: memory, hazards and operations of a program under construction. */
#include "build.h"

#include <stdio.h>
#include <string.h>

#define LAST_ID (WN_HAZARD_WORDS * 64u - 1u)

winnow_status build_fail(wn_build *b, winnow_status status, const char *format, ...)
{
    if (b->status != WINNOW_OK)
        return b->status;
    char text[768];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    b->status = status;
    return wn_fail(b->host, status, "%s: %s", b->stage ? b->stage : "pipeline", text);
}

/* Grows `*memory` to hold one more than `count` elements. Only at planning: later the sizes of the largest
 * shape must do. */
static bool reserve(wn_build *b, void **memory, uint32_t *capacity, uint64_t count, size_t element)
{
    if (count <= *capacity)
        return true;
    if (!b->may_grow) {
        build_fail(b, WINNOW_E_SHAPE,
                   "this shape needs more room than the plan's largest shape (plan for it)");
        return false;
    }
    uint64_t larger = *capacity ? *capacity : 64;
    while (larger < count)
        larger *= 2;
    if (larger > UINT32_MAX || larger > SIZE_MAX / element) {
        build_fail(b, WINNOW_E_HOST_MEMORY, "tables of %llu entries (use smaller sizes)",
                   (unsigned long long)count);
        return false;
    }
    void *grown = wn_alloc(b->host, (size_t)larger * element);
    if (!grown) {
        build_fail(b, WINNOW_E_HOST_MEMORY, "no host memory for %llu entries",
                   (unsigned long long)larger);
        return false;
    }
    if (*memory)
        memcpy(grown, *memory, *capacity * element);
    wn_free(b->host, *memory);
    *memory = grown;
    *capacity = (uint32_t)larger;
    return true;
}

/* W is one binding of every shader, so it is one resource for barriers: the arrays in it are apart, but neither the
 * validation layer nor a driver can know that. Matrices are bound each by itself. */
enum { ID_W = 1 };

static uint32_t new_matrix_id(wn_build *b)
{
    /* Past the last id everything shares one: more barriers than needed, never fewer. */
    return b->next_id < LAST_ID ? b->next_id++ : LAST_ID;
}

wn_arr build_array(wn_build *b, uint64_t words)
{
    if (words == 0)
        words = 1;
    if (b->w_words + words > UINT32_MAX) {
        build_fail(b, WINNOW_E_SHAPE, "the workspace passes 16 GiB (use smaller sizes)");
        return WN_NO_ARR;
    }
    const wn_arr arr = {(uint32_t)b->w_words, (uint32_t)words};
    b->w_words += (words + 3u) & ~3ull; /* keeps arrays of 16 bytes apart */
    return arr;
}

wn_arr build_const(wn_build *b, const uint32_t *values, uint32_t n)
{
    if (b->status != WINNOW_OK || !reserve(b, (void **)&b->consts, &b->const_capacity,
                                           (uint64_t)b->const_count + n + 4, sizeof *b->consts))
        return WN_NO_ARR;
    const wn_arr arr = {b->const_count, n};
    if (values)
        memcpy(b->consts + arr.at, values, n * sizeof *values);
    else
        memset(b->consts + arr.at, 0, n * sizeof *b->consts);
    b->const_count += (n + 3u) & ~3u;
    return arr;
}

wn_arr build_counting(wn_build *b, uint32_t n, uint32_t step)
{
    const wn_arr out = build_const(b, NULL, n);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t i = 0; data && i < n; ++i)
        data[i] = i * step;
    return out;
}

uint32_t *build_const_data(wn_build *b, wn_arr constant)
{
    return b->status == WINNOW_OK && constant.at != WN_NONE ? b->consts + constant.at : NULL;
}

static wn_mat workspace_rows(wn_build *b, uint8_t slot, uint64_t *used, uint64_t rows,
                             uint32_t cols)
{
    wn_mat mat = {.ref = {.slot = slot, .dtype = WINNOW_F32},
                  .stride = cols,
                  .cols = cols,
                  .id = new_matrix_id(b)};
    const uint64_t bytes = rows * cols * sizeof(float);
    if (rows > UINT32_MAX || rows * cols > UINT32_MAX) {
        build_fail(b, WINNOW_E_SHAPE,
                   "a matrix of %llu x %u passes 2^32 elements (use smaller sizes)",
                   (unsigned long long)rows, cols);
        return mat;
    }
    mat.rows = (uint32_t)rows;
    mat.ref.offset = *used;
    mat.ref.bytes = bytes;
    *used += (bytes + 255u) & ~255ull;
    return mat;
}

wn_mat build_matrix(wn_build *b, uint64_t rows, uint32_t cols)
{
    return workspace_rows(b, WN_SLOT_MATRIX, &b->matrix_bytes, rows, cols);
}

wn_mat build_history(wn_build *b, uint64_t rows, uint32_t cols)
{
    return workspace_rows(b, WN_SLOT_HISTORY, &b->history_bytes, rows, cols);
}

bool build_has(const wn_build *b, uint32_t role)
{
    return (b->in.roles >> role) & 1u;
}

void wn_role_extent(const winnow_shape *s, uint32_t role, uint64_t *rows, uint32_t *cols)
{
    const uint64_t all = (uint64_t)s->frames * s->tokens;
    const struct {
        uint64_t rows;
        uint32_t cols;
    } extent[WINNOW_ROLE_COUNT] = {
        [WINNOW_ROLE_TOKENS] = {all, s->dim},
        [WINNOW_ROLE_SIZES] = {s->frames, s->tokens},
        [WINNOW_ROLE_KEYS] = {all, s->key_dim},
        [WINNOW_ROLE_QUERIES] = {all, s->key_dim},
        [WINNOW_ROLE_CLS] = {s->frames, s->dim},
        [WINNOW_ROLE_CLS_ATTENTION] = {(uint64_t)s->frames * s->heads, s->tokens},
        [WINNOW_ROLE_TEXT] = {s->text_rows, s->text_dim},
        [WINNOW_ROLE_IMAGE_EMBEDS] = {all, s->text_dim},
        [WINNOW_ROLE_LLM_ATTENTION] = {s->llm_heads, (uint32_t)all},
    };
    *rows = extent[role].rows;
    *cols = extent[role].cols;
}

wn_mat build_role(wn_build *b, uint32_t role)
{
    wn_mat mat = {
        .ref = {.slot = (uint8_t)(WN_SLOT_IN + role), .dtype = (uint8_t)b->in.dtype[role]}};
    if (!build_has(b, role)) {
        build_fail(b, WINNOW_E_ROLE,
                   "it needs `%s`, which is not given (give it, or choose another stage)",
                   wn_role_name(role));
        return mat;
    }
    uint64_t rows;
    wn_role_extent(&b->in.shape, role, &rows, &mat.cols);
    const uint64_t stride = b->in.stride[role] ? b->in.stride[role] : mat.cols;
    const uint64_t element = mat.ref.dtype == WINNOW_F32 ? 4 : 2;
    if (stride * rows > UINT32_MAX) {
        build_fail(b, WINNOW_E_SHAPE, "`%s` passes 2^32 elements (use smaller sizes)",
                   wn_role_name(role));
        return mat;
    }
    mat.rows = (uint32_t)rows;
    mat.stride = (uint32_t)stride;
    mat.ref.bytes = rows ? ((rows - 1) * stride + mat.cols) * element : 0;
    return mat;
}

/* -- hazards ----------------------------------------------------------------------------------- */

static void add_id(uint64_t *set, uint32_t id)
{
    if (id)
        set[id / 64] |= 1ull << (id % 64);
}

/* A barrier is needed where this operation reads what was written since the last one, or writes what
 * was read or written. Id 0 (inputs, outputs) makes no hazard: nothing reads an output. */
static bool needs_barrier(const wn_build *b, const uint64_t *reads, const uint64_t *writes)
{
    for (uint32_t i = 0; i < WN_HAZARD_WORDS; ++i)
        if ((reads[i] & b->written_since[i]) ||
            (writes[i] & (b->written_since[i] | b->read_since[i])))
            return true;
    return false;
}

static void note_hazards(wn_build *b, wn_op *op, const uint64_t *reads, const uint64_t *writes)
{
    if (needs_barrier(b, reads, writes)) {
        op->barrier = 1;
        ++b->barriers;
        memset(b->read_since, 0, sizeof b->read_since);
        memset(b->written_since, 0, sizeof b->written_since);
    }
    for (uint32_t i = 0; i < WN_HAZARD_WORDS; ++i) {
        b->read_since[i] |= reads[i];
        b->written_since[i] |= writes[i];
    }
}

void build_op(wn_build *b, uint32_t kind, const void *args, size_t args_bytes, uint64_t items,
              const wn_mat *a, const wn_mat *bm, bool writes_w)
{
    if (b->status != WINNOW_OK)
        return;
    if (items > UINT32_MAX) {
        build_fail(b, WINNOW_E_SHAPE, "%s has %llu items (use smaller sizes)", wn_op_name(kind),
                   (unsigned long long)items);
        return;
    }
    if (!reserve(b, (void **)&b->ops, &b->op_capacity, (uint64_t)b->op_count + 1, sizeof *b->ops))
        return;
    wn_op *op = &b->ops[b->op_count++];
    *op = (wn_op){
        .kind = (uint16_t)kind, .items = (uint32_t)items, .args_bytes = (uint32_t)args_bytes};
    memcpy(op->args, args, args_bytes);
    op->a.slot = op->b.slot = WN_SLOT_NONE;
    uint64_t read[WN_HAZARD_WORDS] = {0}, written[WN_HAZARD_WORDS] = {0};
    if (a) {
        op->a = a->ref;
        op->args[1] = a->stride;
        add_id(read, a->id);
    }
    if (bm) {
        op->b = bm->ref;
        op->args[3] = bm->stride;
        /* frame_sim and relevance only read B; for the others it is written (and, by greedy_dpp, read). */
        const bool reads_b = kind == WN_OP_frame_sim || kind == WN_OP_relevance;
        add_id(reads_b ? read : written, bm->id);
    }
    add_id(read, ID_W);
    if (writes_w)
        add_id(written, ID_W);
    note_hazards(b, op, read, written);
}

/* -- passes ------------------------------------------------------------------------------------ */

void build_start(wn_build *b)
{
    b->status = WINNOW_OK;
    b->op_count = b->const_count = 0;
    b->w_words = b->const_words;
    b->matrix_bytes = b->history_bytes = 0;
    b->next_id = ID_W + 1;
    b->barriers = 0;
    b->emit_first = 0;
    memset(b->read_since, 0, sizeof b->read_since);
    memset(b->written_since, 0, sizeof b->written_since);
    b->assign = WN_NO_ARR;
    b->stats = build_const(b, NULL, 1); /* zero at the start of every run */
}

/* True if the constants turned out larger than the room before the arrays: build once more. */
bool build_again(wn_build *b)
{
    if (b->status != WINNOW_OK || b->const_count == b->const_words)
        return false;
    b->const_words = b->const_count;
    return true;
}

void build_finish(wn_build *b)
{
    wn_free(b->host, b->ops);
    wn_free(b->host, b->consts);
    b->ops = NULL;
    b->consts = NULL;
    b->op_capacity = b->const_capacity = 0;
}

wn_program build_program(const wn_build *b)
{
    return (wn_program){
        .ops = b->ops,
        .op_count = b->op_count,
        .emit_first = b->emit_first,
        .barriers = b->barriers,
        .consts = b->consts,
        .const_words = b->const_count,
        .w_words = b->w_words,
        .matrix_bytes = b->matrix_bytes,
        .count_at = b->set.seg.at + b->set.segs,
    };
}
