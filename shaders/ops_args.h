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

/* rel[i] = scale * sum over m = 0..text_rows-1 of cos(A(index[i]), B(m)), each cos with dot32 and f
 * as in frame_sim; index[i] < 0: 0. A: image_embeds, B: text (read only). items = n_max. */
struct wn_args_relevance { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u index_at; wn_u rel_at;
    wn_u cols; wn_u text_rows; wn_f scale; };

/* Per segment (global = 1: over all tokens at once, items = 1): lo = min, hi = max over v[i] that are not NaN;
 * hi - lo <= tiny: v = 1; else v = ((v - lo) + offset) * recip_(hi - lo). In place. items = segs. */
struct wn_args_scale_range { WN_HEAD; wn_u segs; wn_u seg_at; wn_u v_at; wn_u global; wn_f offset; wn_f tiny; };

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
 *                   (want 0: none); flag[pos1] = 1. pos2 is not written.
 *   WN_PICK_WINDOW  all tokens as one sequence of seg[segs]; windows of `want` tokens, whole ones only:
 *                   flag[i] = 1 at a window's first place, else 0 (for all i); dest[i] = first place of its window,
 *                   WN_NONE for the tail. pos1, pos2 are not written.
 * pos1 holds set positions (what pos[] holds). items = 1 (one workgroup does it all). */
#define WN_PICK_PARITY 0u
#define WN_PICK_STRIDE 1u
#define WN_PICK_WINDOW 2u
struct wn_args_pick { WN_HEAD; wn_u rule; wn_u want; wn_u segs; wn_u seg_at; wn_u pos_at; wn_u seg1_at;
    wn_u pos1_at; wn_u seg2_at; wn_u pos2_at; wn_u flag_at; wn_u dest_at; };

/* The set of the tokens with flag (flag != 0) != invert, in order. Each segment may get one row more
 * in front (first = 1: index -1) and one behind (last = 1: index -2); these have rows WN_NONE, size 1, from WN_NONE.
 * New: seg_out[segs+1], rows_out (fresh_rows: new position itself, also for the added rows), index_out, sizes_out (if sizes
 * and sizes_out are there: copied), from_out[new] = old position, map[old] = new position or WN_NONE
 * (all old i < seg[segs]). Any of rows_out, index_out, sizes_out, from_out, map may be WN_NONE.
 * items = 1: one workgroup scans it all. */
struct wn_args_compact { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u flag_at; wn_u invert; wn_u rows_at; wn_u index_at;
    wn_u sizes_at; wn_u seg_out_at; wn_u rows_out_at; wn_u index_out_at; wn_u sizes_out_at; wn_u from_at; wn_u map_at;
    wn_u first; wn_u last; wn_u fresh_rows; };

/* For each source e (e < src_seg[segs], in segment s): over the targets u of the same segment, the one of
 * highest cos = dotseq(x, y) * (inv[p] * inv[q]) with p = src_pos[e], q = dst_pos[u] (WN_NONE as src_pos_at: p = e),
 * x = A(list[p]), y = A(list[q]); a list entry WN_NONE/negative has dot 0. Ties and all-NaN: the lower u.
 * best[e] = that cos, arg[e] = q. No target: best = NaN bits 0x7fc00000, arg = WN_NONE. items = n_max sources
 * (a shader may take several sources an invocation). most != 0: only the targets at places from .. from+most-1 of each segment; from != 0: best and
 * arg already hold the best of the places before. (Some drivers stop a shader after 65535 loop iterations: long work is dealt in parts.) */
struct wn_args_match { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u dst_seg_at; wn_u dst_pos_at;
    wn_u list_at; wn_u inv_at; wn_u cols; wn_u best_at; wn_u arg_at; wn_u from; wn_u most; };

/* B(e, u) = cos of source e (as in match) with token u of its segment of the whole set (q = seg[s] + u).
 * Columns past the segment are not written. B is f32. width = most tokens a segment. items = number of 4x4 tiles =
 * ceil(n_max/4) * ceil(width/4): tile k covers sources 4*(k / ceil(width/4)).. and columns 4*(k % ceil(width/4)).. ;
 * the four sources of a tile may lie in different segments. */
struct wn_args_sim_matrix { WN_HEAD; wn_u n_max; wn_u width; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u seg_at;
    wn_u list_at; wn_u inv_at; wn_u cols; };

/* score[i] = second smallest of 1 - A(i, u) over u < n of the segment (n == 1: the only one); NaN distances count as +infinity;
 * a token whose own A(i, i) is NaN gets NaN. A: the similarity matrix. items = n_max. */
struct wn_args_row_second { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u score_at; };

