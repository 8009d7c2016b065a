/* model.h: what a vision transformer consists of, whatever file it came from.
 *
 * A wn_vit is read from a wn_weights (model_gguf.c, model_folder.c): sizes and switches as numbers,
 * and for every parameter the tensor that it comes from. place.c then gives each parameter its
 * place in the encoder's weight buffers and unpacks it there; layers.c and project.c string
 * operations together. Names are the field's: width D, heads, head_dim, inner (of the MLP), patch,
 * cell (one patch position).
 */
#ifndef WN_VIT_MODEL_H
#define WN_VIT_MODEL_H

#include "build.h"
#include "preprocess.h"
#include "weights.h"

/* Where a parameter lies on the device: C of an operation. */
typedef struct wn_place {
    wn_ref ref;
    uint32_t stride;            /* elements between rows */
    uint32_t bias_at, scale_at; /* "C words" of ops_args.h; WN_NONE: absent */
} wn_place;

/* y = act(x W + b) * scale. Tensors are [out, in] as torch saves them; several stand side by side
 * (q, k, v). */
typedef struct wn_linear {
    const wn_tensor *weight[3], *bias[3];
    const wn_tensor *scale; /* layer scale [out]; NULL: none */
    uint32_t parts;         /* 0: there is no such layer */
    bool turned;            /* the tensor is [in, out] (gemma3's projection) */
    bool stacked;     /* the parts share the outputs, behind each other along `in` (frame pairs) */
    uint32_t in, out; /* out of all parts */
    wn_place place;
} wn_linear;

typedef struct wn_norm {
    const wn_tensor *gain, *bias; /* gain NULL: there is no such norm */
    uint32_t cols;
    wn_place place; /* bias_at: the bias; the gain is at word 0 */
} wn_norm;

/* Rows to be mixed or looked up: class token, positions. */
typedef struct wn_table {
    const wn_tensor *rows; /* NULL: none */
    uint32_t count, cols;
    wn_place place;
} wn_table;

typedef struct wn_vit_layer {
    wn_norm norm1, norm2;
    wn_norm q_norm, k_norm; /* over all heads' channels, before rotary positions (InternViT-6B) */
    wn_linear qkv, out, up, gate, down;   /* where q_up stands, qkv is v alone */
    wn_linear q_down, q_up, k_down, k_up; /* q and k by their factors (casp.h) */
    /* Qwen3-VL: what this layer adds to the projector's rows. */
    wn_norm deep_norm;
    wn_linear deep1, deep2;
} wn_vit_layer;

enum wn_positions {
    WN_POSITIONS_NONE,
    WN_POSITIONS_TABLE, /* one row a cell of the training grid; no other grid */
    /* torch's bicubic, a = -0.75, half-pixel centres (DINOv2, CLIP with interpolation) */
    WN_POSITIONS_BICUBIC,
    WN_POSITIONS_BILINEAR,      /* with aligned corners (Qwen3-VL) */
    WN_POSITIONS_BICUBIC_WIDE,  /* torch's antialiased bicubic, a = -0.5 (DINOv2 with registers) */
    WN_POSITIONS_BILINEAR_WIDE, /* torch's antialiased bilinear (SigLIP 2 NaFlex) */
};

enum wn_projector {
    WN_PROJECT_NONE, /* tokens are the hidden states */
    /* LLaVA: linear, GELU, linear, token by token; with norms behind both linears Yi's */
    WN_PROJECT_MLP,
    WN_PROJECT_SHUFFLE,  /* Idefics3: f x f cells to channels, one linear */
    WN_PROJECT_INTERNVL, /* f x f cells to channels, LayerNorm, MLP */
    WN_PROJECT_POOL,     /* Gemma 3: average pool, RMSNorm, linear */
    WN_PROJECT_MERGER,   /* Qwen-VL: f x f cells side by side, MLP */
};

