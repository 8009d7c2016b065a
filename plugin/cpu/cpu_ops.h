/* cpu_ops.h: the operations in plain C, one cpu_NAME a row of ops.def, and their table. */
#ifndef WN_CPU_OPS_H
#define WN_CPU_OPS_H

#include "cpu_memory.h"
#include "cpu_tile.h"

#define OP(name, grouping)                                                   \
    void cpu_##name(const struct wn_args_##name *pc, const wn_cpu_memory *m) \
        WN_CPU_NAME(cpu_##name);
#include "../../shaders/ops.def"
#undef OP

typedef void (*wn_cpu_op_fn)(const uint32_t *args, const wn_cpu_memory *m);
extern const wn_cpu_op_fn wn_cpu_ops[WN_OP_COUNT] WN_CPU_NAME(wn_cpu_ops);

/* Targets or columns that dotseq does side by side: the order within a pair is what is fixed. */
enum { WN_CPU_DOT_BLOCK = WN_CPU_TILE_COLUMNS };
/* A similarity matrix is made of patches of so many sources and columns, so many elements of their rows at a time: the
 * columns' elements fill half of a first-level cache, the rest some half of a second-level one. */
enum { WN_CPU_STRIP = 256, WN_CPU_SIM_PANEL = 256, WN_CPU_SIM_DEPTH = 128 };
enum { WN_CPU_POINT_STRIP = 64 }; /* points whose distances to a block are made at a time */
enum { WN_CPU_ATTEND_CHUNK = 128 }; /* tokens whose rows attend_values has side by side */
enum { WN_CPU_PANEL = 64 }; /* columns that matmul does side by side */
enum {
    WN_CPU_KEY_BLOCK = 8
}; /* keys between two looks at attention's maximum: as ops_args.h says */

/* Multiplications and moves, roughly, of an operation whose parts may run at the same time; 0: it has one part. */
uint64_t wn_cpu_work(const wn_op *op) WN_CPU_NAME(wn_cpu_work);

/* Bytes of scratch that one operation wants. */
uint64_t wn_cpu_scratch_bytes(const wn_op *op) WN_CPU_NAME(wn_cpu_scratch_bytes);

#endif
