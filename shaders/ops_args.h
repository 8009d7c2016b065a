/* ops_args.h: what every primitive operation computes, and its arguments. Read by C and by GLSL.
 *
 * Memory. An operation sees
 *   A, B   matrices: rows of f32, f16 or bf16 (or u32 words); element (r, c) is at a_base +
 *          r * a_stride + c, in elements from the start of the binding. A is read, B is written,
 *          unless the operation says otherwise.
 *   W      the words of the workspace, u32. `x_at` is the offset in words of array x in W; floats
 *          are stored by their bits (W.f32). WN_NONE as an offset: the array is absent.
 *   out[0..5]  outputs of the host (emit_meta only), with bases in words.
 * The first four arguments of every operation are the bases and strides; the backend fills the
 * bases when it binds the memory.
 *
 * Sets. A token set of S segments (frames) is
 *   seg[S+1]   first position of each segment; seg[S] is the number of tokens, known on the device
 *              only; n_max bounds it and sizes the dispatch.
 *   rows[i]    u32: the row of the set's matrix that holds token i (WN_NONE: none)
 *   index[i]   i32: the source token t*N+j that token i stands for; -1 class token, -2 pooled rest
 *   sizes[i]   f32: how many source tokens it stands for (absent: 1)
 * A "list" is rows or index: it says which row of a matrix belongs to token i. A row that is
 * WN_NONE or negative has norm factor 0.
 *
 * Numbers. Every float operation is a single IEEE f32 add, subtract or multiply in the order that
 * is written here (GLSL: precise; C: -ffp-contract=off), so that every backend gives the same bits.
 *   dot32(x, y): p[l] = sum over d = l, l+32, l+64, ... of x[d]*y[d] (ascending), l = 0..31; then
 *     p[l] += p[l^1]; p[l] += p[l^2]; p[l] += p[l^4]; p[l] += p[l^8]; p[l] += p[l^16] (each step on all l
 *     at once); the result is p[0].
 *   dotseq(x, y): one accumulator from 0, d ascending.
 *   rsqrt_(x), recip_(x): the Newton iterations of numbers.glsl and numbers.h, never the hardware's.
 *   cos(i, j) = dot * (inv[i] * inv[j]).
 *   order of scores: NaN is below every number (also when the smallest are wanted: never preferred);
 *     -0 equals +0; ties go to the lower position.
 */
#ifndef WN_OPS_ARGS_H
#define WN_OPS_ARGS_H

#ifdef WN_GLSL
#define wn_u uint
#define wn_f float
#else
#include <stdint.h>
typedef uint32_t wn_u;
typedef float wn_f;
#endif

#define WN_NONE 0xffffffffu
#define WN_HEAD wn_u a_base; wn_u a_stride; wn_u b_base; wn_u b_stride
#define WN_HEAD3 WN_HEAD; wn_u c_base; wn_u c_stride /* with a third matrix C: see the vision encoder's */

/* W[at .. at+n) = value. */
struct wn_args_fill { WN_HEAD; wn_u n; wn_u at; wn_u value; };

/* W.f32[dst + r*cols + c] = A(r, c). items = rows*cols. */
struct wn_args_load_f32 { WN_HEAD; wn_u rows; wn_u cols; wn_u dst_at; };

/* score[i] = scale * sum over h = 0..heads-1 (ascending, then one multiply) of
 * A(t*rows_per_frame + h, c), where t = index[i] / cols_per_frame, c = index[i] % cols_per_frame.
 * index[i] < 0: +infinity. items = n_max; i < seg[segs]. */
struct wn_args_head_sum { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u score_at;
    wn_u heads; wn_u rows_per_frame; wn_u cols_per_frame; wn_f scale; };

/* inv[i] = 1 / max(|A(list[i])|, eps): s = dot32(x, x); if s <= eps*eps: 1/eps, given as inv_eps;
 * if s is infinite: 0; else rsqrt_(s) (NaN stays NaN). items = n_max. */
struct wn_args_row_norm { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u inv_at;
    wn_u cols; wn_f eps2; wn_f inv_eps; };

/* Similarity of a token with the same position of another frame, on a regular set (seg[t] = t*tokens).
 * i = t*tokens + j; q = ref[t] (i32): q >= 0: y = A(rows[q*tokens + j]); q == -1: score = none_value;
 * q <= -2: y = B((-2-q)*tokens + j) (B: frames of earlier pushes; read only). x = A(rows[i]).
 * c = dot32(x,y) * (f(dot32(x,x)) * f(dot32(y,y))), f as in row_norm with eps 1e-8.
 * flags & 1: score = 1 - c, else c. flags & 2: as torch computes it in bf16: every element of x and y is
 * rounded to bf16, norms (sqrt of dot32) rounded to bf16 and clamped at 1e-8, x/norm and y/norm rounded to bf16,
 * products rounded to bf16, summed in f32 (dot32 order), the sum rounded to bf16, and 1 - c rounded to bf16.
 * items = n_max = frames*tokens. */
struct wn_args_frame_sim { WN_HEAD; wn_u n_max; wn_u frames; wn_u tokens; wn_u cols; wn_u rows_at;
    wn_u ref_at; wn_u score_at; wn_u flags; wn_f none_value; };

/* Cosines along shifts of the grid, on a regular set of h x grid_w tokens a frame (seg[t] = t*tokens). Shift s of
 * n = 2*radius + 1 a side, s < n*n: dy = s / n - radius, dx = s % n - radius. y = A or B as in frame_sim, but of the token at
 * (clamp(row + dy), clamp(column + dx)) of frame ref[t], clamped to the grid. sim[(t*n*n + s)*tokens + j] = dot32(x, y) * (inv[t*tokens + j] * inv of y), which is inv[] too, or
 * inv_old[] for rows of B; ref[t] == -1: 0. items = frames*n*tokens. */
struct wn_args_shift_sim { WN_HEAD; wn_u frames; wn_u tokens; wn_u grid_w; wn_u cols; wn_u radius; wn_u rows_at;
    wn_u ref_at; wn_u inv_at; wn_u inv_old_at; wn_u sim_at; };

/* The move of the camera from frame ref[t] to frame t, one for all tokens of the frame, from shift_sim's table. A move is a
 * word: zoom + 128, turn + 128, dy + 128 and dx + 128 from the lowest byte up. It takes token (row, column), with
 * Y = 2*row - (h-1), X = 2*column - (grid_w-1) and M = max(h, grid_w) - 1 (at least 1), by
 *   dy + floor((zoom*Y + turn*X + M) / (2*M)) rows and dx + floor((zoom*X - turn*Y + M) / (2*M)) columns
 * (zoom and turn are half tokens at the edge). The token is inside if both are at most radius and it stays on the grid; else both
 * are clamped to radius first. gain(move) = mean over the tokens inside (ascending, one add each, then one multiply by
 * recip_(count)) of sim, NaN as 0; NaN where under half of the tokens are inside.
 *   shift = the best of the first `shifts` words of moves[] by gain (order of scores; ties: the earlier word);
 *   it is taken if 1 - gain(shift) <= less * (1 - gain(moves[0])), else moves[0] (no move) is.
 *   The other `turns` words are moves on top of the one taken (their dy and dx are added to its own): the best is taken by the same
 *   rule against the one taken so far.
 * Of the move taken, for each token j: score[t*tokens + j] = 1 - sim along it, dest[t*tokens + j] = ref[t]*tokens + the place it
 * came from (WN_NONE where ref[t] < 0), move[t] = its word. ref[t] == -1: score = none_value, move[t] = moves[0].
 * dest_at may be WN_NONE. items = frames. */
struct wn_args_motion_fit { WN_HEAD; wn_u frames; wn_u tokens; wn_u grid_w; wn_u radius; wn_u ref_at; wn_u sim_at; wn_u moves_at;
    wn_u shifts; wn_u turns; wn_u score_at; wn_u dest_at; wn_u move_at; wn_f less; wn_f none_value; };

/* v[i] = dot32(|x|, 1), x = A(list[i]); no row: 0. items = n_max (LANES), i < seg[segs]. */
struct wn_args_row_abs { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u v_at; wn_u cols; };

/* rel[i] = scale * sum over m = 0..text_rows-1 of cos(A(index[i]), B(m)), each cos with dot32 and f
 * as in frame_sim; index[i] < 0: 0. A: image_embeds, B: text (read only). items = n_max. */
struct wn_args_relevance { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u rel_at;
    wn_u cols; wn_u text_rows; wn_f scale; };

/* Per segment (global = 1: over all tokens at once, items = 1): lo = min, hi = max over v[i] that are not NaN;
 * hi - lo <= tiny: v = 1; else v = ((v - lo) + offset) * recip_((hi - lo) + more). In place. items = segs. */
struct wn_args_scale_range { WN_HEAD; wn_u segs; wn_u seg_at; wn_u v_at; wn_u global; wn_f offset; wn_f tiny; wn_f more; };

/* v[i] = v[i]^p in place, p >= 0: exp_(p * log_(v)); below the least normal number, 0 included: 0 (p = 0: 1); negative: NaN; NaN and +infinity stay. items = n_max, i < seg[segs]. */
struct wn_args_power { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u v_at; wn_f p; };

/* out[s*parts + p] = W[table_at + p*rows + (n - base)], n = seg[(s+1)*span] - seg[s*span]. items = segs*parts.
 * Counts that Python computes in double are tabled by the host for every n. */
struct wn_args_count_map { WN_HEAD; wn_u segs; wn_u seg_at; wn_u span; wn_u table_at; wn_u rows; wn_u base; wn_u parts; wn_u out_at; };

/* flag[i] = 1 for the k[s] best scores of segment s, 0 for the others. global: all tokens are one
 * segment with k[0] (items = 1), else items = segs. smallest: the smallest are the best. k is clamped to n.
 * W[stats_at] += number of NaN scores (atomic). One workgroup a segment: radix select. */
struct wn_args_topk { WN_HEAD; wn_u segs; wn_u seg_at; wn_u score_at; wn_u flag_at; wn_u k_at;
    wn_u smallest; wn_u global; wn_u stats_at; };

/* rank[i] = number of j in the segment that come before i in descending order (score greater, or
 * equal and j < i). W[stats_at] += NaN scores (WN_NONE: not counted). items = n_max. */
struct wn_args_rank { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u score_at; wn_u rank_at; wn_u stats_at; };

/* PruMerge's adaptive count, per segment. v = scores in ascending order (from rank: v[n-1-rank[i]] = score[i],
 * put into sorted[seg[s]+..]). percentile(q in {1,3} quarters): p = (n-1)*q; lo = p/4; g = (p%4)/4 (exact);
 * numpy's lerp: d = v[lo+1]-v[lo]; g < 0.5: v[lo] + d*g, else v[lo+1] - d*(1-g) (lo+1 clamped to n-1). bound = Q3 +
 * 1.5*(Q3-Q1). c = number of scores > bound. Word b = bits_at + (n - n_base)*bit_row holds one bit for each c
 * (bit c%32 of word c/32): keep[s] = c - bit; likewise for bits2: inverse = c ? n/c - bit2 : 0;
 * step[s] = max(1, inverse/3) (c == 0: WN_NONE). items = segs. */
struct wn_args_outlier_count { WN_HEAD; wn_u segs; wn_u seg_at; wn_u score_at; wn_u rank_at; wn_u sorted_at;
    wn_u bits_at; wn_u bits2_at; wn_u bit_row; wn_u n_base; wn_u keep_at; wn_u step_at; };

/* flag[i] = 1 where p = i - seg[s] < n - 1 and p % step[s] == 0; others keep their flag. step WN_NONE: none.
 * items = n_max. */
struct wn_args_sample { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u step_at; wn_u flag_at; };

/* Positions picked by a rule from list pos[] (pos_at WN_NONE: the position itself) of segments seg[].
 *   WN_PICK_PARITY  pos1/seg1: even places of each segment, pos2/seg2: odd places
 *   WN_PICK_STRIDE  m = n, step = max(1, m / want); pos1/seg1: places 0, step, 2*step, ..., at most `want`
 *                   (want 0: none); flag[pos1] = 1. pos2 is not written. wants = 1: want = W[want_at + s] for each segment
 *   WN_PICK_WINDOW  all tokens as one sequence of seg[segs]; windows of `want` tokens, whole ones only:
 *                   flag[i] = 1 at a window's first place, else 0 (for all i); dest[i] = first place of its window,
 *                   WN_NONE for the tail. pos1, pos2 are not written.
 * pos1 holds set positions (what pos[] holds). items = 1 (one workgroup does it all). */
#define WN_PICK_PARITY 0u
#define WN_PICK_STRIDE 1u
#define WN_PICK_WINDOW 2u
struct wn_args_pick { WN_HEAD; wn_u rule; wn_u want; wn_u segs; wn_u seg_at; wn_u pos_at; wn_u seg1_at;
    wn_u pos1_at; wn_u seg2_at; wn_u pos2_at; wn_u flag_at; wn_u dest_at; wn_u wants; wn_u want_at; };

/* The set of the tokens with flag (flag != 0) != invert, in order. Each segment gets `first` rows more
 * in front (index -1) and `last` behind (index -2); these have rows WN_NONE, size 1, from WN_NONE.
 * New: seg_out[segs+1], rows_out (fresh_rows: new position itself, also for the added rows), index_out, sizes_out (if sizes
 * and sizes_out are there: copied), from_out[new] = old position, map[old] = new position or WN_NONE
 * (all old i < seg[segs]). Any of rows_out, index_out, sizes_out, from_out, map may be WN_NONE.
 * items = 1: one workgroup scans it all. */
struct wn_args_compact { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u flag_at; wn_u invert; wn_u rows_at; wn_u index_at;
    wn_u sizes_at; wn_u seg_out_at; wn_u rows_out_at; wn_u index_out_at; wn_u sizes_out_at; wn_u from_at; wn_u map_at;
    wn_u first; wn_u last; wn_u fresh_rows; };

