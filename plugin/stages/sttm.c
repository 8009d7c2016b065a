/* STTM: Hyun et al., "Multi-Granular Spatio-Temporal Token Merging for Training-Free Acceleration of Video LLMs", ICCV 2025,
 * arXiv:2507.07990. Official: HYUNJS/STTM token_merging_utils/quadtree_builder.py quadtree_build_video,
 * quadtree_spatial_merger.py, quadtree_temporal_merger.py (cross_frame_node_merging_fast); mode=official agrees with them.
 * Space: a pyramid of means of 2 x 2 tokens, halved until a side is 2; of an odd side row (column) 0 has no partner. From level
 * `root` down (0: the coarsest) a node stays if its cosine with each of its children is `threshold` or more, else they take
 * its place; single tokens stay.
 * Time: nodes of neighbouring frames, one of which holds the other's tokens, are linked if their cosine is `temporal` or more. Linked
 * nodes become one, their mean, at the first of them.
 * weighted=on: a node's row is the mean of all its tokens, and merged ones weigh by their tokens; off: means of means.
 * mode=paper (default): a node is compared with its children, and the paper's directed pairwise merging is read so: all nodes that
 * links join are one, as a union-find would have it.
 * mode=official: where an odd side leaves children out, the first node of the frame in the level below takes part in the comparison.
 * And labels (at first each node's own place; a round gives each node the least label of its neighbours and itself, then that label's
 * label) are looked at too early: rounds end where the label of every label is itself, though linked nodes may still have two. Whether
 * such nodes are merged then hangs on how long the other links of the film are.
 * In mode=paper the label that a node had takes the lower one, too, so that long chains take few rounds. Rounds end by themselves, after
 * 3 to 8 of them on synthetic films of 8 to 128 frames; no more are needed than a block of level `root` has tokens in all frames (each
 * takes the first label of a group on by a link or more, and links stay within a block), and so many may run, whatever the film.
 * Differs: grids of one row or column, and weighted=on with one odd side alone, work (official: errors); a root below the last level is
 * the last level; cosines of heads apart (sim_per_head) are not here; positions are the host's: a row is named after its first token.
 * Sizes given weigh nothing, they add up. In a stream each push is a film of its own.
 * NaN: a cosine that is NaN is below every threshold: such nodes are split and never linked.
 * Cost: N*D multiply-adds for the pyramid, up to 9/4 N*D for the split, 5 nodes*D for links; a third of the tokens as f32, with
 * temporal= all of them once more; reads every token three times. */
#include "build.h"

enum { THRESHOLD, TEMPORAL, ROOT, WEIGHTED, MODE };
enum { PAPER, OFFICIAL };
enum { LEVELS_MOST = 33, REDUCTION = 100 };

typedef struct tree {
    uint32_t h, w, top;       /* the tokens' grid; the level that it begins with */
    wn_mat rows[LEVELS_MOST]; /* [frames * nodes, D] of each level; 0: the tokens */
    wn_arr copy[LEVELS_MOST]; /* by nodes: the place of those that stay, WN_NONE */
    wn_arr one;               /* 0, 1, 2, ... */
    /* By places: the level of the node that stays there; that of the node over it; 1 for nodes; their tokens; their sizes. */
    wn_arr own, owner, node, count, sizes;
} tree;

static uint32_t side_of(uint32_t n, uint32_t level)
{
    return (uint32_t)((n + (1ull << level) - 1) >> level);
}

static uint32_t levels_of(uint32_t h, uint32_t w)
{
    uint32_t levels = 1;
    for (; h != 2 && w != 2 && (h > 1 || w > 1); ++levels) {
        h = (h + 1) / 2;
        w = (w + 1) / 2;
    }
    return levels;
}

/* Tokens of a side of n that the first `nodes` nodes of a level have. */
static uint32_t tokens_before(uint32_t nodes, uint32_t n, uint32_t level)
{
    for (; level > 0; --level)
        nodes = nodes ? 2 * nodes - (side_of(n, level - 1) & 1) : 0;
    return nodes;
}

