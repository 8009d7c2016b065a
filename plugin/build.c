/* build.c: memory, hazards and operations of a program under construction. */
#include "build_program.h"

#include <stdio.h>
#include <string.h>

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

winnow_status build_take_room(wn_build *b, const wn_room *room)
{
    if (reserve(b, (void **)&b->ops, &b->op_capacity, room->ops, sizeof *b->ops))
        reserve(b, (void **)&b->consts, &b->const_capacity, room->consts + 4ull, sizeof *b->consts);
    return b->status;
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
    if (b->status != WINNOW_OK ||
        (!b->bounds_only && !reserve(b, (void **)&b->consts, &b->const_capacity,
                                     (uint64_t)b->const_count + n + 4, sizeof *b->consts)))
        return WN_NO_ARR;
    const wn_arr arr = {b->const_count, n};
    if (b->bounds_only)
        ; /* counted below */
    else if (values)
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

/* The group of a value, a new one if there is room. */
static uint32_t fill_group(wn_build *b, uint32_t value)
{
    uint32_t g = 0;
    while (g < b->fill_count && b->fills[g].value != value)
        ++g;
    if (g == b->fill_count && g < WN_FILLS_MOST)
        b->fills[b->fill_count++] = (wn_fill){.at = b->filled[g].at, .value = value};
    return g;
}

/* Where groups lie follows from the pass before, as with the constants. */
wn_arr build_fill(wn_build *b, uint64_t n, uint32_t value)
{
    const uint64_t words = n ? (n + 3) & ~3ull : 4;
    const uint32_t g = fill_group(b, value);
    if (g == WN_FILLS_MOST) {
        const wn_arr out = build_array(b, n);
        const struct wn_args_fill args = {.n = out.n, .at = out.at, .value = value};
        BUILD_OP(b, fill, out.n, NULL, NULL, args, WRITES_W);
        return out;
    }
    wn_fill *fill = &b->fills[g];
    if ((uint64_t)fill->at + fill->words + words > UINT32_MAX) {
        build_fail(b, WINNOW_E_SHAPE, "the workspace passes 16 GiB (use smaller sizes)");
        return WN_NO_ARR;
    }
    const wn_arr arr = {fill->at + fill->words, (uint32_t)(n ? n : 1)};
    fill->words += (uint32_t)words;
    return arr;
}

wn_arr build_stats(wn_build *b)
{
    if (b->stats.at == WN_NONE)
        b->stats = build_fill(b, 1, 0);
    return b->stats;
}

uint32_t *build_const_data(wn_build *b, wn_arr constant)
{
    const bool kept = b->status == WINNOW_OK && !b->bounds_only && constant.at != WN_NONE;
    return kept ? b->consts + constant.at : NULL;
}

static wn_mat workspace_rows(wn_build *b, uint8_t slot, uint64_t *used, uint64_t rows,
                             uint32_t cols, int32_t dtype)
{
    const bool wide = dtype == WINNOW_F32 || dtype == WINNOW_I32;
    const uint64_t stride = wide ? cols : (cols + 1ull) & ~1ull;
    wn_mat mat = {.ref = {.slot = slot, .dtype = (uint8_t)dtype}, .cols = cols};
    if (rows > UINT32_MAX || rows * stride > UINT32_MAX) {
        build_fail(b, WINNOW_E_SHAPE,
                   "a matrix of %llu x %u passes 2^32 elements (use smaller sizes)",
                   (unsigned long long)rows, cols);
        return mat;
    }
    mat.stride = (uint32_t)stride;
    mat.rows = (uint32_t)rows;
    mat.ref.offset = *used;
    mat.ref.bytes = rows * stride * (wide ? 4 : 2);
    *used += (mat.ref.bytes + WN_MATRIX_ALIGNMENT - 1) & ~(WN_MATRIX_ALIGNMENT - 1ull);
    return mat;
}

wn_mat build_matrix_of(wn_build *b, uint64_t rows, uint32_t cols, int32_t dtype)
{
    const wn_mat mat = workspace_rows(b, WN_SLOT_MATRIX, &b->matrix_used, rows, cols, dtype);
    if (b->matrix_bytes < b->matrix_used)
        b->matrix_bytes = b->matrix_used;
    return mat;
}

wn_mat build_matrix(wn_build *b, uint64_t rows, uint32_t cols)
{
    return build_matrix_of(b, rows, cols, WINNOW_F32);
}

wn_mat build_history(wn_build *b, uint64_t rows, uint32_t cols)
{
    return workspace_rows(b, WN_SLOT_HISTORY, &b->history_bytes, rows, cols, WINNOW_F32);
}

uint64_t build_mark(const wn_build *b)
{
    return b->matrix_used;
}

void build_release(wn_build *b, uint64_t mark)
{
    if (mark >= b->matrix_used)
        return;
    b->matrix_used = mark;
    b->reuses_memory = true;
}

bool build_has(const wn_build *b, uint32_t role)
{
    return ((b->in.roles | b->roles_made) >> role) & 1u;
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
        [WINNOW_ROLE_IMAGE_EMBEDS] = {all, s->image_dim ? s->image_dim : s->text_dim},
        [WINNOW_ROLE_LLM_ATTENTION] = {s->llm_heads, (uint32_t)all},
        [WINNOW_ROLE_FRAME_EMBEDS] = {s->frames, s->frame_dim},
        [WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW] = {s->frames, s->tokens},
        [WINNOW_ROLE_RECEIVED_ATTENTION_DEEP] = {s->frames, s->tokens},
        [WINNOW_ROLE_CLS_ATTENTION_SHALLOW] = {(uint64_t)s->frames * s->heads, s->tokens},
        [WINNOW_ROLE_TEXT_ATTENTION] = {(uint64_t)s->llm_heads * s->text_rows, (uint32_t)all},
        [WINNOW_ROLE_TEXT_KEYS] = {s->text_rows, s->key_dim},
        [WINNOW_ROLE_ATTENTION] = {all * s->heads, s->tokens},
        [WINNOW_ROLE_ATTENTION_TO_TEXT] = {all * s->llm_heads, s->text_rows},
        [WINNOW_ROLE_GROUPS] = {s->frames, s->tokens},
        [WINNOW_ROLE_SALIENCY] = {s->frames, s->tokens},
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
    if ((b->roles_made >> role) & 1u)
        return b->role_made[role];
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

void build_give_role(wn_build *b, uint32_t role, const wn_mat *mat)
{
    b->roles_made |= 1u << role;
    b->role_made[role] = *mat;
}

wn_mat build_look(wn_build *b, enum wn_look what)
{
    if (b->look && b->status == WINNOW_OK)
        return b->look(b, what);
    build_fail(
        b, WINNOW_E_ROLE,
        "it runs inside an encoder's layers alone (encode --model FILE, with layers=12..-2 or so)");
    return (wn_mat){.ref = {.slot = WN_SLOT_NONE}};
}

/* -- hazards ----------------------------------------------------------------------------------- */

/* What one operation touches. W is one binding of every shader, so it is one resource: the arrays in it are apart,
 * but neither the validation layer nor a driver can know that. Matrices are ranges of bytes, so that memory that is
 * given out again, and parts of a matrix, are seen for what they are. */
typedef struct touched {
    bool writes_w;
    uint32_t count;
    wn_touch part[3];
} touched;

/* Inputs of the host and trained weights make no hazard: nothing writes them. A binding may start before its matrix (alignment). */
static void touch(touched *t, const wn_mat *mat, bool written)
{
    const wn_ref *ref = &mat->ref;
    if (ref->slot >= WN_SLOT_OUT && ref->slot < WN_SLOT_TRAINED && ref->bytes)
        t->part[t->count++] = (wn_touch){.begin = ref->offset & ~(WN_MATRIX_ALIGNMENT - 1ull),
                                         .end = (ref->offset + ref->bytes + 3) & ~3ull,
                                         .slot = ref->slot,
                                         .written = written};
}

static bool collide(const wn_touch *x, const wn_touch *y)
{
    return x->slot == y->slot && x->begin < y->end && y->begin < x->end &&
           (x->written || y->written);
}

/* A barrier is needed where this operation reads what was written since the last one, or writes what was read or
 * written; and where the notes are full. */
static bool needs_barrier(const wn_build *b, const touched *t)
{
    if ((t->writes_w && b->w_read) || b->w_written || b->touch_count + t->count > WN_TOUCH_MOST)
        return true;
    for (uint32_t i = 0; i < b->touch_count; ++i)
        for (uint32_t k = 0; k < t->count; ++k)
            if (collide(&b->touch[i], &t->part[k]))
                return true;
    return false;
}

static void forget_hazards(wn_build *b)
{
    b->touch_count = 0;
    b->w_read = b->w_written = false;
}

static void note_hazards(wn_build *b, wn_op *op, const touched *t)
{
    if (needs_barrier(b, t)) {
        op->barrier = 1;
        ++b->barriers;
        forget_hazards(b);
    }
    memcpy(b->touch + b->touch_count, t->part, t->count * sizeof *t->part);
    b->touch_count += t->count;
    b->w_read = true; /* every operation may read W */
    b->w_written |= t->writes_w;
}

static void count_op(wn_build *b, uint32_t kind, const void *args, size_t args_bytes,
                     const wn_mat *a, const wn_mat *bm)
{
    wn_op op = {.kind = (uint16_t)kind};
    memcpy(op.args, args, args_bytes);
    op.args[WN_ARG_A_STRIDE] = a ? a->stride : 0;
    op.args[WN_ARG_B_STRIDE] = bm ? bm->stride : 0;
    b->scratch_most = wn_larger(b->scratch_most, b->scratch_of ? b->scratch_of(&op) : 0);
    ++b->op_count;
}

void build_op3(wn_build *b, uint32_t kind, const void *args, size_t args_bytes, uint64_t items,
               const wn_mat *a, const wn_mat *bm, const wn_mat *c, bool writes_w)
{
    if (b->status != WINNOW_OK)
        return;
    if (b->bounds_only) {
        count_op(b, kind, args, args_bytes, a, bm);
        return;
    }
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
    op->a.slot = op->b.slot = op->c.slot = WN_SLOT_NONE;
    touched t = {.writes_w = writes_w};
    if (a) {
        op->a = a->ref;
        op->args[WN_ARG_A_STRIDE] = a->stride;
        touch(&t, a, false);
    }
    if (bm) {
        op->b = bm->ref;
        op->args[WN_ARG_B_STRIDE] = bm->stride;
        /* frame_sim and relevance only read B. Others write it, and some read it too: a write waits for all. */
        touch(&t, bm, kind != WN_OP_frame_sim && kind != WN_OP_relevance);
    }
    if (c) {
        op->c = c->ref;
        op->args[WN_ARG_C_STRIDE] = c->stride;
        touch(&t, c, false);
    }
    note_hazards(b, op, &t);
}

void build_op(wn_build *b, uint32_t kind, const void *args, size_t args_bytes, uint64_t items,
              const wn_mat *a, const wn_mat *bm, bool writes_w)
{
    build_op3(b, kind, args, args_bytes, items, a, bm, NULL, writes_w);
}

/* -- passes ------------------------------------------------------------------------------------ */

void build_start(wn_build *b)
{
    b->status = WINNOW_OK;
    b->op_count = b->const_count = b->fill_count = 0;
    b->w_words = b->const_words;
    for (uint32_t g = 0; g < WN_FILLS_MOST; ++g)
        b->w_words += b->filled[g].words;
    b->matrix_used = b->matrix_bytes = b->matrix_most = b->history_bytes = 0;
    b->reuses_memory = false;
    b->barriers = 0;
    b->emit_first = 0;
    forget_hazards(b);
    b->assign = b->carried = WN_NO_ARR;
    b->roles_made = 0;
    b->look = NULL;
    b->selection = NULL;
    b->more = 0;
    b->class_first = b->inside = false;
    b->stats = b->every_row = WN_NO_ARR;
    b->norm_count = 0;
}

/* Lays the groups out behind the constants. */
static void place_fills(wn_build *b)
{
    uint32_t at = b->const_words;
    for (uint32_t g = 0; g < WN_FILLS_MOST; ++g) {
        const uint32_t words = g < b->fill_count ? b->fills[g].words : 0;
        b->filled[g] = (wn_fill){.at = at, .words = words, .value = words ? b->fills[g].value : 0};
        at += words;
    }
}

/* True if the constants or the filled arrays turned out other than the room for them: build once more. */
bool build_again(wn_build *b)
{
    wn_fill before[WN_FILLS_MOST];
    memcpy(before, b->filled, sizeof before);
    if (b->status != WINNOW_OK)
        return false;
    const bool moved = b->const_count != b->const_words;
    b->const_words = b->const_count;
    place_fills(b);
    return moved || memcmp(before, b->filled, sizeof before) != 0;
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
    wn_program program = {
        .ops = b->ops,
        .op_count = b->op_count,
        .emit_first = b->emit_first,
        .barriers = b->barriers,
        .consts = b->consts,
        .const_words = b->const_count,
        .w_words = b->w_words,
        .matrix_bytes = b->matrix_bytes,
        .count_at = b->set.seg.at + b->set.segs,
        .fill_count = b->fill_count,
    };
    memcpy(program.fills, b->fills, b->fill_count * sizeof *b->fills);
    return program;
}
