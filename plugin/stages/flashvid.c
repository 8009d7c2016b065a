/* FlashVID: Fan et al., "FlashVID: Efficient Video Large Language Models via Training-free Tree-based Spatiotemporal
 * Token Merging", ICLR 2026, arXiv:2602.08024. Official: Fanziyang-v/FlashVID flashvid/utils.py, flashvid/token_selection.py;
 * mode=official agrees with it.
 * Segments: a frame begins one where the cosine of its mean token with that of the frame before is below `segment`,
 * or among the segments-1 smallest. B = ceil(N*keep*expansion) tokens a frame, of which A = ceil(B*alpha) are
 * selected (ADTS): greedy max-min as in DivPrune, with the distance of token j times attention(j) * 1e6, in
 * attn_div_v2 also times x_j . (mean token of the segment).
 * Trees (TSTM): each other token of a segment is linked to the most similar other one of the frame before if their
 * cosine is above `link`; where a segment would keep fewer than B a frame, only the S*(N-B) - 1 best links stay. A
 * tree becomes the mean of its tokens, at its first one. What a frame then has beside the selected ones, m of M in
 * the segment, becomes ceil(m * (B-A)*S / M) clusters by density peaks (k = min(clusters, 7)): means, at their
 * centres.
 * mode=paper (default) and official differ in two: the official code divides a tree's sum by 1 + the root's own
 * links, not by its size; and in a segment of one frame it clusters all tokens, the selected ones again, so that an
 * index may come twice.
 * Differs in both: the noise on densities is the index; a selected token is not selected again (attn_div_v2 with a
 * segment that no token resembles would); B is N at most. Sizes given weigh nothing, they add up. `assignment` names
 * the tree's or cluster's row.
 * In a stream each push is a video of its own.
 * NaN: a similarity that is NaN cuts and links nothing; NaN tokens are selected last, and are no centres as long as
 * there are others. */
#include "build.h"

#include <math.h>

enum { KEEP, ALPHA, LINK, SEGMENT, SEGMENTS, EXPANSION, SELECTION, MODE };
enum { NEAREST = 7 };

typedef struct budget {
    uint32_t all, selected, merged; /* B, A, B - A of each frame */
} budget;

static budget budget_of(const wn_build *b, const wn_value *v)
{
    const uint32_t n = b->set.width;
    const double kept = v[KEEP].percent ? n * v[KEEP].share : v[KEEP].number;
    const double most = ceil(kept * v[EXPANSION].number);
    const uint32_t all = most < n ? (uint32_t)most : n;
    const uint32_t selected = (uint32_t)ceil(all * v[ALPHA].number);
    return (budget){all, selected < all ? selected : all, selected < all ? all - selected : 0};
}

static wn_arr same_for_all(wn_build *b, uint32_t k)
{
    const wn_arr out = build_const(b, NULL, b->set.segs);
    uint32_t *data = build_const_data(b, out);
    for (uint32_t t = 0; data && t < out.n; ++t)
        data[t] = k;
    return out;
}

/* What a token's distances are multiplied by. */
static wn_arr calibration(wn_build *b, const wn_value *v, const wn_spans *spans,
                          const wn_mat *means)
{
    const wn_arr attention = build_head_sum(b, WINNOW_ROLE_RECEIVED_ATTENTION_DEEP, 1e6f);
    if (v[SELECTION].choice == 1)
        return attention;
    const wn_mat scenes = build_segment_means(b, b->set.segs, spans->starts, means, WN_NO_ARR);
    const wn_arr out = build_array(b, b->set.n_max);
    const struct wn_args_segment_dot args = {.n_max = b->set.n_max,
                                             .segs = b->set.segs,
                                             .seg_at = b->set.seg.at,
                                             .list_at = b->set.rows.at,
                                             .of_at = spans->of.at,
                                             .cols = b->set.mat.cols,
                                             .weight_at = attention.at,
                                             .out_at = out.at};
    BUILD_OP3(b, segment_dot, b->set.n_max, &b->set.mat, NULL, &scenes, args, WRITES_W);
    return out;
}