/* flag[from[i]] = 1 where chosen[i] != 0 (from_at WN_NONE: flag[i]), i < seg[segs]; the others keep theirs. items = n_max. */
struct wn_args_mark { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u from_at; wn_u chosen_at; wn_u flag_at; };

/* For each source e (e < src_seg[segs], in segment s): over the targets u of the same segment, the one of
 * highest cos = dotseq(x, y) * (inv[p] * inv[q]) with p = src_pos[e], q = dst_pos[u] (WN_NONE as src_pos_at: p = e),
 * x = A(list[p]), y = A(list[q]); a list entry WN_NONE/negative has dot 0. Ties and all-NaN: the lower u.
 * best[e] = that cos, arg[e] = q. No target: best = NaN bits 0x7fc00000, arg = WN_NONE. width = most sources a segment;
 * items = segs * ceil(width/WN_TILE): WN_TILE sources of a segment (LANES). most != 0: only the targets at places from .. from+most-1 of each segment; from != 0: best and
 * arg already hold the best of the places before. (Some drivers stop a shader after 65535 loop iterations: long work is dealt in parts.) */
#define WN_TILE 32u /* rows and columns of a tile of products */
struct wn_args_match { WN_HEAD; wn_u n_max; wn_u width; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u dst_seg_at; wn_u dst_pos_at;
    wn_u list_at; wn_u inv_at; wn_u cols; wn_u best_at; wn_u arg_at; wn_u from; wn_u most; };

/* v[i] = how many tokens u != i of its segment have cos(i, u) > bound (order of scores: a NaN is above nothing), cos = dotseq(x, y) * (inv[i] * inv[u]) of rows A(list[i]) and A(list[u]);
 * an entry that is no row has dot 0. width = most tokens a segment; items = segs * ceil(width/WN_TILE) (LANES). from and most: as in match; from != 0: v goes on from the places before. */
struct wn_args_alike_count { WN_HEAD; wn_u n_max; wn_u width; wn_u segs; wn_u seg_at; wn_u list_at; wn_u inv_at; wn_u cols; wn_u v_at; wn_u from; wn_u most; wn_f bound; };

/* B(e, u) = cos of source e (as in match) with token u of its segment of the whole set (q = seg[s] + u).
 * Columns past the segment are not written. B is f32. width = most tokens a segment, and most sources. With a =
 * ceil(width/WN_TILE), items = segs * a*a tiles of WN_TILE x WN_TILE (LANES): tile k covers sources WN_TILE*(k/a % a).. and
 * columns WN_TILE*(k % a).. of segment k / (a*a). src_pos_at WN_NONE (the sources are the tokens): the products of two
 * tokens are the same numbers either way round, so a shader may make one half of the matrix and write both. */
struct wn_args_sim_matrix { WN_HEAD; wn_u n_max; wn_u width; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u seg_at;
    wn_u list_at; wn_u inv_at; wn_u cols; };

/* Cosines of rows of C with all tokens of each segment: B(s*rows + r, u) = dotseq(x, y) * (c_inv[c] * inv[q]), r < rows, c = src[r] (src_at WN_NONE: r), own = 1: each segment has its
 * own rows, src[s*rows + r] (s*rows + r), x = C(c), q = seg[s] + u, y = A(list[q]); a c or list entry that is WN_NONE or negative has dot 0 (and factor 0 for c). Columns past the segment are not written. B f32. items = segs*rows * ceil(width/4):
 * an invocation does four neighbouring columns. */
struct wn_args_cross_sim { WN_HEAD3; wn_u segs; wn_u seg_at; wn_u rows; wn_u width; wn_u src_at; wn_u c_inv_at; wn_u list_at; wn_u inv_at; wn_u cols; wn_u own; };

/* A softmax of each row in place. Row e < row_seg[segs] of B, in segment s of row_seg[], has the n columns of segment s: y = B(e, u) * factor; NaN stay and are left out; m = max y;
 * p = exp_(y - m); l = dot32(p, 1) (0 for NaN); B = (p * recip_(l)) * f, f = by_tokens ? scale * recip_(n) : scale, 0 where that is below 2^-126. B f32. items = rows at most (GROUPS). */
struct wn_args_row_softmax { WN_HEAD; wn_u segs; wn_u row_seg_at; wn_u seg_at; wn_u by_tokens; wn_f factor; wn_f scale; };

/* Attention pooling: rows of queries' shares (a softmax of cross_sim's products) take their part of the tokens' rows. B(d, c) = sum over the tokens u of segment s, ascending from 0, of
 * w * A(list[seg[s] + u], c), w = C(s*rows + r, u), d = to[s*rows + r] (to_at WN_NONE: s*rows + r), r < rows. A w that is NaN or below 2^-64, and an entry that is no row, are left
 * out, so that a token of NaN without a share spoils nothing. most != 0: only tokens from .. from+most-1 of each segment; from != 0: the sum goes on from B(d, c), which is f32 then. B is f32, f16
 * or bf16, C f32. width: tokens of a segment at most. items = segs * ceil(rows/8) * ceil(cols/128) (LANES): 8 rows by 128 columns; the last factor runs fastest. */
struct wn_args_attend_values { WN_HEAD3; wn_u segs; wn_u seg_at; wn_u rows; wn_u width; wn_u list_at; wn_u to_at; wn_u cols; wn_u from; wn_u most; };

/* Where tokens and sizes go that queries pooled: map[i] = s*rows + the r < rows of the largest A(s*rows + r, i - seg[s]) (order of scores, ties to the lower; all NaN: WN_NONE), i < seg[segs];
 * map_at WN_NONE: not wanted. sizes_new[s*rows + r] = mean[s] * (float(n) * inv_rows), n tokens of segment s (mean_at WN_NONE: 1; sizes_new_at WN_NONE: not wanted).
 * items = n_max + segs*rows: the tokens, then the rows. */
struct wn_args_attend_map { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u rows; wn_u map_at; wn_u mean_at; wn_u sizes_new_at; wn_f inv_rows; };

/* v = A(list[r], c) * (share + scale[c]) (no row: 0; scale_at WN_NONE: share alone), then + shift[tap[r*taps + k]*cols + c] for k = 0..taps-1, one after the other (tap_at WN_NONE: row 0 for all);
 * keep != 0: v = v + B(r, c) * keep. B(r, c) = v, r < n. scale, shift: f32 of W. B f32. items = n*cols. */
struct wn_args_row_affine { WN_HEAD; wn_u n; wn_u cols; wn_u list_at; wn_u scale_at; wn_u shift_at; wn_u taps; wn_u tap_at; wn_f share; wn_f keep; };

/* How unlike each other a token's similarities with the others are. A: similarity matrix of segments of n. x_u = A(i, u), 0 for itself and for NaN; mean = dot32(x, 1) * recip_(n - 1);
 * v[i] = dot32(x - mean, x - mean) * recip_(n - 1), all u (itself included, as HoloV does); n = 1: 0. items = n_max (LANES), i < seg[segs]. */
struct wn_args_row_spread { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u v_at; };

/* score[i] = second smallest of 1 - A(i, u) over u < n of the segment (n == 1: the only one); NaN distances count as +infinity;
 * a token whose own A(i, i) is NaN gets NaN. A: the similarity matrix. weighted = 1: of (1 - A(i, u)) * weight[i], a weight that is NaN gives NaN,
 * and -0 is 0. items = n_max. */
struct wn_args_row_second { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u score_at; wn_u weighted; wn_u weight_at; };

/* Farthest-point selection of k[s] tokens a segment on the similarity matrix A. The first pick is the best of first[]
 * (from row_second); then the unpicked token with the largest md[j], md[j] = min over the picks p of 1 - A(p, j)
 * (NaN distances are ignored: md keeps its value; md starts at +infinity, at NaN for tokens whose first[] is NaN, which so come last).
 * flag[i] = 1 for picks, else 0; order[seg[s]+t] = position of pick t (order_at may be WN_NONE). md: scratch. items = segs.
 * weighted = 1: the distance of j is (1 - A(p, j)) * weight[j].
 * discount = 1: md[j] starts as first[j] and each pick p makes it less: md[j] * max(1 - A(p, j)*A(p, j), 0) (NaN: as it was; +infinity stays); md[j] below 2^-126 is 0. picks != 0: only picks pick_from .. pick_from+picks-1 (of at most k[s]); pick_from != 0: md and flag hold what the picks before left. */
struct wn_args_greedy_maxmin { WN_HEAD; wn_u segs; wn_u seg_at; wn_u k_at; wn_u first_at; wn_u md_at; wn_u flag_at; wn_u order_at; wn_u pick_from; wn_u picks; wn_u weighted; wn_u weight_at; wn_u discount; };

/* Greedy MAP of a determinantal point process, k[s] picks a segment. S: similarity matrix A. Kernel of row p, column j:
 *   mode 0: K = (rel[p] * S(p,j)) * rel[j];  mode 1: K = one_minus_weight * S(p,j) + weight * ((rel[p]*S(p,j))*rel[j]).
 * d[j] = K(j,j). Pick t: p = unpicked token of largest d (order of scores); x = rsqrt_(max(d[p], 1e-12)) (mode 1: rsqrt_(max(d[p] + 1e-6, 1e-12)));
 * for each j of the segment: a = K(p,j); for u = 0..t-1: a = a - c_u[p]*c_u[j] (one multiply, one subtract); e = a * x, 0 where |e| is below 2^-60;
 * c_t[j] = e; d[j] = d[j] - e*e. d[j], first and later, is 0 where |d[j]| is below 2^-126: drivers differ in smaller numbers.
 * c_u[j] = B(s*k_max + u, j - seg[s]); B is f32, read and written.
 * flag, order, pick_from, picks as in greedy_maxmin (d, flag and B hold what the picks before left). items = segs. */
struct wn_args_greedy_dpp { WN_HEAD; wn_u segs; wn_u seg_at; wn_u k_at; wn_u k_max; wn_u rel_at; wn_u d_at; wn_u flag_at; wn_u order_at;
    wn_u pick_from; wn_u picks; wn_u mode; wn_f weight; wn_f one_minus_weight; };

/* How far each pick of greedy_maxmin was from the picks before it. Pick t < min(k[s], n) of segment s, p = order[seg[s] + t]:
 * r = +infinity where t < least; else the smallest 1 - A(p, order[seg[s] + u] - seg[s]) over u < t that is not NaN, from +infinity; NaN where
 * A(p, p) is NaN. radius[p] = r; flag_at: flag[p] = 1 if r > more, else 0 (NaN: 0). Other tokens keep theirs. A: similarity matrix.
 * items = n_max: item seg[s] + t. */
struct wn_args_pick_radius { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u k_at; wn_u order_at; wn_u least; wn_f more; wn_u radius_at; wn_u flag_at; };

/* Greedy coverage, k[s] picks a segment of n tokens. Rows to cover: r < extra: C(s*extra + r, .), then the tokens' own A(seg[s] + i, .), i = r - extra; column j is token j of the
 * segment, and S(r, j) says how well it covers row r. cur[r] starts at 0. Gain of j = w[j] * g, g the sum over all rows of
 * q(S(r, j) - cur[r]), q(d) = the whole part of min(d, 4 - 2^-22) * 2^45 where d > 0, else 0 (NaN too): 64-bit whole numbers, exact in any order; of the sum the 24 highest bits (what is
 * below is cut off) times 2^-45, as f32. w[j] = +infinity: the gain is that; weight_at WN_NONE: g itself; own S of j with itself NaN: the gain is NaN. Pick: the unpicked
 * token of largest gain (order of scores); then cur[r] = S(r, pick) where that is larger. cur: scratch floats at cur_at + seg[s] + s*extra.
 * Scratch: gain, a float a token; sum, two words a token; list, two words a row and two a segment. flag, order, pick_from, picks as in greedy_maxmin (cur, flag and the scratch hold what
 * the picks before left). A and C f32. items = segs. */
struct wn_args_greedy_coverage { WN_HEAD3; wn_u segs; wn_u seg_at; wn_u k_at; wn_u extra; wn_u weight_at; wn_u cur_at; wn_u gain_at;
    wn_u sum_at; wn_u list_at; wn_u flag_at; wn_u order_at; wn_u pick_from; wn_u picks; };

/* Greedy balance of how relevant a token is, how much of what the picks leave uncovered it covers and how unlike the picks it is: k[s] picks a segment of n tokens. S: similarity matrix
 * A; cur[i]: the largest S(i, p) of the picks p so far (-infinity: none; +infinity: i is picked itself). A token whose own S(j, j) is NaN has a score of NaN, one with rel[j] = +infinity
 * that. The first pick has the largest rel[j]. Then, of the unpicked: cov[j] is greedy_coverage's gain of j without a weight, extra 0; div[j] = 1 - cur[j]; score[j] =
 * (r + diversity*d) + coverage*c, r = N(rel[j]), d = N(div[j]), c = N(cov[j]). N(x) = (x - low) * f, f = recip_(size), 0 where size is not above 1e-30 or infinite; over m values (rel:
 * the tokens of the segment that are not NaN nor +infinity; div, cov: the unpicked whose own S is not NaN), range = 0: low = 0, size = (their sum in dot32's order, 0 for other tokens of the
 * segment) * recip_(m); range = 1: low = the least (NaN left out), size = the greatest - low. m = 0: f = 0. The pick is the best of the unpicked (order of scores).
 * Scratch (gain, sum, list), flag, order, pick_from, picks as in greedy_coverage. A f32. items = segs. */
struct wn_args_greedy_balance { WN_HEAD; wn_u segs; wn_u seg_at; wn_u k_at; wn_u rel_at; wn_u cur_at; wn_u gain_at; wn_u sum_at; wn_u list_at; wn_u flag_at; wn_u order_at;
    wn_u pick_from; wn_u picks; wn_u range;
    wn_f diversity; wn_f coverage; };