/* Farthest-point selection of k[s] tokens a segment on the similarity matrix A. The first pick is the best of first[]
 * (from row_second); then the unpicked token with the largest md[j], md[j] = min over the picks p of 1 - A(p, j)
 * (NaN distances are ignored: md keeps its value; md starts at +infinity, at NaN for tokens whose first[] is NaN, which so come last).
 * flag[i] = 1 for picks, else 0; order[seg[s]+t] = position of pick t (order_at may be WN_NONE). md: scratch. items = segs.
 * picks != 0: only picks pick_from .. pick_from+picks-1 (of at most k[s]); pick_from != 0: md and flag hold what the picks before left. */
struct wn_args_greedy_maxmin { WN_HEAD; wn_u segs; wn_u seg_at; wn_u k_at; wn_u first_at; wn_u md_at; wn_u flag_at; wn_u order_at; wn_u pick_from; wn_u picks; };

/* Greedy MAP of a determinantal point process, k[s] picks a segment. S: similarity matrix A. Kernel of row p, column j:
 *   mode 0: K = (rel[p] * S(p,j)) * rel[j];  mode 1: K = one_minus_weight * S(p,j) + weight * ((rel[p]*S(p,j))*rel[j]).
 * d[j] = K(j,j). Pick t: p = unpicked token of largest d (order of scores); x = rsqrt_(max(d[p], 1e-12)) (mode 1: rsqrt_(max(d[p] + 1e-6, 1e-12)));
 * for each j of the segment: a = K(p,j); for u = 0..t-1: a = a - c_u[p]*c_u[j] (one multiply, one subtract); e = a * x; c_t[j] = e; d[j] = d[j] - e*e.
 * c_u[j] = B(s*k_max + u, j - seg[s]); B is f32, read and written.
 * flag, order, pick_from, picks as in greedy_maxmin (d, flag and B hold what the picks before left). items = segs. */
struct wn_args_greedy_dpp { WN_HEAD; wn_u segs; wn_u seg_at; wn_u k_at; wn_u k_max; wn_u rel_at; wn_u d_at; wn_u flag_at; wn_u order_at;
    wn_u pick_from; wn_u picks; wn_u mode; wn_f weight; wn_f one_minus_weight; };

/* VisPruner's duplicate removal. The tokens of segment s with flag 0, in descending score order (rank[] over the whole
 * segment gives it: flagged tokens are skipped), form list L. While |L| > want[s]: r = min(8, |L| - want); a = even places, b = odd places;
 * score of each a = max over b of A(a, b - seg[s]) (no b: NaN); drop the r best a (ties: the earlier place) ; L = the other a by descending score (ties: the
 * earlier place), then all b in order. r is clamped to |a|. At the end flag = 1 for the tokens of L. list1, list2: scratch of n words each at list_at,
 * list2_at (indexed from seg[s]); sc: scratch floats at sc_at. A: similarity matrix. items = segs.
 * rounds != 0: at most so many drops; more = 1: then L stays at list_at, its length at len[s], and no flag is written; resume = 1: L and len are what a part
 * before left. */
struct wn_args_pair_prune { WN_HEAD; wn_u segs; wn_u seg_at; wn_u rank_at; wn_u want_at; wn_u flag_at; wn_u list_at; wn_u list2_at; wn_u sc_at; wn_u len_at;
    wn_u resume; wn_u rounds; wn_u more; };

/* The `many` tokens u nearest by A(e, u) to source e (row e of A; p = src_pos[e]) in its segment, itself and tokens with index < 0 left out,
 * best first (order of scores): near[e*many + t] = position, WN_NONE past the end. items = n_max sources (e < src_seg[segs]). */
struct wn_args_neighbours { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u seg_at; wn_u index_at; wn_u many; wn_u near_at; };

/* Where merged tokens go. e < src_seg[segs], p = src_pos[e].
 *   rule 0: rank[e] < k[s] (s: segment of e): keep[p] = 0, dest[p] = arg[e]  (ToMe: the k most similar sources)
 *   rule 1: keep[p] == 0: dest[p] = arg[e]  (VisionZip: what is not kept)
 * items = n_max. rank_at, k_at unused in rule 1. */
struct wn_args_dest { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u rule; wn_u rank_at; wn_u k_at; wn_u arg_at; wn_u keep_at; wn_u dest_at; };

/* Regular set: dest[t*tokens + j] = ref[t] >= 0 ? ref[t]*tokens + j : WN_NONE. items = n_max. */
struct wn_args_frame_dest { WN_HEAD; wn_u n_max; wn_u tokens; wn_u ref_at; wn_u dest_at; };

/* map[i] for tokens that are not kept (map[i] == WN_NONE on entry): follow q = dest[q] from i until keep[q] != 0
 * (at most 64 steps; WN_NONE: dropped), then map2[i] = map[q], else WN_NONE; kept tokens: map2[i] = map[i].
 * dest_at WN_NONE: all others are dropped. pooled = 1: a dropped token of segment s goes to seg_new[s+1]-1, the row behind. items = n_max, i < seg[segs]. */
