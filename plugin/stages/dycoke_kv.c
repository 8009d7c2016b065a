/* DyCoke's dynamic KV cache, the decode-time half of DyCoke (see dycoke.c). Official: KD-TAO/DyCoke
 * llava/model/language_model/modeling_qwen2.py dycoke_pruning; similar=full agrees with it.
 * v = the last token's attention over the visual tokens at layer 3, mean over heads. Where its cosine with the step before
 * is under `similarity` (always at the first step), the active set becomes all text plus the int(L*(1-rate)) visual tokens
 * of most attention; otherwise similar=reuse (the paper) keeps the last selection and similar=full (the shipped code)
 * uses the whole cache for this step. Dropped entries stay in the cache and may return.
 * kv.c runs it, one operation (kv_select) a step. */
#include "build.h"

static const winnow_option_info options[] = {
    {"rate", "number", "0.7", "0..<1", "share of the visual tokens to leave out"},
    {"similarity", "number", "0.9", "-1..1",
     "select anew when the attention's cosine with the step before is under this"},
    {"similar", "choice", "reuse", "reuse|full",
     "at similar steps: keep the last selection (paper) or use the whole cache (shipped code)"},
};

const wn_stage wn_stage_dycoke_kv = {
    .name = "dycoke-kv",
    .family = "decode",
    .summary = "at each decode step chooses the visual tokens of the KV cache to attend to",
    .help =
        "Runs while the LLM answers: a call a step takes the last token's attention row at layer 3 and gives the keep mask of the KV cache.",
    .source =
        "Tao et al., CVPR 2025, arXiv:2411.15024; official KD-TAO/DyCoke modeling_qwen2.py dycoke_pruning",
    .paper = "arXiv 2411.15024",
    .agrees = "official code",
    .gives = "a mask of the KV cache",
    .cost = "reads the attention twice a step",
    .options = options,
    .option_count = 3,
    .roles_needed = 1u << WINNOW_ROLE_LLM_ATTENTION,
    .decode = true,
};
