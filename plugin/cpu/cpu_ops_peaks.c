/* Clustering by density peaks: squared distances, densities, scores, the nearest centre. */
#include "cpu_ops.h"

enum { BLOCK = WN_CPU_DOT_BLOCK, TILE = WN_CPU_TILE, STRIP = WN_CPU_POINT_STRIP };

/* Up to BLOCK points of a segment, their rows side by side. */
typedef struct points {
    uint32_t n;
    uint32_t row[BLOCK];
    float *columns; /* [cols * BLOCK]: element d of point l is at d * BLOCK + l */
} points;

/* room: [4 * cols]. */
static void load_points(points *y, const wn_cpu_rows *rows, uint32_t cols, float *room)
{
    for (uint32_t first = 0; first < BLOCK; first += 4) {
        const float *x[4];
        for (uint32_t l = 0; l < 4; ++l)
            x[l] = wn_cpu_row(rows, first + l < y->n ? y->row[first + l] : WN_NONE, cols,
                              room + (size_t)l * cols);
        wn_cpu_turn4(x, cols, y->columns + first, BLOCK);
    }
}

/* sums[r][l] = sum over d, ascending, of (x[r][d] - column d of token l)^2, for TILE rows. */
static void distance_tile(const float *const *x, const float *columns, uint32_t cols,
                          float (*sums)[BLOCK])
{
    enum { LANES = WN_CPU_VECTOR / 4, VECTORS = WN_CPU_TILE_VECTORS };
    wn_cpu_lanes acc[TILE][VECTORS];
    memset(acc, 0, sizeof acc);
    for (uint32_t d = 0; d < cols; ++d) {
        wn_cpu_lanes y[VECTORS];
        WN_CPU_UNROLL
        for (int v = 0; v < VECTORS; ++v)
            memcpy(&y[v], columns + (size_t)d * BLOCK + v * LANES, sizeof y[v]);
        WN_CPU_UNROLL
        for (int r = 0; r < TILE; ++r)
            WN_CPU_UNROLL
        for (int v = 0; v < VECTORS; ++v) {
            const wn_cpu_lanes apart = x[r][d] - y[v];
            acc[r][v] += apart * apart;
        }
    }
    memcpy(sums, acc, sizeof acc);
}

/* Points e .. e+count against a block of points `first` .. of the segment that begins at `begin`; the other way round too
 * where the strip lies before the block. */
static void distance_strip(const struct wn_args_distances *pc, const wn_cpu_memory *m, uint32_t e,
                           uint32_t count, const points *y, uint32_t begin, uint32_t first,
                           float *room)
{
    float sums[STRIP][BLOCK];
    const float *x[STRIP];
    uint32_t rows[STRIP];
    for (uint32_t r = 0; r < STRIP; ++r) {
        rows[r] = r < count ? entry(m, pc->list_at, entry(m, pc->pos_at, e + r)) : rows[0];
        x[r] = r < count ? wn_cpu_row(&m->a, rows[r], pc->cols, room + (size_t)r * pc->cols) : x[0];
    }
    for (uint32_t r = 0; r < count; r += TILE)
        distance_tile(x + r, y->columns, pc->cols, sums + r);
    for (uint32_t r = 0; r < count; ++r) {
        float *row = f32_row(&m->b, e + r) + first;
        for (uint32_t l = 0; l < y->n; ++l) {
            const bool none = is_none(rows[r]) || is_none(y->row[l]);
            sums[r][l] = none ? bits_f32(0x7fc00000u) : sums[r][l] * pc->scale;
            row[l] = sums[r][l];
        }
    }
    for (uint32_t l = 0; e < begin + first && l < y->n; ++l) {
        float *row = f32_row(&m->b, begin + first + l) + (e - begin);
        for (uint32_t r = 0; r < count; ++r)
            row[r] = sums[r][l];
    }
}

void cpu_distances(const struct wn_args_distances *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *room = m->scratch;
    points y = {.columns = room + (size_t)STRIP * pc->cols};
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        for (uint32_t first = 0; own.begin < own.end && seg[s] + first < seg[s + 1];
             first += BLOCK) {
            y.n = least(BLOCK, seg[s + 1] - seg[s] - first);
            for (uint32_t l = 0; l < y.n; ++l)
                y.row[l] = entry(m, pc->list_at, entry(m, pc->pos_at, seg[s] + first + l));
            load_points(&y, &m->a, pc->cols, room);
            const uint32_t own_rows = seg[s] + first, end = least(own.end, own_rows + y.n);
            for (uint32_t e = own.begin, count; e < end; e += count) {
                count = least(STRIP, (e < own_rows ? least(own_rows, end) : end) - e);
                distance_strip(pc, m, e, count, &y, seg[s], first, room);
            }
        }
    }
}

enum { MOST_NEAR = 64 }; /* of the smallest distances that are kept in order at a time */

