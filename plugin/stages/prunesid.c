/* PruneSID: Fang et al., "Prune Redundancy, Preserve Essence: Vision Token Compression in VLMs via Synergistic
 * Importance-Diversity", ICLR 2026, arXiv:2603.09480. Official: ZhengyaoFang/PruneSID prunesid_llava/clip_encoder.py.
 * T = keep, G = int(T / 4). Z = the sigmoid of each token's channels minus their mean; the G principal components of Z's
 * tokens; a token's group is the component along which it is longest. In a group, from the most attended token on (class
 * attention summed over heads), what resembles a kept one by more than T/32 times the mean cosine of all pairs is put
 * behind. Groups share T - 1 tokens: one each, the others in proportion to what was not put behind, within bounds; each
 * keeps its first. The class token, if given, comes first (the authors count it: T rows with it, T - 1 without).
 * Differs: the authors' components are torch.pca_lowrank's, which starts from random numbers: two runs keep different
 * tokens. Here they are those of the same subspace iteration, from a fixed start (column g sums the tokens g, g + G, ...),
 * with more steps, and Jacobi rotations in it, all in one order of additions: the same tokens everywhere, and the official
 * code's own where it is given exact components. Shares are rounded in whole numbers (theirs in f32). Raster order out
 * (theirs group by group). */
#include "build.h"
#include <math.h>

enum { STEPS = 8, SWEEPS = 10 };

static uint32_t wanted(uint32_t n, uint32_t part, const void *user)
{
    (void)part;
    return wn_keep_count(user, n, trunc);
}

static uint32_t kept(uint32_t n, uint32_t part, const void *user)
{
    const uint32_t want = wanted(n, part, user);
    return want > 1 ? want - 1 : want;
}

static uint32_t components_of(uint32_t n, uint32_t part, const void *user)
{
    const uint32_t want = wanted(n, part, user);
    return want < 4 ? want > 0 : want / 4;
}

/* What the parts of a build share. */
typedef struct plan {
    wn_arr groups, want; /* components and T of each frame */
    uint32_t most;       /* components at most */
} plan;

#define SET     .n_max = b->set.n_max, .segs = b->set.segs, .seg_at = b->set.seg.at
#define GROUPED .groups_at = p->groups.at, .most = p->most

/* Inner products of the tokens' centred sigmoids. */
static wn_mat gram_matrix(wn_build *b)
{
    const wn_mat *tokens = &b->set.mat;
    const wn_mat centred = build_matrix(b, b->set.n_max, tokens->cols),
                 out = build_matrix(b, b->set.n_max, b->set.width ? b->set.width : 1);
    const struct wn_args_sigmoid_rows args = {SET, .rows_at = b->set.rows.at, .cols = tokens->cols,
                                              .inv_cols = 1.0f / (float)tokens->cols};
    BUILD_OP(b, sigmoid_rows, b->set.n_max, tokens, &centred, args, READS_W);
    const wn_arr ones = build_fill(b, b->set.n_max, 0x3f800000u);
    build_sim_rows(b, NULL, &centred, WN_NO_ARR, ones, &out);
    return out;
}

/* Columns made orthonormal, in as many operations as the driver's loop limit asks for. */
static void straighten(wn_build *b, const plan *p, const wn_mat *columns, wn_arr parts)
{
    struct wn_args_orthonormal args = {.segs = b->set.segs,
                                       .seg_at = b->set.seg.at,
                                       GROUPED,
                                       .width = b->set.width,
                                       .parts_at = parts.at};
    const uint64_t width = b->set.width, rows = width / b->group_size + 1;
    do {
        uint64_t cost = 0;
        for (args.count = 0; args.from + args.count < p->most; ++args.count) {
            const uint64_t g = args.from + args.count,
                           teams = b->group_size < 64 ? 1 : b->group_size / 32;
            const uint64_t dots = (g / teams + 1) * (width / 32 + 40),
                           column = 2 * (dots + rows * (g + 1)) + rows;
            if (args.count && cost + column > b->loop_limit)
                break;
            cost += column;
        }
        if (!build_loops_fit(b, WN_OP_orthonormal, cost))
            return;
        BUILD_OP(b, orthonormal, b->set.segs, NULL, columns, args, READS_W);
        args.from += args.count;
    } while (args.from < p->most && b->status == WINNOW_OK);
}

