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

uint64_t wn_cpu_scratch_bytes(const wn_op *op)
{
    const uint64_t word = sizeof(uint32_t), block = 1 + WN_CPU_DOT_BLOCK;
    switch (op->kind) {
    case WN_OP_row_norm: return word * ARG(op, row_norm, cols);
    case WN_OP_frame_sim: return word * 2 * ARG(op, frame_sim, cols);
    case WN_OP_relevance:
        return word * (2 * ARG(op, relevance, cols) + ARG(op, relevance, text_rows));
    case WN_OP_rank: return word * 2 * ARG(op, rank, n_max);
    case WN_OP_match: return word * block * ARG(op, match, cols);
    case WN_OP_sim_matrix: return word * block * ARG(op, sim_matrix, cols);
    case WN_OP_merge: return word * 2 * ARG(op, merge, cols);
    case WN_OP_pool_rest: return word * 2 * ARG(op, pool_rest, cols);
    case WN_OP_space_to_channel: return word * ARG(op, space_to_channel, cols);
    case WN_OP_pool: return word * 2 * ARG(op, pool, cols);
    case WN_OP_copy_rows: return word * ARG(op, copy_rows, cols);
    case WN_OP_emit_rows: return word * ARG(op, emit_rows, cols);
    case WN_OP_kv_select: return word * 2 * ARG(op, kv_select, count);
    case WN_OP_patch_dct: return word * 3 * ARG(op, patch_dct, patch) * ARG(op, patch_dct, patch);
    default: return 0;
    }
}
