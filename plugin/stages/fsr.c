/* FSR: Tong et al., "Focus-Scan-Refine: From Human Visual Perception to Efficient Visual Token Pruning", 2026,
 * arXiv:2602.05809. No official code (ILOT-code/FSR has none yet); what the paper says, read so, K = keep of each frame:
 *   focus   s = class attention, mean over heads; r = cos of a token's embedding with the text's (the mean over several
 *           rows); both to 0..1 in the frame; phi = r^alpha * s^beta. The fewest tokens of largest phi that hold `mass` of
 *           its sum stay, at most K.
 *   scan    the rest of K: again and again the token farthest from those that stay already, by 1 - cos of the tokens.
 *   refine  each token that does not stay is nearest (cos) to one of the scan's; of these the int(gather * |scan|) nearest
 *           go into it: mean weighted by phi. Tokens of the focus are left as they are, all others go.
 * Without text r is left out, as the authors do for models without a text encoder.
 * Ours: a frame whose scores are all the same has 1 for all; weights are 1e-30 at least, so that tokens without weight
 * share evenly; a focus that K cuts leaves no scan. Sums of phi are of 32 neighbours in its order, then of those.
 * NaN: a score that is NaN is no weight and ranks last; so does a NaN token for the scan. */
#include "build.h"

#include <math.h>

enum { KEEP, ALPHA, BETA, MASS, GATHER };

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

/* phi, by positions. */
static wn_arr priorities(wn_build *b, const wn_value *v)
{
    const wn_set *set = &b->set;
    const uint32_t heads = b->in.shape.heads;
    const wn_arr salience =
        build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f / (float)(heads ? heads : 1));
    build_scale_range(b, salience, set->seg, set->segs, false, 0.0f, 0.0f);
    build_power(b, salience, v[BETA].number);
    if (!build_has(b, WINNOW_ROLE_TEXT) && !build_has(b, WINNOW_ROLE_IMAGE_EMBEDS))
        return salience;
    const uint32_t rows = b->in.shape.text_rows;
    const wn_arr relevance = build_relevance(b, 1.0f / (float)(rows ? rows : 1));
    build_scale_range(b, relevance, set->seg, set->segs, false, 0.0f, 0.0f);
    build_power(b, relevance, v[ALPHA].number);
    const struct wn_args_value_product args = {.n_max = set->n_max,
                                               .segs = set->segs,
                                               .seg_at = set->seg.at,
                                               .x_at = relevance.at,
                                               .y_at = salience.at,
                                               .out_at = salience.at};
    BUILD_OP(b, value_product, args.n_max, NULL, NULL, args, WRITES_W);
    return salience;
}

/* What is known of each frame after the focus, and how much each token weighs. */
typedef struct shares {
    wn_arr focus, scan, gather, weight;
} shares;

static shares count_focus(wn_build *b, const wn_value *v, wn_arr phi)
{
    const wn_set *set = &b->set;
    const shares out = {build_array(b, set->segs), build_array(b, set->segs),
                        build_array(b, set->segs), build_array(b, set->n_max)};
    const struct wn_args_focus_count args = {.segs = set->segs,
                                             .seg_at = set->seg.at,
                                             .v_at = phi.at,
                                             .rank_at = build_rank(b, phi, set->seg, set->n_max).at,
                                             .want_at = build_counts(b, kept, 1, &v[KEEP]).at,
                                             .sorted_at = build_array(b, set->n_max).at,
                                             .sums_at = build_array(b, set->n_max).at,
                                             .focus_at = out.focus.at,
                                             .scan_at = out.scan.at,
                                             .gather_at = out.gather.at,
                                             .weight_at = out.weight.at,
                                             .share = (float)v[MASS].number,
                                             .many = (float)v[GATHER].number};
    build_loops_fit(b, WN_OP_focus_count,
                    set->width / 16 + 64 + 3ull * (set->width / b->group_size + 33));
    BUILD_OP(b, focus_count, set->segs, NULL, NULL, args, WRITES_W);
    return out;
}