/* Children of the nodes of a level along a side of n tokens. */
static wn_axis children(wn_build *b, uint32_t n, uint32_t level, bool weighted)
{
    const uint32_t odd = side_of(n, level - 1) & 1;
    const wn_axis axis = build_axis(b, side_of(n, level), 2);
    for (uint32_t o = 0; o < axis.out; ++o) {
        const uint32_t first = o ? 2 * o - odd : 0, count = o == 0 && odd ? 1 : 2;
        const float all = (float)(tokens_before(o + 1, n, level) - tokens_before(o, n, level));
        build_axis_window(b, &axis, o, first, first, count);
        for (uint32_t k = 0; k < count; ++k) {
            const uint32_t tokens =
                tokens_before(first + k + 1, n, level - 1) - tokens_before(first + k, n, level - 1);
            build_axis_weight(b, &axis, o, k, weighted ? (float)tokens / all : 1.0f / (float)count);
        }
    }
    return axis;
}

static wn_mat level_above(wn_build *b, const tree *t, uint32_t level, bool weighted)
{
    const wn_axis y = children(b, t->h, level, weighted), x = children(b, t->w, level, weighted);
    const wn_mat *below = &t->rows[level - 1];
    const wn_mat out = build_matrix(b, (uint64_t)b->set.segs * y.out * x.out, below->cols);
    const wn_grid grid = {.mat = *below,
                          .list = level == 1 ? b->set.rows : t->one,
                          .h = side_of(t->h, level - 1),
                          .w = side_of(t->w, level - 1)};
    build_pool(b, &grid, &y, &x, 1.0f, &out);
    return out;
}

/* Which nodes of a level that its parents left there stay. */
static void split(wn_build *b, tree *t, uint32_t level, const wn_value *v)
{
    t->copy[level] = build_array(b, t->rows[level].rows);
    const struct wn_args_quad_split args = {.frames = b->set.segs,
                                            .h = t->h,
                                            .w = t->w,
                                            .level = level,
                                            .cols = b->set.mat.cols,
                                            .list_at = level == 1 ? b->set.rows.at : WN_NONE,
                                            .own_at = t->own.at,
                                            .copy_at = t->copy[level].at,
                                            .top = level == t->top,
                                            .missing = v[MODE].choice == OFFICIAL,
                                            .limit = (float)v[THRESHOLD].number};
    BUILD_OP3(b, quad_split, t->rows[level].rows, &t->rows[level - 1], NULL, &t->rows[level], args,
              WRITES_W);
}

static void grow(wn_build *b, tree *t, const wn_value *v)
{
    const uint32_t n = b->set.n_max, levels = levels_of(t->h, t->w) - 1,
                   root = (uint32_t)v[ROOT].number;
    t->top = levels > root ? levels - root : 0;
    t->rows[0] = b->set.mat;
    t->one = build_counting(b, n, 1);
    t->own = build_fill(b, n, t->top ? WN_NONE : 0);
    for (uint32_t level = 1; level <= t->top; ++level)
        t->rows[level] = level_above(b, t, level, v[WEIGHTED].choice == 1);
    for (uint32_t level = t->top; level > 0; --level)
        split(b, t, level, v);
    wn_arr *const by_place[] = {&t->owner, &t->node, &t->count, &t->sizes, &t->copy[0]};
    for (size_t i = 0; i < sizeof by_place / sizeof *by_place; ++i)
        *by_place[i] = build_array(b, n);
    const struct wn_args_quad_owner args = {.frames = b->set.segs,
                                            .h = t->h,
                                            .w = t->w,
                                            .top = t->top,
                                            .own_at = t->own.at,
                                            .owner_at = t->owner.at,
                                            .node_at = t->node.at,
                                            .copy_at = t->copy[0].at,
                                            .count_at = t->count.at,
                                            .sizes_at = b->set.sizes.at,
                                            .sizes_out_at = t->sizes.at};
    BUILD_OP(b, quad_owner, n, NULL, NULL, args, WRITES_W);
}

