/* build_pipeline.c: a whole pipeline as a program: the first set, the stages, the outputs. */
#include <string.h>

#include "build_program.h"

void build_first_set(wn_build *b, const wn_mat *tokens)
{
    const winnow_shape *shape = &b->in.shape;
    const uint32_t all = shape->frames * shape->tokens;
    b->set = (wn_set){.segs = shape->frames,
                      .n_max = all,
                      .width = shape->tokens,
                      .regular = true,
                      .exact = true,
                      .aligned = true,
                      .grid_h = shape->grid_h,
                      .grid_w = shape->grid_w,
                      .order = WN_NO_ARR,
                      .sizes = WN_NO_ARR,
                      .fresh = true};
    b->set.mat = *tokens;
    b->set.seg = build_counting(b, shape->frames + 1, shape->tokens);
    b->set.rows = build_counting(b, all, 1);
    b->set.index = b->every_row = b->set.rows;
    if (!build_has(b, WINNOW_ROLE_SIZES) || b->status != WINNOW_OK)
        return;
    const wn_mat sizes = build_role(b, WINNOW_ROLE_SIZES);
    b->set.sizes = build_numbers(b, &sizes);
}

static bool wants(const wn_build *b, uint32_t output)
{
    return (b->in.outputs >> output) & 1u;
}

static wn_mat output_tokens(const wn_build *b)
{
    const uint32_t cols = b->set.mat.cols;
    const uint64_t element = b->in.out_dtype == WINNOW_F32 ? 4 : 2, rows = b->set.n_max;
    const uint64_t packed = b->in.out_padded && element == 2 ? (cols + 1ull) & ~1ull : cols;
    const uint64_t stride = b->in.out_stride ? b->in.out_stride : packed;
    return (wn_mat){.ref = {.slot = WN_SLOT_OUT + WINNOW_OUT_TOKENS,
                            .dtype = (uint8_t)b->in.out_dtype,
                            .bytes = rows ? ((rows - 1) * stride + cols) * element : 0},
                    .stride = (uint32_t)stride,
                    .cols = cols,
                    .rows = (uint32_t)rows};
}

/* Operations that may write rows straight into the host's output: those whose B is the set's matrix. */
static bool writes_matrix(const wn_op *op, const wn_mat *mat)
{
    return op->b.slot == mat->ref.slot && op->b.offset == mat->ref.offset &&
           op->b.bytes == mat->ref.bytes;
}

static bool reads_matrix(const wn_op *op, const wn_mat *mat)
{
    return op->a.slot == mat->ref.slot && op->a.offset == mat->ref.offset;
}

/* 16-bit rows are written a word at a time by emit_rows; others write pairs, which must not cross rows. */
static bool can_write_output(const wn_build *b, const wn_mat *out)
{
    if (!b->set.fresh || b->set.order.at != WN_NONE || b->reuses_memory ||
        b->set.mat.ref.slot != WN_SLOT_MATRIX)
        return false;
    return b->in.out_dtype == WINNOW_F32 ||
           (!b->in.out_odd && out->stride % 2 == 0 && (out->cols % 2 == 0 || b->in.out_padded));
}

static bool reaches(const wn_ref *ref, uint64_t end)
{
    return ref->slot == WN_SLOT_MATRIX && ref->bytes && ref->offset + ref->bytes > end;
}

/* The set's matrix was the last one taken: without it the workspace ends where it began. */
static void give_back_matrix(wn_build *b)
{
    const uint64_t end = b->set.mat.ref.offset;
    for (uint32_t i = 0; i < b->op_count; ++i) {
        const wn_op *op = &b->ops[i];
        if (reaches(&op->a, end) || reaches(&op->b, end) || reaches(&op->c, end))
            return;
    }
    b->matrix_bytes = end;
}

/* The last stage's rows need no second trip: its writers are pointed at the output, if nothing reads them. Returns
 * false where emit_rows must copy. */
static bool write_output_directly(wn_build *b, const wn_mat *out)
{
    uint32_t first = b->op_count;
    if (!can_write_output(b, out))
        return false;
    for (uint32_t i = 0; i < b->op_count; ++i) {
        if (reads_matrix(&b->ops[i], &b->set.mat))
            return false;
        if (!writes_matrix(&b->ops[i], &b->set.mat))
            continue;
        first = i < first ? i : first;
    }
    if (first == b->op_count)
        return false;
    for (uint32_t i = first; i < b->op_count; ++i)
        if (writes_matrix(&b->ops[i], &b->set.mat)) {
            b->ops[i].b = out->ref;
            b->ops[i].args[3] = out->stride;
        }
    b->emit_first = first;
    give_back_matrix(b);
    return true;
}

static void emit_rows(wn_build *b, const wn_mat *out)
{
    const uint64_t words = b->in.out_dtype == WINNOW_F32
                               ? out->cols
                               : (out->stride + 3u) / 2u; /* and the word that an odd start adds */
    const struct wn_args_emit_rows args = {.n_max = b->set.n_max,
                                           .segs = b->set.segs,
                                           .seg_at = b->set.seg.at,
                                           .rows_at = b->set.rows.at,
                                           .order_at = b->set.order.at,
                                           .cols = out->cols};
    BUILD_OP(b, emit_rows, b->set.n_max * words, &b->set.mat, out, args, READS_W);
}

