/* place.c: parameters get their places in the weight buffers, and are unpacked into them.
 *
 * A linear layer lies as [in][out] (turned, so that neighbouring outputs are neighbours in memory),
 * its bias and layer scale behind it as f32; a norm as gain and bias; a table as rows. A tensor
 * goes up in pieces of whole rows as the file's bytes, and the `unpack` operation dequantises and
 * turns it: the host touches no number. */
#include "place.h"

#include <string.h>

#include "plan.h"

enum { ALIGN = 256 };

typedef struct placer {
    const wn_host *host;
    uint64_t most;  /* bytes a buffer may have */
    uint64_t *used; /* [WN_WEIGHT_PARTS] */
    uint32_t part;
    int32_t dtype; /* of matrices */
    bool as_stored;
    winnow_status status;
} placer;

static wn_ref take(placer *p, int32_t dtype, uint64_t bytes)
{
    if (p->status != WINNOW_OK)
        return (wn_ref){.slot = WN_SLOT_NONE};
    if (bytes > p->most) {
        p->status = wn_fail(
            p->host, WINNOW_E_UNSUPPORTED,
            "encoder: one matrix of the model has %llu bytes, and the device takes %llu at a "
            "time (use dtype f16)",
            (unsigned long long)bytes, (unsigned long long)p->most);
        return (wn_ref){.slot = WN_SLOT_NONE};
    }
    if (p->used[p->part] + bytes > p->most)
        ++p->part;
    if (p->part == WN_WEIGHT_PARTS) {
        p->status = wn_fail(p->host, WINNOW_E_DEVICE_MEMORY,
                            "encoder: the model does not fit %d buffers of %llu bytes (use dtype "
                            "f16, or another device)",
                            WN_WEIGHT_PARTS, (unsigned long long)p->most);
        return (wn_ref){.slot = WN_SLOT_NONE};
    }
    const wn_ref ref = {.slot = (uint8_t)(WN_SLOT_WEIGHTS + p->part),
                        .dtype = (uint8_t)dtype,
                        .offset = p->used[p->part],
                        .bytes = bytes};
    p->used[p->part] += (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return ref;
}

/* The type of a matrix: the file's, where all parts have it and 16 bits hold it. */
static int32_t type_of(const placer *p, const wn_linear *l)
{
    const uint32_t type = l->weight[0]->type;
    if (!p->as_stored || p->dtype != WINNOW_F32)
        return p->dtype;
    for (uint32_t i = 1; i < l->parts; ++i)
        if (l->weight[i]->type != type)
            return WINNOW_F32;
    return type == WN_FILE_F16 ? WINNOW_F16 : type == WN_FILE_BF16 ? WINNOW_BF16 : WINNOW_F32;
}

static void place_linear(placer *p, wn_linear *l)
{
    if (!l->parts)
        return;
    const int32_t dtype = type_of(p, l);
    const uint32_t stride = (l->out + 1u) & ~1u, element = wn_element_bytes(dtype);
    const uint64_t matrix = ((uint64_t)l->in * stride * element + 3) & ~3ull;
    bool bias = false;
    for (uint32_t i = 0; i < 3; ++i)
        bias |= l->bias[i] != NULL;
    const uint64_t behind = (bias ? 4ull * l->out : 0) + (l->scale ? 4ull * l->out : 0);
    l->place =
        (wn_place){.ref = take(p, dtype, matrix + behind),
                   .stride = stride,
                   .bias_at = bias ? (uint32_t)(matrix / 4) : WN_NONE,
                   .scale_at = l->scale ? (uint32_t)(matrix / 4) + (bias ? l->out : 0) : WN_NONE};
}

static void place_norm(placer *p, wn_norm *n)
{
    if (n->gain)
        n->place = (wn_place){.ref = take(p, WINNOW_F32, (n->bias ? 8ull : 4ull) * n->cols),
                              .stride = n->cols,
                              .bias_at = n->bias ? n->cols : WN_NONE,
                              .scale_at = WN_NONE};
}

static void place_table(placer *p, wn_table *t)
{
    if (t->rows)
        t->place = (wn_place){.ref = take(p, WINNOW_F32, 4ull * t->count * t->cols),
                              .stride = t->cols,
                              .bias_at = WN_NONE,
                              .scale_at = WN_NONE};
}

winnow_status wn_vit_place(const wn_host *host, wn_vit *v, int32_t dtype, bool as_stored,
                           uint64_t part_most, uint64_t bytes[WN_WEIGHT_PARTS])
{
    placer p = {.host = host,
                .most = part_most,
                .used = bytes,
                .dtype = dtype,
                .as_stored = as_stored};
    memset(bytes, 0, WN_WEIGHT_PARTS * sizeof *bytes);
    place_linear(&p, &v->embed);
    place_table(&p, &v->class_row);
    place_table(&p, &v->register_rows);
    place_table(&p, &v->position_rows);
    place_norm(&p, &v->pre);
    for (uint32_t l = 0; l < v->run_layers; ++l) {
        wn_vit_layer *layer = &v->layer[l];
        wn_norm *const norms[] = {&layer->norm1, &layer->norm2, &layer->q_norm, &layer->k_norm,
                                  &layer->deep_norm};
        wn_linear *const linears[] = {&layer->qkv,  &layer->q_down, &layer->q_up, &layer->k_down,
                                      &layer->k_up, &layer->out,    &layer->up,   &layer->gate,
                                      &layer->down, &layer->deep1,  &layer->deep2};
        for (size_t i = 0; i < sizeof norms / sizeof *norms; ++i)
            place_norm(&p, norms[i]);
        for (size_t i = 0; i < sizeof linears / sizeof *linears; ++i)
            place_linear(&p, linears[i]);
    }
    place_norm(&p, &v->post);
    place_norm(&p, &v->project_norm);
    place_norm(&p, &v->project_norm2);
    place_linear(&p, &v->project1);
    place_linear(&p, &v->project2);
    place_table(&p, &v->probe);
    place_linear(&p, &v->probe_qk);
    place_linear(&p, &v->merge1);
    place_linear(&p, &v->merge2);
    return p.status;
}

/* -- loading ----------------------------------------------------------------------------------- */

typedef struct loader {
    const wn_host *host;
    winnow_device *device;
    wn_exec *exec;
} loader;

/* Where rows of a tensor go. */
typedef struct target {
    wn_ref ref;     /* of the whole parameter */
    uint64_t first; /* elements before the tensor's own, of the target's type */
    uint64_t base;  /* bytes before those */
    uint32_t stride;
    uint8_t dtype;
    bool turn;
} target;

static wn_program program_of(const wn_op *op)
{
    return (wn_program){
        .ops = (wn_op *)(uintptr_t)op, .op_count = 1, .emit_first = 1, .w_words = 4};
}

static wn_op unpack_op(const wn_tensor *t, uint64_t bytes, uint32_t rows, uint32_t cols,
                       const target *to, uint64_t skip)
{
    const uint32_t element = wn_element_bytes(to->dtype);
    const uint64_t at = to->base + (to->first + skip) * element;
    const struct wn_args_unpack args = {
        .b_stride = to->stride, .type = t->type, .rows = rows, .cols = cols, .turn = to->turn};
    const uint64_t across = to->turn ? rows : cols, down = to->turn ? cols : rows;
    wn_op op = {.kind = WN_OP_unpack,
                .items = (uint32_t)(down * ((across + 1) / 2)),
                .args_bytes = sizeof args,
                .a = {.slot = WN_SLOT_IN + WINNOW_ROLE_TOKENS,
                      .dtype = WINNOW_I32,
                      .bytes = (bytes + 3) & ~3ull},
                .b = {.slot = to->ref.slot,
                      .dtype = to->dtype,
                      .offset = to->ref.offset + at,
                      .bytes = ((down - 1) * to->stride + across) * element},
                .c = {.slot = WN_SLOT_NONE}};
    memcpy(op.args, &args, sizeof args);
    return op;
}

static winnow_status run_piece(const loader *l, const wn_op *op, const unsigned char *data,
                               uint64_t bytes)
{
    const wn_program program = program_of(op);
    wn_host_io io = {0};
    wn_exec_stats stats;
    unsigned char tail[4] = {0};
    union {
        const unsigned char *in;
        void *data; /* inputs are only read */
    } from = {.in = data};
    /* A last word that the file does not fill is made here. */
    if (bytes < sizeof tail)
        from.data = memcpy(tail, data, bytes);
    io.in[WINNOW_ROLE_TOKENS] = (wn_host_rows){from.data, 1, bytes, bytes};
    return l->device->backend->exec_run(l->exec, &program, &io, &stats);
}

/* Rows of a piece: whole ones, an even number where they become columns of 16-bit rows. */
static uint32_t piece_rows(uint64_t row_bytes, uint32_t rows)
{
    const uint64_t fit = WN_LOAD_BYTES / (row_bytes ? row_bytes : 1) & ~1ull;
    return fit < 2 ? (rows < 2 ? rows : 2) : fit < rows ? (uint32_t)fit : rows;
}

static winnow_status load_tensor(const loader *l, const wn_tensor *t, uint32_t rows,
                                 const target *to)
{
    uint32_t block_bytes;
    const uint32_t block = wn_file_type_block(t->type, &block_bytes);
    const uint32_t cols = (uint32_t)(t->elements / rows);
    const uint64_t row_bytes = (uint64_t)cols / block * block_bytes;
    const uint32_t most = piece_rows(row_bytes, rows);
    if (cols % block != 0)
        return wn_fail(
            l->host, WINNOW_E_FILE,
            "encoder: tensor %s has rows of %u numbers in blocks of %u (the file is damaged)",
            t->name, cols, block);
    for (uint32_t row = 0; row < rows; row += most) {
        const uint32_t count = rows - row < most ? rows - row : most;
        const uint64_t bytes = count * row_bytes,
                       skip = to->turn ? row : (uint64_t)row * to->stride;
        const wn_op op = unpack_op(t, bytes, count, cols, to, skip);
        WN_TRY(run_piece(l, &op, t->data + row * row_bytes, bytes));
    }
    return WINNOW_OK;
}

static winnow_status load_numbers(const loader *l, const wn_tensor *t, const wn_ref *ref,
                                  uint64_t word)
{
    const target to = {.ref = *ref,
                       .base = 4 * word,
                       .stride = ((uint32_t)t->elements + 1u) & ~1u,
                       .dtype = WINNOW_F32};
    return t ? load_tensor(l, t, 1, &to) : WINNOW_OK;
}

static winnow_status load_linear(const loader *l, const wn_linear *linear)
{
    const wn_place *place = &linear->place;
    uint64_t first = 0, bias_at = place->bias_at;
    for (uint32_t i = 0; i < linear->parts; ++i) {
        const wn_tensor *w = linear->weight[i];
        const uint32_t rows = (uint32_t)w->shape[0], outs = linear->turned ? linear->out : rows;
        const target to = {.ref = place->ref,
                           .first = first,
                           .stride = place->stride,
                           .dtype = place->ref.dtype,
                           .turn = !linear->turned};
        WN_TRY(load_tensor(l, w, rows, &to));
        if (linear->bias[i])
            WN_TRY(load_numbers(l, linear->bias[i], &place->ref, bias_at));
        first += linear->stacked ? w->elements / rows * place->stride : outs;
        bias_at += linear->stacked ? 0 : outs;
    }
    return linear->scale ? load_numbers(l, linear->scale, &place->ref, place->scale_at) : WINNOW_OK;
}

static winnow_status load_norm(const loader *l, const wn_norm *norm)
{
    if (!norm->gain)
        return WINNOW_OK;
    WN_TRY(load_numbers(l, norm->gain, &norm->place.ref, 0));
    return norm->bias ? load_numbers(l, norm->bias, &norm->place.ref, norm->cols) : WINNOW_OK;
}

static winnow_status load_table(const loader *l, const wn_table *table)
{
    const target to = {.ref = table->place.ref, .stride = table->cols, .dtype = WINNOW_F32};
    return table->rows ? load_tensor(l, table->rows, table->count, &to) : WINNOW_OK;
}

static winnow_status load_layer(const loader *l, const wn_vit_layer *layer)
{
    const wn_norm *const norms[] = {&layer->norm1, &layer->norm2, &layer->q_norm, &layer->k_norm,
                                    &layer->deep_norm};
    const wn_linear *const linears[] = {&layer->qkv,  &layer->q_down, &layer->q_up, &layer->k_down,
                                        &layer->k_up, &layer->out,    &layer->up,   &layer->gate,
                                        &layer->down, &layer->deep1,  &layer->deep2};
    for (size_t i = 0; i < sizeof norms / sizeof *norms; ++i)
        WN_TRY(load_norm(l, norms[i]));
    for (size_t i = 0; i < sizeof linears / sizeof *linears; ++i)
        WN_TRY(load_linear(l, linears[i]));
    return WINNOW_OK;
}

winnow_status wn_vit_load(const wn_host *host, const wn_vit *v, winnow_device *device,
                          wn_exec *exec)
{
    const loader l = {host, device, exec};
    const wn_table *const tables[] = {&v->class_row, &v->register_rows, &v->position_rows,
                                      &v->probe};
    const wn_norm *const norms[] = {&v->pre, &v->post, &v->project_norm, &v->project_norm2};
    const wn_linear *const linears[] = {&v->embed,    &v->project1, &v->project2,
                                        &v->probe_qk, &v->merge1,   &v->merge2};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i)
        WN_TRY(load_table(&l, tables[i]));
    for (size_t i = 0; i < sizeof norms / sizeof *norms; ++i)
        WN_TRY(load_norm(&l, norms[i]));
    for (size_t i = 0; i < sizeof linears / sizeof *linears; ++i)
        WN_TRY(load_linear(&l, linears[i]));
    for (uint32_t i = 0; i < v->run_layers; ++i)
        WN_TRY(load_layer(&l, &v->layer[i]));
    return WINNOW_OK;
}