/* Rows of nodes that stay, to their places or to where map says. */
static void copy_nodes(wn_build *b, const tree *t, const wn_set *old, wn_arr map, const wn_mat *out)
{
    for (uint32_t level = 0; level <= t->top; ++level) {
        const wn_arr to = map.at == WN_NONE ? t->copy[level] : build_follow(b, t->copy[level], map);
        build_copy_rows(b, &t->rows[level], level ? WN_NO_ARR : old->rows, out, to, to.n);
    }
}

/* Frames stay apart: every node is a row. */
static void leave_nodes(wn_build *b, tree *t, wn_bounds after, const wn_value *v)
{
    grow(b, t, v);
    wn_merge m = build_merge_begin(b, t->node, after, 0, 0);
    m.map2 = build_follow(b, t->owner, m.map);
    const wn_list rows = {.seg = b->set.seg, .n_max = b->set.n_max};
    build_lookup(b, b->set.segs, &rows, m.from, WN_NO_ARR, t->sizes, b->set.sizes);
    const wn_mat out = build_matrix(b, b->set.n_max, m.old.mat.cols);
    copy_nodes(b, t, &m.old, m.map, &out);
    build_merge_end(b, &m, &out);
}

/* Labels settle in fewer rounds than so many: places of one block in all frames. */
static uint32_t rounds_at_most(const wn_build *b, const tree *t)
{
    const uint64_t side = 1ull << t->top;
    const uint64_t rows = side < t->h ? side : t->h, columns = side < t->w ? side : t->w;
    return (uint32_t)(b->set.segs * rows * columns);
}

/* The first node of those that are one, for each place; keep: 1 for those. */
static wn_arr unite(wn_build *b, const tree *t, const wn_mat *nodes, const wn_value *v, wn_arr keep)
{
    const uint32_t n = b->set.n_max;
    const wn_arr ahead = build_array(b, n), behind = build_array(b, n), root = build_array(b, n);
    const struct wn_args_quad_links links = {.frames = b->set.segs,
                                             .tokens = b->set.width,
                                             .cols = nodes->cols,
                                             .node_at = t->node.at,
                                             .own_at = t->own.at,
                                             .owner_at = t->owner.at,
                                             .ahead_at = ahead.at,
                                             .behind_at = behind.at,
                                             .limit = (float)v[TEMPORAL].number};
    BUILD_OP(b, quad_links, n, nodes, NULL, links, WRITES_W);
    struct wn_args_quad_union args = {.n = n,
                                      .owner_at = t->owner.at,
                                      .ahead_at = ahead.at,
                                      .behind_at = behind.at,
                                      .label_at = build_array(b, n).at,
                                      .next_at = build_array(b, n).at,
                                      .done_at = build_array(b, 1).at,
                                      .agree = v[MODE].choice == PAPER,
                                      .root_at = root.at,
                                      .keep_at = keep.at};
    const uint64_t strides = (n + b->group_size - 1) / b->group_size;
    const uint64_t ends = 2 * strides, round = 4 * strides + REDUCTION;
    if (!build_loops_fit(b, WN_OP_quad_union, ends + round))
        return root;
    const uint64_t most = (b->loop_limit - ends) / round;
    const uint32_t rounds = rounds_at_most(b, t);
    for (uint32_t done = 0; done < rounds && b->status == WINNOW_OK; done += args.rounds) {
        args.rounds = most < rounds - done ? (uint32_t)most : rounds - done;
        args.first = done == 0;
        args.last = done + args.rounds == rounds;
        BUILD_OP(b, quad_union, 1, NULL, NULL, args, WRITES_W);
    }
    return root;
}