/* ADTS: flags. */
static wn_arr select_tokens(wn_build *b, uint32_t count, wn_arr inv, wn_arr weight)
{
    const uint32_t n = b->set.n_max;
    const wn_mat sim = build_sim_matrix(b, NULL, &b->set.mat, b->set.rows, inv);
    const wn_arr first = build_array(b, n), md = build_array(b, n), flags = build_array(b, n);
    const struct wn_args_row_second second = {.n_max = n,
                                              .segs = b->set.segs,
                                              .seg_at = b->set.seg.at,
                                              .score_at = first.at,
                                              .weighted = 1,
                                              .weight_at = weight.at};
    const struct wn_args_greedy_maxmin greedy = {.segs = b->set.segs,
                                                 .seg_at = b->set.seg.at,
                                                 .k_at = same_for_all(b, count).at,
                                                 .first_at = first.at,
                                                 .md_at = md.at,
                                                 .flag_at = flags.at,
                                                 .order_at = WN_NONE,
                                                 .weighted = 1,
                                                 .weight_at = weight.at};
    BUILD_OP(b, row_second, n, &sim, NULL, second, WRITES_W);
    build_greedy_maxmin(b, greedy, &sim, count);
    return flags;
}

/* The tokens of each frame's forerunner, as segments of the rest's list: every frame has as many. */
static wn_list forerunners(wn_build *b, const wn_list *rest)
{
    wn_list out = *rest;
    out.seg = build_const(b, NULL, b->set.segs + 1u);
    uint32_t *data = build_const_data(b, out.seg);
    for (uint32_t t = 0; data && t < out.seg.n; ++t)
        data[t] = t ? (t - 1) * rest->width : 0;
    return out;
}

typedef struct links {
    wn_arr keep, dest;
} links;

static links link_tokens(wn_build *b, const wn_value *v, const budget *n, const wn_spans *spans,
                         const wn_list *rest, wn_arr inv)
{
    const wn_list before = forerunners(b, rest);
    const links out = {build_fill(b, b->set.n_max, 1), build_fill(b, b->set.n_max, WN_NONE)};
    wn_arr best, arg;
    build_match(b, rest, &before, &b->set.mat, b->set.rows, inv, &best, &arg);
    const wn_list parts = {.seg = build_follow(b, spans->inner, rest->seg),
                           .n_max = rest->n_max,
                           .width = rest->n_max};
    const wn_arr k = build_array(b, 2u * b->set.segs);
    const struct wn_args_link_count count = {.segs = b->set.segs,
                                             .seg_at = parts.seg.at,
                                             .starts_at = spans->starts.at,
                                             .score_at = best.at,
                                             .each = b->set.width - n->all,
                                             .k_at = k.at,
                                             .bound = (float)v[LINK].number};
    BUILD_OP(b, link_count, b->set.segs, NULL, NULL, count, WRITES_W);
    const wn_arr linked = build_topk_of(b, 2 * b->set.segs, &parts, best, k);
    const struct wn_args_dest dest = {.n_max = rest->n_max,
                                      .segs = b->set.segs,
                                      .src_seg_at = rest->seg.at,
                                      .src_pos_at = rest->pos.at,
                                      .rule = 2,
                                      .rank_at = linked.at,
                                      .k_at = WN_NONE,
                                      .arg_at = arg.at,
                                      .keep_at = out.keep.at,
                                      .dest_at = out.dest.at};
    BUILD_OP(b, dest, rest->n_max, NULL, NULL, dest, WRITES_W);
    return out;
}

