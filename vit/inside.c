/* inside.c: stages that run between or inside the encoder's layers, so that later layers have fewer
 * tokens.
 *
 * A stage sees the tokens alone (b->set, rows pointing into x) and this layer's keys and attention.
 * What it leaves is written anew behind the special rows of each frame: compact counts the rows,
 * gather moves them. Merging stages (tome) run between attention and MLP, as their authors do; the
 * others behind the layer. A stage of all rows (ficoco) sees the class token as a row of the set
 * too, and from there on it is one: specials is 0. */
#include "layers.h"

#include <math.h>

static bool runs_at(const wn_stage_use *use, uint32_t layer, uint32_t layers)
{
    return wn_stage_runs_inside(use, layer, layers);
}

bool wn_vit_goes_inside(const wn_vit_state *s)
{
    for (uint32_t l = 0; s->pipeline && l < s->v->run_layers; ++l)
        for (uint32_t i = 0; i < s->pipeline->stage_count; ++i)
            if (runs_at(&s->pipeline->stages[i], l, s->v->run_layers))
                return true;
    return false;
}

/* Each frame's specials, then its tokens; b->set's rows point into the new x. plain: attention
 * minds no sizes. */
static void rewrite(wn_vit_state *s, bool plain)
{
    wn_build *b = s->b;
    wn_set *set = &b->set;
    const uint32_t front = s->specials, cols = s->v->width;
    const wn_arr old_seg = s->seg, flags = build_fill(b, set->n_max, 1),
                 rows = build_array(b, set->n_max + front * set->segs),
                 map = build_array(b, set->n_max);
    s->rows_max = set->n_max + front * set->segs;
    s->width = set->width + front;
    s->exact = set->exact;
    s->seg = build_array(b, set->segs + 1u);
    s->index = build_array(b, s->rows_max);
    const bool sizes = set->sizes.at != WN_NONE && !plain;
    s->sizes = sizes ? build_array(b, s->rows_max) : WN_NO_ARR;
    const struct wn_args_compact args = {.n_max = set->n_max,
                                         .segs = set->segs,
                                         .seg_at = set->seg.at,
                                         .flag_at = flags.at,
                                         .rows_at = set->rows.at,
                                         .index_at = set->index.at,
                                         .sizes_at = set->sizes.at,
                                         .seg_out_at = s->seg.at,
                                         .rows_out_at = rows.at,
                                         .index_out_at = s->index.at,
                                         .sizes_out_at = s->sizes.at,
                                         .from_at = WN_NONE,
                                         .map_at = map.at,
                                         .first = front};
    BUILD_OP(b, compact, 1, NULL, NULL, args, WRITES_W);
    const struct wn_args_gather move = {.n_max = s->rows_max,
                                        .segs = set->segs,
                                        .seg_at = s->exact ? WN_NONE : s->seg.at,
                                        .rows_at = rows.at,
                                        .to_at = WN_NONE,
                                        .cols = cols,
                                        .run = 1};
    BUILD_OP(b, gather, (uint64_t)s->rows_max * ((cols + 1) / 2), &set->mat, &s->spare, move,
             READS_W);
    if (front) { /* a frame's special rows: from where it begins, before and now */
        const struct wn_args_gather special = {.n_max = set->segs * front,
                                               .seg_at = WN_NONE,
                                               .rows_at = old_seg.at,
                                               .to_at = s->seg.at,
                                               .cols = cols,
                                               .run = front};
        BUILD_OP(b, gather, (uint64_t)set->segs * front * ((cols + 1) / 2), &s->x, &s->spare,
                 special, READS_W);
    }
    const wn_mat old = s->x;
    s->x = s->spare;
    s->spare = old;
    set->mat = s->x;
    set->rows = map;
    set->fresh = false;
    s->reduced = true;
}

