/* Quadtrees of tokens: which nodes stay, and which of them are one along the frames. */
#include "cpu_ops.h"

/* Nodes of a level along a side of n tokens. */
static uint32_t side_of(uint32_t n, uint32_t level)
{
    return (n + (1u << level) - 1) >> level;
}

/* The first child along an axis of `below` nodes in the level below; of the node past the last one: `below`. */
static uint32_t child_of(uint32_t node, uint32_t below)
{
    return node == 0 ? 0 : 2 * node - (below & 1);
}

static uint32_t children_of(uint32_t node, uint32_t below)
{
    return node == 0 && below & 1 ? 1 : 2;
}

/* The first token of a node; of the one past the last: n. */
static uint32_t first_of(uint32_t node, uint32_t n, uint32_t level)
{
    for (; level > 0; --level)
        node = child_of(node, side_of(n, level - 1));
    return node;
}

/* The node of a level over a token. */
static uint32_t over(uint32_t token, uint32_t n, uint32_t level)
{
    for (uint32_t l = 0; l < level; ++l)
        token = (token + (side_of(n, l) & 1)) >> 1;
    return token;
}

static float cosine(const float *x, const float *y, uint32_t n)
{
    float xx, xy, yy;
    wn_cpu_dots32(x, y, n, &xx, &xy, &yy);
    return xy * (norm_factor(xx, COS_EPS2, COS_INV_EPS) * norm_factor(yy, COS_EPS2, COS_INV_EPS));
}

/* A node and the level below it. */
typedef struct node {
    uint32_t k, t, y, x, h, w; /* h x w: the level below */
} node;

static bool resembles(const struct wn_args_quad_split *pc, const wn_cpu_memory *m, const node *n)
{
    float *x_room = m->scratch, *y_room = x_room + pc->cols;
    const float *x = wn_cpu_row(&m->c, n->k, pc->cols, x_room);
    const uint32_t many_y = children_of(n->y, n->h), many_x = children_of(n->x, n->w);
    for (uint32_t slot = 0; slot < 4; ++slot) {
        const uint32_t dy = slot / 2, dx = slot % 2;
        const bool here = dy < many_y && dx < many_x;
        if (!here && !pc->missing)
            continue;
        const uint32_t cy = here ? child_of(n->y, n->h) + dy : 0,
                       cx = here ? child_of(n->x, n->w) + dx : 0;
        const uint32_t row = entry(m, pc->list_at, (n->t * n->h + cy) * n->w + cx);
        if (!(cosine(x, wn_cpu_row(&m->a, row, pc->cols, y_room), pc->cols) >= pc->limit))
            return false;
    }
    return true;
}

void cpu_quad_split(const struct wn_args_quad_split *pc, const wn_cpu_memory *m)
{
    const uint32_t below = pc->level - 1, oh = side_of(pc->h, pc->level),
                   ow = side_of(pc->w, pc->level);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * oh * ow);
    for (uint32_t k = own.begin; k < own.end; ++k) {
        const node n = {.k = k,
                        .t = k / (oh * ow),
                        .y = k / ow % oh,
                        .x = k % ow,
                        .h = side_of(pc->h, below),
                        .w = side_of(pc->w, below)};
        uint32_t *frame = m->w + pc->own_at + (size_t)n.t * pc->h * pc->w;
        const uint32_t place =
            first_of(n.y, pc->h, pc->level) * pc->w + first_of(n.x, pc->w, pc->level);
        m->w[pc->copy_at + k] = WN_NONE;
        if (!pc->top && frame[place] != pc->level)
            continue;
        if (resembles(pc, m, &n)) {
            frame[place] = pc->level;
            m->w[pc->copy_at + k] = n.t * pc->h * pc->w + place;
            continue;
        }
        const uint32_t cy = child_of(n.y, n.h), cx = child_of(n.x, n.w);
        for (uint32_t dy = 0; dy < children_of(n.y, n.h); ++dy)
            for (uint32_t dx = 0; dx < children_of(n.x, n.w); ++dx)
                frame[first_of(cy + dy, pc->h, below) * pc->w + first_of(cx + dx, pc->w, below)] =
                    below;
    }
}

/* The place of the node of a level over token (y, x) of a frame. */
static uint32_t place_over(const struct wn_args_quad_owner *pc, uint32_t y, uint32_t x,
                           uint32_t level)
{
    return first_of(over(y, pc->h, level), pc->h, level) * pc->w +
           first_of(over(x, pc->w, level), pc->w, level);
}

/* The node of `level` at token (y, x) of a frame: its tokens and their sizes. */
static void measure(const struct wn_args_quad_owner *pc, const wn_cpu_memory *m, uint32_t frame,
                    uint32_t y, uint32_t x, uint32_t level)
{
    const uint32_t i = frame + y * pc->w + x;
    const uint32_t end_y = first_of(over(y, pc->h, level) + 1, pc->h, level),
                   end_x = first_of(over(x, pc->w, level) + 1, pc->w, level);
    const float count = (float)((end_y - y) * (end_x - x));
    float sum = 0.0f;
    for (uint32_t yy = y; pc->sizes_at != WN_NONE && yy < end_y; ++yy)
        for (uint32_t xx = x; xx < end_x; ++xx)
            sum += real(m, pc->sizes_at, frame + yy * pc->w + xx);
    set_real(m, pc->count_at, i, count);
    set_real(m, pc->sizes_out_at, i, pc->sizes_at == WN_NONE ? count : sum);
}

