#include "cpu_levels.h"

#ifdef WN_CPU_X86
extern const wn_cpu_op_fn wn_cpu_ops_avx512[WN_OP_COUNT], wn_cpu_ops_avx2[WN_OP_COUNT];

uint32_t wn_cpu_levels(void)
{
    const bool avx2 = __builtin_cpu_supports("avx2");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return (uint32_t)avx2 << WN_FEATURE_AVX2 | (uint32_t)avx512 << WN_FEATURE_AVX512;
}

const wn_cpu_op_fn *wn_cpu_level_ops(uint32_t features)
{
    if (features >> WN_FEATURE_AVX512 & 1u)
        return wn_cpu_ops_avx512;
    return features >> WN_FEATURE_AVX2 & 1u ? wn_cpu_ops_avx2 : wn_cpu_ops;
}
#else
uint32_t wn_cpu_levels(void)
{
    return 0;
}

const wn_cpu_op_fn *wn_cpu_level_ops(uint32_t features)
{
    (void)features;
    return wn_cpu_ops;
}
#endif
