/* FrameFusion: Fu et al., "FrameFusion: Combining Similarity and Importance for Video Token Reduction on Large Vision Language
 * Models", ICCV 2025, arXiv:2501.01986. Official: thu-nics/FrameFusion framefusion/main.py; agrees with what it does at the LLM's input.
 * Merging: of a token and the one at its place a frame before the cosine; M, those of at least `threshold`. cost is the share of the
 * LLM's work that may be done, s = 1 - min(depth * cost / depth, 1) what has to go for it. |M| / all < s: M merges; else its
 * int(s * all) most similar. A run of M along the frames at one place and the token before it become their mean.
 * prune=attention: where |M| / all < s and so merging was not enough, the tokens with the most attention stay, round(n * (1 - s')) of the n
 * left, half to even, s' what has to go in the depth - 1 layers behind: importance is the mean of text_attention over heads and rows (official:
 * of a layer's attention over heads and all queries: give all of the prompt's rows for the same). A merged token has its first one's.
 * Differs: the authors merge once more in the layers behind, on what these made of the tokens, while a layer merges ratio_lower_bound or more;
 * here the input alone is seen, so pruning follows at once. A cost of less than one layer's is refused (there: an error at run time). A
 * zero vector has cosine 0 (there NaN: not merged). sizes, where given, weigh the mean. Ties merge the lower place.
 * NaN: a similarity that is NaN is not in M; an importance that is NaN comes last. Not for streams: a merged token may lie in an earlier push.
 * Counts are tables that the host makes in double. */
#include "build.h"
#include <math.h>

enum { COST, THRESHOLD, PRUNE, DEPTH };

/* What share has to go now, after layers that dropped `share` (official _compute_pruning_ratio). */
static double must_go(const wn_value *v, bool merged, double share)
{
    const double layers = v[DEPTH].number, left = merged ? 1 - share : 1;
    const double rest = layers * v[COST].number - (merged ? left : 0);
    const double all = (layers - (merged ? 1 : 0)) * left;
    return rest / all > 1 ? 0 : 1 - rest / all;
}

typedef struct counts {
    wn_arr merged, kept; /* one word each */
    uint32_t rows_most;
} counts;

/* For each possible |M|: how many merge, and how many of the rest stay. */
static counts make_counts(wn_build *b, const wn_value *v, const wn_list *alike)
{
    const uint32_t all = b->set.n_max, rows = all + 1;
    const bool prunes = v[PRUNE].choice == 1;
    const double now = must_go(v, false, 0);
    const wn_arr table = build_const(b, NULL, 2 * rows), out = build_array(b, 2);
    uint32_t *data = build_const_data(b, table);
    counts result = {{out.at, 1}, {out.at + 1, 1}, 0};
    for (uint32_t c = 0; c <= all; ++c) {
        const double share = (double)c / all;
        const bool few = share < now;
        const uint32_t merged = few ? c : (uint32_t)(now * all);
        uint32_t kept = all - merged;
        if (few && prunes)
            kept = (uint32_t)rint(kept * (1 - must_go(v, true, share)));
        if (data) {
            data[c] = merged;
            data[rows + c] = kept;
        }
        result.rows_most = kept > result.rows_most ? kept : result.rows_most;
    }
    const struct wn_args_count_map args = {.segs = 1,
                                           .seg_at = alike->seg.at,
                                           .span = b->set.segs,
                                           .table_at = table.at,
                                           .rows = rows,
                                           .parts = 2,
                                           .out_at = out.at};
    BUILD_OP(b, count_map, 2, NULL, NULL, args, WRITES_W);
    return result;
}

static void merge(wn_build *b, wn_arr gone)
{
    const wn_bounds after = {.n_max = b->set.n_max, .width = b->set.width};
    wn_merge m = build_merge_without(b, gone, after);
    build_merge_runs(b, &m, gone);
    build_merge_by(b, &m, WN_MERGE_WAVG, m.old.sizes);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_aligned(b) != WINNOW_OK)
        return b->status;
    if (b->in.streaming)
        return build_fail(
            b, WINNOW_E_UNSUPPORTED,
            "in a stream a token of an earlier push cannot be changed any more (use dtd or evs)");
    const wn_arr similarity = build_frame_before(b, 0, -2.0f);
    const wn_arr above = build_above(b, similarity, (float)v[THRESHOLD].number, true, false);
    const wn_list alike = build_list(b, above, false);
    const counts k = make_counts(b, v, &alike);
    merge(b, build_topk(b, similarity, k.merged, false, true));
    if (v[PRUNE].choice != 1)
        return b->status;
    const wn_mat attention = build_role(b, WINNOW_ROLE_TEXT_ATTENTION);
    const float mean = 1.0f / (float)(attention.rows ? attention.rows : 1);
    const wn_arr importance = build_head_sum(b, WINNOW_ROLE_TEXT_ATTENTION, mean);
    const wn_arr keep = build_topk(b, importance, k.kept, false, true);
    const wn_bounds after = {.n_max = k.rows_most,
                             .width = k.rows_most < b->set.width ? k.rows_most : b->set.width};
    build_prune(b, keep, after, WN_NO_ARR);
    return b->status;
}

static const char *check(const wn_value *v)
{
    if (v[COST].number * v[DEPTH].number < 1)
        return "cost= allows less than one layer of depth= (raise it: the first layer runs on all that is not merged)";
    return NULL;
}

static const winnow_option_info options[] = {
    {"cost", "number", "0.3", "0.001..1", "share of the LLM's work to spend on the tokens"},
    {"threshold", "number", "0.6", "-1..1", "cosine from which on a token may merge"},
    {"prune", "choice", "off", "off|attention",
     "where merging is not enough: attention keeps those of the most text_attention"},
    {"depth", "count", "28", "2..1000", "layers of the LLM that cost is shared among"},
};

const wn_stage wn_stage_framefusion = {
    .name = "framefusion",
    .family = "temporal",
    .summary = "merges tokens that stay as they were, then prunes the unattended to a cost",
    .help =
        "Merges runs of alike tokens at one place along the frames into their mean: those above a threshold, but no more than the cost asks "
        "for. Where that is not enough, prune=attention keeps what the prompt attends to most. Needs the tokens alone, on frames of one "
        "size; pruning needs text_attention. How many merge depends on the content.",
    .source =
        "Fu et al., ICCV 2025, arXiv:2501.01986; official thu-nics/FrameFusion framefusion/main.py",
    .paper = "arXiv 2501.01986",
    .agrees = "official code",
    .gives = "means through frames",
    .cost = "reads every token twice, writes the rows",
    .options = options,
    .option_count = 4,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES | 1u << WINNOW_ROLE_TEXT_ATTENTION,
    .check = check,
    .build = build,
};
