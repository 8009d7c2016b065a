#include "cpu_ops.h"

/* The arguments travel as words; a copy gives them their types back. */
#define OP(name, grouping)                                               \
    static void run_##name(const uint32_t *args, const wn_cpu_memory *m) \
    {                                                                    \
        struct wn_args_##name pc;                                        \
        memcpy(&pc, args, sizeof pc);                                    \
        cpu_##name(&pc, m);                                              \
    }
#include "../../shaders/ops.def"
#undef OP

#define OP(name, grouping) run_##name,
const wn_cpu_op_fn wn_cpu_ops[WN_OP_COUNT] = {
#include "../../shaders/ops.def"
};
#undef OP

/* Argument `field` of an operation of kind `name`. */
#define ARG(op, name, field) \
    ((uint64_t)(op)->args[offsetof(struct wn_args_##name, field) / sizeof(uint32_t)])

/* attention.c's scratch for segments of `width` tokens: see its `segment`. */
static uint64_t attention_words(uint64_t width, uint64_t head_dim, uint64_t sides)
{
    const uint64_t padded = width + WN_CPU_TILE_COLUMNS;
    return padded * (1 + sides * head_dim) + 2 * head_dim;
}

/* Panels of the weights, or each channel's kernel and sums. */
static uint64_t convolution_words(const wn_op *op)
{
    const uint64_t taps = ARG(op, grid_conv, kh) * ARG(op, grid_conv, kw);
    return ARG(op, grid_conv, depth)
               ? (taps + 1) * ARG(op, grid_conv, cols)
               : (taps * WN_CPU_TILE_COLUMNS + 1) * ARG(op, grid_conv, inner);
}

uint64_t wn_cpu_scratch_bytes(const wn_op *op)
{
    const uint64_t word = sizeof(uint32_t);
    switch (op->kind) {
    case WN_OP_row_norm: return word * ARG(op, row_norm, cols);
    case WN_OP_row_abs: return word * ARG(op, row_abs, cols);
    case WN_OP_greedy_coverage:
    case WN_OP_greedy_balance: return word * 3 * op->args[WN_ARG_A_STRIDE];
    case WN_OP_orthonormal: return word * 2 * ARG(op, orthonormal, width);
    case WN_OP_segment_gram: return word * 2 * ARG(op, segment_gram, width);
    case WN_OP_jacobi: return 4 * word * (ARG(op, jacobi, most) + 1);
    case WN_OP_component: return word * ARG(op, component, most);
    case WN_OP_row_upper: return word * op->args[WN_ARG_A_STRIDE];
    case WN_OP_row_softmax: return word * 2 * op->args[WN_ARG_B_STRIDE];
    case WN_OP_row_spread: return word * op->args[WN_ARG_A_STRIDE];
    case WN_OP_attend_values:
        return word * (WN_CPU_ATTEND_CHUNK * (WN_CPU_TILE_COLUMNS + WN_CPU_MOST_TILE) +
                       WN_CPU_TILE_COLUMNS * (ARG(op, attend_values, rows) + WN_CPU_MOST_TILE));
    case WN_OP_row_affine: return word * ARG(op, row_affine, cols);
    case WN_OP_grid_conv: return word * convolution_words(op);
    case WN_OP_cross_sim:
        return word * (WN_CPU_MOST_TILE + WN_CPU_DOT_BLOCK) * ARG(op, cross_sim, cols);
    case WN_OP_frame_sim: return word * 2 * ARG(op, frame_sim, cols);
    case WN_OP_shift_sim: return word * 2 * ARG(op, shift_sim, cols);
    case WN_OP_row_length: return word * ARG(op, row_length, cols);
    case WN_OP_column_sum: return word * 2 * ARG(op, column_sum, cols);
    case WN_OP_centre_gauss: return word * 2 * ARG(op, centre_gauss, cols);
    case WN_OP_curvature: return word * 3 * ARG(op, curvature, cols);
    case WN_OP_centre_rows: return word * 2 * ARG(op, centre_rows, cols);
    case WN_OP_centre_cos: return word * 2 * ARG(op, centre_cos, cols);
    case WN_OP_quad_split: return word * 2 * ARG(op, quad_split, cols);
    case WN_OP_quad_links: return word * 2 * ARG(op, quad_links, cols);
    case WN_OP_relevance:
        return word * ((1 + ARG(op, relevance, text_rows)) * ARG(op, relevance, cols) +
                       ARG(op, relevance, text_rows));
    case WN_OP_text_shares:
        return word * (1 + ARG(op, text_shares, text_rows)) * ARG(op, text_shares, cols);
    case WN_OP_head_mean: return word * 2 * ARG(op, head_mean, width);
    case WN_OP_rank: return word * 2 * ARG(op, rank, n_max);
    case WN_OP_match: return word * (WN_CPU_MOST_TILE + WN_CPU_DOT_BLOCK) * ARG(op, match, cols);
    case WN_OP_alike_count:
        return word * (WN_CPU_MOST_TILE + WN_CPU_DOT_BLOCK) * ARG(op, alike_count, cols);
    case WN_OP_sim_matrix:
        return word * (WN_CPU_STRIP * WN_CPU_SIM_PANEL +
                       (WN_CPU_STRIP + WN_CPU_DOT_BLOCK) * WN_CPU_SIM_DEPTH);
    case WN_OP_segment_mean: return word * 2 * ARG(op, segment_mean, cols);
    case WN_OP_segment_dot: return word * 2 * ARG(op, segment_dot, cols);
    case WN_OP_place_sim: return word * 2 * ARG(op, place_sim, cols);
    case WN_OP_scale_likeness: return word * 2 * ARG(op, scale_likeness, cols);
    case WN_OP_spectral_score: return word * 2 * ARG(op, spectral_score, cols);
    case WN_OP_distances:
        return word * (WN_CPU_POINT_STRIP + WN_CPU_DOT_BLOCK) * ARG(op, distances, cols);
    case WN_OP_merge: return word * 2 * ARG(op, merge, cols);
    case WN_OP_pool_rest: return word * 2 * ARG(op, pool_rest, cols);
    case WN_OP_space_to_channel: return word * ARG(op, space_to_channel, cols);
    case WN_OP_pool: return word * 2 * ARG(op, pool, cols);
    case WN_OP_copy_rows: return word * ARG(op, copy_rows, cols);
    case WN_OP_emit_rows: return word * ARG(op, emit_rows, cols);
    case WN_OP_kv_select: return word * 2 * ARG(op, kv_select, count);
    case WN_OP_patch_dct: return word * 3 * ARG(op, patch_dct, patch) * ARG(op, patch_dct, patch);
    case WN_OP_unpack: return word * ARG(op, unpack, cols);
    case WN_OP_patchify:
        return word * 3 * ARG(op, patchify, times) * ARG(op, patchify, patch) *
               ARG(op, patchify, patch);
    case WN_OP_norm: return word * ARG(op, norm, cols);
    case WN_OP_matmul: return word * (WN_CPU_PANEL + 8) * ARG(op, matmul, inner);
    case WN_OP_gather: return word * ARG(op, gather, cols);
    case WN_OP_attention:
        return word * attention_words(ARG(op, attention, width), ARG(op, attention, head_dim), 2);
    case WN_OP_attention_row:
        return word *
               attention_words(ARG(op, attention_row, n_max), ARG(op, attention_row, head_dim), 1);
    case WN_OP_attention_stats:
        return word * attention_words(ARG(op, attention_stats, width),
                                      ARG(op, attention_stats, head_dim), 1);
    case WN_OP_attention_received:
        return word * attention_words(ARG(op, attention_received, width),
                                      ARG(op, attention_received, head_dim), 2);
    case WN_OP_attention_logits:
        return word * attention_words(ARG(op, attention_logits, width),
                                      ARG(op, attention_logits, head_dim), 1);
    default: return 0;
    }
}

/* Operations that share themselves out (wn_cpu_share); all others run whole. */
uint64_t wn_cpu_work(const wn_op *op)
{
#define PRODUCT(name, x, y, z) return ARG(op, name, x) * ARG(op, name, y) * ARG(op, name, z)
#define ROWS(name, rows)       return ARG(op, name, rows) * ARG(op, name, cols)
    switch (op->kind) {
    case WN_OP_row_norm: ROWS(row_norm, n_max);
    case WN_OP_row_abs: ROWS(row_abs, n_max);
    case WN_OP_cross_sim:
        return ARG(op, cross_sim, segs) * ARG(op, cross_sim, rows) * ARG(op, cross_sim, width) *
               ARG(op, cross_sim, cols);
    case WN_OP_sigmoid_rows: return 16 * ARG(op, sigmoid_rows, n_max) * ARG(op, sigmoid_rows, cols);
    case WN_OP_segment_product: return op->items * op->args[WN_ARG_A_STRIDE];
    case WN_OP_component: return op->items * ARG(op, component, most) * ARG(op, component, most);
    case WN_OP_orthonormal:
    case WN_OP_jacobi:
    case WN_OP_label_nms: return UINT64_MAX;
    case WN_OP_row_softmax: return 8ull * op->items * op->args[WN_ARG_B_STRIDE];
    case WN_OP_attend_values:
        return ARG(op, attend_values, segs) * ARG(op, attend_values, rows) *
               ARG(op, attend_values, width) * ARG(op, attend_values, cols);
    case WN_OP_row_affine: ROWS(row_affine, n);
    case WN_OP_grid_conv: /* sixteen products an item for each of the kernel's rows */
        return 16 * op->items * ARG(op, grid_conv, kh) * ARG(op, grid_conv, kw) *
               (ARG(op, grid_conv, depth) ? 1 : ARG(op, grid_conv, inner));
    case WN_OP_row_spread: return 4 * ARG(op, row_spread, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_frame_sim: return 3 * ARG(op, frame_sim, n_max) * ARG(op, frame_sim, cols);
    case WN_OP_shift_sim:
        return op->items * (2 * ARG(op, shift_sim, radius) + 1) * ARG(op, shift_sim, cols);
    case WN_OP_motion_fit:
        return op->items * ARG(op, motion_fit, tokens) *
               (ARG(op, motion_fit, shifts) + ARG(op, motion_fit, turns));
    case WN_OP_relevance: PRODUCT(relevance, n_max, cols, text_rows);
    case WN_OP_row_length: ROWS(row_length, n_max);
    case WN_OP_column_sum: return UINT64_MAX; /* a part is a column's tokens or more */
    case WN_OP_centre_gauss: ROWS(centre_gauss, n_max);
    case WN_OP_centre_rows: ROWS(centre_rows, n_max);
    case WN_OP_centre_cos: ROWS(centre_cos, n_max);
    case WN_OP_quad_split: return 8ull * op->items * ARG(op, quad_split, cols);
    case WN_OP_quad_links: PRODUCT(quad_links, frames, tokens, cols);
    case WN_OP_text_shares: PRODUCT(text_shares, n_max, cols, text_rows);
    case WN_OP_rated_sum: PRODUCT(rated_sum, n_max, heads, text_rows);
    case WN_OP_head_mean: return op->items * ARG(op, head_mean, heads);
    case WN_OP_text_peak: PRODUCT(text_peak, n_max, heads, text_rows);
    case WN_OP_group_top: return 2 * ARG(op, group_top, n_max) * ARG(op, group_top, n_max);
    case WN_OP_match: return ARG(op, match, n_max) * ARG(op, match, cols) * WN_CPU_DOT_BLOCK;
    case WN_OP_alike_count: PRODUCT(alike_count, n_max, width, cols);
    case WN_OP_sim_matrix: PRODUCT(sim_matrix, n_max, width, cols);
    case WN_OP_segment_mean: return UINT64_MAX;
    case WN_OP_segment_dot: ROWS(segment_dot, n_max);
    case WN_OP_place_sim: PRODUCT(place_sim, frames, tokens, cols);
    case WN_OP_scale_likeness:
        return op->items * ARG(op, scale_likeness, levels) * ARG(op, scale_likeness, cols) *
               (1ull << 2 * ARG(op, scale_likeness, levels));
    case WN_OP_spectral_score:
        return op->items * (1 + ARG(op, spectral_score, taps)) * ARG(op, spectral_score, cols);
    case WN_OP_distances: PRODUCT(distances, n_max, width, cols);
    case WN_OP_density: return 2 * ARG(op, density, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_peaks: return ARG(op, peaks, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_kernel_density:
        return 16 * ARG(op, kernel_density, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_near_peaks: return 2 * ARG(op, near_peaks, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_cluster_sums: return 2 * ARG(op, cluster_sums, n_max) * ARG(op, cluster_sums, n_max);
    case WN_OP_cluster_keep: return 2 * ARG(op, cluster_keep, n_max) * ARG(op, cluster_keep, n_max);
    case WN_OP_cluster_middle:
        return 2 * ARG(op, cluster_middle, n_max) * ARG(op, cluster_middle, n_max);
    case WN_OP_focus_count: return UINT64_MAX; /* a part is a frame or more */
    case WN_OP_best_flagged: return ARG(op, best_flagged, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_nearest: return ARG(op, nearest, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_row_second: return ARG(op, row_second, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_neighbours: return ARG(op, neighbours, n_max) * op->args[WN_ARG_A_STRIDE];
    case WN_OP_greedy_maxmin:
    case WN_OP_greedy_dpp:
    case WN_OP_greedy_coverage:
    case WN_OP_greedy_balance:
    case WN_OP_pair_prune: return UINT64_MAX; /* a part is a frame or more */
    case WN_OP_merge: ROWS(merge, n_max);
    case WN_OP_pool_rest: return UINT64_MAX;
    case WN_OP_space_to_channel:
    case WN_OP_pool: return op->items;
    case WN_OP_copy_rows: ROWS(copy_rows, n);
    case WN_OP_emit_rows: ROWS(emit_rows, n_max);
    case WN_OP_patch_dct: return op->items * ARG(op, patch_dct, patch) * ARG(op, patch_dct, patch);
    case WN_OP_unpack: return 8 * ARG(op, unpack, rows) * ARG(op, unpack, cols);
    case WN_OP_resize:
        return 3 * ARG(op, resize, frames) * ARG(op, resize, out_w) * ARG(op, resize, out_h) *
               ARG(op, resize, taps);
    case WN_OP_patchify:
        return 3 * ARG(op, patchify, frames) * ARG(op, patchify, height) * ARG(op, patchify, width);
    case WN_OP_norm: return 8 * ARG(op, norm, n_max) * ARG(op, norm, cols);
    case WN_OP_matmul: PRODUCT(matmul, n_max, inner, cols);
    case WN_OP_rope: return op->items;
    case WN_OP_gather: ROWS(gather, n_max);
    case WN_OP_attention:
        return 2 * ARG(op, attention, n_max) * ARG(op, attention, width) *
               ARG(op, attention, heads) * ARG(op, attention, head_dim);
    case WN_OP_attention_row: PRODUCT(attention_row, n_max, heads, head_dim);
    case WN_OP_attention_stats:
        return ARG(op, attention_stats, n_max) * ARG(op, attention_stats, width) *
               ARG(op, attention_stats, heads) * ARG(op, attention_stats, head_dim);
    case WN_OP_attention_received:
        return ARG(op, attention_received, n_max) * ARG(op, attention_received, width) *
               ARG(op, attention_received, heads) * ARG(op, attention_received, head_dim);
    case WN_OP_attention_logits:
        return ARG(op, attention_logits, n_max) * ARG(op, attention_logits, width) *
               ARG(op, attention_logits, heads) * ARG(op, attention_logits, head_dim);
    default: return 0;
    }
#undef PRODUCT
#undef ROWS
}
