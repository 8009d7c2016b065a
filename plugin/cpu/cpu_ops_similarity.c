/* Similarity of sources with the tokens of their segment: the best one, or all as a matrix. */
#include <math.h>

#include "cpu_ops.h"

enum { BLOCK = WN_CPU_DOT_BLOCK, TILE = WN_CPU_TILE, STRIP = WN_CPU_STRIP };

/* Up to BLOCK tokens of a segment, their rows side by side. */
typedef struct block {
    uint32_t n;
    uint32_t position[BLOCK], row[BLOCK];
    float inv[BLOCK];
    float *columns; /* [cols * BLOCK]: element d of token l is at d * BLOCK + l */
} block;

/* A few tokens at a time: their lines are read in order and leave in pieces. room: [WN_CPU_AT_ONCE * cols]. */
static void load_block(block *y, const wn_cpu_rows *rows, uint32_t cols, float *room)
{
    enum { AT_ONCE = WN_CPU_AT_ONCE };
    for (uint32_t first = 0; first < BLOCK; first += AT_ONCE) {
        const float *x[AT_ONCE];
        for (uint32_t l = 0; l < AT_ONCE; ++l)
            x[l] = wn_cpu_row(rows, first + l < y->n ? y->row[first + l] : WN_NONE, cols,
                              room + (size_t)l * cols);
        for (uint32_t d = 0; d < cols; ++d)
            for (uint32_t l = 0; l < AT_ONCE; ++l)
                y->columns[d * BLOCK + first + l] = x[l][d];
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
    wn_cpu_tile(x, y->columns, BLOCK, cols, dots);
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
    block y = {.columns = x_room + (size_t)WN_CPU_AT_ONCE * pc->cols};
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
            load_block(&y, &m->a, pc->cols, x_room);
            match_block(pc, m, own.begin, own.end, &y, x_room);
        }
    }
}

/* Sources e .. e+count against a block: their similarities, and where the sources are the tokens, those of the block's
 * tokens with them, which are the same numbers. */
static void similarity_strip(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m,
                             uint32_t e, uint32_t count, const block *y, uint32_t begin,
                             uint32_t first, bool mirror, float *room)
{
    float sums[STRIP][BLOCK];
    const float *x[STRIP];
    uint32_t p[STRIP], rows[STRIP];
    for (uint32_t r = 0; r < STRIP; ++r) {
        p[r] = r < count ? entry(m, pc->src_pos_at, e + r) : p[0];
        rows[r] = entry(m, pc->list_at, p[r]);
        x[r] = r < count ? wn_cpu_row(&m->a, rows[r], pc->cols, room + (size_t)r * pc->cols) : x[0];
    }
    for (uint32_t r = 0; r < count; r += TILE) /* behind count x repeats, up to a tile */
        wn_cpu_tile(x + r, y->columns, BLOCK, pc->cols, sums + r);
    for (uint32_t r = 0; r < count; ++r) {
        float *row = f32_row(&m->b, e + r) + first;
        const float factor = real(m, pc->inv_at, p[r]);
        for (uint32_t l = 0; l < y->n; ++l) {
            const bool none = is_none(rows[r]) || is_none(y->row[l]);
            sums[r][l] = (none ? 0.0f : sums[r][l]) * (factor * y->inv[l]);
            row[l] = sums[r][l];
        }
    }
    for (uint32_t l = 0; mirror && l < y->n; ++l) {
        float *row = f32_row(&m->b, begin + first + l) + (e - begin);
        for (uint32_t r = 0; r < count; ++r)
            row[r] = sums[r][l];
    }
}

/* Columns first .. first+n of the similarities of some sources of segment s. */
static void similarity_block(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m,
                             uint32_t s, wn_cpu_span sources, uint32_t first, uint32_t n)
{
    const uint32_t begin = m->w[pc->seg_at + s];
    const bool symmetric = pc->src_pos_at == WN_NONE;
    float *room = m->scratch;
    block y = {.n = n, .columns = room + (size_t)STRIP * pc->cols};
    for (uint32_t l = 0; l < n; ++l) {
        y.position[l] = begin + first + l;
        y.row[l] = entry(m, pc->list_at, y.position[l]);
        y.inv[l] = real(m, pc->inv_at, y.position[l]);
    }
    load_block(&y, &m->a, pc->cols, room);
    const uint32_t end = symmetric ? least(sources.end, begin + first + n) : sources.end;
    for (uint32_t e = sources.begin; e < end;) {
        const bool before =
            e < begin + first; /* the whole strip is, or it lies in the block's own rows */
        const uint32_t count = least(STRIP, (symmetric && before ? begin + first : end) - e);
        similarity_strip(pc, m, e, count, &y, begin, first, symmetric && before, room);
        e += count;
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
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s];
        const wn_cpu_span own = wn_cpu_overlap(all, src[s], src[s + 1]);
        for (uint32_t first = 0; own.begin < own.end && first < n; first += BLOCK)
            similarity_block(pc, m, s, own, first, least(BLOCK, n - first));
    }
}

/* The second smallest of 1 - row[n]; a NaN counts as infinity. */
static float second_smallest(const float *row, uint32_t n)
{
    const float infinity = bits_f32(0x7f800000u);
    float least_one = infinity, second = infinity;
    for (uint32_t u = 0; u < n; ++u) {
        const float distance = 1.0f - row[u];
        if (distance < least_one) {
            second = least_one;
            least_one = distance;
        } else if (distance < second) {
            second = distance;
        }
    }
    return n == 1 ? least_one : second;
}

void cpu_row_second(const struct wn_args_row_second *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span here = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        for (uint32_t i = here.begin; i < here.end; ++i) {
            const float *row = f32_row(&m->a, i), own = row[i - seg[s]];
            set_real(m, pc->score_at, i,
                     is_nan(own) ? own : second_smallest(row, seg[s + 1] - seg[s]));
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
