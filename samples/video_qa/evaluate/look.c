#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml.h>

/* ---- blocks ---- */

static void forget_from(look_rows *rows, uint32_t cell)
{
    while (rows->count && rows->blocks[rows->count - 1].first >= cell) {
        free(rows->blocks[--rows->count].data);
    }
}

/* The block of the decode that begins at `first`, in place of an earlier node of the same name. */
static look_block *block_for(look_rows *rows, uint32_t first)
{
    forget_from(rows, first);
    if (rows->count == rows->room) {
        const uint32_t room = rows->room ? rows->room * 2 : 16;
        look_block *larger = realloc(rows->blocks, room * sizeof *larger);
        if (!larger) {
            return NULL;
        }
        rows->blocks = larger;
        rows->room = room;
    }
    look_block *block = &rows->blocks[rows->count++];
    *block = (look_block){.first = first};
    return block;
}

static void free_rows(look_rows *rows)
{
    forget_from(rows, 0);
    free(rows->blocks);
    *rows = (look_rows){0};
}

const float *look_row(const look_rows *rows, uint32_t plane, uint32_t cell, uint32_t *width)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const look_block *b = &rows->blocks[i];
        if (cell >= b->first && cell - b->first < b->count && plane < b->planes) {
            *width = b->width;
            return b->data + ((size_t)plane * b->count + cell - b->first) * b->width;
        }
    }
    return NULL;
}

/* ---- nodes ---- */

/* [width, count, planes] as it lies in the backend, row by row. */
static void copy(look *l, look_rows *rows, const struct ggml_tensor *node, uint32_t width,
                 uint32_t count, uint32_t planes, size_t row_bytes, size_t plane_bytes)
{
    look_block *block = block_for(rows, l->next);
    float *data = malloc((size_t)planes * count * width * sizeof *data);
    if (!block || !data) {
        rows->count -= block ? 1 : 0;
        free(data);
        l->trouble = "out of memory for what the language model attends to";
        return;
    }
    block->data = data;
    block->count = count;
    block->planes = planes;
    block->width = width;
    for (uint32_t p = 0; p < planes; p++) {
        for (uint32_t i = 0; i < count; i++, data += width) {
            ggml_backend_tensor_get(node, data, p * plane_bytes + i * row_bytes,
                                    width * sizeof *data);
        }
    }
}

/* Keys of the first layer, or embeddings before them, are where a decode begins. */
static void begin(look *l, uint32_t count)
{
    l->next += l->ended ? l->count : 0;
    l->ended = false;
    l->count = count;
}

static bool is_plain(const struct ggml_tensor *node)
{
    return node->type == GGML_TYPE_F32 && node->nb[0] == sizeof(float) && node->ne[3] == 1;
}

/* [cells, tokens, heads] */
static void copy_attention(look *l, look_layer *of, const struct ggml_tensor *node)
{
    copy(l, &of->attention, node, (uint32_t)node->ne[0], (uint32_t)node->ne[1],
         (uint32_t)node->ne[2], node->nb[1], node->nb[2]);
    l->ended = true;
    for (uint32_t i = 0; i < l->layer_count; i++) {
        l->ended = l->ended && l->layers[i].layer <= of->layer;
    }
}

/* [channels of a head, heads, tokens]: a token's heads are one row. */
static void copy_keys(look *l, look_layer *of, const struct ggml_tensor *node)
{
    begin(l, (uint32_t)node->ne[2]);
    if (node->nb[1] == node->nb[0] * (size_t)node->ne[0]) {
        copy(l, &of->keys, node, (uint32_t)(node->ne[0] * node->ne[1]), (uint32_t)node->ne[2], 1,
             node->nb[2], 0);
    }
}

/* The nodes that are wanted; of keys there are several by one name, and the last one counts. */
typedef enum node_kind {
    NODE_OTHER,
    NODE_ATTENTION,
    NODE_KEYS,
    NODE_HIDDEN,
    NODE_EMBEDDINGS
} node_kind;

static node_kind kind_of(look *l, const struct ggml_tensor *node, look_layer **of)
{
    const char *name = ggml_get_name(node), *dash = strrchr(name, '-');
    if (node->op == GGML_OP_GET_ROWS &&
        (strcmp(name, "embd") == 0 || strcmp(name, "inp_embd") == 0)) {
        return NODE_EMBEDDINGS; /* b10256's name, and a later one */
    }
    const node_kind kind = !dash                                    ? NODE_OTHER
                           : strncmp(name, "kq_soft_max-", 12) == 0 ? NODE_ATTENTION
                           : strncmp(name, "l_out-", 6) == 0        ? NODE_HIDDEN
                           : strncmp(name, "Kcur-", 5) == 0 && node->ne[1] == (int64_t)l->kv_heads
                               ? NODE_KEYS
                               : NODE_OTHER;
    for (uint32_t i = 0; kind && i < l->layer_count; i++) {
        if (strtol(dash + 1, NULL, 10) == l->layers[i].layer) {
            *of = &l->layers[i];
            return kind == NODE_HIDDEN && !(*of)->wants_hidden ? NODE_OTHER : kind;
        }
    }
    return NODE_OTHER;
}

static void copy_rows(look *l, look_rows *rows, const struct ggml_tensor *node)
{
    copy(l, rows, node, (uint32_t)node->ne[0], (uint32_t)node->ne[1], 1, node->nb[1], 0);
}

bool look_callback(struct ggml_tensor *node, bool ask, void *user)
{
    look *l = user;
    look_layer *of = NULL;
    const node_kind kind = kind_of(l, node, &of);
    if (ask || kind == NODE_OTHER) {
        return kind != NODE_OTHER || !ask;
    }
    if (!is_plain(node)) {
        l->trouble = "llama.cpp does not compute it in f32 rows of one stream";
    } else if (kind == NODE_ATTENTION) {
        copy_attention(l, of, node);
    } else if (kind == NODE_KEYS) {
        copy_keys(l, of, node);
    } else if (kind == NODE_EMBEDDINGS) {
        begin(l, (uint32_t)node->ne[1]);
        copy_rows(l, &l->embeddings, node);
    } else if (node->ne[1] == (int64_t)l->count) { /* not the last layer's few */
        copy_rows(l, &of->hidden, node);
    }
    return true;
}

void look_from(look *l, uint32_t cell)
{
    l->next = cell;
    l->ended = false;
    forget_from(&l->embeddings, cell);
    for (uint32_t i = 0; i < l->layer_count; i++) {
        forget_from(&l->layers[i].attention, cell);
        forget_from(&l->layers[i].keys, cell);
        forget_from(&l->layers[i].hidden, cell);
    }
}

void look_free(look *l)
{
    free_rows(&l->embeddings);
    for (uint32_t i = 0; i < l->layer_count; i++) {
        free_rows(&l->layers[i].attention);
        free_rows(&l->layers[i].keys);
        free_rows(&l->layers[i].hidden);
    }
    *l = (look){0};
}
