/* layers.h: a model's operations for some frames, as part of a program. */
#ifndef WN_VIT_LAYERS_H
#define WN_VIT_LAYERS_H

#include "build_program.h"
#include "model.h"
#include "prepare.h"

/* What a caller may want to see on the way. Layers are numbered from 0; HIDDEN 0 is the embeddings,
 * HIDDEN l+1 what layer l gave. The rows of a frame are all of them, class token and registers
 * too. */
enum wn_tap_kind {
    WN_TAP_HIDDEN,   /* [groups, rows, D] */
    WN_TAP_KEYS,     /* [groups, rows, D] before rotary positions */
    WN_TAP_QUERIES,  /* the same */
    WN_TAP_CLASS,    /* class attention [groups, heads, cells] */
    WN_TAP_RECEIVED, /* mean received attention [groups, heads, cells] */
    WN_TAP_POOL,     /* the pooling head's attention [groups, heads, cells]; layer unused */
    WN_TAP_FINAL,    /* [groups, rows, D] behind the last norm; layer unused */
    WN_TAP_KINDS
};

typedef struct wn_tap {
    uint8_t kind;
    uint32_t layer;
    wn_mat out; /* where it goes; f32, stride = cols */
} wn_tap;

/* Attention [groups*heads, cells], a head a row. */
enum {
    WN_ATTENTION_ROLES = 1u << WINNOW_ROLE_CLS_ATTENTION | WN_SHALLOW_ROLES |
                         1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP
};

/* Roles for the stages behind the encoder: those of one layer, shallow ones of another. */
typedef struct wn_hook {
    uint32_t layer;
    bool flat;     /* keys of all channels: PruMerge's */
    bool one_head; /* attention of one head over all channels: PruMerge's too */
    /* bits 1 << WINNOW_ROLE_*: KEYS, QUERIES, CLS, attention of classes and received, IMAGE_EMBEDS */
    uint32_t roles;
    /* the layer of the shallow ones among them, and the one that IMAGE_EMBEDS go into */
    uint32_t shallow;
    uint8_t attention; /* wn_tap_kind: CLASS, RECEIVED or POOL */
    wn_mat made[WINNOW_ROLE_COUNT];
} wn_hook;

/* The state of a program between two layers. */
typedef struct wn_vit_state {
    wn_build *b;
    const wn_vit *v;
    uint32_t frames, groups; /* groups: frames, or pairs of them */
    uint32_t grid_h, grid_w, cells;
    int32_t dtype;     /* of activations: F32 or F16; the residual stream is always f32 */
    uint32_t specials; /* rows of a frame that are no tokens */

    /* All rows, frame by frame; b->set is the tokens alone, its rows pointing in here. A stage
     * inside writes the rows that are left into spare, and they change places. */
    wn_mat x, spare;
    wn_arr seg;               /* [groups+1] */
    wn_arr index;             /* source token of each row, -1 for specials */
    wn_arr sizes;             /* of each row; WN_NO_ARR: all 1 */
    uint32_t rows_max, width; /* rows of all frames, of one */
    wn_mat deep; /* [groups * merged cells, dim]: deepstack's rows, the projector's own first */
    uint32_t deep_used; /* columns of it */
    wn_mat features;    /* [groups*cells, D * feature_count]: see wn_vit.features */
    bool exact, reduced;
    bool joined;       /* the class tokens are rows of b->set (index -1), and specials is 0 */
    bool loose;        /* and not at their frames' first places: nobody knows where */
    uint32_t moved_at; /* layer + 1 in which a stage last moved rows */

    /* Attention windows: constants. */
    wn_arr window_seg, window_list;
    uint32_t windows;
    wn_arr rope_y, rope_x, rope_cos, rope_sin;

    wn_tap *taps;
    uint32_t tap_count;
    wn_hook *hooks;
    uint32_t hook_count;
    const winnow_pipeline *pipeline; /* NULL: none */
    const wn_prepare *prepare;       /* what makes views of the frames; NULL: they are views */
} wn_vit_state;

/* Pictures in WN_SLOT_IN + TOKENS to the first hidden states. height, width: of a frame, in whole
 * patches (and blocks). */
