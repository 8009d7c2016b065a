/* Similarity of sources with the tokens of their segment: the best one, or all as a matrix. */
#include <math.h>

#include "cpu_ops.h"

enum {
    BLOCK = WN_CPU_DOT_BLOCK,
    TILE = WN_CPU_TILE,
    STRIP = WN_CPU_STRIP,
    PANEL = WN_CPU_SIM_PANEL,
    DEPTH = WN_CPU_SIM_DEPTH,
};

/* Up to BLOCK tokens of a segment, their rows side by side. */
typedef struct block {
    uint32_t n;
    uint32_t position[BLOCK], row[BLOCK];
    float inv[BLOCK];
    float *columns; /* [cols * BLOCK]: element d of token l is at d * BLOCK + l */
} block;

/* columns[d * BLOCK + l] = element d of the l-th of `count` rows; zeros behind the last. room: [4 * n]. */
static void pack(const wn_cpu_rows *rows, const uint32_t *row, uint32_t count, uint32_t n,
                 float *room, float *columns)
{
    for (uint32_t first = 0; first < BLOCK; first += 4) {
        const float *x[4];
        for (uint32_t l = 0; l < 4; ++l)
            x[l] = wn_cpu_row(rows, first + l < count ? row[first + l] : WN_NONE, n,
                              room + (size_t)l * n);
        wn_cpu_turn4(x, n, columns + first, BLOCK);
    }
}

/* dotseq of up to TILE rows (the last again where there are fewer) with each token of a block. A row that is none has
 * dot 0 with anything, NaN and infinities too. room: [TILE * cols]. */
static void dot_block(const wn_cpu_rows *rows, const uint32_t *x_row, uint32_t count,
                      const block *y, uint32_t cols, float *room, float dots[TILE][BLOCK])
{
    const float *x[TILE];
    for (uint32_t r = 0; r < TILE; ++r)
        x[r] = r < count ? wn_cpu_row(rows, x_row[r], cols, room + (size_t)r * cols) : x[0];
    wn_cpu_tile(x, y->columns, BLOCK, cols, false, dots);
    for (uint32_t r = 0; r < count; ++r)
        for (uint32_t l = 0; l < BLOCK; ++l)
            if (is_none(x_row[r]) || l >= y->n || is_none(y->row[l]))
                dots[r][l] = 0.0f;
}

/* The best of a block's targets for source e at position p, if it is better than what was found before. */
static void take_best(const struct wn_args_match *pc, const wn_cpu_memory *m, uint32_t e,
                      uint32_t p, const block *y, const float dots[BLOCK])
{
    const float factor = real(m, pc->inv_at, p);
    float c[BLOCK];
    uint32_t keys[BLOCK], best = 0;
    for (uint32_t l = 0; l < BLOCK; ++l) {
        c[l] = dots[l] * (factor * y->inv[l]);
        keys[l] = l < y->n ? score_key(c[l]) : 0;
    }
    for (uint32_t l = 0; l < BLOCK; ++l)
        best = keys[l] > best ? keys[l] : best;
    if (m->w[pc->arg_at + e] != WN_NONE && best <= score_key(real(m, pc->best_at, e)))
        return;
    uint32_t l = 0;
    while (keys[l] != best)
        ++l;
    set_real(m, pc->best_at, e, c[l]);
    m->w[pc->arg_at + e] = y->position[l];
}

/* Sources begin .. end against the targets of a block. */
static void match_block(const struct wn_args_match *pc, const wn_cpu_memory *m, uint32_t begin,
                        uint32_t end, const block *y, float *room)
{
    for (uint32_t e = begin; e < end; e += TILE) {
        const uint32_t count = least(TILE, end - e);
        uint32_t p[TILE], rows[TILE];
        float dots[TILE][BLOCK];
        for (uint32_t r = 0; r < count; ++r) {
            p[r] = entry(m, pc->src_pos_at, e + r);
            rows[r] = entry(m, pc->list_at, p[r]);
        }
        dot_block(&m->a, rows, count, y, pc->cols, room, dots);
        for (uint32_t r = 0; r < count; ++r)
            take_best(pc, m, e + r, p[r], y, dots[r]);
    }
}

