/* Similarity of sources with the tokens of their segment: the best one, or all as a matrix. */
#include "cpu_ops.h"

enum { BLOCK = WN_CPU_DOT_BLOCK };

/* Up to BLOCK tokens of a segment, their rows side by side. */
typedef struct block {
    uint32_t n;
    uint32_t position[BLOCK], row[BLOCK];
    float *columns; /* [cols * BLOCK]: element d of token l is at d * BLOCK + l */
} block;

static void load_block(block *y, const wn_cpu_rows *rows, uint32_t cols)
{
    for (uint32_t l = 0; l < BLOCK; ++l) {
        const bool none = l >= y->n || is_none(y->row[l]);
        for (uint32_t d = 0; d < cols; ++d)
            y->columns[d * BLOCK + l] = none ? 0.0f : load(rows, y->row[l], d);
    }
}

/* dotseq of row x_row with each token of a block. A row that is none has dot 0 with anything, NaN
 * and infinities too. */
static void dot_block(const wn_cpu_rows *rows, uint32_t x_row, const block *y, uint32_t cols,
                      float *room, float dots[BLOCK])
{
    float sums[BLOCK] = {0}; /* of our own, so that they stay in registers */
    memset(dots, 0, BLOCK * sizeof *dots);
    if (is_none(x_row))
        return;
    const float *x = wn_cpu_row(rows, x_row, cols, room), *columns = y->columns;
    for (uint32_t d = 0; d < cols; ++d)
        for (uint32_t l = 0; l < BLOCK; ++l)
            sums[l] += x[d] * columns[(size_t)d * BLOCK + l];
    for (uint32_t l = 0; l < y->n; ++l)
        dots[l] = is_none(y->row[l]) ? 0.0f : sums[l];
}

/* Sources begin .. end against the targets of a block. */
static void match_block(const struct wn_args_match *pc, const wn_cpu_memory *m, uint32_t begin,
                        uint32_t end, const block *y, float *room)
{
    for (uint32_t e = begin; e < end; ++e) {
        const uint32_t p = entry(m, pc->src_pos_at, e);
        float dots[BLOCK];
        dot_block(&m->a, entry(m, pc->list_at, p), y, pc->cols, room, dots);
        for (uint32_t l = 0; l < y->n; ++l) {
            const uint32_t q = y->position[l];
            const float c = dots[l] * (real(m, pc->inv_at, p) * real(m, pc->inv_at, q));
            const bool first = m->w[pc->arg_at + e] == WN_NONE;
            if (!first && score_key(c) <= score_key(real(m, pc->best_at, e)))
                continue;
            set_real(m, pc->best_at, e, c);
            m->w[pc->arg_at + e] = q;
        }
    }
}

void cpu_match(const struct wn_args_match *pc, const wn_cpu_memory *m)
{
    const uint32_t *src = m->w + pc->src_seg_at, *dst = m->w + pc->dst_seg_at;
    float *x_room = m->scratch;
    block y = {.columns = x_room + pc->cols};
    for (uint32_t e = 0; pc->from == 0 && e < src[pc->segs]; ++e) {
        m->w[pc->best_at + e] = 0x7fc00000u;
        m->w[pc->arg_at + e] = WN_NONE;
    }
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t from = least(pc->from, dst[s + 1] - dst[s]) + dst[s];
        const uint32_t end = pc->most ? from + least(pc->most, dst[s + 1] - from) : dst[s + 1];
        for (uint32_t u = from; src[s] < src[s + 1] && u < end; u += BLOCK) {
            y.n = least(BLOCK, end - u);
            for (uint32_t l = 0; l < y.n; ++l) {
                y.position[l] = entry(m, pc->dst_pos_at, u + l);
                y.row[l] = entry(m, pc->list_at, y.position[l]);
            }
            load_block(&y, &m->a, pc->cols);
            match_block(pc, m, src[s], src[s + 1], &y, x_room);
        }
    }
}

/* Columns first .. first+n of the similarities of segment s, for all of its sources. */
static void similarity_block(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m,
                             uint32_t s, uint32_t first, uint32_t n)
{
    const uint32_t begin = m->w[pc->seg_at + s], *src = m->w + pc->src_seg_at;
    float *x_room = m->scratch;
    block y = {.n = n, .columns = x_room + pc->cols};
    for (uint32_t l = 0; l < n; ++l) {
        y.position[l] = begin + first + l;
        y.row[l] = entry(m, pc->list_at, y.position[l]);
    }
    load_block(&y, &m->a, pc->cols);
    for (uint32_t e = src[s]; e < src[s + 1]; ++e) {
        const uint32_t p = entry(m, pc->src_pos_at, e);
        float dots[BLOCK], *row = f32_row(&m->b, e) + first;
        dot_block(&m->a, entry(m, pc->list_at, p), &y, pc->cols, x_room, dots);
        for (uint32_t l = 0; l < n; ++l)
            row[l] = dots[l] * (real(m, pc->inv_at, p) * real(m, pc->inv_at, y.position[l]));
    }
}

void cpu_sim_matrix(const struct wn_args_sim_matrix *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s];
        for (uint32_t first = 0; first < n; first += BLOCK)
            similarity_block(pc, m, s, first, least(BLOCK, n - first));
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
    for (uint32_t s = 0; s < pc->segs; ++s) {
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
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
    for (uint32_t s = 0; s < pc->segs; ++s) {
        for (uint32_t e = src[s]; e < src[s + 1]; ++e) {
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