static void emit_meta(wn_build *b)
{
    wn_arr inverse = WN_NO_ARR;
    if (b->set.order.at != WN_NONE && wants(b, WINNOW_OUT_ASSIGNMENT)) {
        inverse = build_array(b, b->set.n_max);
        const struct wn_args_invert args = {.n_max = b->set.n_max,
                                            .segs = b->set.segs,
                                            .seg_at = b->set.seg.at,
                                            .order_at = b->set.order.at,
                                            .inverse_at = inverse.at};
        BUILD_OP(b, invert, b->set.n_max, NULL, NULL, args, WRITES_W);
    }
    const winnow_shape *shape = &b->in.shape;
    const uint32_t source = shape->frames * shape->tokens;
    const struct wn_args_emit_meta args = {.n_max = b->set.n_max,
                                           .source = source,
                                           .segs = b->set.segs,
                                           .seg_at = b->set.seg.at,
                                           .index_at = b->set.index.at,
                                           .sizes_at = b->set.sizes.at,
                                           .order_at = b->set.order.at,
                                           .inverse_at = inverse.at,
                                           .assign_at = b->assign.at,
                                           .stats_at = b->stats.at,
                                           .tokens = shape->tokens,
                                           .grid_w = shape->grid_w ? shape->grid_w : shape->tokens,
                                           .mask = (b->in.outputs & ~(1u << WINNOW_OUT_TOKENS)) |
                                                   1u << WINNOW_OUT_COUNT_WORD};
    BUILD_OP(b, emit_meta, b->set.n_max > source ? b->set.n_max : source, NULL, NULL, args,
             READS_W);
}

void build_emit(wn_build *b)
{
    const wn_mat out = output_tokens(b);
    if ((uint64_t)out.stride * out.rows > UINT32_MAX)
        build_fail(b, WINNOW_E_SHAPE, "the output passes 2^32 elements (use smaller sizes)");
    b->matrix_most = b->matrix_bytes;
    const bool direct = wants(b, WINNOW_OUT_TOKENS) && write_output_directly(b, &out);
    if (!direct)
        b->emit_first = b->op_count;
    if (wants(b, WINNOW_OUT_TOKENS) && !direct)
        emit_rows(b, &out);
    emit_meta(b);
}

winnow_status build_stage(wn_build *b, const wn_stage_use *use)
{
    const char *before = b->stage;
    const uint32_t weights = b->weights;
    if (b->status != WINNOW_OK)
        return b->status;
    b->stage = use->stage->name;
    b->weights = use->weights;
    if (!use->stage->needs_grid || build_need_grid(b) == WINNOW_OK)
        use->stage->build(b, use->values);
    b->weights = weights;
    if (b->status == WINNOW_OK)
        b->stage = before;
    return b->status;
}

static void one_pass(wn_build *b, const winnow_pipeline *pipeline)
{
    build_start(b);
    b->stage = "pipeline";
    const wn_mat tokens = build_role(b, WINNOW_ROLE_TOKENS);
    build_first_set(b, &tokens);
    for (uint32_t i = 0; i < pipeline->stage_count; ++i)
        build_stage(b, &pipeline->stages[i]);
    if (b->status == WINNOW_OK && !b->bounds_only)
        build_emit(b);
}

/* Constants come first in W, and how many there are is known at the end: a second pass where it changed. */
winnow_status build_pipeline(wn_build *b, const winnow_pipeline *pipeline)
{
    do {
        one_pass(b, pipeline);
    } while (build_again(b));
    return b->status;
}

enum { EMIT_OPS = 3 }; /* build_emit's: rows, the order's inverse, what is beside the rows */

void build_raise_room(wn_build *b, const winnow_pipeline *pipeline, wn_room *room)
{
    b->bounds_only = true;
    one_pass(b, pipeline);
    b->bounds_only = false;
    if (b->status != WINNOW_OK)
        return;
    const uint64_t inverse = b->set.order.at == WN_NONE ? 0 : b->set.n_max + 3ull;
    uint64_t words = b->w_words + b->const_count + inverse;
    for (uint32_t g = 0; g < b->fill_count; ++g)
        words += b->fills[g].words;
    room->rows = (uint32_t)wn_larger(room->rows, b->set.n_max);
    room->ops = (uint32_t)wn_larger(room->ops, b->op_count + EMIT_OPS);
    room->consts = (uint32_t)wn_larger(room->consts, b->const_count);
    room->w_words = wn_larger(room->w_words, words);
    room->scratch_bytes = wn_larger(room->scratch_bytes, b->scratch_most);
    if (room->straight && b->matrix_bytes > room->matrix_bytes)
        build_pipeline(b, pipeline);
    if (b->status == WINNOW_OK)
        room->matrix_bytes = wn_larger(room->matrix_bytes, b->matrix_bytes);
    b->const_words = 0; /* bounds alone leave no room for constants in front */
    memset(b->filled, 0, sizeof b->filled);
}
