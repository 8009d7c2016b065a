/* PruneVid inside the language model: Huang et al., "PruneVid: Visual Token Pruning for Efficient Video Large Language Models",
 * Findings of ACL 2025, arXiv:2412.16117. Formulas from the paper, checked against Visual-AI/PruneVid
 * models/pllava/elastic_cache.py VTPWindowCache.process_attention, whose code (CC BY-NC-SA) nothing here is taken from. Its second
 * part, one layer's step (the authors: layer 10, keep=40%, queries and keys without their positions); the first is prunevid.
 * Score: the most that any row of the question attends to a token in any head. Of each group of n tokens the int(n*keep) of the
 * highest scores stay. Groups are a segment's static tokens, and the others of each frame: the numbers in `groups`, or each
 * frame where that is absent. They follow from the assignment of prunevid's plan: a row that tokens of several frames went to is
 * static, and belongs to the first of them as a group beside that frame's own.
 * Differs: a count instead of a share is for each group.
 * NaN: attention that is NaN is left out; a token with nothing else ranks last. */
#include "build.h"
#include <math.h>

enum { KEEP };

/* What a group of n keeps: a small one none, as in the authors' code. */
static uint32_t kept_of(uint32_t n, const wn_value *keep)
{
    const double k = keep->percent ? trunc(n * keep->share) : keep->number;
    return k < n ? (uint32_t)k : n;
}

static wn_arr find_groups(wn_build *b)
{
    if (!build_has(b, WINNOW_ROLE_GROUPS))
        return WN_NO_ARR;
    const wn_mat groups = build_role(b, WINNOW_ROLE_GROUPS);
    return build_numbers(b, &groups);
}

static wn_arr count_table(wn_build *b, const wn_value *keep)
{
    const wn_arr table = build_const(b, NULL, b->set.n_max + 1);
    uint32_t *data = build_const_data(b, table);
    for (uint32_t n = 0; data && n <= b->set.n_max; ++n)
        data[n] = kept_of(n, keep);
    return table;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    build_join(b);
    const uint32_t n = b->set.n_max,
                   most = v[KEEP].percent ? kept_of(n, &v[KEEP]) : n; /* of all groups together */
    const wn_arr score = build_text_peak(b, false), flags = build_array(b, n);
    const struct wn_args_group_top args = {.n_max = n,
                                           .segs = 1,
                                           .seg_at = b->set.seg.at,
                                           .index_at = b->set.index.at,
                                           .tokens = b->in.shape.tokens,
                                           .group_at = find_groups(b).at,
                                           .score_at = score.at,
                                           .table_at = count_table(b, &v[KEEP]).at,
                                           .flag_at = flags.at};
    build_loops_fit(b, WN_OP_group_top, n);
    BUILD_OP(b, group_top, n, NULL, NULL, args, WRITES_W);
    const uint32_t bound = b->set.specials ? n : most;
    build_prune(b, flags, (wn_bounds){.n_max = bound, .width = bound}, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "40%", "1..1e9", "tokens of each group to keep, or their share"},
};

const wn_stage wn_stage_prunevid_llm = {
    .name = "prunevid-llm",
    .family = "attention",
    .summary =
        "in the language model: keeps what some word of the question attends to, group by group",
    .help =
        "Scores each token by the most that any row of text attends to it in any head, and keeps the best share of every group: the "
        "static tokens of a segment, and the others of each frame. `groups` says which those are; the assignment of the plan that ran "
        "prunevid tells (a row that tokens of several frames went to is static). Without it each frame is a group. Needs "
        "text_attention, which the LLM's host gives.",
    .source =
        "Huang et al., Findings of ACL 2025, arXiv:2412.16117; official Visual-AI/PruneVid models/pllava/elastic_cache.py",
    .paper = "arXiv 2412.16117",
    .agrees = "paper, official code",
    .gives = "chosen tokens",
    .cost = "the attention is read once, then n*n comparisons",
    .options = options,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_GROUPS,
    .build = build,
};
