/* Queries of their own that pool tokens: what of the tokens' rows each has, and where tokens and sizes go. */
#include "cpu_ops.h"

enum { BLOCK = WN_CPU_TILE_COLUMNS, TILE = WN_CPU_TILE, CHUNK = WN_CPU_ATTEND_CHUNK };

static const float least_share =
    5.42101086e-20f; /* 2^-64: products of less may be subnormal, where drivers differ */

/* Tokens first .. first+n of a segment, `columns` columns of them from `from` on. */
typedef struct panel {
    uint32_t first, n, from, columns;
    float (*values)[BLOCK];  /* [CHUNK] */
    float (*weights)[CHUNK]; /* [WN_CPU_MOST_TILE] */
    float (*sums)[BLOCK];    /* [rows] */
    uint32_t row[CHUNK];
    bool plain; /* all are rows of finite numbers */
} panel;

static void load_values(const struct wn_args_attend_values *pc, const wn_cpu_memory *m,
                        uint32_t begin, panel *p)
{
    p->plain = true;
    for (uint32_t u = 0; u < p->n; ++u) {
        const uint32_t row = p->row[u] = entry(m, pc->list_at, begin + p->first + u);
        memset(p->values[u], 0, sizeof p->values[u]);
        p->plain = p->plain && !is_none(row);
        for (uint32_t c = 0; !is_none(row) && c < p->columns; ++c) {
            const float v = p->values[u][c] = load(&m->a, row, p->from + c);
            p->plain = p->plain && (f32_bits(v) & 0x7f800000u) != 0x7f800000u;
        }
    }
}

/* The sums of `count` rows of shares from e on grow by the panel's tokens. */
static void add_panel(const wn_cpu_memory *m, const panel *p, uint32_t e, uint32_t count,
                      float (*sums)[BLOCK])
{
    const float *x[TILE];
    float room[TILE][BLOCK] = {{0}};
    bool finite = true;
    for (uint32_t r = 0; r < count; ++r) {
        const float *from = f32_row(&m->c, e + r) + p->first;
        for (uint32_t u = 0; u < p->n; ++u) {
            p->weights[r][u] = from[u] >= least_share ? from[u] : 0.0f;
            finite = finite && (f32_bits(from[u]) & 0x7fffffffu) != 0x7f800000u;
        }
    }
    for (uint32_t r = 0; r < TILE; ++r)
        x[r] = p->weights[r < count ? r : 0];
    if (p->plain && finite) { /* what is left out adds 0 */
        memcpy(room, sums, count * sizeof *sums);
        if (count == 1)
            wn_cpu_tile_rows(1, x, p->values[0], BLOCK, p->n, true, room);
        else
            wn_cpu_tile(x, p->values[0], BLOCK, p->n, true, room);
        memcpy(sums, room, count * sizeof *sums);
        return;
    }
    for (uint32_t r = 0; r < count; ++r)
        for (uint32_t u = 0; u < p->n; ++u)
            for (uint32_t c = 0; p->weights[r][u] != 0.0f && !is_none(p->row[u]) && c < BLOCK; ++c)
                sums[r][c] += p->weights[r][u] * p->values[u][c];
}

/* Rows own.begin .. own.end of segment s, columns p->from on. */
static void pool_columns(const struct wn_args_attend_values *pc, const wn_cpu_memory *m, uint32_t s,
                         wn_cpu_span own, panel *p)
{
    const uint32_t begin = m->w[pc->seg_at + s], n = m->w[pc->seg_at + s + 1] - begin;
    const uint32_t end = pc->most ? least(n, pc->from + pc->most) : n;
    memset(p->sums, 0, (own.end - own.begin) * sizeof *p->sums);
    for (uint32_t e = own.begin; pc->from && e < own.end; ++e)
        memcpy(p->sums[e - own.begin], f32_row(&m->b, entry(m, pc->to_at, e)) + p->from,
               p->columns * sizeof(float));
    for (p->first = pc->from; p->first < end; p->first += CHUNK) {
        p->n = least(CHUNK, end - p->first);
        load_values(pc, m, begin, p);
        for (uint32_t e = own.begin; e < own.end; e += TILE)
            add_panel(m, p, e, least(TILE, own.end - e), p->sums + (e - own.begin));
    }
    for (uint32_t e = own.begin; e < own.end; ++e)
        wn_cpu_store_row(&m->b, entry(m, pc->to_at, e), p->from, p->columns,
                         p->sums[e - own.begin]);
}

void cpu_attend_values(const struct wn_args_attend_values *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span all = wn_cpu_share(m, 0, pc->segs * pc->rows);
    panel p = {.values = m->scratch};
    p.weights = (float(*)[CHUNK])(void *)(p.values + CHUNK);
    p.sums = (float(*)[BLOCK])(void *)(p.weights + WN_CPU_MOST_TILE);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, s * pc->rows, (s + 1) * pc->rows);
        for (p.from = 0; own.begin < own.end && p.from < pc->cols; p.from += BLOCK) {
            p.columns = least(BLOCK, pc->cols - p.from);
            pool_columns(pc, m, s, own, &p);
        }
    }
}

static uint32_t best_row(const struct wn_args_attend_map *pc, const wn_cpu_memory *m, uint32_t s,
                         uint32_t u)
{
    uint32_t best = 0, arg = WN_NONE;
    for (uint32_t r = 0; r < pc->rows; ++r) {
        const uint32_t key = score_key(load(&m->a, s * pc->rows + r, u));
        if (key > best) {
            best = key;
            arg = s * pc->rows + r;
        }
    }
    return arg;
}

void cpu_attend_map(const struct wn_args_attend_map *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s];
        for (uint32_t u = 0; pc->map_at != WN_NONE && u < n; ++u)
            m->w[pc->map_at + seg[s] + u] = best_row(pc, m, s, u);
        const float size = real_or_one(m, pc->mean_at, s) * ((float)n * pc->inv_rows);
        for (uint32_t r = 0; pc->sizes_new_at != WN_NONE && r < pc->rows; ++r)
            set_real(m, pc->sizes_new_at, s * pc->rows + r, size);
    }
}

void cpu_row_affine(const struct wn_args_row_affine *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->n);
    for (uint32_t r = own.begin; r < own.end; ++r) {
        const uint32_t row = entry(m, pc->list_at, r);
        const float *x = wn_cpu_row(&m->a, row, pc->cols, m->scratch);
        float *to = f32_row(&m->b, r);
        for (uint32_t c = 0; c < pc->cols; ++c) {
            float v =
                x[c] * (pc->scale_at == WN_NONE ? pc->share : pc->share + real(m, pc->scale_at, c));
            for (uint32_t k = 0; k < pc->taps; ++k) {
                const uint32_t tap =
                    pc->tap_at == WN_NONE ? 0 : m->w[pc->tap_at + r * pc->taps + k];
                v += real(m, pc->shift_at + tap * pc->cols, c);
            }
            to[c] = pc->keep != 0.0f ? v + to[c] * pc->keep : v;
        }
    }
}
