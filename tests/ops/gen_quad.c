/* Random programs around quadtrees of tokens. */
#include "case.h"

/* Frames of any grid, small enough for rows of `cols`. */
typedef struct grid {
    uint32_t frames, h, w, tokens, all;
} grid;

static grid any_grid(ops_case *c, uint32_t cols)
{
    static const uint32_t sides[] = {1, 7, 2, 14, 5, 3, 16, 9, 4, 13, 6, 8, 11, 31};
    grid g = {.frames = 1 + below(c, 3),
              .h = sides[c->round % 14],
              .w = sides[(c->round * 5 + below(c, 3)) % 14]};
    if (cols > 100)
        g = (grid){.frames = 2, .h = 7, .w = 5};
    g.tokens = g.h * g.w;
    g.all = g.frames * g.tokens;
    return g;
}

static uint32_t side_of(uint32_t n, uint32_t level)
{
    return (n + (1u << level) - 1) >> level;
}

static uint32_t any_level(ops_case *c, const grid *g)
{
    uint32_t most = 1;
    while (most < 5 && (side_of(g->h, most) > 1 || side_of(g->w, most) > 1))
        ++most;
    return 1 + below(c, most);
}

void gen_quad_split(ops_case *c)
{
    static const float limits[] = {-0.2f, 0.1f, 0.4f, -1.5f, 1.5f};
    const uint32_t cols = any_cols(c, 1024);
    const grid g = any_grid(c, cols);
    const uint32_t level = any_level(c, &g);
    const uint32_t nodes = g.frames * side_of(g.h, level) * side_of(g.w, level);
    const uint32_t under = g.frames * side_of(g.h, level - 1) * side_of(g.w, level - 1);
    make_matrix(c, &c->a, under, cols, any_dtype(c), any_flavour(c));
    make_c(c, nodes, cols, WINNOW_F32, any_flavour(c), 0);
    const uint32_t own = array(c, g.all, WORDS);
    for (uint32_t i = 0; i < g.all; ++i)
        c->w[own + i] = chance(c, 70) ? level : WN_NONE;
    describe(c, "%u x %u x %u, level %u, cols %u, dtype %u", g.frames, g.h, g.w, level, cols,
             c->a.dtype);
    wn_op *op = ADD(c, quad_split, nodes, .frames = g.frames, .h = g.h, .w = g.w, .level = level,
                    .cols = cols, .list_at = chance(c, 50) ? row_list(c, under, true) : WN_NONE,
                    .own_at = own, .copy_at = array(c, nodes, WORDS), .top = chance(c, 30),
                    .missing = chance(c, 50), .limit = limits[below(c, 5)]);
    use_a(c, op);
    use_c(c, op);
}

/* The place of the node of a level over place i, found by the halving alone. */
static uint32_t place_over(const grid *g, uint32_t i, uint32_t level)
{
    uint32_t place = i - i % g->tokens;
    const uint32_t sides[2] = {g->h, g->w}, at[2] = {i % g->tokens / g->w, i % g->w};
    for (uint32_t axis = 0; axis < 2; ++axis) {
        uint32_t first = at[axis];
        /* The first token with the same node at each level up. */
        for (uint32_t token = 0; token <= at[axis]; ++token) {
            uint32_t a = token, b = at[axis];
            for (uint32_t l = 0; l < level; ++l) {
                a = (a + side_of(sides[axis], l) % 2) / 2;
                b = (b + side_of(sides[axis], l) % 2) / 2;
            }
            if (a == b) {
                first = token;
                break;
            }
        }
        place += first * (axis ? 1 : g->w);
    }
    return place;
}

/* own[] of a quadtree from level `top` down. */
static uint32_t any_tree(ops_case *c, const grid *g, uint32_t top)
{
    const uint32_t own = array(c, g->all, WORDS), percent = 20 * below(c, 6);
    for (uint32_t i = 0; i < g->all; ++i)
        c->w[own + i] = place_over(g, i, top) == i ? top : WN_NONE;
    for (uint32_t level = top; level > 0; --level) {
        const uint32_t splits = array(c, g->all, SCRATCH);
        for (uint32_t i = 0; i < g->all; ++i)
            c->w[splits + i] = c->w[own + i] == level && chance(c, percent);
        for (uint32_t i = 0; i < g->all; ++i)
            if (c->w[splits + place_over(g, i, level)])
                c->w[own + i] = place_over(g, i, level - 1) == i ? level - 1 : WN_NONE;
    }
    return own;
}

