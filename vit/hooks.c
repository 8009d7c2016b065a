/* hooks.c: what is looked at on the way: hidden states, keys, queries, attention. The whole
 * attention matrix is never made: the class token's is one row a head, recomputed from q and k; the
 * mean received attention goes over the queries once more with their softmax's maximum and sum at
 * hand. Cost: 2 n D multiply-adds a frame for the class token's, 2 n^2 D for the other. */
#include "layers.h"

#include <math.h>

wn_mat wn_vit_columns(const wn_mat *mat, uint32_t first, uint32_t cols)
{
    const uint32_t element = mat->ref.dtype == WINNOW_F32 ? 4 : 2;
    wn_mat part = *mat;
    part.ref.offset += (uint64_t)first * element;
    part.ref.bytes -= (uint64_t)first * element;
    part.cols = cols;
    return part;
}

static void gather(wn_build *b, const wn_mat *from, wn_arr rows, const wn_mat *to, wn_arr places,
                   uint32_t n, const wn_set *counted)
{
    const struct wn_args_gather args = {.n_max = n,
                                        .segs = counted ? counted->segs : 0,
                                        .seg_at =
                                            counted && !counted->exact ? counted->seg.at : WN_NONE,
                                        .rows_at = rows.at,
                                        .to_at = places.at,
                                        .cols = to->cols,
                                        .run = 1};
    BUILD_OP(b, gather, (uint64_t)n * ((to->cols + 1) / 2), from, to, args, READS_W);
}

uint8_t wn_vit_attention_kind(const wn_stage_use *use, bool class_token)
{
    switch (use->inside.attention) {
    case WN_ATTENTION_CLASS: return WN_TAP_CLASS;
    case WN_ATTENTION_RECEIVED: return WN_TAP_RECEIVED;
    case WN_ATTENTION_POOL: return WN_TAP_POOL;
    default: return class_token ? WN_TAP_CLASS : WN_TAP_RECEIVED;
    }
}

static uint32_t heads_of(const wn_vit_state *s, bool flat)
{
    return flat ? 1 : s->v->heads;
}

wn_mat wn_vit_keys(wn_vit_state *s, const wn_mat *qkv, uint32_t col, bool flat, const wn_mat *into)
{
    wn_build *b = s->b;
    const wn_set *set = &b->set;
    const uint32_t cols = flat ? s->v->width : s->v->head_dim;
    const wn_mat out = into ? *into : build_matrix(b, (uint64_t)s->groups * s->cells, cols);
    if (flat) {
        const wn_mat part = wn_vit_columns(qkv, col, cols);
        gather(b, &part, set->rows, &out, set->index, set->n_max, set);
        return out;
    }
    const wn_mat mean = s->reduced ? build_matrix(b, set->n_max, cols) : out;
    const struct wn_args_part_mean args = {.n_max = set->n_max,
                                           .segs = set->segs,
                                           .seg_at = set->exact ? WN_NONE : set->seg.at,
                                           .list_at = set->rows.at,
                                           .col = col,
                                           .cols = cols,
                                           .parts = s->v->heads,
                                           .part_stride = cols,
                                           .step = 1,
                                           .inv_parts = 1.0f / (float)s->v->heads};
    BUILD_OP(b, part_mean, (uint64_t)set->n_max * cols, qkv, &mean, args, READS_W);
    if (s->reduced)
        gather(b, &mean, WN_NO_ARR, &out, set->index, set->n_max, set);
    return out;
}

/* Columns of an attention row go by source token once the rows have moved; before, by place behind
 * `skip` rows. */
typedef struct wn_columns {
    uint32_t skip, index_at, count;
} wn_columns;

static wn_columns columns_of(const wn_vit_state *s)
{
    const bool plain = !s->reduced && !s->v->class_last;
    return (wn_columns){.skip = s->v->class_last         ? 0
                                : s->joined && !s->loose ? 1
                                                         : s->specials,
                        .index_at = plain ? WN_NONE : s->index.at,
                        .count = s->cells};
}