struct wn_args_resolve { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u keep_at; wn_u dest_at; wn_u map_at; wn_u map2_at; wn_u pooled; wn_u seg_new_at; };

/* Members of each new row r (r < seg_new[segs], segment s): old positions i in [seg[s], seg[min(s+span, segs)]) with map2[i] == r and
 * i != from[r], ascending, as a linked list: head[r] = first or WN_NONE, next[i] = the following one or WN_NONE.
 * sizes_new[r] = (from[r] is WN_NONE ? 1 : size[from[r]]) + the members' sizes, ascending (sizes_at WN_NONE: 1 each); sizes_new_at WN_NONE: not wanted.
 * items = n_max (new rows). */
struct wn_args_group { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_at; wn_u seg_new_at; wn_u span; wn_u map2_at; wn_u from_at; wn_u head_at; wn_u next_at;
    wn_u sizes_at; wn_u sizes_new_at; };

/* B(r, c) from the old set's rows x_i = A(list[i]). base = from[r]; members by head/next (near_at == WN_NONE), or near[r' * many ..] until WN_NONE
 * (near_at set), r' = r - (s+1)*first - s*last, s the segment of r: the r'-th kept row.
 *   WN_MERGE_WAVG      (w_b x_b + sum w_i x_i) * recip_(w_b + sum w_i), weights from weight_at (WN_NONE: 1); no member: x_b unchanged
 *   WN_MERGE_ADD_MEAN  x_b + (sum x_i) * recip_(count); no member: x_b
 *   WN_MERGE_ADD_SUM   x_b + sum w_i x_i
 * Sums start from the base (WAVG: w_b*x_b; ADD_SUM: x_b) or 0 (ADD_MEAN), members in list order, one multiply and one add each. base WN_NONE: the row is
 * left alone. B is f32, f16 or bf16. items = n_max * ceil(cols/2): an invocation does two neighbouring columns. */
#define WN_MERGE_WAVG 0u
#define WN_MERGE_ADD_MEAN 1u
#define WN_MERGE_ADD_SUM 2u
struct wn_args_merge { WN_HEAD; wn_u n_max; wn_u segs; wn_u seg_new_at; wn_u list_at; wn_u from_at; wn_u head_at; wn_u next_at; wn_u weight_at; wn_u rule; wn_u cols;
    wn_u near_at; wn_u many; wn_u first; wn_u last; };

/* Row seg_new[s+1]-1 of B (the pooled rest) = sum over i of the old segment with keep[i] == 0, ascending, of weight[i] * A(list[i]);
 * sizes_new[that row] = sum of their sizes (sizes_at WN_NONE: 1 each; sizes_new_at WN_NONE: not wanted). B f32. items = segs*cols. */
struct wn_args_pool_rest { WN_HEAD; wn_u segs; wn_u seg_at; wn_u seg_new_at; wn_u keep_at; wn_u list_at; wn_u weight_at; wn_u cols; wn_u sizes_at; wn_u sizes_new_at; };

/* ToMe's official row order after a pass. Sources e with rank q >= k[s]: order[seg_new[s] + q - k[s]] = map[src_pos[e]];
 * targets u (place j of the segment's targets): order[seg_new[s] + (sources of s - k[s]) + j] = map[dst_pos[u]]. k clamped to the sources.
 * items = n_max >= sources + targets: item < src_seg[segs] is source e, the following dst_seg[segs] are targets. */
struct wn_args_merge_order { WN_HEAD; wn_u n_max; wn_u segs; wn_u src_seg_at; wn_u src_pos_at; wn_u dst_seg_at; wn_u dst_pos_at; wn_u rank_at; wn_u k_at; wn_u map_at;
    wn_u seg_new_at; wn_u order_at; };

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
 * (mean pools use weights 1 and scale 1/count where it is the same for all; else 1). items = frames*oh*ow * ceil(cols/2). */
struct wn_args_pool { WN_HEAD; wn_u frames; wn_u h; wn_u w; wn_u oh; wn_u ow; wn_u cols; wn_u rows_at; wn_u ystart_at; wn_u ycount_at; wn_u yweight_at; wn_u ytaps;
    wn_u xstart_at; wn_u xcount_at; wn_u xweight_at; wn_u xtaps; wn_f scale; };

/* sizes_new[o] = sum of the old sizes in the window of output o (tables as in pool; weights are not used). items = frames*oh*ow. */
struct wn_args_window_sizes { WN_HEAD; wn_u frames; wn_u h; wn_u w; wn_u oh; wn_u ow; wn_u ystart_at; wn_u ycount_at; wn_u xstart_at; wn_u xcount_at; wn_u sizes_at; wn_u sizes_new_at; };

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

#endif