/* A row of the widest tensor may pass a piece: then two of them are one. */
uint64_t wn_vit_load_bytes(const wn_vit *v)
{
    uint64_t widest = v->embed.in;
    const uint32_t widths[] = {v->inner, v->project1.in, v->project2.in, v->width, v->dim};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i)
        widest = widths[i] > widest ? widths[i] : widest;
    for (uint32_t l = 0; l < v->layers; ++l)
        widest = v->layer[l].deep1.in > widest ? v->layer[l].deep1.in : widest;
    widest *= 4 * v->merge * v->merge; /* a merged norm's gain is one row */
    widest = v->merge1.in > widest ? v->merge1.in : widest;
    widest = v->merge1.out > widest ? v->merge1.out : widest;
    return 2 * widest * sizeof(float) > WN_LOAD_BYTES ? 2 * widest * sizeof(float) : WN_LOAD_BYTES;
}

void wn_vit_load_kinds(wn_op *ops, wn_program *programs)
{
    static const uint8_t types[WN_LOAD_KINDS] = {WINNOW_F32, WINNOW_F16, WINNOW_BF16};
    for (uint32_t i = 0; i < WN_LOAD_KINDS; ++i) {
        ops[i] = (wn_op){.kind = WN_OP_unpack,
                         .items = 1,
                         .args_bytes = sizeof(struct wn_args_unpack),
                         .a = {.slot = WN_SLOT_IN + WINNOW_ROLE_TOKENS,
                               .dtype = WINNOW_I32,
                               .bytes = WN_LOAD_BYTES},
                         .b = {.slot = WN_SLOT_WEIGHTS, .dtype = types[i], .bytes = 4},
                         .c = {.slot = WN_SLOT_NONE}};
        programs[i] = program_of(&ops[i]);
    }
}