/* 1 + the tokens that are linked to each one: what the official code divides by. */
static wn_arr own_links(wn_build *b, wn_arr dest)
{
    const uint32_t n = b->set.n_max;
    const wn_arr itself = build_counting(b, n, 1), head = build_array(b, n),
                 next = build_array(b, n), out = build_array(b, n);
    const struct wn_args_group args = {.n_max = n,
                                       .segs = b->set.segs,
                                       .seg_at = b->set.seg.at,
                                       .seg_new_at = b->set.seg.at,
                                       .span = 2,
                                       .map2_at = dest.at,
                                       .from_at = itself.at,
                                       .head_at = head.at,
                                       .next_at = next.at,
                                       .sizes_at = WN_NONE,
                                       .sizes_new_at = out.at};
    BUILD_OP(b, group, n, NULL, NULL, args, WRITES_W);
    return out;
}

/* Trees become one token each; the selected ones' flags, by the new positions. */
static wn_arr merge_trees(wn_build *b, const wn_value *v, const wn_spans *spans, const links *l,
                          wn_arr selected)
{
    const bool official = v[MODE].choice == 1, one = b->set.segs == 1;
    const wn_arr divisor = official ? own_links(b, l->dest) : WN_NO_ARR;
    const wn_bounds after = {
        .n_max = b->set.n_max, .width = b->set.width, .regular = one, .exact = one};
    wn_merge m = build_merge_begin(b, l->keep, after, 0, 0);
    build_merge_span(b, &m, spans, l->keep, l->dest);
    build_merge_by(b, &m, official ? WN_MERGE_SUM_OVER : WN_MERGE_WAVG, divisor);
    return build_carry(b, &m, selected);
}

/* mode=official: in segments of one frame the selected tokens stand twice, the second to be clustered. */
static wn_arr add_twins(wn_build *b, const budget *n, const wn_spans *spans, wn_arr selected)
{
    const wn_set old = b->set;
    wn_set set = old;
    set.n_max += n->selected * old.segs;
    set.width += n->selected;
    set.fresh = false;
    set.seg = build_array(b, old.segs + 1u);
    set.rows = build_array(b, set.n_max);
    set.index = build_array(b, set.n_max);
    set.sizes = build_array(b, set.n_max);
    const wn_arr flags = build_array(b, set.n_max), map = build_array(b, old.n_max);
    const struct wn_args_twins args = {.n_max = old.n_max,
                                       .segs = old.segs,
                                       .seg_at = old.seg.at,
                                       .flag_at = selected.at,
                                       .starts_at = spans->starts.at,
                                       .of_at = spans->of.at,
                                       .many = n->selected,
                                       .rows_at = old.rows.at,
                                       .index_at = old.index.at,
                                       .sizes_at = old.sizes.at,
                                       .seg_out_at = set.seg.at,
                                       .rows_out_at = set.rows.at,
                                       .index_out_at = set.index.at,
                                       .sizes_out_at = set.sizes.at,
                                       .flag_out_at = flags.at,
                                       .map_at = map.at};
    BUILD_OP(b, twins, old.n_max > old.segs ? old.n_max : old.segs + 1u, NULL, NULL, args,
             WRITES_W);
    build_remap(b, map);
    b->set = set;
    return flags;
}