/* VisPruner's duplicate removal. The tokens of segment s with flag 0, in descending score order (rank[] over the whole
 * segment gives it: flagged tokens are skipped), form list L. While |L| > want[s]: r = min(8, |L| - want); a = even places, b = odd places;
 * score of each a = max over b of A(a, b - seg[s]) (no b: NaN); drop the r best a (ties: the earlier place) ; L = the other a by descending score (ties: the
 * earlier place), then all b in order. r is clamped to |a|. At the end flag = 1 for the tokens of L. list1, list2: scratch of n words each at list_at,
 * list2_at (indexed from seg[s]); sc: scratch floats at sc_at. A: similarity matrix. items = segs.
 * rounds != 0: at most so many drops; more = 1: then L stays at list_at, its length at len[s], and no flag is written; resume = 1: L and len are what a part
 * before left. */
struct wn_args_pair_prune { WN_HEAD; wn_u segs; wn_u seg_at; wn_u rank_at; wn_u want_at; wn_u flag_at; wn_u list_at; wn_u list2_at; wn_u sc_at; wn_u len_at;
    wn_u resume; wn_u rounds; wn_u more; };

/* score[i] = +infinity where token i, or one that has it as a neighbour, has flag; the others keep theirs. Tokens of one segment and one frame (index / tokens) alone; index < 0: kept.
 * Places j = index % tokens on a grid of width grid_w. wrap 0: neighbours have a common side. wrap 1: the neighbours of place j are j-1, j+1, j-grid_w and j+grid_w, each held to
 * 0 .. tokens-1 (HiPrune's own). items = n_max, i < seg[segs]. */
struct wn_args_raise_near { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u flag_at; wn_u score_at; wn_u tokens; wn_u grid_w; wn_u wrap; };

/* raise[i] = +infinity for the k[s] best by score (order of scores, ties to the lower position) among the tokens of segment s with the same label and frame; the others keep theirs.
 * label[index % tokens]; index < 0 or label WN_NONE: left alone. items = n_max, i < seg[segs]. */
struct wn_args_raise_best { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u label_at; wn_u tokens; wn_u k_at; wn_u score_at; wn_u raise_at; };

/* Segments in `parts` runs each, the first n % parts of them one longer: out[s*parts + p] = seg[s] + p*(n/parts) + min(p, n % parts); out[segs*parts] = seg[segs]. items = segs*parts + 1. */
struct wn_args_split { WN_HEAD; wn_u segs; wn_u seg_at; wn_u parts; wn_u out_at; };

/* HoloV's shares of want[s] tokens for the chunks p < parts of segment s, chunk c = s*parts + p being chunk_seg[c] .. chunk_seg[c+1], n tokens. a_i = score[i]*1000, v_i = spread[i], NaN as 0;
 * f = (sum |a_i| * recip_(n)) * recip_(sum |v_i| * recip_(n) + 1e-6); worth[c] = (sum of a_i + alpha*(v_i*f)) * recip_(n); n = 1: score[i]; n = 0: 0. Sums ascending, from 0.
 * part = worth[c] * recip_(sum of worth + 1e-6) (the sum ascending; not above 1e-30: all parts are 0); quota[c] = part * want rounded down (negative, NaN: 0), at most what is left of want. What is left then of want goes, one
 * each, to the chunks of largest worth (order of scores, ties to the earlier), at most once round. spill = 1: no quota above n, and round and round until want is used up or all are full.
 * worth: floats at worth_at. items = segs. */
struct wn_args_chunk_quota { WN_HEAD; wn_u segs; wn_u parts; wn_u chunk_seg_at; wn_u want_at; wn_u score_at; wn_u spread_at; wn_u worth_at; wn_u quota_at; wn_u spill; wn_f alpha; };

/* out[l] = table[number of tokens of segment 0 with flag and label[index % tokens] == l], l < labels; index < 0: no label. items = labels. */
struct wn_args_label_quota { WN_HEAD; wn_u seg_at; wn_u index_at; wn_u flag_at; wn_u label_at; wn_u tokens; wn_u labels; wn_u table_at; wn_u out_at; };

/* In which order DART's pivots choose: order[s*(image + text) + o] = a row of the pivots' similarities: pivot e of the list piv_pos[], segments piv_seg[]: row e; the k-th of the text
 * pivots text_pos[] (k < text, the same for all segments): row text_row + s*text + k; WN_NONE behind the last. by_set 0: the image's ascending, then the text's.
 * by_set 1: as CPython iterates a set of their numbers, start + place in the segment, start + n + text_pos[k], put in by descending norm[position], then text_norm[text_pos[k]] (order of scores,
 * ties to the lower): a table of 8, grown to 32 by the fifth (hash = number; up to nine slots further, then i = (5i + 1 + perturb) mod size). image + text <= 16. items = segs. */
struct wn_args_pivot_order { WN_HEAD; wn_u segs; wn_u seg_at; wn_u piv_seg_at; wn_u piv_pos_at; wn_u image; wn_u text; wn_u text_pos_at; wn_u text_row; wn_u by_set; wn_u start; wn_u norm_at;
    wn_u text_norm_at; wn_u order_at; };

/* score[i] = flag[i] ? -infinity : A(row, i - seg[s]), row = row[s*step + place]; row WN_NONE: NaN. items = n_max, i < seg[segs]. */
struct wn_args_pivot_score { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u flag_at; wn_u row_at; wn_u step; wn_u place; wn_u score_at; };

/* The `many` tokens u nearest by A(e, u) to source e (row e of A; p = src_pos[e]) in its segment, itself and tokens with index < 0 left out,
 * best first (order of scores): near[e*many + t] = position, WN_NONE past the end. items = n_max sources (e < src_seg[segs]). */
struct wn_args_neighbours { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u seg_at; wn_u index_at; wn_u many; wn_u near_at; };

/* Where merged tokens go. e < src_seg[segs], p = src_pos[e].
 *   rule 0: rank[e] < k[s] (s: segment of e): keep[p] = 0, dest[p] = arg[e]  (ToMe: the k most similar sources)
 *   rule 1: keep[p] == 0: dest[p] = arg[e]  (VisionZip: what is not kept)
 *   rule 2: rank[e] != 0: keep[p] = 0, dest[p] = arg[e]   (flags of links)
 * items = n_max. rank_at is unused in rule 1, k_at in rules 1 and 2. */
struct wn_args_dest { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u rule; wn_u rank_at; wn_u k_at; wn_u arg_at; wn_u keep_at; wn_u dest_at; };

/* Regular set: dest[t*tokens + j] = ref[t] >= 0 ? ref[t]*tokens + j : WN_NONE. items = n_max. */
struct wn_args_frame_dest { WN_HEAD; wn_u n_max; wn_u tokens; wn_u ref_at; wn_u dest_at; };

/* map[i] for tokens that are not kept (map[i] == WN_NONE on entry): follow q = dest[q] from i until keep[q] != 0
 * (at most `steps` of them, 0: 64; WN_NONE: dropped), then map2[i] = map[q], else WN_NONE; kept tokens: map2[i] = map[i].
 * dest_at WN_NONE: all others are dropped. pooled = 1: a dropped token of segment s goes to seg_new[s+1]-1, the row behind. items = n_max, i < seg[segs]. */
struct wn_args_resolve { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u keep_at; wn_u dest_at; wn_u map_at; wn_u map2_at; wn_u pooled; wn_u seg_new_at; wn_u steps; };

/* Members of each new row r (r < seg_new[segs], segment s): old positions i in [seg[s], seg[min(s+span, segs)]) with map2[i] == r and
 * i != from[r], ascending, as a linked list: head[r] = first or WN_NONE, next[i] = the following one or WN_NONE.
 * sizes_new[r] = (from[r] is WN_NONE ? 1 : size[from[r]]) + the members' sizes, ascending (sizes_at WN_NONE: 1 each); sizes_new_at WN_NONE: not wanted.
 * ranged = 1: members lie in [W[begin_at + s], W[end_at + s]) instead. own = 1: from[r] itself is a member too, in its place, where W[own_at + from[r]] is not 0 (its size still counts once).
 * items = n_max (new rows). */
struct wn_args_group { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u seg_new_at; wn_u span; wn_u map2_at; wn_u from_at; wn_u head_at; wn_u next_at;
    wn_u sizes_at; wn_u sizes_new_at; wn_u ranged; wn_u begin_at; wn_u end_at; wn_u own; wn_u own_at; };

/* dest, compact, resolve and group one after another, for small sets: all in one workgroup. arg_at WN_NONE: no dest;
 * rank_at WN_NONE: its rule 1. compact with keep as flags, invert 0, fresh_rows 1 and last 0; resolve without pooled; group with
 * head_at WN_NONE: none, else with sizes_out as sizes_new. items = 1. */
struct wn_args_merge_lists { WN_HEAD; wn_u segs; wn_u seg_at; wn_u keep_at; wn_u src_seg_at; wn_u src_pos_at; wn_u rank_at; wn_u k_at; wn_u arg_at; wn_u dest_at;
    wn_u rows_at; wn_u index_at; wn_u sizes_at; wn_u seg_out_at; wn_u rows_out_at; wn_u index_out_at; wn_u sizes_out_at; wn_u from_at; wn_u map_at; wn_u first;
    wn_u map2_at; wn_u span; wn_u head_at; wn_u next_at; };

/* B(r, c) from the old set's rows x_i = A(list[i]). base = from[r]; members by head/next (near_at == WN_NONE), or near[r' * many ..] until WN_NONE
 * (near_at set), r' = r - (s+1)*first - s*last, s the segment of r: the r'-th kept row.
 *   WN_MERGE_WAVG      (w_b x_b + sum w_i x_i) * recip_(w_b + sum w_i), weights from weight_at (WN_NONE: 1); no member, or weights that add up to 0: x_b unchanged
 *   WN_MERGE_ADD_MEAN  x_b + (sum x_i) * recip_(count); no member: x_b
 *   WN_MERGE_ADD_SUM   x_b + sum w_i x_i
 *   WN_MERGE_SUM_OVER  (x_b + sum x_i) * recip_(weight[base]); no member: x_b
 *   WN_MERGE_BLEND     v*x_b + (1 - v)*((sum x_i) * recip_(count)), v = blend; no member: x_b
 *   WN_MERGE_BLEND_FEW the same with v = max(recip_(count + 1), blend)
 *   WN_MERGE_MAX       the largest of x_b and the x_i, as "x_i > y ? x_i : y" in their order
 * Sums start from the base (WAVG: w_b*x_b; ADD_SUM, SUM_OVER: x_b) or 0 (ADD_MEAN, BLEND), members in list order, one multiply and one add each. base WN_NONE: the row is
 * left alone. B is f32, f16 or bf16. items = n_max * ceil(cols/2): an invocation does two neighbouring columns. */
#define WN_MERGE_WAVG 0u
#define WN_MERGE_ADD_MEAN 1u
#define WN_MERGE_ADD_SUM 2u
#define WN_MERGE_SUM_OVER 3u
#define WN_MERGE_BLEND 4u
#define WN_MERGE_BLEND_FEW 5u
#define WN_MERGE_MAX 6u
struct wn_args_merge { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_new_at; wn_u list_at; wn_u from_at; wn_u head_at; wn_u next_at; wn_u weight_at; wn_u rule; wn_u cols;
    wn_u near_at; wn_u many; wn_u first; wn_u last; wn_f blend; };

/* Row seg_new[s+1]-1 of B (the pooled rest) = sum over i of the old segment with keep[i] == 0, ascending, of weight[i] * A(list[i]);
 * sizes_new[that row] = sum of their sizes (sizes_at WN_NONE: 1 each; sizes_new_at WN_NONE: not wanted). B is f32, f16 or bf16. items = segs*ceil(cols/2): an invocation does two neighbouring columns. */
struct wn_args_pool_rest { WN_HEAD; wn_u segs; wn_u seg_at; wn_u seg_new_at; wn_u keep_at; wn_u list_at; wn_u weight_at; wn_u cols; wn_u sizes_at; wn_u sizes_new_at; };

/* ToMe's official row order after a pass. Sources e with rank q >= k[s]: order[seg_new[s] + q - k[s]] = map[src_pos[e]];
 * by_place = 1 (official order beside a class token): by the number of unmerged sources of the segment before e instead of q - k[s];
 * targets u (place j of the segment's targets): order[seg_new[s] + (sources of s - k[s]) + j] = map[dst_pos[u]]. k clamped to the sources.
 * items = n_max >= sources + targets: item < src_seg[segs] is source e, the following dst_seg[segs] are targets. */
struct wn_args_merge_order { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u dst_seg_at; wn_u dst_pos_at; wn_u rank_at; wn_u k_at; wn_u map_at;
    wn_u seg_new_at; wn_u order_at; wn_u by_place; };

/* Space to channel on a regular set of frames x (h x w). f: factor; oh x ow: output grid. B row for output cell (t, y, x) is
 * (t*oh + y)*ow + x, for layout COLUMN (t*ow + x)*oh + y. Channel of B: ROW, COLUMN, BLOCKS: (di*f + dj)*cols + c; CHANNEL: c*f*f + di*f + dj.
 * Input cell (y*f+di, x*f+dj), position (t*h + yy)*w + xx, for BLOCKS position t*h*w + ((y*ow + x)*f + di)*f + dj.
 * pad: 0 none can be outside; 1 zero; 2 the edge's cell. x_i = A(rows[i]). items = frames*oh*ow * ceil(f*f*cols / 2) (two columns each). */
#define WN_LAYOUT_ROW 0u
#define WN_LAYOUT_COLUMN 1u
#define WN_LAYOUT_CHANNEL 2u
#define WN_LAYOUT_BLOCKS 3u
struct wn_args_space_to_channel { WN_HEAD; wn_u frames; wn_u h; wn_u w; wn_u oh; wn_u ow; wn_u factor; wn_u layout; wn_u pad; wn_u cols; wn_u rows_at; };

