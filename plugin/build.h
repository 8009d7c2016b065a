/* build.h: how a stage strings primitive operations together.
 *
 * A wn_build holds the token set as it stands between two operations and appends operations to a
 * program. Arrays live in the word workspace W, matrices (rows of numbers) in the host's tensors or
 * in the matrix workspace. Nothing here computes on tokens: counts that depend on the content exist
 * on the device alone, and the builder works with upper bounds.
 *
 * Errors stick: after one, every call does nothing and b->status holds it; a stage returns it.
 */
#ifndef WN_BUILD_H
#define WN_BUILD_H

#include "ops.h"
#include "stage.h"

/* An array of n words in W. at == WN_NONE: absent. */
typedef struct wn_arr {
    uint32_t at;
    uint32_t n;
} wn_arr;

#define WN_NO_ARR ((wn_arr){WN_NONE, 0})

/* Rows of numbers. */
typedef struct wn_mat {
    wn_ref ref;
    uint32_t stride; /* elements between rows */
    uint32_t cols;
    uint32_t rows; /* at most */
} wn_mat;

/* Matrices of a workspace start at multiples of this; parts of a matrix that share one are one to barriers. */
#define WN_MATRIX_ALIGNMENT 256u

/* Bytes begin .. end of a slot that an operation since the last barrier touched. */
typedef struct wn_touch {
    uint64_t begin, end;
    uint8_t slot;
    bool written;
} wn_touch;

/* Between two barriers: one more than needed is made where they are more. */
#define WN_TOUCH_MOST 64

/* The token set between stages; see ops_args.h for the arrays. */
typedef struct wn_set {
    uint32_t segs;  /* frames */
    uint32_t n_max; /* tokens at most, all frames */
    uint32_t width; /* tokens of a frame at most */
    bool regular;   /* every frame has exactly `width` tokens */
    bool exact;     /* there are exactly n_max tokens */
    bool aligned;   /* the i-th tokens of all frames lie at the same place (regular) */
    bool specials;  /* rows for no one token (class token, pooled rest) may be among them */
    uint32_t grid_h, grid_w; /* a full grid (width = h*w, regular), or 0 */
    wn_mat mat;              /* where rows[] points */
    wn_arr seg, rows, index;
    wn_arr sizes; /* WN_NO_ARR: all 1 */
    wn_arr order; /* order[r]: position of the r-th row in the method's own order, or WN_NO_ARR */
    bool fresh;   /* rows[i] == i, and their number is known where they are written */
} wn_set;

/* Bounds of a set to come. */
typedef struct wn_bounds {
    uint32_t n_max, width;
    bool regular, exact;
} wn_bounds;

/* What a stage chose. */
typedef struct wn_selection {
    wn_arr flags;
    wn_bounds after;
} wn_selection;

/* What is fixed for one build. */
typedef struct wn_build_input {
    winnow_shape shape;
    uint32_t roles; /* given */
    int32_t dtype[WINNOW_ROLE_COUNT];
    uint64_t stride[WINNOW_ROLE_COUNT]; /* elements between rows of each role */
    uint32_t outputs;                   /* bits 1 << WINNOW_OUT_* */
    int32_t out_dtype;
    uint64_t out_stride; /* elements; 0: packed */
    bool out_odd;        /* 16-bit output that starts in the middle of a word */
    bool out_padded;     /* 16-bit rows are an even number of elements apart, packed or not */
    int32_t order;
    bool streaming;
    uint32_t frames_before; /* frames of the stream before this push */
} wn_build_input;

/* What a stage may look at inside an encoder's layer, made when it asks. */
enum wn_look {
    WN_LOOK_LOGITS, /* [rows, width] f32: attention_logits of all rows, for stages with all_rows */
    WN_LOOK_CLASS, /* as the role cls_attention: the class token's, [frames*heads, source tokens] */
    WN_LOOK_RECEIVED, /* the mean that each token receives, the same shape */
};

/* Norms of a host's tensor, which stays as it is: later stages take them again. */
typedef struct wn_norms {
    wn_mat mat;
    wn_arr list, seg, inv;
    uint32_t n_max;
} wn_norms;

#define WN_NORMS_MOST 4

