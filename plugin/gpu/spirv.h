/* spirv.h: the compiled shaders, one row an operation, in the order of shaders/ops.def. */
#ifndef WN_GPU_SPIRV_H
#define WN_GPU_SPIRV_H

#include "ops.h"

enum { WN_SPIRV_PLAIN = 0, WN_SPIRV_STORAGE16 = 1, WN_SPIRV_SUBGROUP = 2 }; /* bits of the variant's number */

typedef struct wn_spirv {
    const uint32_t *words;
    size_t bytes;
} wn_spirv;

extern const wn_spirv wn_spirv_table[WN_OP_COUNT][4];

#endif