/* Each token's most similar one among those with `flag`, but not `but`. */
static void find_best(wn_build *b, const wn_mat *sim, struct wn_args_best_flagged args)
{
    args.n_max = b->set.n_max;
    args.segs = b->set.segs;
    args.seg_at = b->set.seg.at;
    BUILD_OP(b, best_flagged, args.n_max, sim, NULL, args, WRITES_W);
}

/* The focus and what the scan adds to it: flags. */
static wn_arr scan(wn_build *b, const wn_mat *sim, wn_arr focus, wn_arr count, uint32_t most)
{
    const wn_arr apart = build_array(b, b->set.n_max), flags = build_fill(b, b->set.n_max, 0);
    build_add_choice(b, WN_NO_ARR, focus, flags);
    find_best(b, sim,
              (struct wn_args_best_flagged){.flag_at = focus.at,
                                            .but_at = WN_NONE,
                                            .skip_at = WN_NONE,
                                            .apart = 1,
                                            .v_at = apart.at,
                                            .arg_at = WN_NONE});
    const struct wn_args_greedy_maxmin greedy = {.segs = b->set.segs,
                                                 .seg_at = b->set.seg.at,
                                                 .k_at = count.at,
                                                 .first_at = WN_NONE,
                                                 .md_at = apart.at,
                                                 .flag_at = flags.at,
                                                 .order_at = WN_NONE,
                                                 .pick_from = 1,
                                                 .weight_at = WN_NONE};
    build_greedy_maxmin(b, greedy, sim, most + 1);
    return flags;
}

/* Where the tokens go that the scan's take in. */
static wn_arr refine(wn_build *b, const wn_mat *sim, wn_arr keep, wn_arr focus, wn_arr count)
{
    const uint32_t n = b->set.n_max;
    const wn_arr near = build_array(b, n), arg = build_array(b, n),
                 dest = build_fill(b, n, WN_NONE);
    find_best(b, sim,
              (struct wn_args_best_flagged){.flag_at = keep.at,
                                            .but_at = focus.at,
                                            .skip_at = keep.at,
                                            .v_at = near.at,
                                            .arg_at = arg.at});
    const wn_list taken = build_list(b, build_topk(b, near, count, false, false), false);
    build_lookup(b, b->set.segs, &taken, taken.pos, taken.pos, arg, dest);
    return dest;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    const wn_bounds after = build_bounds(b, kept, 0, &v[KEEP]);
    const wn_arr phi = priorities(b, v);
    const shares s = count_focus(b, v, phi);
    const wn_arr focus = build_topk(b, phi, s.focus, false, false);
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const wn_arr keep = scan(b, &sim, focus, s.scan, after.width);
    const wn_arr dest = refine(b, &sim, keep, focus, s.gather);
    const wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, 1);
    build_merge_by(b, &m, WN_MERGE_WAVG, s.weight);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "tokens to keep of each frame"},
    {"alpha", "number", "3", "0..8", "power of the relevance to the text"},
    {"beta", "number", "1", "0..8", "power of the class attention"},
    {"mass", "number", "0.9", "0..1", "share of all priority that the focus holds"},
    {"gather", "number", "1", "0..64", "tokens taken in for each token of the scan"},
};

const wn_stage wn_stage_fsr = {
    .name = "fsr",
    .family = "attention",
    .summary =
        "keeps what the question is about, then what is farthest from that, and merges what resembles it",
    .help =
        "The fewest tokens that hold most of the class attention times the relevance to the text are the focus; the rest of `keep` are those "
        "farthest from what is kept, by cosine, and each takes in the dropped tokens that resemble it most. How many are the focus depends "
        "on the content. Takes image_embeds and text in one space (CLIP's, say); without them the class attention alone says what matters.",
    .source = "Tong et al., arXiv:2602.05809; no official code",
    .paper = "arXiv 2602.05809",
    .agrees = "paper",
    .gives = "chosen tokens, some of them weighted means",
    .cost =
        "n*n*D multiply-adds a frame, then keep*n subtractions; the n x n similarities stay in memory",
    .options = options,
    .option_count = 5,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .roles_optional =
        1u << WINNOW_ROLE_IMAGE_EMBEDS | 1u << WINNOW_ROLE_TEXT | 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