/* Separable pooling on a regular set of frames x (h x w) -> (oh x ow). Axis tables in W: ystart[oh], ycount[oh], yweight[oh*ytaps] (f32), the same for x.
 * B(o, c) = sum over ty, tx ascending of (wy*wx) * A(rows[...], c); each product wy*wx rounded, then one multiply and one add. scale: applied last by one multiply
 * (mean pools use weights 1 and scale 1/count where it is the same for all; else 1). ytaps, xtaps: from an output's weights to the next one's, modulo 2^32: WN_NONE is a word back.
 * items = frames*oh*ow * ceil(cols/2). */
struct wn_args_pool { WN_HEAD; wn_u frames; wn_u h; wn_u w; wn_u oh; wn_u ow; wn_u cols; wn_u rows_at; wn_u ystart_at; wn_u ycount_at; wn_u yweight_at; wn_u ytaps;
    wn_u xstart_at; wn_u xcount_at; wn_u xweight_at; wn_u xtaps; wn_f scale; };

/* sizes_new[o] = sum of the old sizes in the window of output o (tables as in pool; weights are not used). items = frames*oh*ow. */
struct wn_args_window_sizes { WN_HEAD; wn_u frames; wn_u h; wn_u w; wn_u oh; wn_u ow; wn_u ystart_at; wn_u ycount_at; wn_u xstart_at; wn_u xcount_at; wn_u sizes_at; wn_u sizes_new_at; };

/* Windows of a grid at several scales (stages/focus.c): the grid h x grid_w of each frame of a regular set falls into windows of side 2^levels (the last of a row or column may be
 * smaller), `across` = ceil(grid_w / side) a row, down = ceil(h / side), in raster order, frame after frame: window q. At level l a window falls into cells of 2^l x 2^l from its first token on.
 * B(q, l - 1), l = 1..levels = (sum over the cells of window q, in raster order from 0, of sqrt_(dot32(u, u))) * recip_(its tokens), u_d = sum over the cell's tokens i, in raster order from 0,
 * of A(rows[i], d) * inv[i] (no row: 0): the mean cosine of the window's tokens with the direction of their cell. B f32. items = frames*down*across (LANES). */
struct wn_args_scale_likeness { WN_HEAD; wn_u frames; wn_u h; wn_u grid_w; wn_u levels; wn_u cols; wn_u rows_at; wn_u inv_at; };

/* The level of each window, and where it sends its tokens. largest = 0: the largest l of 1..levels with A(q, l - 1) at bound or above (order of scores), none: 0; largest = 1: the l of
 * 0..levels of the largest A(q, l) (ties and all NaN to the lowest). keep[i] = 1 for the first token of a cell of that level, 0 for the others, whose dest[i] is the first one of their cell;
 * dest[i] of the first one: WN_NONE. items = frames*h*grid_w. */
struct wn_args_scale_pick { WN_HEAD; wn_u frames; wn_u h; wn_u grid_w; wn_u levels; wn_u largest; wn_u keep_at; wn_u dest_at; wn_f bound; };

/* B(dst[s], c) = A(src[s], c); lists in W (WN_NONE as src_at: s itself; dst WN_NONE: skipped). items = n * ceil(cols/2). */
struct wn_args_copy_rows { WN_HEAD; wn_u n; wn_u src_at; wn_u dst_at; wn_u cols; };

/* assign_out[i] = a == WN_NONE ? WN_NONE : map[a], a = assign[i] (assign_at WN_NONE: i). items = n source tokens. */
struct wn_args_remap { WN_HEAD; wn_u n; wn_u assign_at; wn_u map_at; wn_u assign_out_at; };

/* inverse[order[r]] = r for r < seg[segs]. items = n_max. */
struct wn_args_invert { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u order_at; wn_u inverse_at; };

/* B(r, c) = A(rows[p], c), p = order ? order[r] : r, for r < seg[segs]. B is f32, f16 or bf16 with any stride: an invocation owns one 32-bit word of B,
 * which for 16-bit types may hold the end of one row and the start of the next, or a gap that must be left as it is. rows WN_NONE: zeros.
 * items = n_max * ceil((b_stride+1)/2) for 16-bit types (words from b_base's word on), n_max*cols for f32. */
struct wn_args_emit_rows { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u rows_at; wn_u order_at; wn_u cols; };

/* The host's small outputs; out[k] is written where bit k of mask is set: bit 1 indices i32[K], 2 sizes f32[K] (sizes_at WN_NONE: 1.0), 3 positions i32[3K],
 * 4 assignment i32[source], 5 count u32[4] = { K, W[stats_at], 0, 0 }. out k is bound as out[k-1]; base[k] words. order/inverse: method order (WN_NONE: raster); assignment = inverse[assign]
 * (assign WN_NONE as offset: identity). Position of index g >= 0: t = g / tokens, j = g % tokens, (t, j / grid_w, j % grid_w); g < 0: (-1,-1,-1).
 * items = max(n_max, source). */
struct wn_args_emit_meta { WN_HEAD; wn_u n_max; wn_u source; wn_u segs; wn_u seg_at; wn_u index_at; wn_u sizes_at; wn_u order_at; wn_u inverse_at; wn_u assign_at; wn_u stats_at;
    wn_u tokens; wn_u grid_w; wn_u mask; wn_u base1; wn_u base2; wn_u base3; wn_u base4; wn_u base5; };

/* One decode step. A: attention [heads, columns]; visual columns first..first+count. v[j] = (sum over heads ascending of
 * A(h, first+j)) * inv_heads, into cur; c = seen ? dot32(v, prev) * (f(dot32(v,v)) * f(dot32(prev,prev))) : 0, f as in frame_sim.
 * not seen, or !(c >= threshold): anew: kept[j] = 1 for the k best of v (order of scores), else 0; changed = 1. Otherwise changed = 0 and similar 0 (reuse): kept
 * stays; similar 1 (full): the mask is all ones this time (kept stays). B (i32 words, written): B(0, c) = 1 for text columns, kept[] for visual ones;
 * B(0, columns) = number of ones, B(0, columns+1) = changed. At the end prev = v. kept, prev, cur: arrays of W that live between steps. items = 1. */
struct wn_args_kv_select { WN_HEAD; wn_u heads; wn_u columns; wn_u first; wn_u count; wn_u k; wn_u similar; wn_u seen; wn_f threshold; wn_f inv_heads;
    wn_u kept_at; wn_u prev_at; wn_u cur_at; };

/* Low-frequency DCT-II of each patch. A: bytes of RGB frames, packed, as words (4 bytes each, a_stride unused); frames x height x width; patch p. Y = 0.299R+0.587G+0.114B,
 * Cb = 0.564(B-Y), Cr = 0.713(R-Y), from R,G,B in 0..1 as v * (1/255); Y shifted to 2Y-1. Coefficient (u,v): sum over y, x ascending of (f(y,x) * cy[u*p+y]) * cx[v*p+x]; tables of the
 * orthonormal DCT-II basis divided by p at basis_at (f32 [p*p]); zigzag[k] = u*p+v at zigzag_at. B(token, 0..luma) the luma coefficients, then chroma of Cb, then of Cr.
 * items = tokens * dim. */
struct wn_args_patch_dct { WN_HEAD; wn_u frames; wn_u height; wn_u width; wn_u patch; wn_u luma; wn_u chroma; wn_u basis_at; wn_u zigzag_at; };

/* ---- the vision encoder (vit/) ------------------------------------------------------------------
 * These may read a third matrix C: element (r, c) at c_base + r * c_stride + c, in elements of C's type from the start of its binding; "C words at x_at" are f32
 * at word x_at counted from the first element of C (r = c = 0), so that a bias lies behind its matrix (of 16-bit types, C then starts at a whole word).
 * Rows of 16-bit A, B and C have an even base and an even stride here, unless the operation reads or writes single elements.
 * exp_, erf_: numbers.glsl and numbers.h. Rows of a set that is `fresh` (rows[i] == i) are read straight. n = seg_at WN_NONE ? n_max : seg[segs]. */

/* A tensor of a model file to numbers. A: the file's bytes as words (a_base in words, starting with the tensor); element (r, c) of `rows` x `cols`, row-major, of type WN_FILE_*
 * (blocks of quantised types run along a row; cols is a multiple of the block; layouts as in ggml's ggml-quants). turn = 0: B(r, c); turn = 1: B(c, r).
 * B is f32, f16 or bf16, its rows even in stride. q4_0: d*(q-8); q8_0: d*q; k-quants: d1*q - m1 as ggml writes it, one rounding each product and difference.
 * items = rows of B * ceil(columns of B / 2): an invocation writes two neighbouring columns. */
#define WN_FILE_F32 0u
#define WN_FILE_F16 1u
#define WN_FILE_BF16 2u
#define WN_FILE_Q4_0 3u
#define WN_FILE_Q8_0 4u
#define WN_FILE_Q4_K 5u
#define WN_FILE_Q5_K 6u
#define WN_FILE_Q6_K 7u
struct wn_args_unpack { WN_HEAD; wn_u type; wn_u rows; wn_u cols; wn_u turn; };

/* One axis of a separable resize of byte pictures, in Pillow's fixed point. A, B: frames of packed RGB bytes as words. Along the axis (vertical 0: x, 1: y) output o is
 * clip8((32768*64 + sum over k < count[o] of coef[o*taps + k] * A(start[o] + k)) >> 22), sums in i32 (arithmetic shift, clip to 0..255); count[o] == 0: the byte of `fill` (0xBBGGRR).
 * in_w x in_h -> out_w x out_h; the other axis keeps its size: vertical 0 has out_h == in_h, vertical 1 has out_w == in_w.
 * items = ceil(frames*out_w*out_h*3 / 4): an invocation writes one word of four bytes; bytes past the end are 0. */
struct wn_args_resize { WN_HEAD; wn_u frames; wn_u in_w; wn_u in_h; wn_u out_w; wn_u out_h; wn_u vertical; wn_u taps; wn_u start_at; wn_u count_at; wn_u coef_at; wn_u fill; };

/* Patches of pictures as rows, ready for the product with a convolution's kernel. A: frames of packed RGB bytes as words, frames x height x width. patch p, `times` frames a patch
 * (1, or 2: pairs; a last odd frame is used twice). Row r of frame group g: cell number r' = r - g*cells, cells = (height/p)*(width/p), in blocks of f x f cells: block
 * (by, bx) raster, cells inside raster (f = 1: plain raster). Column ((t*3 + ch)*p + dy)*p + dx = byte * scale[ch] + shift[ch] of frame min(g*times + t, frames-1);
 * by_pixel 1: that is column ((t*p + dy)*p + dx)*3 + ch instead.
 * items = groups*cells * ceil(times*3*p*p / 2): two neighbouring columns. B f32, f16 or bf16. */
struct wn_args_patchify { WN_HEAD; wn_u frames; wn_u height; wn_u width; wn_u patch; wn_u times; wn_u f; wn_f scale0; wn_f scale1; wn_f scale2; wn_f shift0; wn_f shift1; wn_f shift2; wn_u by_pixel; };

/* Rows made of a table's rows. v = sum over t = 0..taps-1, ascending, of weight[r*taps + t] * C(src[r*taps + t], c) (weight_at WN_NONE: 1 and no multiply; sum from the first product);
 * d = dst[r] (dst_at WN_NONE: r; negative: nothing is written); add = 0: B(d, c) = v; add = 1: B(d, c) = B(d, c) + v. src_at WN_NONE: r*taps + t. B f32. items = n_max*cols. */
struct wn_args_table_mix { WN_HEAD3; wn_u n_max; wn_u taps; wn_u src_at; wn_u weight_at; wn_u dst_at; wn_u cols; wn_u add; };

/* Normalised rows: x = A(r, 0..cols-1). rms = 0: mean = dot32(x, 1) * inv_cols, y = x - mean; rms = 1: y = x. s = rsqrt_(dot32(y, y) * inv_cols + eps);
 * B(r, c) = act((y*s)*g[c] + b[c]) (f32, f16 or bf16), act: WN_ACT_* as in matmul: g, b: C words at gain_at, bias_at (WN_NONE: no multiply; no add). items = n_max rows (LANES), r < n. B is not A. */
struct wn_args_norm { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u cols; wn_u rms; wn_u gain_at; wn_u bias_at; wn_f eps; wn_f inv_cols; wn_u act; };

/* B(r, j) = finish(dotseq over k of A(r, k) * C(k, j)), r < n, j < cols, k < inner <= 32768 (see `match`: long loops). C is the turned weight [inner][cols].
 * finish(v): v = v + C words [bias_at + j] (WN_NONE: none); v = act(v); v = v * C words [scale_at + j] (WN_NONE: none);
 * with = 1: v = v * B(r, j) as it was; with = 2: v = B(r, j) as it was + v. sig(x) = recip_(1 + exp_(x < -60 ? 60 : -x)) (no step of it is subnormal). act: WN_ACT_NONE; GELU_ERF: (0.5*v)*(1 + erf_(v*0.70710678));
 * GELU_TANH: v*sig(1.59576912*(v + 0.044715*((v*v)*v))), which is 0.5*v*(1 + tanh); QUICK: v*sig(1.702*v); SILU: v*sig(v); RELU: v < 0 ? 0 : v.
 * A, B, C: f32, f16 or bf16. items = ceil(n_max/8) * ceil(cols/128) tiles of 8 rows x 128 columns (LANES): tile k covers rows 8*(k / ceil(cols/128)).. and columns
 * 128*(k % ceil(cols/128)).. . B is neither A nor C. */
#define WN_ACT_NONE 0u
#define WN_ACT_GELU_ERF 1u
#define WN_ACT_GELU_TANH 2u
#define WN_ACT_QUICK 3u
#define WN_ACT_SILU 4u
#define WN_ACT_RELU 5u
/* As ggml's CPU backend looks them up in tables of f16: v rounded to f16, the result too; GELU outside -10..10: 0 and v. */
#define WN_ACT_GELU_TANH_HALF 6u
#define WN_ACT_QUICK_HALF 7u
/* With cooperative matrices (coop_matmul.glsl; A and C f16) the sum over k comes in the device's order. A workgroup makes WN_COOP_TILE rows and
 * columns then, WN_COOP_DEPTH of k at a time. */
