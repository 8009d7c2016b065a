/* ViTCoP inside the language model: Luo et al., "ViTCoP: Accelerating Large Vision-Language Models via Visual and Textual
 * Semantic Collaborative Pruning", AAAI 2026, arXiv:2601.17818. Official: chaser682/ViTCoP
 * language_model/vitcop_modeling_llama.py. Its second and third part, one layer's step each (the authors: before layers 2
 * and 22 of 32, counted from 0, by the keys of the layer before); the first is vitcop. A token's score is the length of its
 * key, the mean over heads: the shorter the better.
 * With groups, before layer 2: K clusters of N tokens become w = keep rows.
 *   K <= w  each cluster keeps round((size - 1)/(N - K) * (w - K)) of its best, size - 1 at most; what is missing to w then
 *           is taken one each from the clusters of smallest summed length, what is too much from those of largest. All
 *           others of a cluster are one row.
 *   K > w   the w - 1 clusters of smallest summed length are a row each, all other tokens one.
 *   A row of m tokens stands at the place of the m/2-th: mode=paper their mean; mode=official, as in the authors' code, the
 *   token there plus the mean, so that one by itself is doubled.
 * Without groups, before layer 22: the w of shortest key stay. The authors, where the layers are to see r of N tokens on
 * average and vitcop left v*N: w = round((32r/v - 2)/(20 + 10/5) * v*N), then a fifth of that.
 * Groups are numbers from the assignment of the plan that ran vitcop=rows=clusters.
 * Differs: clusters of one summed length rank by their first token (official: by their label).
 * NaN: a key that is NaN ranks last; in a sum it counts as 0. */
#include "build.h"

#include <math.h>

enum { KEEP, MODE };
enum { MODE_PAPER, MODE_OFFICIAL };

static uint32_t kept_of(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, rint);
}

static wn_arr key_lengths(wn_build *b)
{
    wn_rows keys = build_set_rows(b);
    keys.mat = build_role(b, WINNOW_ROLE_KEYS);
    keys.list = b->set.index;
    return build_lengths(b, &keys, WN_NO_ARR, false, 1e-12f);
}

/* What becomes of the tokens of every cluster. */
typedef struct quotas {
    wn_arr lead, size, root, quota; /* by tokens; the last three of a cluster's first one */
    wn_arr alone, keep, dest, own;
} quotas;

static void deal_out(wn_build *b, const quotas *q, wn_arr length, wn_arr want)
{
    const uint32_t n = b->set.n_max;
    const wn_mat groups = build_role(b, WINNOW_ROLE_GROUPS);
    const wn_arr sum = build_array(b, n);
    const struct wn_args_cluster_sums sums = {.n_max = n,
                                              .segs = 1,
                                              .seg_at = b->set.seg.at,
                                              .index_at = b->set.index.at,
                                              .group_at = build_numbers(b, &groups).at,
                                              .v_at = length.at,
                                              .lead_at = q->lead.at,
                                              .size_at = q->size.at,
                                              .sum_at = sum.at};
    const struct wn_args_cluster_quota quota = {.segs = 1,
                                                .seg_at = b->set.seg.at,
                                                .want_at = want.at,
                                                .lead_at = q->lead.at,
                                                .size_at = q->size.at,
                                                .sum_at = sum.at,
                                                .root_at = q->root.at,
                                                .quota_at = q->quota.at};
    const uint64_t each = n / b->group_size + 1ull; /* of the tokens, one invocation's */
    build_loops_fit(b, WN_OP_cluster_sums, n);
    build_loops_fit(b, WN_OP_cluster_quota, each * (n + 60ull) + 160);
    BUILD_OP(b, cluster_sums, n, NULL, NULL, sums, WRITES_W);
    BUILD_OP(b, cluster_quota, 1, NULL, NULL, quota, WRITES_W);
}

static void choose(wn_build *b, const quotas *q, wn_arr length)
{
    const uint32_t n = b->set.n_max;
    const struct wn_args_cluster_keep keep = {.n_max = n,
                                              .segs = 1,
                                              .seg_at = b->set.seg.at,
                                              .lead_at = q->lead.at,
                                              .quota_at = q->quota.at,
                                              .v_at = length.at,
                                              .alone_at = q->alone.at};
    const struct wn_args_cluster_middle middle = {.n_max = n,
                                                  .segs = 1,
                                                  .seg_at = b->set.seg.at,
                                                  .lead_at = q->lead.at,
                                                  .root_at = q->root.at,
                                                  .alone_at = q->alone.at,
                                                  .keep_at = q->keep.at,
                                                  .dest_at = q->dest.at,
                                                  .own_at = q->own.at};
    build_loops_fit(b, WN_OP_cluster_middle, 2ull * n);
    BUILD_OP(b, cluster_keep, n, NULL, NULL, keep, WRITES_W);
    BUILD_OP(b, cluster_middle, n, NULL, NULL, middle, WRITES_W);
}

static quotas arrays(wn_build *b)
{
    quotas q;
    wn_arr *const all[] = {&q.lead, &q.size, &q.root, &q.quota, &q.alone, &q.keep, &q.dest, &q.own};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        *all[i] = build_array(b, b->set.n_max);
    return q;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_outside(b) != WINNOW_OK)
        return b->status;
    build_join(b);
    const wn_arr length = key_lengths(b), want = build_count_of_all(b, kept_of, &v[KEEP]);
    const wn_bounds after = build_bounds(b, kept_of, 0, &v[KEEP]);
    if (!build_has(b, WINNOW_ROLE_GROUPS)) {
        build_prune(b, build_topk(b, length, want, true, true), after, WN_NO_ARR);
        return b->status;
    }
    const bool official = v[MODE].choice == MODE_OFFICIAL;
    const quotas q = arrays(b);
    deal_out(b, &q, length, want);
    choose(b, &q, length);
    wn_merge m = build_merge_begin(b, q.keep, after, 0, 0);
    if (official)
        build_merge_own(b, &m, q.keep, q.dest, q.own);
    else
        build_merge_members(b, &m, q.keep, q.dest, 1, true);
    build_merge_by(b, &m, official ? WN_MERGE_ADD_MEAN : WN_MERGE_WAVG, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9",
     "tokens to leave of all frames together; a share is rounded half to even"},
    {"mode", "choice", "paper", "paper|official",
     "rows of several tokens are their mean, or that and the middle one, as in the authors' code"},
};

const wn_stage wn_stage_vitcop_llm = {
    .name = "vitcop-llm",
    .family = "similarity",
    .summary =
        "in the language model: keeps the tokens of shortest keys in each cluster, and merges the rest of it",
    .help =
        "Keeps tokens whose keys in the language model are short, of each cluster a share by its size, and makes one row of what is left of "
        "a cluster. groups says which tokens are of one cluster: the assignment of the plan that ran vitcop=rows=clusters. Without "
        "groups those of shortest keys stay. The authors do the first before layer 2 and the second before layer 22: the host calls each step with "
        "the keys of the layer before, the mean over heads. Attention is not needed.",
    .source = "Luo et al., AAAI 2026, arXiv:2601.17818; official chaser682/ViTCoP "
              "language_model/vitcop_modeling_llama.py",
    .paper = "arXiv 2601.17818",
    .agrees = "paper; mode=official: official code",
    .gives = "chosen tokens and means; chosen tokens without groups",
    .cost = "keys are read once; with groups some n*n comparisons",
    .options = options,
    .option_count = 2,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS,
    .roles_optional = 1u << WINNOW_ROLE_GROUPS | 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