typedef struct wn_build {
    const wn_host *host;
    uint32_t loop_limit, group_size; /* of the device: see winnow_device */
    wn_build_input in;
    const char *stage; /* name for messages */
    wn_set set;
    /* Frames 0 .. more-1 of a regular set count with values_more in place of values: a budget's remainder. more 0: none do. */
    const wn_value *values, *values_more;
    uint32_t more;
    struct wn_selection
        *selection; /* build_prune leaves its choice here, and the set as it is; NULL: it prunes */
    /* Roles that an encoder made on the way, addressed by source token as the host's are. */
    uint32_t roles_made;
    wn_mat role_made[WINNOW_ROLE_COUNT];
    bool reuses_memory; /* matrices of an encoder's layers lie where earlier ones lay */
    bool inside;        /* a stage runs inside an encoder's layer */
    bool class_first;   /* and a class token stands before each frame's tokens */
    const struct wn_merge_mlp *merge_mlp; /* laco's in an encoder's; NULL: none were given */
    const struct wn_trained *trained; /* weights of the pipeline's stages; NULL: none have any */
    uint32_t weights;                 /* the stage's file among them, as wn_stage_use has it */
    wn_mat (*look)(struct wn_build *b, enum wn_look what); /* inside a layer; see build_look */
    void *look_at;                                         /* the encoder's own */
    wn_arr carried; /* what a stage keeps from layer to layer of one run; WN_NO_ARR at the start */
    wn_arr assign;  /* source token -> position in the set; WN_NO_ARR: the same */
    bool assign_known;             /* a stage has moved tokens */
    wn_arr stats;                  /* one counter: NaN scores; WN_NO_ARR while nothing counts */
    wn_arr every_row;              /* of the host's tokens, 0, 1, ...; WN_NO_ARR in encoders */
    wn_norms norms[WN_NORMS_MOST]; /* made so far */
    uint32_t norm_count;
    winnow_status status;

    wn_op *ops;
    uint32_t op_count, op_capacity;
    uint32_t *consts;
    uint32_t const_count, const_capacity;
    uint32_t const_words; /* of the pass before: where what follows them starts */
    /* Arrays with one value at the start of a run lie together by value, behind the constants. */
    wn_fill fills[WN_FILLS_MOST]; /* `words` so far */
    uint32_t fill_count;
    wn_fill filled[WN_FILLS_MOST]; /* of the pass before */
    uint64_t w_words, matrix_bytes, history_bytes;
    uint64_t matrix_most; /* matrix_bytes, had the last rows not gone straight into the output */
    uint64_t matrix_used; /* of matrix_bytes, in use now: see build_mark */
    uint32_t barriers;
    uint32_t touch_count; /* since the last barrier */
    wn_touch touch[WN_TOUCH_MOST];
    bool w_read, w_written; /* since then */
    bool may_grow;          /* ops and consts may be reallocated: at planning only */
    uint64_t (*scratch_of)(const wn_op *op); /* with bounds_only: the backend's, or NULL */
    uint64_t scratch_most;
    bool bounds_only; /* sets alone count: operations and constants are counted, not kept */
    uint32_t emit_first;
} wn_build;

/* -- memory ------------------------------------------------------------------------------------ */
wn_arr build_array(wn_build *b, uint64_t words);
wn_arr build_const(wn_build *b, const uint32_t *values, uint32_t n); /* values NULL: zeros */
wn_arr build_counting(wn_build *b, uint32_t n, uint32_t step);       /* 0, step, 2*step, ... */
wn_arr build_same(wn_build *b, uint32_t n, uint32_t value);          /* a constant, n times */
/* n words of one value at the start of every run, for operations to write on; no operation of its own. */
wn_arr build_fill(wn_build *b, uint64_t n, uint32_t value);
wn_arr build_stats(wn_build *b); /* the counter of NaN scores, 0 at the start of every run */
uint32_t *build_const_data(wn_build *b, wn_arr constant);       /* to fill; NULL after an error */
wn_mat build_matrix(wn_build *b, uint64_t rows, uint32_t cols); /* f32 workspace */
/* The same in another type; rows of 16-bit types are an even number of elements apart. */
wn_mat build_matrix_of(wn_build *b, uint64_t rows, uint32_t cols, int32_t dtype);
/* Scopes of the matrix workspace: all matrices taken after build_mark are dead from build_release on, and the next
 * ones lie in their memory. Hazards go by bytes, not by names, so that the first operation on memory that is used
 * again waits for the last one on what was there. Scopes nest. Arrays of W are not given back. */