void cpu_quad_owner(const struct wn_args_quad_owner *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < pc->frames * pc->h * pc->w; ++i) {
        const uint32_t y = i / pc->w % pc->h, x = i % pc->w, frame = i - y * pc->w - x;
        const uint32_t level = m->w[pc->own_at + i];
        uint32_t owner = i, l = pc->top;
        while (l > 0 && m->w[pc->own_at + frame + place_over(pc, y, x, l)] != l)
            --l;
        if (l > 0)
            owner = frame + place_over(pc, y, x, l);
        m->w[pc->owner_at + i] = owner;
        m->w[pc->node_at + i] = level != WN_NONE;
        m->w[pc->copy_at + i] = level == 0 ? i : WN_NONE;
        set_real(m, pc->count_at, i, 0.0f);
        set_real(m, pc->sizes_out_at, i, 0.0f);
        if (level != WN_NONE)
            measure(pc, m, frame, y, x, level);
    }
}

/* The node over place `there`, if it is of `level` or more and node i resembles it. */
static uint32_t linked(const struct wn_args_quad_links *pc, const wn_cpu_memory *m, uint32_t i,
                       uint32_t there, uint32_t level)
{
    const uint32_t o = m->w[pc->owner_at + there];
    if (m->w[pc->own_at + o] < level)
        return WN_NONE;
    float *x_room = m->scratch, *y_room = x_room + pc->cols;
    const float c = cosine(wn_cpu_row(&m->a, i, pc->cols, x_room),
                           wn_cpu_row(&m->a, o, pc->cols, y_room), pc->cols);
    return c >= pc->limit ? o : WN_NONE;
}

void cpu_quad_links(const struct wn_args_quad_links *pc, const wn_cpu_memory *m)
{
    const uint32_t all = pc->frames * pc->tokens;
    const wn_cpu_span own = wn_cpu_share(m, 0, all);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const bool is_node = m->w[pc->node_at + i] != 0;
        const uint32_t level = m->w[pc->own_at + i];
        m->w[pc->ahead_at + i] =
            is_node && i + pc->tokens < all ? linked(pc, m, i, i + pc->tokens, level + 1) : WN_NONE;
        m->w[pc->behind_at + i] =
            is_node && i >= pc->tokens ? linked(pc, m, i, i - pc->tokens, level) : WN_NONE;
    }
}

/* Do labels stand still (agree: do linked places have one)? */
static bool labels_settled(const struct wn_args_quad_union *pc, const wn_cpu_memory *m)
{
    const uint32_t *label = m->w + pc->label_at;
    const uint32_t *links[2] = {m->w + pc->ahead_at, m->w + pc->behind_at};
    for (uint32_t i = 0; i < pc->n; ++i) {
        if (!pc->agree && label[label[i]] != label[i])
            return false;
        for (uint32_t way = 0; pc->agree && way < 2; ++way)
            if (links[way][i] != WN_NONE && label[links[way][i]] != label[i])
                return false;
    }
    return true;
}

/* One round over the links. True where labels are settled after it. */
static bool join_labels(const struct wn_args_quad_union *pc, const wn_cpu_memory *m)
{
    uint32_t *label = m->w + pc->label_at, *next = m->w + pc->next_at;
    memcpy(next, label, pc->n * sizeof *next);
    for (uint32_t i = 0; i < pc->n; ++i)
        for (uint32_t way = 0; way < 2; ++way) {
            const uint32_t other = m->w[(way ? pc->behind_at : pc->ahead_at) + i];
            if (other == WN_NONE)
                continue;
            const uint32_t low = least(label[i], label[other]);
            const uint32_t high = label[i] == low ? label[other] : label[i];
            next[i] = least(next[i], low);
            next[other] = least(next[other], low);
            if (pc->agree)
                next[high] = least(next[high], low);
        }
    for (uint32_t i = 0; i < pc->n; ++i)
        label[i] = next[next[i]];
    return labels_settled(pc, m);
}

void cpu_quad_union(const struct wn_args_quad_union *pc, const wn_cpu_memory *m)
{
    uint32_t *label = m->w + pc->label_at;
    bool done = !pc->first && m->w[pc->done_at] != 0;
    for (uint32_t i = 0; pc->first && i < pc->n; ++i)
        label[i] = i;
    for (uint32_t round = 0; !done && round < pc->rounds; ++round)
        done = join_labels(pc, m);
    m->w[pc->done_at] = done;
    for (uint32_t i = 0; pc->last && i < pc->n; ++i) {
        const uint32_t root = label[m->w[pc->owner_at + i]];
        m->w[pc->root_at + i] = root;
        m->w[pc->keep_at + i] = root == i;
    }
}

void cpu_quad_members(const struct wn_args_quad_members *pc, const wn_cpu_memory *m)
{
    const uint32_t rows = m->w[pc->seg_new_at + pc->segs];
    uint32_t *head = m->w + pc->head_at, *next = m->w + pc->next_at, *tail = m->w + pc->tail_at;
    for (uint32_t r = 0; r < rows; ++r) {
        head[r] = tail[r] = WN_NONE;
        m->w[pc->sizes_new_at + r] = m->w[pc->sizes_at + m->w[pc->from_at + r]];
    }
    for (uint32_t i = 0; i < pc->n; ++i) {
        const uint32_t r = m->w[pc->node_at + i] ? m->w[pc->row_at + i] : WN_NONE;
        next[i] = WN_NONE;
        if (r == WN_NONE || m->w[pc->from_at + r] == i)
            continue;
        *(tail[r] == WN_NONE ? &head[r] : &next[tail[r]]) = i;
        tail[r] = i;
        set_real(m, pc->sizes_new_at, r, real(m, pc->sizes_new_at, r) + real(m, pc->sizes_at, i));
    }
}