/* The set of all rows, where so far it was the tokens. */
static void join(wn_vit_state *s)
{
    wn_build *b = s->b;
    wn_set *set = &b->set;
    if (!s->v->class_token)
        build_fail(b, WINNOW_E_ROLE, "the model has no class token, which it goes by");
    if (s->joined || b->status != WINNOW_OK)
        return;
    build_remap(b, set->rows); /* rows are frame by frame: a token's row is its place among them */
    set->n_max = s->rows_max;
    set->width = s->width;
    set->exact = s->exact;
    set->aligned = set->segs == 1;
    set->specials = set->fresh = true;
    set->grid_h = set->grid_w = 0;
    set->mat = s->x;
    set->seg = s->seg;
    set->rows = build_counting(b, s->rows_max, 1);
    set->index = s->index;
    set->sizes = s->sizes;
    set->order = WN_NO_ARR;
    s->specials = 0;
    s->joined = true;
}

void wn_vit_leave_first(wn_vit_state *s)
{
    wn_build *b = s->b;
    wn_set *set = &b->set;
    if (!s->joined || b->status != WINNOW_OK)
        return;
    b->stage = "encoder";
    wn_arr first = s->seg, order = set->order;
    if (order.at != WN_NONE) {
        first = build_array(b, set->segs);
        const struct wn_args_remap find = {.n = set->segs,
                                           .assign_at = set->seg.at,
                                           .map_at = order.at,
                                           .assign_out_at = first.at};
        BUILD_OP(b, remap, find.n, NULL, NULL, find, WRITES_W);
        order = (wn_arr){order.at + 1, order.n - 1};
    }
    const wn_arr keep = build_fill(b, set->n_max, 1), unused = build_array(b, set->n_max);
    const struct wn_args_dest drop = {.n_max = set->segs,
                                      .segs = set->segs,
                                      .src_seg_at = build_counting(b, set->segs + 1, 1).at,
                                      .src_pos_at = first.at,
                                      .rule = 0,
                                      .rank_at = build_const(b, NULL, set->segs).at,
                                      .k_at = build_fill(b, set->segs, 1).at,
                                      .arg_at = first.at,
                                      .keep_at = keep.at,
                                      .dest_at = unused.at};
    BUILD_OP(b, dest, drop.n_max, NULL, NULL, drop, WRITES_W);
    const wn_bounds after = {.n_max = set->n_max - set->segs,
                             .width = set->width - 1,
                             .regular = set->regular,
                             .exact = set->exact};
    build_prune(b, keep, after, order);
}

/* The layer that a stage runs in. */
typedef struct layer_view {
    wn_vit_state *s;
    const wn_mat *qkv;
} layer_view;

static wn_mat logits(const wn_vit_state *s, const wn_mat *qkv)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const wn_mat out = build_matrix(b, s->rows_max, s->width);
    const struct wn_args_attention_logits args = {.n_max = s->rows_max,
                                                  .segs = s->groups,
                                                  .seg_at = s->seg.at,
                                                  .list_at = WN_NONE,
                                                  .width = s->width,
                                                  .heads = v->heads,
                                                  .head_dim = v->head_dim,
                                                  .k_col = v->width,
                                                  .scale = 1.0f / sqrtf((float)v->head_dim),
                                                  .inv_heads = 1.0f / (float)v->heads};
    const uint64_t items = (uint64_t)s->groups * ((s->width + 127) / 128) * ((s->width + 7) / 8);
    BUILD_OP(b, attention_logits, items, qkv, &out, args, READS_W);
    return out;
}

static wn_mat look(wn_build *b, enum wn_look what)
{
    const layer_view *view = b->look_at;
    wn_vit_state *s = view->s;
    if (what == WN_LOOK_LOGITS)
        return logits(s, view->qkv);
    b->in.shape.heads = s->v->heads;
    const wn_mat out = build_matrix(b, (uint64_t)s->groups * s->v->heads, s->cells);
    wn_vit_attention(s, view->qkv, what == WN_LOOK_CLASS ? WN_TAP_CLASS : WN_TAP_RECEIVED, false,
                     &out);
    return out;
}