void gen_quad_owner(ops_case *c)
{
    const grid g = any_grid(c, 1);
    const uint32_t top = any_level(c, &g) - below(c, 2);
    describe(c, "%u x %u x %u, top %u", g.frames, g.h, g.w, top);
    ADD(c, quad_owner, g.all, .frames = g.frames, .h = g.h, .w = g.w, .top = top,
        .own_at = any_tree(c, &g, top), .owner_at = array(c, g.all, WORDS),
        .node_at = array(c, g.all, WORDS), .copy_at = array(c, g.all, WORDS),
        .count_at = array(c, g.all, REALS),
        .sizes_at = chance(c, 60) ? positive(c, g.all) : WN_NONE,
        .sizes_out_at = array(c, g.all, REALS));
}

void gen_quad_links(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const grid g = any_grid(c, cols);
    const uint32_t top = any_level(c, &g), own = any_tree(c, &g, top);
    const uint32_t owner = array(c, g.all, WORDS), node = array(c, g.all, WORDS);
    for (uint32_t i = 0; i < g.all; ++i) {
        c->w[node + i] = c->w[own + i] != WN_NONE;
        for (uint32_t level = 0; level <= top; ++level)
            if (c->w[own + place_over(&g, i, level)] == level)
                c->w[owner + i] = place_over(&g, i, level);
    }
    make_matrix(c, &c->a, g.all, cols, any_dtype(c), any_flavour(c));
    describe(c, "%u x %u x %u, top %u, cols %u, dtype %u", g.frames, g.h, g.w, top, cols,
             c->a.dtype);
    use_a(c,
          ADD(c, quad_links, g.all, .frames = g.frames, .tokens = g.tokens, .cols = cols,
              .node_at = node, .own_at = own, .owner_at = owner, .ahead_at = array(c, g.all, WORDS),
              .behind_at = array(c, g.all, WORDS), .limit = chance(c, 70) ? 0.1f : -1.5f));
}

/* Links anywhere, not only between frames: chains, stars and trees. */
void gen_quad_union(ops_case *c)
{
    const uint32_t n = any_size(c, 1031), percent = 15 * below(c, 7), reach = 1 + below(c, n);
    const uint32_t links[2] = {array(c, n, WORDS), array(c, n, WORDS)};
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t way = 0; way < 2; ++way)
            c->w[links[way] + i] = chance(c, percent) ? (i + below(c, reach)) % n : WN_NONE;
    const uint32_t label = array(c, n, WORDS), next = array(c, n, SCRATCH);
    const uint32_t done = array(c, 1, WORDS), rounds = c->round % 3 ? 128 : 1 + below(c, 3);
    struct wn_args_quad_union args = {.n = n,
                                      .owner_at = words_below(c, n, n),
                                      .ahead_at = links[0],
                                      .behind_at = links[1],
                                      .label_at = label,
                                      .next_at = next,
                                      .done_at = done,
                                      .rounds = rounds,
                                      .agree = chance(c, 50),
                                      .first = 1,
                                      .root_at = array(c, n, WORDS),
                                      .keep_at = array(c, n, WORDS)};
    describe(c, "n %u, links %u%% within %u, rounds %u", n, percent, reach, rounds);
    const bool parts = chance(c, 50);
    args.last = !parts;
    add_op(c, WN_OP_quad_union, 1, &args, sizeof args);
    args.first = 0;
    args.last = 1;
    if (parts)
        add_op(c, WN_OP_quad_union, 1, &args, sizeof args);
}

void gen_quad_members(ops_case *c)
{
    const uint32_t n = any_size(c, 1031), most = 1 + below(c, n), row = array(c, n, WORDS);
    const uint32_t from = array(c, most, WORDS), seg = array(c, 3, WORDS),
                   head = array(c, most, WORDS);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < n; ++i) {
        const bool begins = rows == 0 || (rows < most && chance(c, 20));
        if (begins)
            c->w[from + rows++] = i;
        c->w[row + i] = begins ? rows - 1 : chance(c, 10) ? WN_NONE : below(c, rows);
    }
    c->w[seg] = 0;
    c->w[seg + 1] = rows / 2;
    c->w[seg + 2] = rows;
    describe(c, "n %u, rows %u of %u", n, rows, most);
    ADD(c, quad_members, 1, .n = n, .segs = 2, .seg_new_at = seg, .node_at = flags(c, n, 70),
        .row_at = row, .from_at = from, .head_at = head, .next_at = array(c, n, WORDS),
        .tail_at = array(c, most, SCRATCH), .sizes_at = positive(c, n),
        .sizes_new_at = array(c, most, REALS));
}