typedef struct wn_vit {
    const char *family; /* "clip", "siglip", "dinov2", "idefics3", ...: for messages */
    uint32_t width, heads, head_dim, inner, layers;
    uint32_t run_layers; /* layers that the tokens pass; the others are not run */
    uint32_t patch;
    uint32_t times; /* frames a patch: 2 for Qwen-VL */
    /* f: tokens come in blocks of f x f cells, and the projector joins them; 1: raster */
    uint32_t merge;
    uint32_t image; /* pixels a side that the positions were trained for; 0: any size */
    bool rms;
    float eps;
    uint32_t act; /* WN_ACT_* of the MLP */
    bool class_token;
    uint32_t registers; /* rows between the class token and the patches */
    /* A frame's rows: class token, registers, patches; as llama.cpp has them the class token stands
     * last. Tokens are the `cells` rows from token_first on (llama.cpp's LLaVA: from 1, though the
     * first patch is row 0). */
    bool class_last;
    uint32_t token_first;
    enum wn_positions positions;
    uint32_t position_side;  /* cells a side of the table */
    uint32_t position_first; /* rows of the table before the cells': the class token's */
    bool rope;
    double rope_base;
    bool gated_pair;      /* up and gate come from one tensor: gate first (DINOv2's SwiGLU) */
    uint32_t window;      /* pixels a side of attention windows; 0: none */
    uint64_t full_layers; /* bit l: layer l attends everywhere */

    wn_linear embed; /* patches to width */
    bool by_pixel;   /* its inputs go pixel by pixel, not channel by channel */
    wn_table class_row, register_rows, position_rows;
    wn_norm pre, post;
    /* the last norm belongs to the tokens (not CLIP's, which is the pooled row's) */
    bool post_on_tokens;
    wn_vit_layer *layer; /* [layers] */

    enum wn_projector projector;
    uint32_t project_factor;  /* f */
    bool project_merged_norm; /* the norm is over f*f*D channels (Qwen3-VL's deepstack, InternVL) */
    wn_norm project_norm, project_norm2;
    float project_eps;
    uint32_t project_act;
    wn_linear project1, project2;
    /* Hidden states that stand side by side for the projector, by number (see wn_tap_kind),
     * ascending; one or none: the last. */
    uint32_t feature_count, features[8];
    uint32_t dim; /* channels of the tokens that come out, deepstack's included */
    uint32_t deep_count, deep_act;

    /* SigLIP's pooling head: its probe asks every token. */
    wn_table probe;
    wn_linear probe_qk; /* [q k v] of its attention */

    wn_linear merge1, merge2; /* laco's MLP (merge.h), of a file of its own */

    wn_prep prep;
} wn_vit;

/* Reads the model that a file or folder describes. llama: as llama.cpp runs it, else as
 * transformers does. E_FILE with a sentence that names the tensor or key. The vit keeps pointers
 * into `weights`. */
winnow_status wn_vit_read(const wn_host *host, const wn_weights *weights, bool llama, wn_vit *vit);
winnow_status wn_vit_read_gguf(const wn_host *host, const wn_weights *weights, bool llama,
                               wn_vit *vit);
winnow_status wn_vit_read_folder(const wn_host *host, const wn_weights *weights, wn_vit *vit);
void wn_vit_free(const wn_host *host, wn_vit *vit);

/* model.c, for the readers: a tensor by a printf-like name, of the given shape (0: any length).
 * `need` false: may be absent (*out NULL). */
typedef struct wn_reader {
    const wn_host *host;
    const wn_weights *weights;
    wn_vit *vit;
} wn_reader;
winnow_status wn_read_tensor(const wn_reader *r, bool need, const wn_tensor **out, uint32_t rank,
                             const uint64_t *shape, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* NAME.weight [out, in] and NAME.bias [out]; the bias may be absent. */
winnow_status wn_read_linear(const wn_reader *r, bool need, wn_linear *out, uint32_t in,
                             uint32_t outs, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
winnow_status wn_read_norm(const wn_reader *r, bool need, wn_norm *out, uint32_t cols,
                           const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A whole number between least and most by its key; `fallback` where the key is absent (UINT32_MAX:
 * it must be there). */
winnow_status wn_read_count(const wn_reader *r, const char *key, uint32_t least, uint32_t most,
                            uint32_t fallback, uint32_t *out);
float wn_read_real(const wn_reader *r, const char *key, float fallback);
/* Checks what the parts say together; fills head_dim and checks that every operation can take
 * it. */
winnow_status wn_vit_check(const wn_reader *r);

#endif