#define WN_COOP_TILE 64u
#define WN_COOP_DEPTH 32u
#define WN_COOP_A_PITCH ((WN_COOP_DEPTH + 8u) / 2u) /* words between rows in shared memory: 8 halves of gap */
#define WN_COOP_C_PITCH ((WN_COOP_TILE + 8u) / 2u)
#define WN_COOP_SHARED_BYTES(m, n) (4u * (WN_COOP_TILE * WN_COOP_A_PITCH + WN_COOP_DEPTH * WN_COOP_C_PITCH + 4u * (m) * (n)))
struct wn_args_matmul { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u inner; wn_u cols; wn_u bias_at; wn_u scale_at; wn_u act; wn_u with; };

/* Rotary positions in place on B (f32 or f16): for columns from col, `heads` heads of head_dim = 4*quarter: d < 2*quarter: with p = index[r] (index_at WN_NONE: r; negative: left alone),
 * angle entry e = (d < quarter ? y[p] : x[p])*quarter + d % quarter, c = cos[e], s = sin[e] (f32 arrays of W): (u, v) = B(r, o + d), B(r, o + d + 2*quarter), o = col + h*head_dim:
 * u' = u*c - v*s, v' = v*c + u*s (each product rounded, one subtract or add). items = n_max*heads*quarter: an invocation does the neighbouring d = 2i and 2i+1 (quarter even, or
 * 2*quarter even in any case). r < n. y_at, x_at: u32 arrays. */
struct wn_args_rope { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u y_at; wn_u x_at; wn_u cos_at; wn_u sin_at; wn_u col; wn_u heads; wn_u quarter; };

/* Attention in each segment, without the matrix. Token i of segment s lies in row list[i] of A and B (list_at WN_NONE: i); q, k, v at columns q_col, k_col, v_col + h*head_dim of A.
 * seg_at WN_NONE: one segment of n_max tokens. Keys j of the segment in blocks of 8 from its start. A block: s_j = dotseq(q, k_j) * scale; m' = max(m, s_j...) (as "s > m ? s : m", ascending;
 * m starts at -infinity); f = exp_(m - m') (1 where m' is -infinity), l = l*f, o[d] = o[d]*f; then ascending p_j = size_j * exp_(s_j - m') (sizes_at WN_NONE: no multiply; sizes are f32 by
 * token), l = l + p_j, o[d] = o[d] + p_j*v_j[d]. B(list[i], out_col + h*head_dim + d) = o[d] * recip_(l). (sizes: ToMe's proportional attention, as adding log(size) to s_j.)
 * All columns and head_dim are even. width: tokens of a segment at most. items = segs * heads * ceil(head_dim/32) * ceil(width/128) (LANES): 128 queries, up to 32 dimensions each; the last
 * factor runs fastest. B is not A. */
struct wn_args_attention { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u sizes_at; wn_u width; wn_u heads; wn_u head_dim; wn_u q_col; wn_u k_col; wn_u v_col; wn_u out_col; wn_f scale; };

/* One query's attention a segment, head by head: q = C(q_row[s], q_col + h*head_dim ..) (q_row_at WN_NONE: row 0 for all), keys in A as in `attention` (n_max, seg_at, list_at, k_col).
 * s_j = dotseq(q, k_j)*scale, m = max (from -infinity, NaN left out, -0 as +0), p_j = size_j * exp_(s_j - m), l = dot32(p, 1) over the segment;
 * B(s*heads + h, j) = p_(j+skip) * recip_(l) for j = 0..len-skip-1: the first `skip` tokens of a segment take part but are not written. index_at given: the
 * column of token i is index[i] % columns instead (negative: not written). B f32. items = segs*heads (GROUPS). */
struct wn_args_attention_row { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u sizes_at; wn_u q_row_at; wn_u heads; wn_u head_dim; wn_u q_col; wn_u k_col; wn_u skip; wn_u index_at; wn_u columns; wn_f scale; };

/* The softmax's maximum and sum of every query: B(i, 2h) = m, B(i, 2h+1) = recip_(l), as `attention` computes m and l. B f32. items = segs * heads * ceil(width/128) (LANES). */
struct wn_args_attention_stats { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u sizes_at; wn_u width; wn_u heads; wn_u head_dim; wn_u q_col; wn_u k_col; wn_f scale; };

/* Attention that a token receives, averaged over the queries i of its segment (from place `from` on): B(s*heads + h, j - skip) = (sum over i ascending, from 0, of (size_j*exp_(s_ij - m_i)) * r_i) *
 * recip_(number of queries), m_i = C(i, 2h), r_i = C(i, 2h+1) of attention_stats; for tokens j from place `skip` on; index_at as in
 * attention_row. B f32. items = segs * heads * ceil(width/128) (LANES). */
struct wn_args_attention_received { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u sizes_at; wn_u width; wn_u heads; wn_u head_dim; wn_u q_col; wn_u k_col; wn_u skip; wn_u index_at; wn_u columns; wn_f scale; wn_u from; };

/* Head-mean logits, the whole matrix, before the softmax: B(i, j) = (sum over h ascending, from 0, of dotseq(q_ih, k_jh)*scale) * inv_heads for tokens i and the j-th token of i's segment; columns
 * past the segment are not written. B f32. items = segs * ceil(width/128) * ceil(width/8) (LANES): 128 queries by 8 keys. */
struct wn_args_attention_logits { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u width; wn_u heads; wn_u head_dim; wn_u q_col; wn_u k_col; wn_f scale; wn_f inv_heads; };

/* B(i, c) = (sum over h = 0..parts-1 ascending of A(list[i], col + h*part_stride + c*step)) * inv_parts. Heads' mean: part_stride = head_dim, step 1. Means of neighbouring channels: part_stride 1,
 * step parts. add = 1: B(i, c) = B(i, c) + that. i < n; list_at WN_NONE: i; negative: the sum is 0. B f32. items = n_max*cols. */
struct wn_args_part_mean { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u col; wn_u cols; wn_u parts; wn_u part_stride; wn_u step; wn_u add; wn_f inv_parts; };

/* B(t + k, c) = A(f + k, c) for i < n with k = i % run, f = rows[i/run] and t = to[i/run] (absent lists: i/run*run); either entry WN_NONE or negative: nothing. For moving whole rows, or runs of
 * neighbours, where lists are known on the device alone. B f32, f16 or bf16. items = n_max * ceil(cols/2). */
struct wn_args_gather { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u rows_at; wn_u to_at; wn_u cols; wn_u run; };

/* ---- FiCoCo (stages/ficoco.c) -------------------------------------------------------------------
 * The rows of a segment have an order of the method's: place r of segment s is position order[seg[s] + r] (order_at WN_NONE: seg[s] + r). Place 0 is protected. */

/* A: the matrix of attention_logits. x[i] = A(position of place 0, i - seg[s]); y[i] = (sum of A(i, j - seg[s]) over the tokens j of the segment in dot32's order, 0 for place 0) *
 * recip_(max(n - 1, 1)). items = n_max (LANES), i < seg[segs]. */
struct wn_args_logit_means { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u order_at; wn_u x_at; wn_u y_at; };

/* v[i] = (x[i]*fx)*wx + (y[i]*fy)*wy; unit = 1: fx = f(dot32(x, x)) over the segment with 0 for place 0, fy likewise, f as in row_norm with eps 1e-12; unit = 0: both 1.
 * Place 0: v = -infinity, unless whole = 1 (and unit = 0): then it is as the others. items = segs (GROUPS). */
struct wn_args_unit_mix { WN_HEAD; wn_u segs; wn_u seg_at; wn_u order_at; wn_u x_at; wn_u y_at; wn_u v_at; wn_u unit; wn_f wx; wn_f wy; wn_u whole; };

/* In every whole 2 x 2 window of an h x w grid one token's score is raised: v = v < 0 ? v*0.5 : v*2. "Best" as in the order of scores, ties and all NaN to the first of (0,0), (0,1), (1,0), (1,1).
 *   index_at WN_NONE  grid_at + s*h*w: a grid of numbers a segment; -infinity: used up. The cells that are not used up take, in raster order, v of places 1, 2, ..., as long as there
 *                     are both. Then the best cell p of a window, used up or not, raises place p + 1 if the segment has it, and is used up if it does.
 *   else              grid_at + s*h*w: scratch. Token i lies in cell index[i] % (h*w) (negative: in none; a cell holds one token at most); the best of a window's tokens is raised.
 * items = segs (GROUPS). */
struct wn_args_window_raise { WN_HEAD; wn_u segs; wn_u seg_at; wn_u order_at; wn_u index_at; wn_u v_at; wn_u grid_at; wn_u h; wn_u w; };

/* A: as in logit_means. Row i with rank[i] < k[s] (the others: keep[i] = 1 and no more): keep[i] = 0; the candidates are the c = n tokens of its segment, within = 1: the c = n - k - 1 of
 * rank >= k but the segment's first. at = q * (c - 1), lo = floor(at), g = at - lo, a and b the lo-th and (g > 0: lo+1-th, else lo-th) of A(i, candidates) in ascending order,
 * bound = g < 0.5 ? a + g*(b - a) : b - (b - a)*(1 - g). The m = min(c - 1 - lo, most) best of them, best first (order of scores): near[i*most + t] = position, value[i*most + t] = number;
 * of these `above` are > bound. within = 0: W[count_at + s] = max with above (atomic); 1: W[count_at + i] = above. c <= 1: above = 0 and nothing else. whole = 1 (within = 1): the segment's first is
 * a candidate as the others, c = n - k; m = min(c - lo, most) where g = 0; and those that are >= bound count, with c = 1 too. k is below n. items = n_max (GROUPS), i < seg[segs]. */
struct wn_args_correlate { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u rank_at; wn_u k_at; wn_u keep_at; wn_u near_at; wn_u value_at; wn_u count_at; wn_u most; wn_u within; wn_f q; wn_u whole; };

/* Shares of merged tokens as a set of their own, for `group` and `merge`: token i has slots o = i*(most+1) .. o+most; seg_out[s] = seg[s]*(most+1); every slot's rows_out is rows[i].
 * Kept: slot o has weight 1, size size[i] and goes to map[i]; from_out[map[i]] = o; the other slots go nowhere (map_out WN_NONE, weight and size 0). map2[i] = map[i].
 * Merged: slot o goes nowhere (weight, size 0); slot o+1+t, t < c (c = count[s]; within = 1: count[i]): e_t = exp_(value_t - value_0), weight = e_t * recip_(e_0 + e_1 + ...),
 * size = weight * size[i]; it goes to map[near_t] if within = 1; else to order_new[seg_new[s] + d], d = place[near_t] - seg[s] (place_at WN_NONE: near_t - seg[s]), where d >= n - k:
 * d - k instead (FiCoCo's own; k is at most n/2). direct = 1: to map[near_t] in any case. linear = 1: e_t = value_t, 0 where that is not above 1e-30, and a share of 0 goes nowhere.
 * t >= c: nowhere, weight and size 0. map2[i] = where slot o+1 goes. sizes_at WN_NONE: 1. items = n_max + 1: i < seg[segs]; the items
 * s <= segs write seg_out too (segs <= n_max). */
struct wn_args_shares { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u keep_at; wn_u rows_at; wn_u sizes_at; wn_u map_at; wn_u near_at; wn_u value_at; wn_u count_at; wn_u most; wn_u within;
    wn_u k_at; wn_u place_at; wn_u order_new_at; wn_u seg_new_at; wn_u seg_out_at; wn_u rows_out_at; wn_u weight_at; wn_u sizes_out_at; wn_u map_out_at; wn_u from_out_at; wn_u map2_at; wn_u direct; wn_u linear; };

/* ---- density peaks (build_peaks; stages fastvid, flashvid, holitom, prunevid) ---------------------
 * Points are the entries of a list: entry e of segment s is the position pos[e] of a set (pos_at WN_NONE: e), seg[s] <= e < seg[s+1]. A: the distances' matrix.
 * NaN: a distance that is NaN is left out; a point without a distance has a density and a score of NaN, which ranks below all. */

/* B(e, u) = (sum over d, ascending from 0, of (x_d - y_d)*(x_d - y_d)) * scale, x = A(list[pos[e]]), y = A(list[pos[seg[s] + u]]): the squared distance of entry e and entry u of its
 * segment. An entry without a row: NaN. Columns past the segment are not written. B is f32. items = (ceil(n_max/WN_TILE) +
 * segs) * ceil(width/WN_TILE): tiles of WN_TILE x WN_TILE, in lines of a segment. */
struct wn_args_distances { WN_HEAD; wn_u n_max; wn_u width; wn_u segs; wn_u seg_at; wn_u pos_at; wn_u list_at; wn_u cols; wn_f scale; };

/* density[e] = exp_(-(v_0 + v_1 + ...) * recip_(m)), v_t the m smallest A(e, u), ascending (the point itself is one), m = min(k, k_at[s] (WN_NONE: no such limit), numbers in the
 * row), at least 1; far[e] = the largest. No number: both NaN. items = n_max (GROUPS), e < seg[segs]. */
struct wn_args_density { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u k; wn_u k_at; wn_u density_at; wn_u far_at; };

/* score[e] = sqrt_(v) * density[e], v = the smallest A(e, u) over the denser points u of the segment (density greater, or equal and u lower); none: the largest far[] of the segment.
 * sqrt_(v) = v <= 0: 0; infinite: itself; else v * rsqrt_(v). sparser = 1: over the points that are not (density less, or equal and u higher). items = n_max (GROUPS), e < seg[segs]. */
struct wn_args_peaks { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u density_at; wn_u far_at; wn_u score_at; wn_u sparser; };

/* p = pos[e]. flag[e] != 0 (a centre): keep[p] = 1. Else keep[p] = 0 and dest[p] = pos of the centre u of the segment with the smallest A(e, u), ties and all NaN to the lower u;
 * no centre: WN_NONE. items = n_max (GROUPS), e < seg[segs]. */