void cpu_match(const struct wn_args_match *pc, const wn_cpu_memory *m)
{
    const uint32_t *src = m->w + pc->src_seg_at, *dst = m->w + pc->dst_seg_at;
    float *x_room = m->scratch;
    block y = {.columns = x_room + (size_t)WN_CPU_MOST_TILE * pc->cols};
    const wn_cpu_span all = wn_cpu_share(m, 0, src[pc->segs]);
    for (uint32_t e = all.begin; pc->from == 0 && e < all.end; ++e) {
        m->w[pc->best_at + e] = 0x7fc00000u;
        m->w[pc->arg_at + e] = WN_NONE;
    }
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t from = least(pc->from, dst[s + 1] - dst[s]) + dst[s];
        const uint32_t end = pc->most ? from + least(pc->most, dst[s + 1] - from) : dst[s + 1];
        const wn_cpu_span own = wn_cpu_overlap(all, src[s], src[s + 1]);
        for (uint32_t u = from; own.begin < own.end && u < end; u += BLOCK) {
            y.n = least(BLOCK, end - u);
            for (uint32_t l = 0; l < y.n; ++l) {
                y.position[l] = entry(m, pc->dst_pos_at, u + l);
                y.row[l] = entry(m, pc->list_at, y.position[l]);
                y.inv[l] = real(m, pc->inv_at, y.position[l]);
            }
            for (uint32_t l = y.n; l < BLOCK; ++l)
                y.inv[l] = 0.0f;
            pack(&m->a, y.row, y.n, pc->cols, x_room, y.columns);
            match_block(pc, m, own.begin, own.end, &y, x_room);
        }
    }
}

/* Tokens begin .. end of a segment beside a block of it. */
static void count_block(const struct wn_args_alike_count *pc, const wn_cpu_memory *m,
                        uint32_t begin, uint32_t end, const block *y, float *room)
{
    const uint32_t bound = score_key(pc->bound);
    for (uint32_t i = begin; i < end; i += TILE) {
        const uint32_t count = least(TILE, end - i);
        uint32_t rows[TILE];
        float dots[TILE][BLOCK];
        for (uint32_t r = 0; r < count; ++r)
            rows[r] = entry(m, pc->list_at, i + r);
        dot_block(&m->a, rows, count, y, pc->cols, room, dots);
        for (uint32_t r = 0; r < count; ++r) {
            const float factor = real(m, pc->inv_at, i + r);
            uint32_t alike = 0;
            for (uint32_t l = 0; l < y->n; ++l)
                alike += score_key(dots[r][l] * (factor * y->inv[l])) > bound &&
                         y->position[l] != i + r;
            set_real(m, pc->v_at, i + r, real(m, pc->v_at, i + r) + (float)alike);
        }
    }
}

void cpu_alike_count(const struct wn_args_alike_count *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *x_room = m->scratch;
    block y = {.columns = x_room + (size_t)WN_CPU_MOST_TILE * pc->cols};
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t i = all.begin; pc->from == 0 && i < all.end; ++i)
        set_real(m, pc->v_at, i, 0.0f);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t from = least(pc->from, seg[s + 1] - seg[s]) + seg[s];
        const uint32_t end = pc->most ? from + least(pc->most, seg[s + 1] - from) : seg[s + 1];
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        for (uint32_t u = from; own.begin < own.end && u < end; u += BLOCK) {
            y.n = least(BLOCK, end - u);
            for (uint32_t l = 0; l < y.n; ++l) {
                y.position[l] = u + l;
                y.row[l] = entry(m, pc->list_at, u + l);
                y.inv[l] = real(m, pc->inv_at, u + l);
            }
            pack(&m->a, y.row, y.n, pc->cols, x_room, y.columns);
            count_block(pc, m, own.begin, own.end, &y, x_room);
        }
    }
}

