/* spirv.h: the compiled shaders, one row an operation, in the order of shaders/ops.def. */
#ifndef WN_GPU_SPIRV_H
#define WN_GPU_SPIRV_H

#include "ops.h"

/* Bits of a variant's number. Windows and 16-bit storage do not come together: no words are there. */
enum {
    WN_SPIRV_PLAIN = 0,
    WN_SPIRV_STORAGE16 = 1,
    WN_SPIRV_SUBGROUP = 2,
    WN_SPIRV_WINDOWS = 4,
    WN_SPIRV_COOPERATIVE = 8, /* alone, and of matmul only; no words if glslc was too old */
    WN_SPIRV_VARIANTS = 9
};

typedef struct wn_spirv {
    const uint32_t *words;
    size_t bytes;
} wn_spirv;

extern const wn_spirv wn_spirv_table[WN_OP_COUNT][WN_SPIRV_VARIANTS];

#endif