struct wn_args_nearest { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u pos_at; wn_u flag_at; wn_u keep_at; wn_u dest_at; };

/* out[to[i]] = values[from[i]] for i < seg[segs] (words; from_at, to_at WN_NONE: i); from[i] WN_NONE: WN_NONE; to[i] WN_NONE: nothing. items = n_max. */
struct wn_args_lookup { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u from_at; wn_u to_at; wn_u values_at; wn_u out_at; };

/* ---- temporal segments --------------------------------------------------------------------------
 * Frames 0 .. frames-1 fall into spans, runs of neighbours: span k is starts[k] .. starts[k+1]-1; of[t] is the span of frame t. How many spans there are is known on the device
 * alone: the others up to `frames` are empty (starts[k] = frames). Frames are the segments of a set. */

/* B(s, c) = (sum over i of segment s, ascending from 0, of A(list[i], c)) * recip_(n); n == 0: 0; a row that is none adds 0. list_at WN_NONE: i. B f32. items = segs*cols. */
struct wn_args_segment_mean { WN_HEAD; wn_u segs; wn_u seg_at; wn_u list_at; wn_u cols; };

/* out[i] = dot32(A(list[i]), C(of[s])) * weight[i], s the segment of i (of_at WN_NONE: s; weight_at WN_NONE: no multiply). A row that is none: zeros. items = n_max (LANES), i < seg[segs]. */
struct wn_args_segment_dot { WN_HEAD; wn_u c_base; wn_u c_stride; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u of_at; wn_u cols; wn_u weight_at; wn_u out_at; };

/* flag[t] = 1 where a span begins: t == 0, score[t] < bound, or score[t] is one of the `least` smallest of score[1 .. frames-1] (ties to the lower t, NaN behind all numbers). items = frames. */
struct wn_args_cut { WN_HEAD; wn_u frames; wn_u score_at; wn_u flag_at; wn_u least; wn_f bound; };

/* flag[t] != 0 or t == 0: a span begins. starts[frames+1], of[frames]; inner (WN_NONE: not wanted) [2*frames+1]: inner[2k] = starts[k], inner[2k+1] = min(starts[k] + 1, frames): the
 * first frame of a span and its others as two segments. items = frames + 1. */
struct wn_args_spans { WN_HEAD; wn_u frames; wn_u flag_at; wn_u starts_at; wn_u of_at; wn_u inner_at; };

/* Regular set. run[t*tokens + j] = frames in a row up to t whose score at place j is > bound: score[t*tokens + j] > bound ? run of t-1 (0 for t == 0) + 1 : 0. items = tokens. */
struct wn_args_runs { WN_HEAD; wn_u frames; wn_u tokens; wn_u score_at; wn_u run_at; wn_f bound; };

/* count[t*frames + w] = number of places j with run[t*tokens + j] >= w, w = 1 .. t; 0 for other w. items = frames*frames. */
struct wn_args_run_counts { WN_HEAD; wn_u frames; wn_u tokens; wn_u run_at; wn_u count_at; };

/* The spans of the largest sum of gains: a span a .. b gains count[b*frames + b-a] * (b-a), at most `most` frames. total[t] = the best sum for frames 0 .. t; among equals the shortest last
 * span; from[t] = where that one begins. flag[t] = 1 where a span of the best for all frames begins, else 0; W[gain_at] = its sum. Sums stay below 2^32. items = 1 (GROUPS). */
struct wn_args_best_cuts { WN_HEAD; wn_u frames; wn_u most; wn_u count_at; wn_u total_at; wn_u from_at; wn_u flag_at; wn_u gain_at; };

/* Spans from labels: frame t has the label t if keep[t] != 0, else dest[t]. A run is neighbours of one label. A run stays if no run of its label is longer and it has two frames or more. The
 * frames between take, gap by gap in order, the label of the longer neighbour run, as it then is, up to the next gap; the left one among equals. flag[t] = 1 where the label changes,
 * and for t == 0. label, length: scratch [frames]. items = 1 (GROUPS). */
struct wn_args_label_runs { WN_HEAD; wn_u frames; wn_u keep_at; wn_u dest_at; wn_u label_at; wn_u length_at; wn_u flag_at; };

/* Regular set, i = t*tokens + j, W frames in the span of t. t its first frame and W > 1: score[i] = (dot32(u, u) - W) * recip_(W*(W-1)), u_d = sum over the frames q of the span, ascending
 * from 0, of A(rows[q*tokens + j], d) * inv[q*tokens + j]: the mean cosine of a place's tokens with each other. Else 0. items = frames*tokens (LANES). */
struct wn_args_place_sim { WN_HEAD; wn_u frames; wn_u tokens; wn_u cols; wn_u rows_at; wn_u inv_at; wn_u starts_at; wn_u of_at; wn_u score_at; };

/* Regular set, i = t*tokens + j. flag[i] = 1 where place j stands still in the span of t, which has W > 1 frames:
 *   rule 0  value[last frame*tokens + j] >= W - 1 (u32: runs)    rule 1  value[first frame*tokens + j] > bound (f32)
 * keep[i] = 0 where it does and t is not the first frame, else 1; dest[i] = the same place of the first frame where keep[i] is 0, else WN_NONE. items = frames*tokens. */
struct wn_args_still { WN_HEAD; wn_u frames; wn_u tokens; wn_u rule; wn_u starts_at; wn_u of_at; wn_u value_at; wn_u flag_at; wn_u keep_at; wn_u dest_at; wn_f bound; };

/* out[s] = what is left of the n entries of segment (frame) s, in IEEE doubles as Python computes it, each operation rounded to nearest even.
 *   rule 0  q = (each * frames of the span of s) / (entries of the span); q >= 1: n, else ceil(n*q)
 *   rule 1  q = min(ratio / ((all - W[gain_at]) / all), 1), ratio the double of the words ratio_high, ratio_low; ceil(n*q)
 *   rule 2  the same q; round(n*q), half to even
 * W[gain_at] < all. items = segs. */
struct wn_args_share_counts { WN_HEAD; wn_u segs; wn_u seg_at; wn_u rule; wn_u starts_at; wn_u of_at; wn_u each; wn_u all; wn_u gain_at; wn_u ratio_high; wn_u ratio_low; wn_u out_at; };

/* Span k: c = number of entries seg[2k+1] .. seg[2k+2]-1 with score > bound (seg: of spans and their inner parts, see spans, by entries), most = each * frames of the span;
 * k_out[2k] = 0; k_out[2k+1] = c <= most ? c : most - 1 (most == 0: 0). items = segs (GROUPS). */
struct wn_args_link_count { WN_HEAD; wn_u segs; wn_u seg_at; wn_u starts_at; wn_u score_at; wn_u each; wn_u k_at; wn_f bound; };

/* A set in which the flagged tokens of spans of one frame stand twice, the second right behind the first. Each such frame has `many` flagged ones. seg_out, rows_out, index_out, sizes_out
 * (sizes are there), flag_out = the flag for the first, 0 for the second; map[i] = the first one's new position. items = max(n_max, segs + 1), i < seg[segs]. */
struct wn_args_twins { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u flag_at; wn_u starts_at; wn_u of_at; wn_u many; wn_u rows_at; wn_u index_at; wn_u sizes_at; wn_u seg_out_at; wn_u rows_out_at;
    wn_u index_out_at; wn_u sizes_out_at; wn_u flag_out_at; wn_u map_at; };

/* FastVID's anchors. Frame t at place q of a span of S frames: k[t] = (S-1-q) % period == 0 ? min(context*S / ceil(S/period), its entries) : 0. Its sources are entries of a list: those of its
 * own frame where context*S / ceil(S/period) == context, else all of its span; none where k[t] == 0. begin[t] = the first one; seg_out[t] = sources of the frames before;
 * seg_far[t] = seg_out[t] + far. seg: of the list. items = frames + 1. */
struct wn_args_anchors { WN_HEAD; wn_u frames; wn_u seg_at; wn_u starts_at; wn_u of_at; wn_u context; wn_u period; wn_u far; wn_u k_at; wn_u begin_at; wn_u seg_out_at; wn_u seg_far_at; };

/* The sources of anchors, one after the other: e < seg[frames], frame f: p = pos[begin[f] + e - seg[f]], pos_out[e] = p, rows_out[e] = rows[p]. items = n_max. */
struct wn_args_sources { WN_HEAD; wn_u n_max; wn_u frames; wn_u seg_at; wn_u begin_at; wn_u pos_at; wn_u rows_at; wn_u pos_out_at; wn_u rows_out_at; };

/* Entry e of a list (frame f, position p = pos[e]) with keep[p] == 0: dest[p] = arg[x] of the best[x] over the anchors t of its span of which it is source x (x = src_seg[t] + e - begin[t]);
 * ties, and all NaN, to the first; none: WN_NONE. items = n_max, e < seg[frames]. */
struct wn_args_closest { WN_HEAD; wn_u n_max; wn_u frames; wn_u seg_at; wn_u pos_at; wn_u starts_at; wn_u of_at; wn_u src_seg_at; wn_u begin_at; wn_u best_at; wn_u arg_at; wn_u keep_at; wn_u dest_at; };
/* ---- Centres and shares of frames -----------------------------------------------------------------
 * centre_*: a token beside the centre of its segment. */

/* out[i] = the length of x = A(list[i]) over the channels c with mask[c] != 0 (mask_at WN_NONE: all; list_at WN_NONE: i; no row: all zeros): s = dot32(x, x) with 0 for the others;
 * inverse = 1: 1 / max(|x|, eps) as row_norm computes it from s; 0: s <= eps2 ? 0 : s infinite or NaN ? s : s * rsqrt_(s). items = n_max (LANES), i < seg[segs]. */
struct wn_args_row_length { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u mask_at; wn_u out_at; wn_u cols; wn_u inverse; wn_f eps2; wn_f inv_eps; };

/* B(s, c) = f * sum over the tokens i of segment s, ascending, from 0, of v: x = A(list[i], c) (list_at WN_NONE: i; no row: 0), weight_at given: x = x * weight[i];
 * square = 1: d = x - C(0, c), v = d*d; else v = x. A NaN v counts as 0. f = recip_(float(n)), n = over[(s+1)*span] - over[s*span] (n = 0: f = 0; over_at WN_NONE: no multiply).
 * A segment has at most 65535 tokens (see `match`: long loops). B f32. items = segs * ceil(cols/2): two neighbouring columns. B is neither A nor C. */
struct wn_args_column_sum { WN_HEAD3; wn_u segs; wn_u seg_at; wn_u list_at; wn_u weight_at; wn_u cols; wn_u square; wn_u over_at; wn_u span; };

/* Likeness of a token to the centre of its segment and to the one of all, over the channels with mask[d] != 0 (mask_at WN_NONE: all). x_d = A(list[i], d) * inv[i];
 * u = sum of (x_d - C(segs, d)*fa)^2, w = sum of (x_d - C(s, d)*fs)^2 in dot32's order, fs = recip_(float(tokens of s)), fa = factor[0] (factor_at WN_NONE: recip_(float(all tokens)));
 * g(y) = (((e(4y) + e(2y)) + e(y)) + e(0.5y)) + e(0.25y), e(z) = exp_(-z). all[i] = g(u), sum[i] = g(u) + g(w). items = n_max (LANES), i < seg[segs]. */
struct wn_args_centre_gauss { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u inv_at; wn_u mask_at; wn_u cols; wn_u factor_at; wn_u all_at; wn_u sum_at; };

/* mean[s] = (sum of v[i] over segment s in dot32's order) * recip_(their number), NaN left out of both; none: NaN. items = segs (LANES). */
struct wn_args_value_mean { WN_HEAD; wn_u segs; wn_u seg_at; wn_u v_at; wn_u mean_at; };

/* p[i] = e_i * recip_(l), i < n, e_i = exp_((x[i] - m)*scale), m = the greatest x (scale < 0: the least) that is no NaN; an e that is NaN counts as 0; l = their sum in dot32's order;
 * l = 0: all p = 0; a p below 2^-126 is 0. items = 1. */
struct wn_args_softmax { WN_HEAD; wn_u n; wn_u x_at; wn_u p_at; wn_f scale; };

/* VidCom2's counts: mean = (sum of p in dot32's order) * recip_(float(segs)); k[s] = round_even_(min(base*((1 + p[s]) - mean), 1) * float(n)), n the tokens of segment s, at least 1, at
 * most n. round_even_: to the nearest, ties to even. items = 1. */
struct wn_args_frame_shares { WN_HEAD; wn_u segs; wn_u seg_at; wn_u p_at; wn_u k_at; wn_f base; };

/* out[i] = flag[i] != 0 ? v[i] : v[i]*factor. items = n_max, i < seg[segs]. */
struct wn_args_prefer { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u v_at; wn_u flag_at; wn_u out_at; wn_f factor; };

/* flag[i] = yes != below (0 or 1), yes = v[i] > limit, or equal = 1: v[i] >= limit; a NaN v is never above: yes = 0. W[stats_at] += number of NaN (atomic). items = n_max,
 * i < seg[segs]. */
struct wn_args_above { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u v_at; wn_u flag_at; wn_u equal; wn_u below; wn_u stats_at; wn_f limit; };

/* Rows as a path: u_t = A(t) * inv[t]; p = u_t - u_(t-1), q = u_(t+1) - u_t; curve[t] = 1 - dot32(p, q) * (f(dot32(p, p)) * f(dot32(q, q))), f as in row_norm with eps 1e-6; 1 at both ends.
 * items = n rows (LANES). */
struct wn_args_curvature { WN_HEAD; wn_u n; wn_u cols; wn_u inv_at; wn_u curve_at; };

/* c = dot32(A(list[i]), C(s)) * (inv[i] * centre_inv[s]), s the segment of i (list_at WN_NONE: i; no row: dot 0; an absent factor: 1); distance = 1: c = 1 - c. v[i] = c, add_at given:
 * v[i] = c + add[i]. items = n_max (LANES), i < seg[segs]. */
