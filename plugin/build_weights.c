/* build_weights.c: what a stage learned, from its file, as operands. */
#include <stdio.h>
#include <string.h>

#include "build_trained.h"
#include "trained.h"

enum { SHAPE_SIZE = 64 };

static const char *shape_text(const wn_trained_tensor *t, char *text)
{
    size_t used = (size_t)snprintf(text, SHAPE_SIZE, "[");
    for (uint32_t i = 0; i < t->rank; ++i)
        used +=
            (size_t)snprintf(text + used, SHAPE_SIZE - used, "%s%u", i ? ", " : "", t->shape[i]);
    snprintf(text + used, SHAPE_SIZE - used, "]");
    return text;
}

/* "24", or "any". */
static const char *size_text(uint32_t size, char *text)
{
    if (size)
        snprintf(text, SHAPE_SIZE, "%u", size);
    return size ? text : "any";
}

static const wn_trained_tensor *find(wn_build *b, const char *name)
{
    const wn_trained_tensor *t = wn_trained_find(b->trained, b->weights, name);
    if (!b->weights)
        build_fail(b, WINNOW_E_FILE, "it has no weights (give weights=FILE)");
    else if (!t)
        build_fail(b, WINNOW_E_FILE, "its weights have no tensor `%s` (write it)", name);
    return b->status == WINNOW_OK ? t : NULL;
}

bool build_has_weights(const wn_build *b)
{
    return b->weights != 0;
}

static wn_mat matrix_of(const wn_trained_tensor *t)
{
    return (wn_mat){.ref = {.slot = WN_SLOT_TRAINED,
                            .dtype = (uint8_t)t->dtype,
                            .offset = t->offset,
                            .bytes = t->bytes},
                    .stride = t->stride,
                    .cols = t->cols,
                    .rows = t->rows};
}

wn_mat build_weights(wn_build *b, const char *name, uint32_t rows, uint32_t cols)
{
    const wn_mat none = {.ref = {.slot = WN_SLOT_NONE}};
    const wn_trained_tensor *t = find(b, name);
    char shape[SHAPE_SIZE], high[SHAPE_SIZE], wide[SHAPE_SIZE];
    if (!t)
        return none;
    if (t->rank >= 2 && (!rows || rows == t->rows) && (!cols || cols == t->cols))
        return matrix_of(t);
    build_fail(b, WINNOW_E_FILE, "tensor `%s` of its weights is %s, and %s x %s is wanted", name,
               shape_text(t, shape), size_text(rows, high), size_text(cols, wide));
    return none;
}

wn_arr build_weights_array(wn_build *b, const char *name, uint32_t n)
{
    const wn_trained_tensor *t = find(b, name);
    char shape[SHAPE_SIZE], wanted[SHAPE_SIZE];
    if (!t)
        return WN_NO_ARR;
    if (t->rank != 1 || (n && n != t->cols)) {
        build_fail(b, WINNOW_E_FILE, "tensor `%s` of its weights is %s, and [%s] is wanted", name,
                   shape_text(t, shape), size_text(n, wanted));
        return WN_NO_ARR;
    }
    const wn_arr out = build_const(b, NULL, t->cols);
    uint32_t *words = build_const_data(b, out);
    if (words)
        memcpy(words, b->trained->data + t->offset, t->cols * sizeof *words);
    return out;
}

bool build_weights_shape(wn_build *b, const char *name, uint32_t dims[4], uint32_t *count)
{
    const wn_trained_tensor *t = wn_trained_find(b->trained, b->weights, name);
    *count = t ? t->rank : 0;
    if (t)
        memcpy(dims, t->shape, sizeof t->shape);
    return t != NULL;
}

const char *build_weights_note(const wn_build *b, const char *key)
{
    char path[128];
    const char *text = NULL;
    snprintf(path, sizeof path, "metadata.%s", key);
    if (b->weights && !wn_setting_text(b->trained->files[b->weights - 1].index, path, &text))
        text = NULL;
    return text;
}

wn_dense build_weights_dense(wn_build *b, const char *name, uint32_t in, uint32_t out)
{
    char full[128];
    uint32_t dims[4], count;
    wn_dense layer = {.bias_at = WN_NONE};
    snprintf(full, sizeof full, "%s.weight", name);
    layer.weight = build_weights(b, full, in, out);
    const wn_trained_tensor *t = wn_trained_find(b->trained, b->weights, full);
    if (b->status != WINNOW_OK)
        return layer;
    layer.bias_at = t->bias_at;
    snprintf(full, sizeof full, "%s.bias", name);
    if (layer.bias_at == WN_NONE && build_weights_shape(b, full, dims, &count))
        build_fail(b, WINNOW_E_FILE, "tensor `%s` of its weights is not [%u], as its layer gives",
                   full, layer.weight.cols);
    return layer;
}

void build_dense(wn_build *b, const wn_dense *layer, const wn_mat *in, const wn_mat *out,
                 uint32_t act, uint32_t with)
{
    const struct wn_args_matmul args = {.n_max = in->rows,
                                        .seg_at = WN_NONE,
                                        .inner = in->cols,
                                        .cols = out->cols,
                                        .bias_at = layer->bias_at,
                                        .scale_at = WN_NONE,
                                        .act = act,
                                        .with = with};
    const uint64_t tiles = (uint64_t)((in->rows + 7) / 8) * ((out->cols + 127) / 128);
    BUILD_OP3(b, matmul, tiles, in, out, &layer->weight, args, READS_W);
}
