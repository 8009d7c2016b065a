/* specialize.h: a shader's words with its specialization constants as plain constants. */
#ifndef WN_GPU_SPECIALIZE_H
#define WN_GPU_SPECIALIZE_H

#include "gpu/spirv.h"

/* What VkSpecializationInfo would say, said in the words: constant id i has values[i], and what is computed from such
 * constants is folded. SwiftShader compiles both sides of every branch on a specialization constant, and runs them
 * lane by lane: 5 times slower. *out: the host's memory, the caller's to free; NULL on failure. */
winnow_status wn_specialize(const wn_host *host, const wn_spirv *code, const uint32_t *values,
                            uint32_t count, uint32_t **out, size_t *out_bytes);

#endif