uint64_t build_mark(const wn_build *b);
void build_release(wn_build *b, uint64_t mark);
wn_mat build_history(wn_build *b, uint64_t rows, uint32_t cols); /* f32, lives between pushes */
/* A role's tensor as a matrix of `rows` x `cols`; fails with E_ROLE where it was not given. */
wn_mat build_role(wn_build *b, uint32_t role);
bool build_has(const wn_build *b, uint32_t role);
/* Rows, and elements a row, of a role's tensor for a shape. */
void wn_role_extent(const winnow_shape *shape, uint32_t role, uint64_t *rows, uint32_t *cols);
winnow_status build_fail(wn_build *b, winnow_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Iterations of a tile of WN_TILE x WN_TILE products (tile.glsl). */
uint64_t build_tile_loops(uint32_t cols);
/* False, and an error, where an invocation would run more loop iterations than the driver allows. */
bool build_loops_fit(wn_build *b, uint32_t kind, uint64_t iterations);
/* Rounds of an invocation of a GROUPS operation over n tokens, and iterations of a reduction over the workgroup, roughly. */
uint64_t build_strides(const wn_build *b, uint32_t n);
enum { WN_REDUCTION_LOOPS = 80 };

/* Inside an encoder's layer: its attention. Fails with E_ROLE elsewhere. */
wn_mat build_look(wn_build *b, enum wn_look what);

/* -- counts ------------------------------------------------------------------------------------ */
/* k[s * parts + p] = count(n, p, user) for every frame of n tokens; a constant where n is known. */
typedef uint32_t (*wn_count_fn)(uint32_t n, uint32_t part, const void *user);
wn_arr build_counts(wn_build *b, wn_count_fn count, uint32_t parts, const void *user);
/* One count of the whole set. */
wn_arr build_count_of_all(wn_build *b, wn_count_fn count, const void *user);

/* -- scores ------------------------------------------------------------------------------------ */
wn_arr build_head_sum(wn_build *b, uint32_t role, float scale);
/* 1/length of the rows list[] of a matrix, by position; those that a stage before made of a host's tensor are taken again. */
wn_arr build_norms(wn_build *b, const wn_mat *mat, wn_arr list);
wn_arr build_frame_sim(wn_build *b, const wn_mat *history, wn_arr ref, uint32_t flags,
                       float none_value);
/* For each frame the one before, as frame_sim wants it: -1 none, -2 the one that a stream remembers. */
wn_arr build_look_back(wn_build *b);
/* Rows of a frame of the set into what lives between pushes. */
void build_remember(wn_build *b, uint32_t frame, const wn_mat *history);
/* Each token with the one at its place a frame before, the last of the push before in a stream; none: none_value. */
wn_arr build_frame_before(wn_build *b, uint32_t flags, float none_value);
/* Fails with a sentence unless a place is the same in all frames. */
winnow_status build_need_aligned(wn_build *b);
/* Fails with a sentence unless each frame is a set of its own, as wide as its class token. */
winnow_status build_need_class_tokens(wn_build *b);
/* Fails with a sentence inside an encoder's layers: for stages that go by the language model's attention. */
winnow_status build_need_outside(wn_build *b);
wn_arr build_relevance(wn_build *b, float scale);
/* The role text; fails with a sentence, and what to do about it, unless its rows are as wide as the tokens. */
wn_mat build_text(wn_build *b, const char *advice);
/* Numbers of a matrix, row by row, as f32 words. */
wn_arr build_numbers(wn_build *b, const wn_mat *mat);
/* For each token the most that a row of text_attention gives it: of each head's by itself, or of the rows' means over heads. */
wn_arr build_text_peak(wn_build *b, bool heads_meaned);
void build_power(wn_build *b, wn_arr values, double p); /* in place */
void build_scale_range(wn_build *b, wn_arr values, wn_arr seg, uint32_t segs, bool global,
                       float offset, float tiny);

/* -- centres of frames ------------------------------------------------------------------------- */
/* Rows of a matrix in segments; list WN_NO_ARR: row i is token i. */
typedef struct wn_rows {
    wn_mat mat;
    wn_arr list, seg;
    uint32_t segs, n_max, width;
} wn_rows;
wn_rows build_set_rows(const wn_build *b);
wn_rows build_all_rows(wn_build *b, const wn_mat *mat); /* as one segment */
wn_mat build_rows_part(const wn_mat *mat, uint32_t first, uint32_t rows);
/* Lengths, or their inverses, over the channels with mask != 0 (WN_NO_ARR: all). */
wn_arr build_lengths(wn_build *b, const wn_rows *rows, wn_arr mask, bool inverse, float eps);
/* out(s, c): the sum of column c over segment s, of squared distances from centre's row where that is given; divided
 * by the tokens of `span` segments of `over` (WN_NO_ARR: not). out is neither rows->mat nor centre. */
void build_column_sum(wn_build *b, const wn_rows *rows, wn_arr weight, const wn_mat *centre,
                      wn_arr over, uint32_t span, const wn_mat *out);
wn_arr build_value_mean(wn_build *b, wn_arr values); /* a number a frame from one a token */
wn_arr build_softmax(wn_build *b, wn_arr values, uint32_t n, float scale);
/* Tokens to be compared: rows of mat by list (WN_NO_ARR: by positions), and their factors. Plain: as they are, distinct WN_NO_ARR.
 * Centred: less their frame's mean (Cen-Prune, arXiv:2608.30263), and how distinct each is: the mean of all 1 - cos to its
 * frame's tokens as they were, from 0 for the least distinct one of the frame to 1 (all alike: 1). */
typedef struct wn_compared {
    wn_mat mat;
    wn_arr list, inv, distinct;
} wn_compared;
wn_compared build_compared(wn_build *b, bool centred);

/* -- selections: flags are 1 for the chosen ---------------------------------------------------- */
/* Those above the limit (equal: or at it); below: the others. */
wn_arr build_above(wn_build *b, wn_arr values, float limit, bool equal, bool below);
wn_arr build_topk(wn_build *b, wn_arr score, wn_arr k, bool smallest, bool global);
wn_arr build_rank(wn_build *b, wn_arr score, wn_arr seg, uint32_t n_max);

/* A list of positions of a part of the set. */
typedef struct wn_list {
    wn_arr seg, pos;
    uint32_t n_max; /* entries at most */
    uint32_t width; /* of a frame at most */
} wn_list;
wn_list build_list(wn_build *b, wn_arr flags, bool invert); /* positions with flag (or without) */
/* The count[s] best entries of segment s of a list by score, both by entries; flags by entries. NaN is not counted. */
wn_arr build_topk_of(wn_build *b, uint32_t segs, const wn_list *list, wn_arr score, wn_arr count);
void build_pick_parity(wn_build *b, wn_arr pos, wn_list *even, wn_list *odd);
/* Every max(1, m / want)-th of the list, at most want; sets their flags. */
wn_list build_pick_stride(wn_build *b, const wn_list *from, uint32_t want, wn_arr flags);
/* The same for want[s] of each segment, of at most `most`. */
wn_list build_pick_counts(wn_build *b, const wn_list *from, wn_arr want, uint32_t most,
                          wn_arr flags);
void build_match(wn_build *b, const wn_list *sources, const wn_list *targets, const wn_mat *mat,
                 wn_arr list, wn_arr inv, wn_arr *best, wn_arr *arg);
/* Similarities of the listed tokens (NULL: all) with all tokens of their frame. */
wn_mat build_sim_matrix(wn_build *b, const wn_list *sources, const wn_mat *mat, wn_arr list,
                        wn_arr inv);

/* The same into `out`. */
void build_sim_rows(wn_build *b, const wn_list *sources, const wn_mat *mat, wn_arr list, wn_arr inv,
                    const wn_mat *out);
/* Cosines of rows of `from` (src: which, [rows]; WN_NO_ARR: the first; inv: of its rows) with all tokens of each frame,
 * into `out` [frames*rows, width]. */
void build_cross_sim(wn_build *b, const wn_mat *from, wn_arr src, wn_arr from_inv, uint32_t rows,
                     const wn_mat *mat, wn_arr list, wn_arr inv, const wn_mat *out);
/* Rows of similarities, `rows` a frame (0: one a token), become a softmax of them / temperature, times scale; by_tokens:
 * and divided by the frame's tokens. */
void build_row_softmax(wn_build *b, const wn_mat *sim, uint32_t rows, double temperature,
                       double scale, bool by_tokens);
/* Factors of rows that are no tokens of the set: all rows of `mat`. */
wn_arr build_row_norms(wn_build *b, const wn_mat *mat);

/* Greedy selections of `most` picks a frame at most, in as many operations as the driver's loop limit asks for. */
void build_greedy_maxmin(wn_build *b, struct wn_args_greedy_maxmin args, const wn_mat *sim,
                         uint32_t most);
void build_greedy_dpp(wn_build *b, struct wn_args_greedy_dpp args, const wn_mat *sim,
                      const wn_mat *factor, uint32_t most);
/* text: rows to cover besides the tokens themselves, args.extra a frame; NULL: none. */
void build_greedy_coverage(wn_build *b, struct wn_args_greedy_coverage args, const wn_mat *sim,
                           const wn_mat *text, uint32_t most);
void build_greedy_balance(wn_build *b, struct wn_args_greedy_balance args, const wn_mat *sim,
                          uint32_t most);
/* Non-maximum suppression, in as many operations as well. */
void build_label_nms(wn_build *b, struct wn_args_label_nms args, const wn_mat *sim);
/* VisPruner's rounds, at most `most` tokens dropped a frame. */
void build_pair_prune(wn_build *b, struct wn_args_pair_prune args, const wn_mat *sim,
                      uint32_t most);

/* -- the set after ----------------------------------------------------------------------------- */
/* Bounds of the set when every frame keeps count(n) tokens. */
wn_bounds build_bounds(const wn_build *b, wn_count_fn count, uint32_t part, const void *user);

/* Makes one segment of all frames. */
void build_join(wn_build *b);

/* Keeps the flagged tokens: no row moves. order: the method's order by old positions, or WN_NO_ARR. */
void build_prune(wn_build *b, wn_arr flags, wn_bounds after, wn_arr order);

/* The choice of a stage among the set as it is; the set stays. */
winnow_status build_select(wn_build *b, const wn_stage_use *use, wn_selection *out);
/* Makes the set of the tokens that were not chosen; from[new] = old position. */
wn_arr build_leave_out(wn_build *b, const wn_selection *chosen);
/* flags[from[i]] = 1 where chosen[i] is not 0, for the tokens of the set as it is. from WN_NO_ARR: flags[i]. */
void build_add_choice(wn_build *b, wn_arr from, wn_arr chosen, wn_arr flags);

/* Merges: first compact, then say where the others went, then write the rows. */
typedef struct wn_merge {
    wn_set old;
    wn_arr map;  /* old position -> new position, kept ones */
    wn_arr map2; /* merged ones too (after build_merge_members) */
    wn_arr from; /* new -> old */
    wn_arr head, next;
    uint32_t first, last; /* rows added in front and behind, of each frame */
} wn_merge;
/* The new set (fresh rows) of the kept tokens; the rows are still to be written. */
wn_merge build_merge_begin(wn_build *b, wn_arr keep, wn_bounds after, uint32_t first,
                           uint32_t last);
/* The same of all tokens but those with a flag. */
wn_merge build_merge_without(wn_build *b, wn_arr gone, wn_bounds after);
/* Where a token goes to the last one before it at its place that is not gone (regular sets). */
void build_merge_runs(wn_build *b, wn_merge *m, wn_arr gone);
/* dest[i]: old position that token i, not kept, goes to (followed until a kept one). span: frames ahead to search. */
void build_merge_members(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest, uint32_t span,
                         bool sum_sizes);
/* The same where dest leads from token to token of a segment, however long the way. */
void build_merge_chains(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest);
/* The same where a kept token with own[i] != 0 is one of its row's members (its size counts once). */
void build_merge_own(wn_build *b, wn_merge *m, wn_arr keep, wn_arr dest, wn_arr own);
/* Matched sources that merge into their targets: dest's arguments. rank WN_NO_ARR: those not kept do. */
typedef struct wn_matched {
    const wn_list *sources;
    wn_arr rank, k, arg;
} wn_matched;
/* build_merge_begin and build_merge_members with summed sizes, and dest before them where `by` is not NULL: by one
 * operation in small sets. */
wn_merge build_merge_lists(wn_build *b, wn_arr keep, wn_arr dest, const wn_matched *by,
                           wn_bounds after, uint32_t first, uint32_t span);
/* Instead, where all others go to the row behind: the pooled rest. */
void build_merge_pooled(wn_build *b, wn_merge *m, wn_arr keep);
/* Rows of the new set from mat/list of the old tokens; into `out`. weights WN_NO_ARR: 1. */
void build_merge_rows(wn_build *b, const wn_merge *m, const wn_mat *mat, wn_arr list,
                      const wn_mat *out, uint32_t rule, wn_arr weights);
void build_merge_near(wn_build *b, const wn_merge *m, const wn_mat *mat, wn_arr list,
                      const wn_mat *out, wn_arr weights, wn_arr near, uint32_t many);
/* Rule WN_MERGE_BLEND or WN_MERGE_BLEND_FEW. */
void build_merge_blend(wn_build *b, const wn_merge *m, const wn_mat *mat, wn_arr list,
                       const wn_mat *out, uint32_t rule, float blend);
/* All of that from the set's own rows: the new rows by `rule`, and the stage's end. */
void build_merge_by(wn_build *b, const wn_merge *m, uint32_t rule, wn_arr weights);
/* Ends the stage: the assignment follows m->map2 (or map). */
void build_merge_end(wn_build *b, const wn_merge *m, const wn_mat *out);
/* Copies rows: B(dst[s]) = A(src[s]). */
void build_copy_rows(wn_build *b, const wn_mat *from, wn_arr src, const wn_mat *to, wn_arr dst,
                     uint32_t n);
/* The assignment follows `map` (old position -> new position). */
void build_remap(wn_build *b, wn_arr map);

/* -- shares: what goes is shared out among what it is correlated with (build_recycle.c) ------------ */
typedef struct wn_recycling {
    uint32_t most;  /* takers of one token, at most */
    bool within;    /* takers among the kept tokens alone, each token's own number of them */
    bool whole;     /* no token is protected, and takers at the quantile count */
    bool direct;    /* shares go to the takers themselves, not to who stands where they stood */
    bool linear;    /* in proportion to the correlation, not to its exponential */
    float quantile; /* of a token's correlations: takers are above it */
    wn_arr rank, k, keep, near, value, count; /* of build_correlate */
} wn_recycling;
/* The k[s] tokens of largest score of each frame go; their takers by rows of `correlation` (one a token). */
void build_correlate(wn_build *b, wn_recycling *r, const wn_mat *correlation, wn_arr score,
                     wn_arr k);
/* Ends a merge begun with r->keep: rows by `rule` with the shares as weights. place, order: see shares (ops_args.h). */
void build_recycle(wn_build *b, wn_merge *m, const wn_recycling *r, wn_arr place, wn_arr order,
                   uint32_t rule);

/* -- clusters and runs of frames --------------------------------------------------------------- */
/* Squared distances of a list's points in their segments, and scores of how well each would be a cluster's centre. The
 * density is of the k nearest, and of k_at[s] at most (WN_NO_ARR: no such limit). list: rows of mat by positions. */
typedef struct wn_peaks {
    wn_mat distance;
    wn_arr score; /* by entries of the list */
} wn_peaks;
wn_peaks build_peaks(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                     wn_arr list, uint32_t k, wn_arr k_at);
/* count[s] clusters a segment, densities of min(k, count[s]): by positions, keep = 1 for centres and 0 for other points,
 * whose dest is their centre. Positions that are not in the list stay as they are. */
void build_clusters(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                    wn_arr list, uint32_t k, wn_arr k_at, wn_arr count, wn_arr keep, wn_arr dest);
/* The same by distances to the nearest sparser point (StreamingTOM's). */
void build_sparse_clusters(wn_build *b, uint32_t segs, const wn_list *points, const wn_mat *mat,
                           wn_arr list, uint32_t k, wn_arr k_at, wn_arr count, wn_arr keep,
                           wn_arr dest);

/* out[to[e]] = values[from[e]] for the entries e of a list; WN_NO_ARR as from or to: e. */
void build_lookup(wn_build *b, uint32_t segs, const wn_list *entries, wn_arr from, wn_arr to,
                  wn_arr values, wn_arr out);
wn_arr build_carry(wn_build *b, const wn_merge *m, wn_arr values); /* by new positions, from old */
wn_arr build_follow(wn_build *b, wn_arr places, wn_arr map);       /* map[places[i]] */
/* count(n) of every segment of a list. */
wn_arr build_list_counts(wn_build *b, const wn_list *list, wn_count_fn count, const void *user);

/* Fails with a sentence unless the set's segments are the media's frames, all of one size. */
winnow_status build_need_frames(wn_build *b);
wn_mat build_segment_means(wn_build *b, uint32_t segs, wn_arr seg, const wn_mat *mat, wn_arr list);
wn_arr build_neighbour_sim(wn_build *b, const wn_mat *rows, uint32_t frames); /* cos of t and t-1 */

/* Spans: runs of frames (ops_args.h). */
typedef struct wn_spans {
    wn_arr starts, of, inner;
} wn_spans;
wn_spans build_spans(wn_build *b, wn_arr flags); /* 1 where one begins */
/* Where frames are less similar to the one before than bound, or among the `least` least similar. */
wn_spans build_cut(wn_build *b, wn_arr score, uint32_t least, float bound);
/* As build_merge_members, for destinations anywhere in the token's span. */
void build_merge_span(wn_build *b, wn_merge *m, const wn_spans *spans, wn_arr keep, wn_arr dest);
/* Places that stand still in a span (rules of `still`) become the mean of their tokens, in its first frame. By new
 * positions: 1 for those. */
wn_arr build_still(wn_build *b, const wn_spans *spans, uint32_t rule, wn_arr value, float bound);

/* -- grids: windows of a full grid become one token each --------------------------------------- */
/* One axis of windows, in the constants: output o covers inputs start[o] .. start[o] + count[o] - 1 with the f32 weights
 * weight[o*taps + k]; first[o] is the input that the output is named after. */
typedef struct wn_axis {
    uint32_t out, taps;
    wn_arr start, count, first, weight;
} wn_axis;
/* Room for one axis of `out` windows of at most `taps` inputs; taps 0: no weights. */
wn_axis build_axis(wn_build *b, uint32_t out, uint32_t taps);
/* n windows of all n inputs each, with the weights kernel[k - o]; kernel.at: of kernel[0], of 2n - 1 from kernel[1 - n] on. */
wn_axis build_axis_round(wn_build *b, uint32_t n, wn_arr kernel);
/* n windows of one input each, as they are. */
wn_axis build_axis_same(wn_build *b, uint32_t n);
void build_axis_window(wn_build *b, const wn_axis *axis, uint32_t o, uint32_t first, uint32_t start,
                       uint32_t count);
void build_axis_weight(wn_build *b, const wn_axis *axis, uint32_t o, uint32_t tap, float weight);
/* Columns of the source tokens' grid; of a square where none was given and they make one, else fails with a sentence. */
uint32_t build_grid_width(wn_build *b);
/* Fails with a sentence unless the set lies on a full grid. */
winnow_status build_need_grid(wn_build *b);
/* Frames of h x w rows list[] of a matrix. */
typedef struct wn_grid {
    wn_mat mat;
    wn_arr list;
    uint32_t h, w;
} wn_grid;
wn_grid build_set_grid(const wn_build *b);
/* The weighted sum of each window of the axes, times `scale`, into out, a row a window. */
void build_pool(wn_build *b, const wn_grid *from, const wn_axis *y, const wn_axis *x, float scale,
                const wn_mat *out);
/* The set of frames x oh x ow after windows: lists and the assignment from the axes, sizes too where they are not known.
 * transposed: the new grid is ow x oh. */
void build_grid_after(wn_build *b, const wn_axis *y, const wn_axis *x, const wn_mat *out,
                      bool transposed);

/* Appends an operation. args: the kind's struct. writes_w: it writes arrays of W (every operation may read them). */
void build_op(wn_build *b, uint32_t kind, const void *args, size_t args_bytes, uint64_t items,
              const wn_mat *a, const wn_mat *bm, bool writes_w);
#define BUILD_OP(b, name, items, a, bm, args, writes_w) \
    build_op((b), WN_OP_##name, &(args), sizeof(args), (items), (a), (bm), (writes_w))
/* The same for operations with a third matrix (WN_HEAD3). */
void build_op3(wn_build *b, uint32_t kind, const void *args, size_t args_bytes, uint64_t items,
               const wn_mat *a, const wn_mat *bm, const wn_mat *c, bool writes_w);
#define BUILD_OP3(b, name, items, a, bm, c, args, writes_w) \
    build_op3((b), WN_OP_##name, &(args), sizeof(args), (items), (a), (bm), (c), (writes_w))
enum { READS_W = 0, WRITES_W = 1 };

#endif
