/* build_greedy.c: selections that take one token at a time, in as many operations as the driver's loop limit asks for. */
#include "build.h"

/* A greedy selection's operation, its arguments with those that say where its picks begin and how many they are, and its
 * iterations: `first` and, for pick t, pick + t * growth. */
typedef struct greedy {
    uint32_t kind;
    void *args;
    size_t args_bytes;
    uint32_t *pick_from, *picks;
    uint64_t first, pick, growth;
} greedy;

#define GREEDY(name, from, many)                                                             \
    .kind = WN_OP_##name, .args = &args, .args_bytes = sizeof args, .pick_from = &args.from, \
    .picks = &args.many

/* In as many operations as the loop limit asks for. */
static void build_greedy(wn_build *b, const greedy *g, uint32_t most, const wn_mat *sim,
                         const wn_mat *bm, const wn_mat *c)
{
    do {
        uint64_t cost = g->first;
        for (*g->picks = 0; *g->pick_from + *g->picks < most; ++*g->picks) {
            const uint64_t pick = g->pick + g->growth * (*g->pick_from + *g->picks);
            if (*g->picks && cost + pick > b->loop_limit)
                break;
            cost += pick;
        }
        if (!build_loops_fit(b, g->kind, cost))
            return;
        build_op3(b, g->kind, g->args, g->args_bytes, b->set.segs, sim, bm, c, WRITES_W);
        *g->pick_from += *g->picks;
    } while (*g->pick_from < most && b->status == WINNOW_OK);
}

void build_greedy_maxmin(wn_build *b, struct wn_args_greedy_maxmin args, const wn_mat *sim,
                         uint32_t most)
{
    const uint64_t own = build_strides(b, b->set.width);
    const greedy g = {GREEDY(greedy_maxmin, pick_from, picks), .first = own,
                      .pick = own + WN_REDUCTION_LOOPS};
    build_greedy(b, &g, most, sim, NULL, NULL);
}

/* Ranks in place of picks. A token that stays looks at all of its set; one that does not is one step. */
void build_label_nms(wn_build *b, struct wn_args_label_nms args, const wn_mat *sim)
{
    const uint32_t width = b->set.width;
    const uint64_t step = build_strides(b, width) + 1;
    const greedy g = {GREEDY(label_nms, from, count),
                      .first = width / 32 + 2 * step + WN_REDUCTION_LOOPS, .pick = step};
    build_greedy(b, &g, width, sim, NULL, NULL);
}

/* Pick t goes through t rows of the factor for four tokens at once. */
void build_greedy_dpp(wn_build *b, struct wn_args_greedy_dpp args, const wn_mat *sim,
                      const wn_mat *factor, uint32_t most)
{
    const uint64_t own = build_strides(b, b->set.width), fours = own / 4 + 1;
    const greedy g = {GREEDY(greedy_dpp, pick_from, picks), .first = own,
                      .pick = 6 * fours + WN_REDUCTION_LOOPS, .growth = fours};
    build_greedy(b, &g, most, sim, factor, NULL);
}

/* For four tokens at once through the rows that the pick before covers better: all of them, where it comes to the worst. */
static uint64_t follow_cost(const wn_build *b, uint64_t rows)
{
    return (build_strides(b, b->set.width) / 4 + 1) * (rows / 4 + 6);
}

/* What greedy_coverage and greedy_balance keep from pick to pick. */
static void keep_gains(wn_build *b, uint32_t extra, uint32_t *gain_at, uint32_t *sum_at,
                       uint32_t *list_at)
{
    const uint64_t n = b->set.n_max;
    *gain_at = build_array(b, n).at;
    *sum_at = build_array(b, 2 * n).at;
    *list_at = build_array(b, 2 * (n + (extra + 1ull) * b->set.segs)).at;
}

void build_greedy_coverage(wn_build *b, struct wn_args_greedy_coverage args, const wn_mat *sim,
                           const wn_mat *text, uint32_t most)
{
    const uint64_t rows = (uint64_t)args.extra + b->set.width, own = build_strides(b, b->set.width);
    const uint64_t first = rows / b->group_size + own + 2;
    const greedy g = {GREEDY(greedy_coverage, pick_from, picks), .first = first,
                      .pick = follow_cost(b, rows) + first + WN_REDUCTION_LOOPS};
    keep_gains(b, args.extra, &args.gain_at, &args.sum_at, &args.list_at);
    build_greedy(b, &g, most, sim, NULL, text);
}

void build_greedy_balance(wn_build *b, struct wn_args_greedy_balance args, const wn_mat *sim,
                          uint32_t most)
{
    const uint64_t rows = b->set.width, own = build_strides(b, b->set.width);
    const greedy g = {GREEDY(greedy_balance, pick_from, picks),
                      .first = 3 * own + rows / 32 + 2 * WN_REDUCTION_LOOPS,
                      .pick = follow_cost(b, rows) + 4 * own + rows / 32 + 6 * WN_REDUCTION_LOOPS};
    keep_gains(b, 0, &args.gain_at, &args.sum_at, &args.list_at);
    build_greedy(b, &g, most, sim, NULL, NULL);
}

void build_pair_prune(wn_build *b, struct wn_args_pair_prune args, const wn_mat *sim, uint32_t most)
{
    const uint64_t width = b->set.width, half = (width + 1) / 2,
                   own = build_strides(b, (uint32_t)half);
    const uint64_t start =
        3 * build_strides(b, b->set.width) + build_strides(b, b->set.width) * WN_REDUCTION_LOOPS;
    const uint64_t round = 2 * own * (half / 8 + 10) + 4 * own + 1;
    if (!build_loops_fit(b, WN_OP_pair_prune, start + round))
        return;
    const uint64_t rounds = (b->loop_limit - start) / round;
    uint64_t left = most / 8 + 16; /* short lists drop fewer than eight a round */
    do {
        args.more = left > rounds;
        args.rounds = args.more ? (uint32_t)rounds : 0;
        BUILD_OP(b, pair_prune, b->set.segs, sim, NULL, args, WRITES_W);
        args.resume = 1;
        left -= args.more ? rounds : left;
    } while (left && b->status == WINNOW_OK);
}