void wn_vit_begin(wn_vit_state *s, uint32_t height, uint32_t width);
/* Every layer that the tokens pass, stages inside them included, and the last norm. */
void wn_vit_layers(wn_vit_state *s);
/* Qwen3-VL: what layer l adds to the rows that the projector makes. */
void wn_vit_deepen(wn_vit_state *s, uint32_t layer);
/* The projector: b->set becomes its rows. spatial: cells are joined, roles of hooks with them. */
void wn_vit_project(wn_vit_state *s);
bool wn_vit_is_spatial(const wn_vit *v);

/* Which attention a stage means: wn_tap_kind. */
uint8_t wn_vit_attention_kind(const wn_stage_use *use, bool class_token);

/* One linear layer on rows of a matrix, into a new one or `into`. with: see ops_args.h. */
typedef struct wn_apply {
    const wn_mat *in, *out;
    uint32_t n_max, segs;
    wn_arr seg;         /* WN_NO_ARR: n_max rows */
    uint32_t act, with; /* a norm has an act too, and no `with` */
} wn_apply;
void wn_vit_linear(wn_build *b, const wn_linear *l, const wn_apply *a);
/* factored.c: a layer's q, k and v side by side. */
void wn_vit_qkv(wn_vit_state *s, const wn_vit_layer *layer, const wn_apply *a);
/* Columns of a matrix, as a matrix. */
wn_mat wn_vit_columns(const wn_mat *mat, uint32_t first, uint32_t cols);
/* Outputs first .. first+cols-1 of a layer, as a layer. */
wn_linear wn_vit_part(const wn_linear *pair, uint32_t first, uint32_t cols);
void wn_vit_norm(wn_build *b, const wn_norm *norm, bool rms, float eps, const wn_apply *a);

/* Parameters where they lie, as a matrix. */
wn_mat wn_vit_place_mat(const wn_place *place, uint32_t rows, uint32_t cols);
/* Row of a frame where its patches begin, and where its class token stands. */
uint32_t wn_vit_first_patch(const wn_vit_state *s);
uint32_t wn_vit_class_place(const wn_vit_state *s);
/* A constant of `n` entries a frame: first + frame*step + i. */
wn_arr wn_vit_frame_list(wn_vit_state *s, uint32_t n, uint32_t first, uint32_t step);

/* positions.c: adds the table's rows to those of the class token, of every row in llama.cpp's
 * order, or of the cells alone. */
void wn_vit_add_positions(wn_vit_state *s);
/* Cells of the tokens, and cosines and sines of each coordinate, for rotary positions. */
void wn_vit_rope_tables(wn_vit_state *s);

/* inside.c: does any stage run inside the layers? */
bool wn_vit_goes_inside(const wn_vit_state *s);
/* Stages that run inside layer l: before its MLP (middle) or behind it. qkv: of the layer. */
void wn_vit_inside(wn_vit_state *s, uint32_t layer, const wn_mat *qkv, bool middle);
/* Behind the last layer: rows that joined the set only to stand at its first place go. */
void wn_vit_leave_first(wn_vit_state *s);
/* hooks.c: what hooks and taps want of layer l, from its qkv. */
void wn_vit_look(wn_vit_state *s, uint32_t layer, const wn_mat *qkv);
void wn_vit_look_hidden(wn_vit_state *s, uint32_t number);
void wn_vit_look_pool(wn_vit_state *s);
/* The class tokens' rows as they are now, for hooks that want them. */
void wn_vit_look_class(wn_vit_state *s);
/* Takes the memory that hooks keep, before the layers' scopes. */
void wn_vit_hooks_begin(wn_vit_state *s);
/* Keys of the tokens by source token: head means, or all channels (flat). */
wn_mat wn_vit_keys(wn_vit_state *s, const wn_mat *qkv, uint32_t col, bool flat, const wn_mat *into);
/* Attention [groups*heads, cells] by source token. kind: WN_TAP_CLASS or WN_TAP_RECEIVED. */
void wn_vit_attention(wn_vit_state *s, const wn_mat *qkv, uint8_t kind, bool flat,
                      const wn_mat *into);

#endif