static void multiply(wn_build *b, const plan *p, const wn_mat *gram, const wn_mat *by,
                     const wn_mat *out)
{
    const struct wn_args_segment_product args = {SET, GROUPED};
    if (build_loops_fit(b, WN_OP_segment_product, b->set.width))
        BUILD_OP3(b, segment_product, (uint64_t)b->set.n_max * p->most, gram, out, by, args,
                  READS_W);
}

/* An orthonormal base of the tokens' largest components, and its products with the matrix. */
static void subspace(wn_build *b, const plan *p, const wn_mat *gram, wn_mat *base, wn_mat *products)
{
    const wn_arr parts = build_array(b, (uint64_t)b->set.segs * p->most);
    const struct wn_args_fold_columns fold = {SET, GROUPED};
    *base = build_matrix(b, b->set.n_max, p->most);
    *products = build_matrix(b, b->set.n_max, p->most);
    BUILD_OP(b, fold_columns, (uint64_t)b->set.n_max * p->most, gram, base, fold, READS_W);
    straighten(b, p, base, parts);
    for (uint32_t step = 0; step < STEPS; ++step) {
        const wn_mat old = *base;
        multiply(b, p, gram, base, products);
        straighten(b, p, products, parts);
        *base = *products;
        *products = old;
    }
    multiply(b, p, gram, base, products);
}

/* Eigenvectors in that base, sweep by sweep. */
static wn_arr rotate(wn_build *b, const plan *p, const wn_mat *small)
{
    const uint32_t even = (p->most + 1) & ~1u;
    struct wn_args_jacobi args = {.segs = b->set.segs,
                                  GROUPED,
                                  .sweeps = 1,
                                  .first = 1,
                                  .turns_at = build_array(b, 2ull * b->set.segs * p->most).at,
                                  .order_at = build_array(b, (uint64_t)b->set.segs * p->most).at};
    const uint64_t elements = (uint64_t)even / 2 * p->most / b->group_size + 1;
    if (!build_loops_fit(b, WN_OP_jacobi,
                         (uint64_t)even * (2 * elements + even / 2 / b->group_size + 3)))
        return WN_NO_ARR;
    for (uint32_t sweep = 0; sweep < SWEEPS; ++sweep) {
        BUILD_OP(b, jacobi, b->set.segs, NULL, small, args, WRITES_W);
        args.first = 0;
    }
    return (wn_arr){args.order_at, b->set.segs * p->most};
}

/* The group of each token. */
static wn_arr group_labels(wn_build *b, const plan *p)
{
    wn_mat base, products;
    const wn_mat gram = gram_matrix(b),
                 small = build_matrix(b, (uint64_t)b->set.segs * p->most, 2 * p->most);
    subspace(b, p, &gram, &base, &products);
    const struct wn_args_segment_gram fit = {
        .segs = b->set.segs, .seg_at = b->set.seg.at, GROUPED, .width = b->set.width};
    BUILD_OP3(b, segment_gram, (uint64_t)b->set.segs * p->most * p->most, &base, &small, &products,
              fit, READS_W);
    const wn_arr order = rotate(b, p, &small), label = build_array(b, b->set.n_max);
    const struct wn_args_component args = {SET, GROUPED, .order_at = order.at,
                                           .label_at = label.at};
    if (build_loops_fit(b, WN_OP_component, (uint64_t)p->most * (p->most + 2)))
        BUILD_OP3(b, component, b->set.n_max, &base, NULL, &small, args, WRITES_W);
    return label;
}

/* Those that no more attended one of their group resembles. */
static wn_arr unlike_others(wn_build *b, const plan *p, wn_arr label, wn_arr score)
{
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows),
                 upper = build_array(b, b->set.n_max),
                 rank = build_rank(b, score, b->set.seg, b->set.n_max);
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const struct wn_args_row_upper above = {SET, .v_at = upper.at};
    BUILD_OP(b, row_upper, b->set.n_max, &sim, NULL, above, WRITES_W);
    const struct wn_args_label_nms nms = {.segs = b->set.segs,
                                          .seg_at = b->set.seg.at,
                                          .score_at = score.at,
                                          .rank_at = rank.at,
                                          .label_at = label.at,
                                          .upper_at = upper.at,
                                          .want_at = p->want.at,
                                          .keep_at = build_array(b, b->set.n_max).at,
                                          .list_at = build_array(b, b->set.n_max).at,
                                          .out_at = build_array(b, b->set.n_max).at,
                                          .made_at = build_array(b, b->set.segs).at};
    build_label_nms(b, nms, &sim);
    return (wn_arr){nms.keep_at, b->set.n_max};
}