/* Some of a segment's similarities, and scratch for them. */
typedef struct patch {
    uint32_t begin, n;   /* the segment: its first position, its tokens */
    uint32_t e, rows;    /* sources e .. e+rows, at most STRIP */
    uint32_t first, end; /* columns, whole blocks, at most PANEL */
    bool symmetric;      /* the sources are the tokens themselves */
    uint32_t row[STRIP], column_row[PANEL];
    float inv[STRIP];
    float *x;             /* [STRIP * DEPTH] */
    float *columns;       /* [DEPTH * BLOCK] */
    float (*sums)[BLOCK]; /* [PANEL / BLOCK * STRIP] */
} patch;

/* The end of the block of columns that starts at `first`. The first block is what whole ones leave over: of a triangle it
 * is the shortest, so that the fewest products are of columns that are not there. */
static uint32_t block_end(const patch *t, uint32_t first)
{
    return first == 0 && t->n % BLOCK ? t->n % BLOCK : first + BLOCK;
}

/* Sources that the block before column `end` is computed for: of a triangle none behind it. */
static uint32_t rows_for(const patch *t, uint32_t end)
{
    return t->symmetric ? least(t->rows, t->begin + end - t->e) : t->rows;
}

/* Asks for the elements that are wanted next of some rows. */
static void fetch_rows(const wn_cpu_rows *next, const uint32_t *row, uint32_t count)
{
    enum { LINE = 64 };
    for (uint32_t r = 0; r < count; ++r)
        for (size_t at = 0; !is_none(row[r]) && at < DEPTH * element_bytes(next->dtype); at += LINE)
            __builtin_prefetch(element(next, row[r], 0) + at);
}

/* Adds n products to the sums of a block. Meanwhile `next` (or NULL) comes from memory. */
static void add_block(const patch *t, uint32_t rows, uint32_t n, bool more, const wn_cpu_rows *next,
                      float (*sums)[BLOCK])
{
    for (uint32_t r = 0; r < rows; r += TILE) {
        const float *x[TILE];
        for (uint32_t i = 0; i < TILE; ++i) /* behind the last row it again */
            x[i] = t->x + (size_t)least(r + i, t->rows - 1) * DEPTH;
        if (next)
            fetch_rows(next, t->row + r, least(TILE, rows - r));
        if (rows - r > TILE / 2)
            wn_cpu_tile(x, t->columns, BLOCK, n, more, sums + r);
        else
            wn_cpu_tile_rows(TILE / 2, x, t->columns, BLOCK, n, more, sums + r);
    }
}

/* The dot products of a patch, DEPTH elements at a time: what is read again lies in the nearest cache. */
static void add_patch(const patch *t, const wn_cpu_rows *rows, uint32_t cols)
{
    float room[4 * DEPTH];
    for (uint32_t d = 0; d < cols; d += DEPTH) {
        const uint32_t n = least(DEPTH, cols - d);
        wn_cpu_rows part = *rows, next = *rows;
        part.data = element(rows, 0, d);
        next.data = element(rows, 0, d + DEPTH);
        for (uint32_t r = 0; r < t->rows; ++r)
            wn_cpu_load_row(&part, t->row[r], n, t->x + (size_t)r * DEPTH);
        float(*sums)[BLOCK] = t->sums;
        for (uint32_t c = t->first, end; c < t->end; c = end, sums += STRIP) {
            end = block_end(t, c);
            pack(&part, t->column_row + (c - t->first), end - c, n, room, t->columns);
            add_block(t, rows_for(t, end), n, d > 0,
                      end >= t->end && d + DEPTH < cols ? &next : NULL, sums);
        }
    }
}

/* sums[r][l] of the columns c .. end becomes their similarity. Where a row is none the product is 0, with NaN and
 * infinities too. */
static void scale_block(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m, const patch *t,
                        uint32_t c, uint32_t end, float (*sums)[BLOCK])
{
    const uint32_t rows = rows_for(t, end), *column_row = t->column_row + (c - t->first);
    float inv[BLOCK];
    for (uint32_t l = 0; l < end - c; ++l)
        inv[l] = real(m, pc->inv_at, t->begin + c + l);
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t l = 0; l < end - c; ++l) {
            const bool none = is_none(t->row[r]) || is_none(column_row[l]);
            sums[r][l] = (none ? 0.0f : sums[r][l]) * (t->inv[r] * inv[l]);
        }
}

/* Writes a block, and where its sources are tokens before its columns also the columns' similarities with them, which are
 * the same numbers. */