static void merge_clusters(wn_build *b, const budget *n, const wn_spans *spans, wn_arr keep)
{
    const uint32_t frames = b->set.segs;
    const wn_list rest = build_list(b, keep, true);
    const wn_arr count = build_array(b, frames), dest = build_fill(b, b->set.n_max, WN_NONE);
    const struct wn_args_share_counts share = {.segs = frames,
                                               .seg_at = rest.seg.at,
                                               .rule = 0,
                                               .starts_at = spans->starts.at,
                                               .of_at = spans->of.at,
                                               .each = n->merged,
                                               .out_at = count.at};
    BUILD_OP(b, share_counts, frames, NULL, NULL, share, WRITES_W);
    build_clusters(b, frames, &rest, &b->set.mat, b->set.rows, NEAREST, count, count, keep, dest);
    /* A frame's clusters are a share of M rounded up, and M is (B-A)*S or more, or all of M stay. */
    const uint64_t most = (uint64_t)(n->all + 1) * frames;
    const wn_bounds after = {.n_max = most < b->set.n_max ? (uint32_t)most : b->set.n_max,
                             .width = b->set.width,
                             .regular = false,
                             .exact = false};
    wn_merge m = build_merge_lists(b, keep, dest, NULL, after, 0, 1);
    build_merge_by(b, &m, WN_MERGE_WAVG, WN_NO_ARR);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_frames(b) != WINNOW_OK)
        return b->status;
    const budget n = budget_of(b, v);
    const wn_mat means = build_segment_means(b, b->set.segs, b->set.seg, &b->set.mat, b->set.rows);
    const wn_arr similar = build_neighbour_sim(b, &means, b->set.segs);
    const wn_spans spans =
        build_cut(b, similar, (uint32_t)v[SEGMENTS].number - 1, (float)v[SEGMENT].number);
    const wn_arr weight = calibration(b, v, &spans, &means);
    const wn_arr inv = build_norms(b, &b->set.mat, b->set.rows);
    const wn_arr selected = select_tokens(b, n.selected, inv, weight);
    const bool official = v[MODE].choice == 1;
    if (n.merged == 0 || (n.selected == b->set.width && !official)) {
        const wn_bounds after = {
            .n_max = n.selected * b->set.segs, .width = n.selected, .regular = true, .exact = true};
        build_prune(b, selected, after, WN_NO_ARR);
        return b->status;
    }
    wn_list rest = build_list(b, selected, true);
    rest.width = b->set.width - n.selected;
    rest.n_max = rest.width * b->set.segs;
    const links l = link_tokens(b, v, &n, &spans, &rest, inv);
    wn_arr flags = merge_trees(b, v, &spans, &l, selected);
    if (official)
        flags = add_twins(b, &n, &spans, flags);
    merge_clusters(b, &n, &spans, flags);
    return b->status;
}

static const winnow_option_info options[] = {
    {"keep", "keep", "25%", "1..1e9", "tokens to keep of each frame, before `expansion`"},
    {"alpha", "number", "0.7", "0..1", "share of them that is selected; the others are merged"},
    {"link", "number", "0.8", "-1..1",
     "cosine above which a token goes to one of the frame before"},
    {"segment", "number", "0.9", "-1..1",
     "a frame less similar than this to the one before begins a segment"},
    {"segments", "count", "8", "1..1e6", "segments at least"},
    {"expansion", "number", "1.25", "1..4",
     "factor of keep: more tokens here, fewer after a pruning layer of the model"},
    {"selection", "choice", "attn_div_v2", "attn_div_v2|attn_div",
     "weights of distances: attention and likeness to the segment, or attention alone"},
    {"mode", "choice", "paper", "paper|official",
     "official: a tree's sum is divided by its root's links, and one-frame segments cluster the selected tokens again"},
};

const wn_stage wn_stage_flashvid = {
    .name = "flashvid",
    .family = "temporal",
    .summary =
        "selects attended and diverse tokens of a video, and merges the others along trees and clusters",
    .help =
        "Frames whose mean tokens resemble each other form segments. Each frame keeps a selection; the other tokens go along links "
        "to the frame before, a tree becomes one token, and these become clusters. received_attention_deep: the mean attention "
        "that each token receives in the encoder's last layer. With mode=official an index may "
        "come twice. How many tokens are left depends on the content; the plan's rows_max holds for all.",
    .source =
        "Fan et al., ICLR 2026, arXiv:2602.08024; official Fanziyang-v/FlashVID flashvid/utils.py",
    .paper = "arXiv 2602.08024",
    .agrees = "official code",
    .gives = "chosen tokens, and means",
    .cost =
        "2*N*N*D a frame for selection and links each, up to N*N*D for clusters; memory for two N x N matrices a frame",
    .options = options,
    .option_count = 8,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .build = build,
};