static wn_arr pick(wn_build *b, const plan *p, wn_arr label, wn_arr score, wn_arr unlike)
{
    const wn_arr flags = build_array(b, b->set.n_max);
    const uint64_t labels = (uint64_t)b->set.segs * p->most;
    const struct wn_args_label_share share = {.segs = b->set.segs,
                                              .seg_at = b->set.seg.at,
                                              GROUPED,
                                              .label_at = label.at,
                                              .keep_at = unlike.at,
                                              .want_at = p->want.at,
                                              .quota_at = build_array(b, labels).at,
                                              .room_at = build_array(b, 3 * labels).at};
    const struct wn_args_label_pick args = {SET,
                                            .most = p->most,
                                            .label_at = label.at,
                                            .keep_at = unlike.at,
                                            .score_at = score.at,
                                            .quota_at = share.quota_at,
                                            .flag_at = flags.at};
    const uint64_t passes = b->set.width / p->most + p->most + 6;
    if (build_loops_fit(b, WN_OP_label_share, b->set.width + p->most * passes))
        BUILD_OP(b, label_share, b->set.segs, NULL, NULL, share, WRITES_W);
    if (build_loops_fit(b, WN_OP_label_pick, b->set.width))
        BUILD_OP(b, label_pick, b->set.n_max, NULL, NULL, args, WRITES_W);
    return flags;
}

/* The class tokens in front: every kept row moves. */
static winnow_status keep_with_class(wn_build *b, wn_arr flags, wn_bounds after)
{
    if (build_need_class_tokens(b) != WINNOW_OK)
        return b->status;
    const wn_arr dropped = build_fill(b, b->set.n_max, WN_NONE);
    const wn_mat cls = build_role(b, WINNOW_ROLE_CLS);
    wn_merge m = build_merge_begin(b, flags, after, 1, 0);
    build_merge_members(b, &m, flags, dropped, 1, true);
    const wn_mat out = build_matrix(b, b->set.n_max, m.old.mat.cols);
    build_merge_rows(b, &m, &m.old.mat, m.old.rows, &out, WN_MERGE_ADD_SUM, WN_NO_ARR);
    build_copy_rows(b, &cls, WN_NO_ARR, &out, b->set.seg, b->set.segs);
    build_merge_end(b, &m, &out);
    return b->status;
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (b->set.width > UINT16_MAX)
        return build_fail(b, WINNOW_E_SHAPE,
                          "a frame of %u tokens is too long for it (at most %u; leave flatten out)",
                          b->set.width, UINT16_MAX);
    const plan p = {.groups = build_counts(b, components_of, 1, v),
                    .want = build_counts(b, wanted, 1, v),
                    .most = components_of(b->set.width ? b->set.width : 1, 0, v)};
    const wn_bounds after = build_bounds(b, kept, 0, v);
    const wn_arr score = build_head_sum(b, WINNOW_ROLE_CLS_ATTENTION, 1.0f);
    const wn_arr label = group_labels(b, &p), unlike = unlike_others(b, &p, label, score);
    const wn_arr flags = pick(b, &p, label, score, unlike);
    if (build_has(b, WINNOW_ROLE_CLS))
        return keep_with_class(b, flags, after);
    build_prune(b, flags, after, WN_NO_ARR);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "", "1..1e9", "rows of each frame, the class token's included"},
};

const wn_stage wn_stage_prunesid = {
    .name = "prunesid",
    .family = "attention",
    .summary = "groups tokens by principal components, and keeps each group's most attended",
    .help =
        "A quarter of `keep` principal components of the tokens makes as many groups; in each the most attended tokens that do "
        "not resemble each other stay. `keep` counts the class token, which comes first if it is given.",
    .source =
        "Fang et al., ICLR 2026, arXiv:2603.09480; official ZhengyaoFang/PruneSID prunesid_llava/clip_encoder.py",
    .paper = "arXiv 2603.09480",
    .agrees = "official code, exact SVD",
    .gives = "chosen tokens, the class token first",
    .cost = "n*n*D multiply-adds a frame twice, then 9 products of n*n*G; keeps the n x n cosines",
    .options = options,
    .option_count = 1,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION,
    .roles_optional = 1u << WINNOW_ROLE_CLS,
    .build = build,
};