/* The roles that a stage asks for, of this layer. */
static void give_roles(wn_vit_state *s, const wn_stage_use *use, const wn_mat *qkv)
{
    wn_build *b = s->b;
    const wn_vit *v = s->v;
    const wn_stage *stage = use->stage;
    const uint32_t wants = wn_use_takes(use);
    b->in.shape.heads = wn_stage_has_one_head(stage) ? 1 : v->heads;
    b->in.shape.key_dim = stage->flat_keys ? v->width : v->head_dim;
    if (wants >> WINNOW_ROLE_KEYS & 1u) {
        const wn_mat keys = wn_vit_keys(s, qkv, v->width, stage->flat_keys, NULL);
        build_give_role(b, WINNOW_ROLE_KEYS, &keys);
    }
    if (wants >> WINNOW_ROLE_CLS_ATTENTION & 1u) {
        const wn_mat attention = build_matrix(b, (uint64_t)s->groups * b->in.shape.heads, s->cells);
        wn_vit_attention(s, qkv, wn_vit_attention_kind(use, v->class_token),
                         wn_stage_has_one_head(stage), &attention);
        build_give_role(b, WINNOW_ROLE_CLS_ATTENTION, &attention);
    }
}

static bool check_place(wn_vit_state *s, const wn_stage_use *use, uint32_t layer)
{
    const wn_vit *v = s->v;
    const char *why =
        v->merge > 1 ? "this encoder's rows come in blocks for its projector"
        : v->registers && use->stage->all_rows
            ? "it would take the register tokens for tokens of the picture"
        : v->class_last
            ? "llama.cpp's order of rows has no place for it (encode as transformers does)"
        : use->stage->decode ? "it is a decode stage"
        : s->joined && !use->stage->all_rows
            ? "a stage before it treats the class token as one of the rows"
            : NULL;
    if (why)
        build_fail(s->b, WINNOW_E_UNSUPPORTED, "inside layer %u: %s", layer, why);
    return s->b->status == WINNOW_OK;
}

static void run_stage(wn_vit_state *s, const wn_stage_use *use, const wn_mat *qkv)
{
    wn_build *b = s->b;
    layer_view view = {s, qkv};
    if (use->stage->all_rows)
        join(s);
    give_roles(s, use, qkv);
    b->look = look;
    b->look_at = &view;
    b->class_first = s->v->class_token;
    b->inside = true;
    build_stage(b, use);
    b->class_first = b->inside = false;
    b->roles_made = 0;
    b->look = NULL;
    b->look_at = NULL;
}

void wn_vit_inside(wn_vit_state *s, uint32_t layer, const wn_mat *qkv, bool middle)
{
    wn_build *b = s->b;
    for (uint32_t i = 0; s->pipeline && i < s->pipeline->stage_count && b->status == WINNOW_OK;
         ++i) {
        const wn_stage_use *use = &s->pipeline->stages[i];
        if (use->stage->merges_inside != middle || !runs_at(use, layer, s->v->run_layers))
            continue;
        b->stage = use->stage->name;
        if (!check_place(s, use, layer))
            return;
        const bool all_rows = use->stage->all_rows;
        if (s->moved_at == layer + 1 &&
            (all_rows || wn_use_needs(use) != 1u << WINNOW_ROLE_TOKENS)) {
            build_fail(b, WINNOW_E_UNSUPPORTED,
                       "a stage before it has moved layer %u's tokens (give it another layer)",
                       layer);
            return;
        }
        const uint64_t mark = build_mark(b);
        run_stage(s, use, qkv);
        if (b->status == WINNOW_OK)
            rewrite(s, all_rows);
        s->loose = all_rows && b->set.order.at != WN_NONE;
        s->moved_at = layer + 1;
        build_release(b, mark);
    }
    b->stage = "encoder";
}