/* The `many` smallest numbers of row[n] that come after the first `skip`, ascending. Their number. */
static uint32_t smallest(const float *row, uint32_t n, uint32_t many, uint32_t after_key,
                         uint32_t after_place, uint32_t *keys, uint32_t *places)
{
    uint32_t count = 0;
    for (uint32_t u = 0; u < n; ++u) {
        const uint32_t key = score_key_smallest(row[u]);
        if (key == 0 || key > after_key || (key == after_key && u <= after_place) ||
            (count == many && key <= keys[count - 1]))
            continue;
        uint32_t t = count < many ? count++ : count - 1;
        for (; t > 0 && keys[t - 1] < key; --t) {
            keys[t] = keys[t - 1];
            places[t] = places[t - 1];
        }
        keys[t] = key;
        places[t] = u;
    }
    return count;
}

static float density_of(const float *row, uint32_t n, uint32_t k)
{
    uint32_t keys[MOST_NEAR], places[MOST_NEAR], count = 0, last_key = UINT32_MAX, last_place = 0;
    float sum = 0.0f;
    while (count < k) {
        const uint32_t many = least(k - count, MOST_NEAR);
        const uint32_t found = smallest(row, n, many, last_key, last_place, keys, places);
        for (uint32_t t = 0; t < found; ++t)
            sum = sum + key_score(~keys[t]);
        count += found;
        if (found < many)
            break;
        last_key = keys[found - 1];
        last_place = places[found - 1];
    }
    return exp_(-(count ? sum * recip_((float)count) : bits_f32(0x7fc00000u)));
}

static float farthest(const float *row, uint32_t n)
{
    uint32_t key = 0;
    for (uint32_t u = 0; u < n; ++u)
        key = score_key(row[u]) > key ? score_key(row[u]) : key;
    return key ? key_score(key) : bits_f32(0x7fc00000u);
}

void cpu_density(const struct wn_args_density *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        const uint32_t n = seg[s + 1] - seg[s];
        const uint32_t k = pc->k_at == WN_NONE ? pc->k : least(pc->k, m->w[pc->k_at + s]);
        for (uint32_t e = own.begin; e < own.end; ++e) {
            set_real(m, pc->density_at, e, density_of(f32_row(&m->a, e), n, k ? k : 1));
            set_real(m, pc->far_at, e, farthest(f32_row(&m->a, e), n));
        }
    }
}

/* The smallest distance of point e to a denser (or sparser) one of its segment, squared; the largest of all if there is none. */
static float to_denser(const struct wn_args_peaks *pc, const wn_cpu_memory *m, uint32_t e,
                       uint32_t begin, uint32_t end)
{
    const float *row = f32_row(&m->a, e);
    const uint32_t key = score_key(real(m, pc->density_at, e));
    uint32_t near = 0, far = 0;
    for (uint32_t u = begin; u < end; ++u) {
        const uint32_t other = score_key(real(m, pc->density_at, u));
        const uint32_t closeness = score_key_smallest(row[u - begin]);
        const uint32_t distance = score_key(real(m, pc->far_at, u));
        const bool counts = pc->sparser ? other < key || (other == key && u > e)
                                        : other > key || (other == key && u < e);
        if (counts && closeness > near)
            near = closeness;
        far = distance > far ? distance : far;
    }
    return near ? key_score(~near) : far ? key_score(far) : bits_f32(0x7fc00000u);
}

void cpu_peaks(const struct wn_args_peaks *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        for (uint32_t e = own.begin; e < own.end; ++e) {
            const float density = real(m, pc->density_at, e);
            const float distance = sqrt_(to_denser(pc, m, e, seg[s], seg[s + 1]));
            set_real(m, pc->score_at, e, is_nan(density) ? density : distance * density);
        }
    }
}

void cpu_nearest(const struct wn_args_nearest *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *flag = m->w + pc->flag_at;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        for (uint32_t e = own.begin; e < own.end; ++e) {
            const float *row = f32_row(&m->a, e);
            uint32_t best = WN_NONE, best_key = 0;
            for (uint32_t u = seg[s]; u < seg[s + 1]; ++u) {
                const uint32_t key = score_key_smallest(row[u - seg[s]]);
                if (flag[u] && (best == WN_NONE || key > best_key)) {
                    best = u;
                    best_key = key;
                }
            }
            const uint32_t p = entry(m, pc->pos_at, e);
            m->w[pc->keep_at + p] = flag[e] ? 1 : 0;
            if (!flag[e])
                m->w[pc->dest_at + p] = best == WN_NONE ? WN_NONE : entry(m, pc->pos_at, best);
        }
    }
}

void cpu_lookup(const struct wn_args_lookup *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t from = entry(m, pc->from_at, i), to = entry(m, pc->to_at, i);
        if (to != WN_NONE)
            m->w[pc->out_at + to] = from == WN_NONE ? WN_NONE : m->w[pc->values_at + from];
    }
}