static void class_attention(wn_vit_state *s, const wn_mat *qkv, bool flat, const wn_mat *out)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const uint32_t heads = heads_of(s, flat), dim = v->width / heads;
    const wn_columns c = columns_of(s);
    wn_arr query = s->seg; /* the class token is each frame's first row */
    if (v->class_last) {
        query = build_const(b, NULL, s->groups);
        uint32_t *data = build_const_data(b, query);
        for (uint32_t t = 0; data && t < s->groups; ++t)
            data[t] = t * s->width + s->width - 1;
    }
    const struct wn_args_attention_row args = {.n_max = s->rows_max,
                                               .segs = s->groups,
                                               .seg_at = s->seg.at,
                                               .list_at = WN_NONE,
                                               .sizes_at = s->sizes.at,
                                               .q_row_at = query.at,
                                               .heads = heads,
                                               .head_dim = dim,
                                               .q_col = 0,
                                               .k_col = v->width,
                                               .skip = c.skip,
                                               .index_at = c.index_at,
                                               .columns = c.count,
                                               .scale = 1.0f / sqrtf((float)dim)};
    BUILD_OP3(b, attention_row, (uint64_t)s->groups * heads, qkv, out, qkv, args, READS_W);
}

/* by_all: the class token and registers are among the queries. */
static void received_attention(wn_vit_state *s, const wn_mat *qkv, bool flat, bool by_all,
                               const wn_mat *out)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const uint32_t heads = heads_of(s, flat), dim = v->width / heads;
    const wn_columns c = columns_of(s);
    const float scale = 1.0f / sqrtf((float)dim);
    const wn_mat stats = build_matrix(b, s->rows_max, 2 * heads);
    const struct wn_args_attention_stats first = {.n_max = s->rows_max,
                                                  .segs = s->groups,
                                                  .seg_at = s->seg.at,
                                                  .list_at = WN_NONE,
                                                  .sizes_at = s->sizes.at,
                                                  .width = s->width,
                                                  .heads = heads,
                                                  .head_dim = dim,
                                                  .k_col = v->width,
                                                  .scale = scale};
    const uint64_t items = (uint64_t)s->groups * heads * ((s->width + 127) / 128);
    BUILD_OP(b, attention_stats, items, qkv, &stats, first, READS_W);
    const struct wn_args_attention_received args = {.n_max = s->rows_max,
                                                    .segs = s->groups,
                                                    .seg_at = s->seg.at,
                                                    .list_at = WN_NONE,
                                                    .sizes_at = s->sizes.at,
                                                    .width = s->width,
                                                    .heads = heads,
                                                    .head_dim = dim,
                                                    .k_col = v->width,
                                                    .skip = c.skip,
                                                    .index_at = c.index_at,
                                                    .columns = c.count,
                                                    .scale = scale,
                                                    .from = by_all ? 0 : c.skip};
    BUILD_OP3(b, attention_received, items, qkv, out, &stats, args, READS_W);
}

void wn_vit_attention(wn_vit_state *s, const wn_mat *qkv, uint8_t kind, bool flat,
                      const wn_mat *into)
{
    if (kind == WN_TAP_CLASS && !s->v->class_token)
        build_fail(s->b, WINNOW_E_ROLE,
                   "the model has no class token (ask for attention=received)");
    else if (kind == WN_TAP_CLASS && s->loose)
        build_fail(s->b, WINNOW_E_UNSUPPORTED,
                   "a stage in an earlier layer treats the class token as one of the rows (ask for "
                   "attention=received)");
    else if (kind == WN_TAP_CLASS && s->v->class_last && s->reduced)
        build_fail(s->b, WINNOW_E_UNSUPPORTED,
                   "llama.cpp's order of rows keeps no class token once tokens are gone (encode as "
                   "transformers does)");
    else if (kind == WN_TAP_CLASS)
        class_attention(s, qkv, flat, into);
    else
        received_attention(s, qkv, flat, false, into);
}

/* -- taps -------------------------------------------------------------------------------------- */

/* A tap keeps the size of frames that have all their tokens: what a stage inside has removed is 0.
 * A mean of no parts. */
static void clear(wn_vit_state *s, const wn_mat *to)
{
    const struct wn_args_part_mean args = {
        .n_max = to->rows, .seg_at = WN_NONE, .list_at = WN_NONE, .cols = to->cols};
    if (s->reduced)
        BUILD_OP(s->b, part_mean, (uint64_t)to->rows * to->cols, &s->x, to, args, READS_W);
}

/* The class token's row comes first, wherever the model has it. */
static void copy_all(wn_vit_state *s, const wn_mat *from, const wn_mat *to)
{
    const wn_set rows = {.segs = s->groups, .seg = s->seg, .exact = s->exact};
    wn_arr list = WN_NO_ARR;
    clear(s, to);
    if (s->v->class_last && !s->reduced) {
        list = build_const(s->b, NULL, s->rows_max);
        uint32_t *data = build_const_data(s->b, list);
        for (uint32_t r = 0; data && r < s->rows_max; ++r)
            data[r] = r / s->width * s->width + (r % s->width + s->width - 1) % s->width;
    }
    gather(s->b, from, list, to, WN_NO_ARR, s->rows_max, &rows);
}