static void merge_nodes(wn_build *b, tree *t, wn_bounds after, const wn_value *v)
{
    const uint32_t n = b->set.n_max;
    grow(b, t, v);
    const wn_mat nodes = build_matrix(b, n, b->set.mat.cols);
    copy_nodes(b, t, &b->set, WN_NO_ARR, &nodes);
    const wn_arr keep = build_array(b, n);
    const wn_arr root = unite(b, t, &nodes, v, keep);
    wn_merge m = build_merge_begin(b, keep, after, 0, 0);
    m.map2 = build_follow(b, root, m.map);
    m.head = build_array(b, b->set.n_max);
    m.next = build_array(b, n);
    const struct wn_args_quad_members args = {.n = n,
                                              .segs = b->set.segs,
                                              .seg_new_at = b->set.seg.at,
                                              .node_at = t->node.at,
                                              .row_at = m.map2.at,
                                              .from_at = m.from.at,
                                              .head_at = m.head.at,
                                              .next_at = m.next.at,
                                              .tail_at = build_array(b, b->set.n_max).at,
                                              .sizes_at = t->sizes.at,
                                              .sizes_new_at = b->set.sizes.at};
    if (build_loops_fit(b, WN_OP_quad_members, 2ull * n + 2 * (n / b->group_size + 1)))
        BUILD_OP(b, quad_members, 1, NULL, NULL, args, WRITES_W);
    const wn_mat out = build_matrix(b, b->set.n_max, nodes.cols);
    build_merge_rows(b, &m, &nodes, t->one, &out, WN_MERGE_WAVG,
                     v[WEIGHTED].choice == 1 ? t->count : WN_NO_ARR);
    build_merge_end(b, &m, &out);
}

static winnow_status build(wn_build *b, const wn_value *v)
{
    if (build_need_frames(b) != WINNOW_OK)
        return b->status;
    tree t = {.h = b->set.grid_h, .w = b->set.grid_w};
    const wn_bounds after = {.n_max = b->set.n_max, .width = b->set.width};
    if (v[TEMPORAL].number > 0 && b->set.segs > 1)
        merge_nodes(b, &t, after, v);
    else
        leave_nodes(b, &t, after, v);
    return b->status;
}

static const winnow_option_info options[] = {
    {"threshold", "number", "0.85", "-1..1",
     "cosine with all its parts from which on a block of tokens is one"},
    {"temporal", "number", "0.55", "0..1",
     "cosine from which on blocks over each other in two frames are one; 0: frames stay apart"},
    {"root", "count", "1", "0..32",
     "level to begin with; 0: blocks of half a side, 1: of a quarter"},
    {"weighted", "choice", "off", "off|on", "on: every token weighs the same in a mean"},
    {"mode", "choice", "paper", "paper|official",
     "official: blocks on odd sides are compared with the frame's first one too, and linked ones may stay apart"},
};

const wn_stage wn_stage_sttm = {
    .name = "sttm",
    .family = "temporal",
    .summary = "merges blocks of a frame that say one thing, large or small, then along the frames",
    .help =
        "A quadtree of each frame: large blocks stay where they resemble all their parts, others are split, down to single tokens. Blocks "
        "over each other in neighbouring frames that are alike become one, whatever their sizes. Needs the tokens alone, on a grid. "
        "How many are left depends on the content; the plan's rows_max holds for all.",
    .source =
        "Hyun et al., ICCV 2025, arXiv:2507.07990; official HYUNJS/STTM token_merging_utils/quadtree_builder.py",
    .paper = "arXiv 2507.07990",
    .agrees = "paper; mode=official: official code",
    .gives = "means of blocks, within a frame and over frames",
    .cost = "tokens are read three times; a third of them as f32, and with temporal= all once more",
    .options = options,
    .option_count = 5,
    .roles_needed = 1u << WINNOW_ROLE_TOKENS,
    .roles_optional = 1u << WINNOW_ROLE_SIZES,
    .needs_grid = true,
    .build = build,
};