static void store_block(const wn_cpu_memory *m, const patch *t, uint32_t c, uint32_t end,
                        float (*sums)[BLOCK])
{
    const uint32_t rows = rows_for(t, end), first = t->begin + c, stride = m->b.stride;
    for (uint32_t r = 0; r < rows; ++r)
        memcpy(f32_row(&m->b, t->e + r) + c, sums[r], (end - c) * sizeof sums[r][0]);
    if (!t->symmetric || first <= t->e)
        return;
    const uint32_t before = least(rows, first - t->e);
    float *mirror = f32_row(&m->b, first) + (t->e - t->begin);
    uint32_t r = 0;
    for (; before - r >= 4; r += 4)
        wn_cpu_turn4((const float *const[]){sums[r], sums[r + 1], sums[r + 2], sums[r + 3]},
                     end - c, mirror + r, stride);
    for (; r < before; ++r)
        for (uint32_t l = 0; l < end - c; ++l)
            mirror[(size_t)l * stride + r] = sums[r][l];
}

static void similarity_patch(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m, patch *t)
{
    for (uint32_t c = t->first; c < t->end; ++c)
        t->column_row[c - t->first] = entry(m, pc->list_at, t->begin + c);
    add_patch(t, &m->a, pc->cols);
    float(*sums)[BLOCK] = t->sums;
    for (uint32_t c = t->first, end; c < t->end; c = end, sums += STRIP) {
        end = block_end(t, c);
        scale_block(pc, m, t, c, end, sums);
        store_block(m, t, c, end, sums);
    }
}

/* A strip of sources, with the columns from the block on that they lie in if they are the tokens. */
static void similarity_strip(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m, patch *t)
{
    for (uint32_t r = 0; r < t->rows; ++r) {
        const uint32_t p = entry(m, pc->src_pos_at, t->e + r);
        t->row[r] = entry(m, pc->list_at, p);
        t->inv[r] = real(m, pc->inv_at, p);
    }
    t->end = 0;
    while (t->symmetric && block_end(t, t->end) <= t->e - t->begin)
        t->end = block_end(t, t->end);
    while (t->end < t->n) {
        t->first = t->end;
        for (uint32_t i = 0; i < PANEL / BLOCK && t->end < t->n; ++i)
            t->end = block_end(t, t->end);
        similarity_patch(pc, m, t);
    }
}

/* Row `part` of a triangle whose first rows are the longest: parts of the same area. */
static uint32_t triangle_cut(uint32_t n, uint32_t part, uint32_t parts)
{
    return part == parts ? n : (uint32_t)(n * (1.0 - sqrt(1.0 - (double)part / parts)));
}

static wn_cpu_span triangle_share(const wn_cpu_memory *m, uint32_t n)
{
    return (wn_cpu_span){triangle_cut(n, m->part, m->parts),
                         triangle_cut(n, m->part + 1, m->parts)};
}

void cpu_sim_matrix(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *src = m->w + pc->src_seg_at;
    const bool triangle = pc->src_pos_at == WN_NONE && pc->segs == 1;
    const wn_cpu_span all =
        triangle ? triangle_share(m, src[1]) : wn_cpu_share(m, 0, src[pc->segs]);
    patch t = {.symmetric = pc->src_pos_at == WN_NONE, .x = m->scratch};
    t.columns = t.x + STRIP * DEPTH;
    t.sums = (float(*)[BLOCK])(void *)(t.columns + DEPTH * BLOCK);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, src[s], src[s + 1]);
        t.begin = seg[s];
        t.n = seg[s + 1] - seg[s];
        for (t.e = own.begin; t.e < own.end; t.e += STRIP) {
            t.rows = least(STRIP, own.end - t.e);
            similarity_strip(pc, m, &t);
        }
    }
}