struct wn_args_centre_cos { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u inv_at; wn_u centre_inv_at; wn_u cols; wn_u distance; wn_u add_at; wn_u v_at; };

/* V-CAST's counts: k[s] tokens of the n of segment s, total[0] in all (it is at most all tokens). b = min(least, n); where the b add up to more than the total, all b = 0. k = b; with r = total - sum b > 0: g = w[s]
 * (below 0 or NaN: 0; where they add up to 0: 1), raw = (g * recip_(max(sum of g in dot32's order, 1e-6))) * float(r), k = b + min(floor(raw), n - b) (raw NaN: n - b; negative: b). What is left then goes, all that it has room
 * for, to the segment without full k of the largest raw - floor(raw) (the first of equals), then to the next. Where k add up to more than the total, segments with k > b lose one
 * each, by ascending g, the first of equals first, again and again. mark_at: scratch, segs words. items = 1. */
struct wn_args_allocate { WN_HEAD; wn_u segs; wn_u seg_at; wn_u w_at; wn_u total_at; wn_u least; wn_u mark_at; wn_u k_at; };

/* Windows of `window` frames among those with taken[t] != 0 (taken_at WN_NONE: all): number r of them, from 0, is in window r / window. begin[k] = first frame of window k,
 * begin[count[0]] = frames; ref[t] = begin of its window, -1 (none) for that first frame itself and for frames that are not taken. list_at: scratch, frames words. items = 1. */
struct wn_args_frame_windows { WN_HEAD; wn_u frames; wn_u window; wn_u taken_at; wn_u list_at; wn_u ref_at; wn_u begin_at; wn_u count_at; };

/* Regular set: token i is in frame i / tokens. Tokens of frames that are not taken (taken_at WN_NONE: all are) lose their flag. limit WN_NONE: no more. Else, where the tokens of the taken
 * frames are at most `limit`: they all get flag 1. Else, where R flags are more than the limit: every window of count[0] (begin[], frames, as in frame_windows) loses its last
 * ceil((R - limit) / count[0]) flags, and of all flags that are left only the first `limit` stay. items = 1. */
struct wn_args_cut_windows { WN_HEAD; wn_u frames; wn_u tokens; wn_u taken_at; wn_u begin_at; wn_u count_at; wn_u flag_at; wn_u limit; };

/* Regular set: token t*tokens + j is at place j of frame t. gone[i] != 0: it joins the last token before it at its place that is not gone (none: dropped), whose new row is map[]. map2[i] = that row, or its own (dropped:
 * WN_NONE). The members of row r but its own token as a list: head[r] = first or WN_NONE, next[i] = the following one or WN_NONE, ascending; sizes_new[r] = the sizes of the row's tokens, ascending (sizes_at WN_NONE:
 * 1 each). items = tokens. */
struct wn_args_run_members { WN_HEAD; wn_u frames; wn_u tokens; wn_u gone_at; wn_u map_at; wn_u map2_at; wn_u head_at; wn_u next_at; wn_u sizes_at; wn_u sizes_new_at; };

/* ---- PruneSID (stages/prunesid.c) ---------------------------------------------------------------
 * Segment s of n tokens has G = groups[s] components, at most `most`; matrices of components have a column each. A token's row is its position. */

/* B(i, c) = y_c - dot32(y, 1)*inv_cols, y_c = recip_(1 + exp_(x < -60 ? 60 : -x)), x = A(rows[i], c), NaN as 0; no row: zeros. B f32. items = n_max (LANES), i < seg[segs]. */
struct wn_args_sigmoid_rows { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u rows_at; wn_u cols; wn_f inv_cols; };

/* B(i, g) = sum of A(i, j) over j = g, g+G, g+2G, ... < n, ascending from 0. items = n_max*most. */
struct wn_args_fold_columns { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u groups_at; wn_u most; };

/* Columns g of B over the tokens of each segment, in place and one after the other: twice: parts[u] = dot32(B_u, B_g) for all u < g, then each B(i, g) loses parts[u]*B(i, u), u ascending, one
 * multiply and one subtract each; then l = dot32(B_g, B_g), B_g = B_g * (l > 1e-30 ? rsqrt_(l) : 0). parts: scratch floats at parts_at + s*most. count != 0: only columns from ..
 * from+count-1 (the ones before are done). width: tokens of a segment at most. items = segs (GROUPS). */
struct wn_args_orthonormal { WN_HEAD; wn_u segs; wn_u seg_at; wn_u groups_at; wn_u most; wn_u width; wn_u parts_at; wn_u from; wn_u count; };

/* B(i, g) = dotseq over j < n of A(i, j) and C(seg[s]+j, g). items = n_max*most. */
struct wn_args_segment_product { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u groups_at; wn_u most; };

/* B(s*most + u, g) = dot32 over the segment's tokens i of A(i, u) and C(i, g). width: tokens of a segment at most. items = segs*most*most (LANES). */
struct wn_args_segment_gram { WN_HEAD3; wn_u segs; wn_u seg_at; wn_u groups_at; wn_u most; wn_u width; };

/* Eigenvectors of the symmetric H(u, g) = B(s*most + u, g) as the columns of U(u, g) = B(s*most + u, most + g), by `sweeps` sweeps of rotations; first = 1: U starts as the unit matrix.
 * m = G rounded up to even. A sweep is m-1 rounds of m/2 pairs: pair k of round r is (m-1, r) for k = 0, else ((r+k) % (m-1), (r+m-1-k) % (m-1)); p < q; with q >= G: none. With a = H(p,p),
 * b = H(q,q), d = H(p,q) as the round begins, h = (b-a)*0.5: t = d * recip_(|h| + w*rsqrt_(w)), w = h*h + d*d, negated if h < 0; c = rsqrt_(1 + t*t), s = t*c; |d| not above 1e-15: c = 1, s = 0.
 * Rows first, then columns of H and of U: (x_p, x_q) become (c*x_p - s*x_q, s*x_p + c*x_q). order[s*most + r] = the column of the r-th largest H(g,g) (order of scores). turns: scratch of
 * 2*most floats a segment. items = segs (GROUPS). */
struct wn_args_jacobi { WN_HEAD; wn_u segs; wn_u groups_at; wn_u most; wn_u sweeps; wn_u first; wn_u turns_at; wn_u order_at; };

/* label[i] = the place r of largest |dotseq over u of A(i, u) and C(s*most + u, most + order[s*most + r])| (order of scores; the lower of equals). C: what jacobi leaves. items = n_max. */
struct wn_args_component { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u groups_at; wn_u most; wn_u order_at; wn_u label_at; };

/* v[i] = sum over u > i - seg[s] of A(i, u) in dot32's order over the whole row (0 in front, 0 for NaN). items = n_max (LANES), i < seg[segs]. */
struct wn_args_row_upper { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u v_at; };

/* keep[i] = 1 for tokens that, in descending order of scores (rank[]), no kept one of the same label resembles; else 0. upper given: tokens with score > 0 alone, and i resembles a kept one where
 * A(kept, i - seg[s]) > (want[s]*0.03125) * mean, mean = dot32(upper, 1) * recip_(n*(n-1)*0.5). upper WN_NONE: where A >= bound, and no more than want[s] are kept. label WN_NONE: all are of one.
 * Ranks from .. from + count - 1 (count 0: all from there on), after those before; from 0 is the first. made[s]: kept so far; list, out: scratch words. items = segs (GROUPS). */
struct wn_args_label_nms { WN_HEAD; wn_u segs; wn_u seg_at; wn_u score_at; wn_u rank_at; wn_u label_at; wn_u upper_at; wn_u want_at; wn_u keep_at; wn_u list_at; wn_u out_at; wn_u made_at; wn_u from; wn_u count; wn_f bound; };

/* quota[s*most + g], from all_g tokens of label g and left_g of them with keep, w = want[s]: least_g = min(1, all_g); most_g = min(5*ceil(w/64), all_g, left_g), and while their sum is under w
 * each that is under all_g grows by 1; others = max(w - 1 - sum of least, 0); quota_g = min(c_g - c_(g-1) + least_g, most_g), c_g = others * (left_0 + ... + left_g) / (sum of left), half to even
 * (nothing left: 0); then labels by descending left (ties: the lower) are filled to most_g until quotas add up to others + sum of least. room: scratch of 3*most words a segment. items = segs. */
struct wn_args_label_share { WN_HEAD; wn_u segs; wn_u seg_at; wn_u groups_at; wn_u most; wn_u label_at; wn_u keep_at; wn_u want_at; wn_u quota_at; wn_u room_at; };

/* flag[i] = 1 where fewer than quota[s*most + label[i]] tokens of its segment and label come before i: those with keep before those without, then by score (order of scores, ties to the lower
 * position); else 0. items = n_max. */
struct wn_args_label_pick { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u most; wn_u label_at; wn_u keep_at; wn_u score_at; wn_u quota_at; wn_u flag_at; };

/* ---- raters (stages/sparsevlm.c) ------------------------------------------------------------------ */

/* What each of `text_rows` rows of text has of a token: s_m = dot32(A(list[i]), C(m)), top = the largest (from -infinity, NaN left out), e_m = exp_(s_m - top);
 * B(i, m) = e_m * recip_(e_0 + e_1 + ...), added in that order, 0 where that is below 2^-126. A row that is none: every s_m is 0. B is f32. items = n_max (LANES), i < seg[segs]. */
struct wn_args_text_shares { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u cols; wn_u text_rows; };

/* Row m of text rates if rate[m] > (rate[0] + rate[1] + ...) * recip_(text_rows); if none does, all do. score[i] = scale * sum over the rating m, ascending from 0, of
 * sum over h = 0..heads-1, ascending from 0, of A(h*text_rows + m, index[i]). index[i] < 0: +infinity. items = n_max, i < seg[segs]. */
struct wn_args_rated_sum { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u rate_at; wn_u heads; wn_u text_rows; wn_u score_at; wn_f scale; };

/* ---- attention between tokens and text (stages/ficoco_l.c) ---------------------------------------- */

/* Means over heads of listed rows and columns: B(r, c) = (sum over h = 0..heads-1, ascending from 0, of A(h*step + p, q)) * scale, p = rows_at ? W[rows_at + r] : r, q = cols_at ? W[cols_at + c] : c; an
 * entry that is none gives 0. r < rows, c < cols; of bound bit 0 is set: r < seg[segs] too; bit 1: c < seg[segs] (the others are not written). alone = 1: B(i, i) = -infinity. turn = 1: B(c, r) is
 * what is written. A has `width` columns. B f32. items = rows*cols. */
struct wn_args_head_mean { WN_HEAD; wn_u rows; wn_u cols; wn_u segs; wn_u seg_at; wn_u bound; wn_u rows_at; wn_u cols_at; wn_u heads; wn_u step; wn_u width; wn_u alone; wn_u turn; wn_f scale; };

/* score[i] = the largest, over the rows m < text_rows, of (sum over h = 0..heads-1, ascending from 0, of A(h*text_rows + m, index[i])) * scale; NaN is left out, no number: NaN. index[i] < 0: +infinity.
 * items = n_max, i < seg[segs]. */
struct wn_args_text_peak { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u heads; wn_u text_rows; wn_u score_at; wn_f scale; };

/* flag[i] = 1 where it was not 0, where index[i] < 0, and where all[i] >= limit or peak[i] >= least; else 0. limit = share * the sum of all[i] over index[i] >= 0, NaN as 0, in dot32's order. If no
 * flag is set then: 1 for the largest all[i] (order of scores, ties to the lower position). All tokens are one segment. items = 1. */
struct wn_args_dual_filter { WN_HEAD; wn_u segs; wn_u seg_at; wn_u index_at; wn_u all_at; wn_u peak_at; wn_u flag_at; wn_f share; wn_f least; };

/* The group of token i is group[index[i]], f32 (-0 as 0; all NaN are one number; group_at WN_NONE: its frame, index[i] / tokens). flag[i] = 1 where fewer than table[c] tokens of its segment and group come before i by score (order of
 * scores, ties to the lower position), c: how many tokens of the segment the group has; index[i] < 0: 1. items = n_max, i < seg[segs]. */
struct wn_args_group_top { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u tokens; wn_u group_at; wn_u score_at; wn_u table_at; wn_u flag_at; };

/* ---- centred tokens (build_centred) ---------------------------------------------------------------- */

/* B(i, c) = A(list[i], c) - C(s, c), s the segment of i (list_at WN_NONE: i; no row: zeros). B f32. items = n_max * ceil(cols/2): two neighbouring columns; i < seg[segs]. */
struct wn_args_centre_rows { WN_HEAD3; wn_u n_max; wn_u segs; wn_u seg_at; wn_u list_at; wn_u cols; };

/* out[i] = x[i] * y[i]. items = n_max, i < seg[segs]. */
struct wn_args_value_product { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u x_at; wn_u y_at; wn_u out_at; };

/* ---- networks on the grid (stages/explain.c) ------------------------------------------------------- */

/* A convolution of kh x kw cells (odd) around each cell of `frames` grids of h x w, zeros around them; row t*h*w + y*w + x of A and B is cell (y, x) of grid t.
 * B(r, o) = act(v + bias), v = the sum over dy < kh, dx < kw, c < inner, each ascending, from 0, of A(cell (y + dy - kh/2, x + dx - kw/2), c) * C((dy*kw + dx)*inner + c, o); a cell that
 * is outside counts as zeros. depth = 1: each channel by itself (inner = cols): v = the sum over dy, dx of A(cell, o) * C(dy*kw + dx, o). bias: C word bias_at + o (WN_NONE: no add); relu = 1: a value below 0 is 0.
 * A, B f32. C finite. B is neither A nor C. A sequence of n is one grid of 1 x n. items = frames*h * ceil(w/4) * ceil(cols/4): four cells by four columns; the last factor runs fastest. */
struct wn_args_grid_conv { WN_HEAD3; wn_u frames; wn_u h; wn_u w; wn_u kh; wn_u kw; wn_u inner; wn_u cols; wn_u depth; wn_u bias_at; wn_u relu; };
/* ---- clusters of places and keys (stages/vitcop.c) ------------------------------------------------- */

