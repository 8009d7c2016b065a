/* build_trained.h: how a stage strings learned operations together: weights of its file, dense layers, norms and heads, and
 * queries that pool tokens. */
#ifndef WN_BUILD_TRAINED_H
#define WN_BUILD_TRAINED_H

#include "build.h"

/* A trained linear layer: x W + b. */
typedef struct wn_dense {
    wn_mat weight;    /* [in, out] */
    uint32_t bias_at; /* [out], f32 words of the weight's memory; WN_NONE: none */
} wn_dense;

/* laco's trained layers. */
typedef struct wn_merge_mlp {
    wn_dense first, second;
} wn_merge_mlp;

/* -- attention pooling: queries that are no tokens become rows --------------------------------- */
/* rows of them a segment of tokens: row src[r] (WN_NO_ARR: r), the same for all segments, or own: src[s*rows + r]. */
typedef struct wn_queries {
    wn_mat mat;
    wn_arr src;
    uint32_t rows;
    bool own;
} wn_queries;
/* Softmax over a segment's tokens of (query . key) * scale: [segs*rows, width]. */
wn_mat build_attend_shares(wn_build *b, const wn_queries *queries, const wn_rows *keys,
                           float scale);
/* Row to[s*rows + r] (WN_NO_ARR: s*rows + r) of out: the values of segment s by row s*rows + r of the shares. */
void build_attend_values(wn_build *b, const wn_mat *shares, uint32_t rows, const wn_rows *values,
                         wn_arr to, const wn_mat *out);
/* sizes of rows that share their segment's tokens evenly, `rows` a segment, into out (WN_NO_ARR: an array of its own);
 * sizes: of the tokens. */
wn_arr build_attend_sizes(wn_build *b, const wn_rows *tokens, uint32_t rows, wn_arr sizes,
                          wn_arr out);
/* The set becomes the `rows` rows a segment that out holds, of index -2: a token is assigned to the one that has the largest
 * share of it, and all rows of a segment share its tokens' sizes evenly. heads > 1 (one segment): the shares of all rows by the
 * first head, then by the next; the largest of any head counts. */
void build_attend_end(wn_build *b, const wn_mat *shares, uint32_t rows, uint32_t heads,
                      const wn_mat *out);

/* -- trained weights: those of the stage's file (its option `weights`) ------------------------- */
bool build_has_weights(const wn_build *b); /* was one given? */
/* A tensor of two dimensions or more as rows of its first one, in the file's type; any operation can read it. rows, cols 0:
 * any. Fails with E_FILE and a sentence where the file has none by that name, or of another shape. */
wn_mat build_weights(wn_build *b, const char *name, uint32_t rows, uint32_t cols);
/* A tensor of one dimension as f32 constants of W; n 0: any. */
wn_arr build_weights_array(wn_build *b, const char *name, uint32_t n);
/* Its shape, *count dimensions of it. False: no such tensor, which is no error. */
bool build_weights_shape(wn_build *b, const char *name, uint32_t dims[4], uint32_t *count);
/* NAME.weight [in, out] and, where the file has it, NAME.bias [out]; in, out 0: any. */
wn_dense build_weights_dense(wn_build *b, const char *name, uint32_t in, uint32_t out);
/* out = act(in W + b); with: as matmul's. */
void build_dense(wn_build *b, const wn_dense *layer, const wn_mat *in, const wn_mat *out,
                 uint32_t act, uint32_t with);
/* What the file's metadata say of `key`; NULL: nothing. */
const char *build_weights_note(const wn_build *b, const char *key);

/* -- trained layers (build_layers.c): NAME is a layer's in the file, of torch's names and [in, out] ------------- */
/* Is there a tensor STEM.NAME? */
bool build_has_tensor(wn_build *b, const char *stem, const char *name);
/* The one number of tensor STEM.NAME [1]. */
float build_weights_number(wn_build *b, const char *stem, const char *name);
/* Rows list[0] .. list[n-1] (WN_NO_ARR: the first n) of a matrix of any type, as f32 side by side. */
wn_mat build_f32_rows(wn_build *b, const wn_mat *from, wn_arr list, uint32_t n);
/* STEM.NAME.0, GELU, STEM.NAME.2; out 0: any width. */
wn_mat build_mlp(wn_build *b, const char *stem, const char *name, const wn_mat *in, uint32_t out);
/* The same into `out`, beside what the second layer's width is. */
void build_mlp_into(wn_build *b, const char *stem, const char *name, const wn_mat *in,
                    const wn_mat *out);
/* out = share * layer norm (eps 1e-6; STEM.NAME.weight, .bias) of in, plus keep * out as it was. */
void build_layer_norm(wn_build *b, const char *stem, const char *name, const wn_mat *in,
                      float share, float keep, const wn_mat *out);
/* Attention of `heads` heads: queries attend to tokens, STEM.NAME.q_proj, .k_proj, .v_proj, .out_proj; the result is added to out. */
void build_multihead(wn_build *b, const char *stem, const char *name, uint32_t heads,
                     const wn_mat *queries, const wn_mat *tokens, const wn_mat *out);
/* A matrix whose rows are packed, as rows of one head each: row r, head h is row r*heads + h. */
wn_mat build_heads(wn_build *b, const wn_mat *mat, uint32_t heads);
/* list[h*n + r] = r*heads + h: the rows of such a matrix head by head. */
wn_arr build_by_heads(wn_build *b, uint32_t n, uint32_t heads);

#endif