/* Rows e .. e+count of segment s against a block of its tokens. */
static void cross_block(const struct wn_args_cross_sim *pc, const wn_cpu_memory *m, uint32_t e,
                        uint32_t count, const block *y, uint32_t first, float *room)
{
    uint32_t rows[TILE];
    float dots[TILE][BLOCK];
    for (uint32_t r = 0; r < count; ++r)
        rows[r] = entry(m, pc->src_at, pc->own ? e + r : (e + r) % pc->rows);
    dot_block(&m->c, rows, count, y, pc->cols, room, dots);
    for (uint32_t r = 0; r < count; ++r) {
        const float factor = is_none(rows[r]) ? 0.0f : real(m, pc->c_inv_at, rows[r]);
        float *to = f32_row(&m->b, e + r) + first;
        for (uint32_t l = 0; l < y->n; ++l)
            to[l] = dots[r][l] * (factor * y->inv[l]);
    }
}

void cpu_cross_sim(const struct wn_args_cross_sim *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *room = m->scratch;
    block y = {.columns = room + (size_t)WN_CPU_MOST_TILE * pc->cols};
    const wn_cpu_span all = wn_cpu_share(m, 0, pc->segs * pc->rows);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, s * pc->rows, (s + 1) * pc->rows);
        const uint32_t n = seg[s + 1] - seg[s];
        for (uint32_t first = 0; own.begin < own.end && first < n; first += BLOCK) {
            y.n = least(BLOCK, n - first);
            for (uint32_t l = 0; l < y.n; ++l) {
                y.row[l] = entry(m, pc->list_at, seg[s] + first + l);
                y.inv[l] = real(m, pc->inv_at, seg[s] + first + l);
            }
            pack(&m->a, y.row, y.n, pc->cols, room, y.columns);
            for (uint32_t e = own.begin; e < own.end; e += TILE)
                cross_block(pc, m, e, least(TILE, own.end - e), &y, first, room);
        }
    }
}

/* The second smallest of 1 - row[n], times weight[0] if there is one; a NaN counts as infinity. */
static float second_smallest(const float *row, uint32_t n, const float *weight)
{
    const float infinity = bits_f32(0x7f800000u);
    float least_one = infinity, second = infinity;
    for (uint32_t u = 0; u < n; ++u) {
        const float distance = weight ? (1.0f - row[u]) * *weight : 1.0f - row[u];
        if (distance < least_one) {
            second = least_one;
            least_one = distance;
        } else if (distance < second) {
            second = distance;
        }
    }
    return (n == 1 ? least_one : second) + 0.0f; /* -0 of a negative weight is 0 */
}

void cpu_row_second(const struct wn_args_row_second *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span here = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        for (uint32_t i = here.begin; i < here.end; ++i) {
            const float *row = f32_row(&m->a, i), own = row[i - seg[s]];
            const float weight = pc->weighted ? real(m, pc->weight_at, i) : 1.0f;
            set_real(
                m, pc->score_at, i,
                is_nan(own) || is_nan(weight)
                    ? bits_f32(0x7fc00000u)
                    : second_smallest(row, seg[s + 1] - seg[s], pc->weighted ? &weight : NULL));
        }
    }
}

/* Puts position u into near[many], kept in order of A(e, .), if it belongs there. */
static void insert_near(uint32_t *near, uint32_t many, uint32_t u, const float *row, uint32_t begin)
{
    const uint32_t key = score_key(row[u - begin]);
    uint32_t t = many;
    while (t > 0 && (near[t - 1] == WN_NONE || score_key(row[near[t - 1] - begin]) < key)) {
        if (t < many)
            near[t] = near[t - 1];
        --t;
    }
    if (t < many)
        near[t] = u;
}

void cpu_neighbours(const struct wn_args_neighbours *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *src = m->w + pc->src_seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, src[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, src[s], src[s + 1]);
        for (uint32_t e = own.begin; e < own.end; ++e) {
            uint32_t *near = m->w + pc->near_at + (size_t)e * pc->many;
            const float *row = f32_row(&m->a, e);
            const uint32_t self = entry(m, pc->src_pos_at, e);
            for (uint32_t t = 0; t < pc->many; ++t)
                near[t] = WN_NONE;
            for (uint32_t u = seg[s]; u < seg[s + 1]; ++u)
                if (u != self && !(pc->index_at != WN_NONE && is_none(m->w[pc->index_at + u])))
                    insert_near(near, pc->many, u, row, seg[s]);
        }
    }
}