/* density[e] = sum over the points u of e's segment, in dot32's order, of exp_(-A(e, u)); NaN counts as 0, and so does u = e where others = 1. Points as in the density peaks' operations. A row
 * without a number: NaN. items = n_max (LANES), e < seg[segs]. */
struct wn_args_kernel_density { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u others; wn_u density_at; };

/* Point e lies at p = index[pos[e]] % tokens of a grid of grid_w columns. It is near u where |columns apart| < reach[rows apart]. Denser points of its segment: density greater, or equal and u lower.
 * v = the smallest A(e, u) (a number; ties to the lower u) of the denser points near it: score[e] = sqrt_(v)*density[e], dest[pos[e]] = pos[u]. Without one:
 *   first = 1  score[e] = +infinity, dest[pos[e]] = pos of the segment's first point
 *   first = 0  v = the largest A(e, .): score[e] = sqrt_(v)*density[e], dest[pos[e]] = pos of the denser point u of the smallest A(e, u) anywhere; none: +infinity and WN_NONE.
 * density[e] NaN: score[e] is that. items = n_max (GROUPS), e < seg[segs]. */
struct wn_args_near_peaks { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u pos_at; wn_u index_at; wn_u tokens; wn_u grid_w; wn_u reach_at; wn_u density_at; wn_u score_at; wn_u dest_at; wn_u first; };

/* ---- quotas of clusters (stages/vitcop_llm.c) ------------------------------------------------------- */

/* Tokens with one number in group[index[i]] (as in group_top) are a cluster; index[i] < 0: a cluster by itself. lead[i] = the first token of i's cluster. i == lead[i]: size[i] = its tokens, sum[i] =
 * the sum of their v, ascending from 0, NaN as 0; other tokens: 0 and 0. All tokens are one segment. items = n_max, i < seg[segs]. */
struct wn_args_cluster_sums { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u group_at; wn_u v_at; wn_u lead_at; wn_u size_at; wn_u sum_at; };

/* K clusters (tokens with lead[i] == i) of N tokens are to become w = min(want[0], N) rows, at least 1.
 *   K > w   quota = 0; root[lead] = lead for the w - 1 of the smallest sum (order of scores, NaN last, ties to the lower); for all others the first of the others
 *   else    root[lead] = lead, quota[lead] = round_even_(whole_ratio(size - 1, N - K) * float(w - K)), size - 1 at most; then, with D = w - K - the sum of all quotas: D > 0: one more for
 *           the D clusters with quota < size - 1 of smallest sum; D < 0: one less for the -D with quota > 0 of largest sum (NaN last, ties to the lower).
 * whole_ratio(a, b): a/b rounded to the nearest float, a <= b < 2^24; 0 for b = 0. Only leads are written. quota is read and written in between. items = 1 (GROUPS). */
struct wn_args_cluster_quota { WN_HEAD; wn_u segs; wn_u seg_at; wn_u want_at; wn_u lead_at; wn_u size_at; wn_u sum_at; wn_u root_at; wn_u quota_at; };

/* alone[i] = 1 where fewer than quota[lead[i]] tokens of i's cluster come before i by v (the smallest first, NaN last, ties to the lower position); else 0. items = n_max, i < seg[segs]. */
struct wn_args_cluster_keep { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u lead_at; wn_u quota_at; wn_u v_at; wn_u alone_at; };

/* The m tokens that are not alone of one root[lead[i]] become one row, at the place of the one that is m/2-th (rounded down, from 0, ascending) of them. keep[i] = 1 for it and for the alone, else 0;
 * dest[i] = its position for the others, else WN_NONE; own[i] = 1 for it, else 0. items = n_max, i < seg[segs]. */
struct wn_args_cluster_middle { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u lead_at; wn_u root_at; wn_u alone_at; wn_u keep_at; wn_u dest_at; wn_u own_at; };

/* ---- focus and scan (stages/fsr.c) ------------------------------------------------------------------ */

/* How many tokens of segment s hold a share of all weight. p = v by descending rank[] (0 for NaN and below 0), K = min(want[s], n). Sums of 32 neighbours of p each, ascending from 0, and c(k) = the sum
 * of the whole ones before k, ascending from 0, plus those of its own up to k from 0. focus[s] = the least k >= 1 with c(k) >= share * c(n), n if none, but at most K; scan[s] = K - focus + 1 (K = 0:
 * 0); gather[s] = min(floor(float(K - focus) * many), n - K). weight[i] = v[i] where that is above 1e-30, else 1e-30 (NaN too). sorted, sums: scratch floats [n_max]. items = segs (GROUPS). */
struct wn_args_focus_count { WN_HEAD; wn_u segs; wn_u seg_at; wn_u v_at; wn_u rank_at; wn_u want_at; wn_u sorted_at; wn_u sums_at; wn_u focus_at; wn_u scan_at; wn_u gather_at; wn_u weight_at; wn_f share; wn_f many; };

/* The token u of i's segment with flag[u] != 0 and but[u] == 0 (but_at WN_NONE: any) of the largest A(i, u - seg[s]) that is a number, ties to the lower: arg[i] = u, v[i] = that, apart = 1:
 * 1 - that. None: arg[i] = WN_NONE, v[i] = -infinity, apart = 1: NaN. skip[i] != 0 (skip_at WN_NONE: nobody): as none. arg_at WN_NONE: not wanted. A: similarity matrix. items = n_max (GROUPS), i < seg[segs]. */
struct wn_args_best_flagged { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u flag_at; wn_u but_at; wn_u skip_at; wn_u apart; wn_u v_at; wn_u arg_at; };
/* ---- least squares on rows of text (stages/sieve.c) -------------------------------------------------- */

/* Ridge regression by eigenvalues e_g = A(g, g), g < n, order[r] the r-th largest, below 0 and NaN as 0: total = e_order[0] + e_order[1] + ..., in that order; penalty = tiny + e_order[k],
 * k the first with e_order[0] + ... + e_order[k] >= energy * total (none: the last); factor[g] = recip_(e_g + penalty). A f32. items = 1. */
struct wn_args_ridge_factors { WN_HEAD; wn_u n; wn_u order_at; wn_u factor_at; wn_f energy; wn_f tiny; };

/* B(u, w) = (sum over g < n, ascending from 0, of (A(u, n + g) * factor[g]) * A(w, n + g)) * scale: of eigenvectors as jacobi leaves them. A, B f32. items = n*n. */
struct wn_args_ridge_inverse { WN_HEAD; wn_u n; wn_u factor_at; wn_f scale; };

/* out[i] = sum over c < cols with flag[c] != 0, ascending from 0, of A(i, c); index[i] < 0: +infinity. items = n_max, i < seg[segs]. */
struct wn_args_flagged_sum { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u cols; wn_u flag_at; wn_u out_at; };

/* ---- quadtrees (stages/sttm.c) --------------------------------------------------------------------
 * Frames of h x w tokens; level 0 is the tokens, level l has ceil(h/2^l) x ceil(w/2^l) nodes. Along an axis node q of level l has the children 2q and 2q+1 of level l-1; where
 * that has an odd side: 2q-1 and 2q, node 0 has child 0 alone. A node's place is that of its first token, t*h*w + y*w + x. own[place] = level of the node that stays there. */

/* Node k = (t*oh + y)*ow + x of level `level` >= 1, p its place, is asked if top = 1 or own[p] == level. It stays if cos(C(k), A(list[c])) >= limit for all its children c, nodes of the
 * level below (list_at WN_NONE: c), NaN not; dots and factors as in frame_sim; missing = 1: of the four children that a node has where sides are even, for those that are not there, the first
 * node of its frame in the level below counts. Then own[p] = level and copy[k] = p; else own = level - 1 at each child's place. copy[k] = WN_NONE for all other nodes.
 * items = frames*oh*ow (LANES). */
struct wn_args_quad_split { WN_HEAD3; wn_u frames; wn_u h; wn_u w; wn_u level; wn_u cols; wn_u list_at; wn_u own_at; wn_u copy_at; wn_u top; wn_u missing; wn_f limit; };

/* Token i at its place: owner[i] = place of the one node over it that stays, at most of level `top`. node[i] = 1 if a node stays there, else 0; copy[i] = i if that is the token alone, as level 0,
 * else WN_NONE. Nodes: count[i] = number of their tokens (f32), sizes_out[i] = the sum of their sizes, rows first (sizes_at WN_NONE: count[i]); others: both 0. items = frames*h*w. */
struct wn_args_quad_owner { WN_HEAD; wn_u frames; wn_u h; wn_u w; wn_u top; wn_u own_at; wn_u owner_at; wn_u node_at; wn_u copy_at; wn_u count_at; wn_u sizes_at; wn_u sizes_out_at; };

/* Nodes of neighbouring frames one of which holds the other's tokens. Row i of A is the node at place i, `tokens` a frame. For a node i: o = owner[i + tokens] with own[o] > own[i]: ahead[i] = o;
 * o = owner[i - tokens] with own[o] >= own[i]: behind[i] = o; both if cos(i, o) >= limit (NaN not; dots and factors as in frame_sim), else and for other tokens WN_NONE. items = frames*tokens (LANES). */
struct wn_args_quad_links { WN_HEAD; wn_u frames; wn_u tokens; wn_u cols; wn_u node_at; wn_u own_at; wn_u owner_at; wn_u ahead_at; wn_u behind_at; wn_f limit; };

/* Labels of linked places, at first label[i] = i. A round: h[i] = the least of label[i] and of the labels that places linked with i have as the round begins (ahead[j] == i links j and i, too), then
 * label[i] = h[h[i]]; rounds end where label[label[i]] == label[i] for all i, at the latest after `rounds` of them in this operation. agree = 1: h of the larger of two linked places' labels is at most
 * the smaller one, too, and rounds end where linked places have one label. The least label of a group of linked places goes on by a link a round at least, so that a group takes fewer rounds than it has
 * places. first = 0: label[] and done[0] (1: rounds have ended) are what an operation before left. last = 1: root[i] = label[owner[i]], keep[i] = root[i] == i. h: scratch words at next_at. items = 1. */
struct wn_args_quad_union { WN_HEAD; wn_u n; wn_u owner_at; wn_u ahead_at; wn_u behind_at; wn_u label_at; wn_u next_at; wn_u done_at; wn_u rounds; wn_u agree; wn_u first; wn_u last; wn_u root_at; wn_u keep_at; };

/* The members of the rows r < seg_new[segs]: i < n with node[i] != 0, row[i] == r and i != from[r], ascending, as a list: head[r] = first or WN_NONE, next[i] = the following one or WN_NONE (so too for
 * others); sizes_new[r] = size[from[r]] + the members' sizes in that order. tail: scratch words, one a row. items = 1. */
struct wn_args_quad_members { WN_HEAD; wn_u n; wn_u segs; wn_u seg_new_at; wn_u node_at; wn_u row_at; wn_u from_at; wn_u head_at; wn_u next_at; wn_u tail_at; wn_u sizes_at; wn_u sizes_new_at; };

/* ---- shares of frames (stages/dytok.c) --------------------------------------------------------------- */

/* k[s] tokens of the frames s, by weight: most_s = min(limit, tokens of s), T = min(total[0], the sum of most_s), g = w[s] (below 0, infinite or NaN: 0; where they add up to 0: 1), raw = (g *
 * recip_(sum of g in dot32's order)) * float(T), k = floor(raw) (from T on: T; where these pass T together: 0). Of what is left to T one each goes to the frames of largest raw - k (order of scores, ties to the
 * lower); then k = min(k, most_s), and what is left to T goes, one each round after round, to the frames with k below most_s; those of largest g come first in the last round (ties to the lower).
 * front[s] = k*6/7 rounded down, back[s] = k - front[s]. mark: scratch floats [segs]. items = 1 (GROUPS). */
struct wn_args_frame_quota { WN_HEAD; wn_u segs; wn_u seg_at; wn_u w_at; wn_u total_at; wn_u limit; wn_u mark_at; wn_u k_at; wn_u front_at; wn_u back_at; };

/* ---- high frequencies of the grid (stages/clse.c) ---------------------------------------------------- */

/* How much of a token is high frequencies, on a regular set of frames of h x grid_w tokens, i = (t*h + y)*grid_w + x: v[i] = (the sum over c in dot32's order of |A(rows[i], c) - low(c)|) * scale,
 * low(c) = the sum over k < taps, ascending from 0, of weight[k - y] * B((t*h + k)*grid_w + x, c). weight_at: of weight[0]; there are h - 1 before it and behind it. taps: h, or 0 (low = 0, B is not
 * read). No row: zeros. B f32, only read. items = frames*h*grid_w (LANES). */
struct wn_args_spectral_score { WN_HEAD; wn_u frames; wn_u h; wn_u grid_w; wn_u cols; wn_u rows_at; wn_u taps; wn_u weight_at; wn_u v_at; wn_f scale; };

/* How much each token changed from x[i] to y[i], both 0 or above, i < n = seg[segs], all tokens together; those count whose x and y are numbers and finite, m of them. mean = S(x) * recip_(m);
 * d = (mean + x[i]) + 1e-6, e = min(|y[i] - x[i]| * recip_(d), 1), a difference below 2^-126 as 0; NaN where i does not count or d is not below 2^100. middle = S(e) * recip_(m), r_i = e - middle,
 * spread = sqrt_(S(r*r) * recip_(max(m - 1, 1))), u = (r_i * recip_(spread + 1e-6)) * sharp, f = recip_(1 + exp_(-u)), u at least -60. score[i] = f, with weight f * weight[i], 0 where that is smaller than
 * 2^-126 (weight_at WN_NONE: none; NaN stays). S: the sum in dot32's order, tokens that do not count as 0. items = 1. */
struct wn_args_spectral_change { WN_HEAD; wn_u segs; wn_u seg_at; wn_u x_at; wn_u y_at; wn_u weight_at; wn_u score_at; wn_f sharp; };

#endif