static void look_tap(wn_vit_state *s, const wn_tap *tap, const wn_mat *qkv)
{
    if (tap->kind == WN_TAP_KEYS || tap->kind == WN_TAP_QUERIES) {
        const wn_mat part =
            wn_vit_columns(qkv, tap->kind == WN_TAP_KEYS ? s->v->width : 0, s->v->width);
        copy_all(s, &part, &tap->out);
    } else if (tap->kind == WN_TAP_CLASS || tap->kind == WN_TAP_RECEIVED) {
        clear(s, &tap->out);
        wn_vit_attention(s, qkv, tap->kind, false, &tap->out);
    }
}

/* Attention by the role that it becomes. */
static void look_attention(wn_vit_state *s, wn_hook *hook, uint32_t role, const wn_mat *qkv)
{
    const bool received = role == WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW ||
                          role == WINNOW_ROLE_RECEIVED_ATTENTION_DEEP;
    if (!(hook->roles >> role & 1u))
        return;
    if (received)
        received_attention(s, qkv, hook->one_head, true, &hook->made[role]);
    else /* a pooling head looks at the last layer alone */
        wn_vit_attention(s, qkv, hook->attention == WN_TAP_POOL ? WN_TAP_RECEIVED : hook->attention,
                         hook->one_head, &hook->made[role]);
}

static void look_hook(wn_vit_state *s, wn_hook *hook, const wn_mat *qkv)
{
    look_attention(s, hook, WINNOW_ROLE_RECEIVED_ATTENTION_DEEP, qkv);
    if (hook->roles >> WINNOW_ROLE_KEYS & 1u)
        wn_vit_keys(s, qkv, s->v->width, hook->flat, &hook->made[WINNOW_ROLE_KEYS]);
    if (hook->roles >> WINNOW_ROLE_QUERIES & 1u)
        wn_vit_keys(s, qkv, 0, hook->flat, &hook->made[WINNOW_ROLE_QUERIES]);
    if ((hook->roles >> WINNOW_ROLE_CLS_ATTENTION & 1u) && hook->attention != WN_TAP_POOL)
        wn_vit_attention(s, qkv, hook->attention, hook->one_head,
                         &hook->made[WINNOW_ROLE_CLS_ATTENTION]);
}

void wn_vit_look(wn_vit_state *s, uint32_t layer, const wn_mat *qkv)
{
    const uint64_t mark = build_mark(s->b);
    for (uint32_t i = 0; i < s->tap_count; ++i)
        if (s->taps[i].layer == layer) /* look_tap knows which kinds are a layer's */
            look_tap(s, &s->taps[i], qkv);
    for (uint32_t i = 0; i < s->hook_count; ++i)
        if (s->hooks[i].layer == layer)
            look_hook(s, &s->hooks[i], qkv);
    for (uint32_t i = 0; i < s->hook_count; ++i)
        if (s->hooks[i].shallow == layer) {
            look_attention(s, &s->hooks[i], WINNOW_ROLE_CLS_ATTENTION_SHALLOW, qkv);
            look_attention(s, &s->hooks[i], WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW, qkv);
        }
    build_release(s->b, mark);
}

void wn_vit_look_hidden(wn_vit_state *s, uint32_t number)
{
    for (uint32_t i = 0; i < s->tap_count; ++i)
        if (s->taps[i].kind == WN_TAP_HIDDEN && s->taps[i].layer == number)
            copy_all(s, &s->x, &s->taps[i].out);
    const wn_set *set = &s->b->set;
    for (uint32_t i = 0; i < s->hook_count; ++i)
        if (s->hooks[i].shallow == number && (s->hooks[i].roles >> WINNOW_ROLE_IMAGE_EMBEDS & 1u))
            gather(s->b, &s->x, set->rows, &s->hooks[i].made[WINNOW_ROLE_IMAGE_EMBEDS], set->index,
                   set->n_max, set);
}

/* -- the pooling head -------------------------------------------------------------------------- */

