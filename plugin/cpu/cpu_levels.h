/* cpu_levels.h: the operations once for each level of instructions. */
#ifndef WN_CPU_LEVELS_H
#define WN_CPU_LEVELS_H

#include "../device_features.h"
#include "cpu_ops.h"

/* WN_FEATURE_AVX2 and _AVX512 as bits: the levels that were compiled and that this processor has. */
uint32_t wn_cpu_levels(void);

/* The operations of the best level among `features`. */
const wn_cpu_op_fn *wn_cpu_level_ops(uint32_t features);

#endif