static void pool_attention(wn_vit_state *s, const wn_mat *out)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    if (!v->probe.rows) {
        build_fail(b, WINNOW_E_ROLE, "the model has no pooling head (ask for attention=received)");
        return;
    }
    const uint64_t mark = build_mark(b);
    const wn_mat probe = {.ref = v->probe.place.ref,
                          .stride = v->width,
                          .cols = v->width,
                          .rows = 1},
                 query = build_matrix(b, 1, v->width),
                 keys = build_matrix(b, s->rows_max, v->width);
    const wn_linear q = wn_vit_part(&v->probe_qk, 0, v->width),
                    k = wn_vit_part(&v->probe_qk, v->width, v->width);
    const wn_apply ask = {.in = &probe, .out = &query, .n_max = 1, .seg = WN_NO_ARR},
                   all = {.in = &s->x,
                          .out = &keys,
                          .n_max = s->rows_max,
                          .segs = s->groups,
                          .seg = s->exact ? WN_NO_ARR : s->seg};
    const wn_columns c = columns_of(s);
    wn_vit_linear(b, &q, &ask);
    wn_vit_linear(b, &k, &all);
    const struct wn_args_attention_row args = {.n_max = s->rows_max,
                                               .segs = s->groups,
                                               .seg_at = s->seg.at,
                                               .list_at = WN_NONE,
                                               .sizes_at = s->sizes.at,
                                               .q_row_at = WN_NONE,
                                               .heads = v->heads,
                                               .head_dim = v->head_dim,
                                               .skip = c.skip,
                                               .index_at = c.index_at,
                                               .columns = c.count,
                                               .scale = 1.0f / sqrtf((float)v->head_dim)};
    BUILD_OP3(b, attention_row, (uint64_t)s->groups * v->heads, &keys, out, &query, args, READS_W);
    build_release(b, mark);
}

void wn_vit_look_pool(wn_vit_state *s)
{
    for (uint32_t i = 0; i < s->tap_count; ++i) {
        if (s->taps[i].kind == WN_TAP_POOL) {
            clear(s, &s->taps[i].out);
            pool_attention(s, &s->taps[i].out);
        }
        if (s->taps[i].kind == WN_TAP_FINAL)
            copy_all(s, &s->x, &s->taps[i].out);
    }
    for (uint32_t i = 0; i < s->hook_count; ++i)
        if ((s->hooks[i].roles >> WINNOW_ROLE_CLS_ATTENTION & 1u) &&
            s->hooks[i].attention == WN_TAP_POOL)
            pool_attention(s, &s->hooks[i].made[WINNOW_ROLE_CLS_ATTENTION]);
}

void wn_vit_look_class(wn_vit_state *s)
{
    for (uint32_t i = 0; i < s->hook_count; ++i)
        if ((s->hooks[i].roles >> WINNOW_ROLE_CLS & 1u) && s->loose)
            build_fail(s->b, WINNOW_E_UNSUPPORTED,
                       "the class token has become one of the rows (leave out what asks for it)");
        else if (s->hooks[i].roles >> WINNOW_ROLE_CLS & 1u)
            gather(s->b, &s->x, s->seg, &s->hooks[i].made[WINNOW_ROLE_CLS], WN_NO_ARR, s->groups,
                   NULL);
}

void wn_vit_hooks_begin(wn_vit_state *s)
{
    wn_build *b = s->b;
    const uint64_t tokens = (uint64_t)s->groups * s->cells;
    for (uint32_t i = 0; i < s->hook_count; ++i) {
        wn_hook *hook = &s->hooks[i];
        const uint32_t heads = heads_of(s, hook->one_head),
                       dim = hook->flat ? s->v->width : s->v->head_dim;
        if (hook->roles >> WINNOW_ROLE_KEYS & 1u)
            hook->made[WINNOW_ROLE_KEYS] = build_matrix(b, tokens, dim);
        if (hook->roles >> WINNOW_ROLE_QUERIES & 1u)
            hook->made[WINNOW_ROLE_QUERIES] = build_matrix(b, tokens, dim);
        for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
            if ((hook->roles & WN_ATTENTION_ROLES) >> role & 1u)
                hook->made[role] = build_matrix(b, (uint64_t)s->groups * heads, s->cells);
        if (hook->roles >> WINNOW_ROLE_CLS & 1u)
            hook->made[WINNOW_ROLE_CLS] = build_matrix(b, s->groups, s->v->width);
        if (hook->roles >> WINNOW_ROLE_IMAGE_EMBEDS & 1u)
            hook->made[WINNOW_ROLE_IMAGE_EMBEDS] = build_matrix(b, tokens, s->v->width);
    }
}
