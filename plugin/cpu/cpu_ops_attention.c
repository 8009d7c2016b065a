/* Attention in segments, one query after another. The keys of a head lie turned in scratch, so that the scores of a
 * query with all of them grow side by side, each in its own order. */
#include "cpu_ops.h"

enum { BLOCK = WN_CPU_KEY_BLOCK, COLUMNS = WN_CPU_TILE_COLUMNS };

/* What all of the operations say of queries and keys. */
typedef struct heads {
    uint32_t n_max, seg_at, list_at, sizes_at, head_dim;
    float scale;
} heads;
#define HEADS_OF(pc, sizes) \
    ((heads){(pc)->n_max, (pc)->seg_at, (pc)->list_at, (sizes), (pc)->head_dim, (pc)->scale})

/* The tokens begin .. begin+n of a segment, and scratch for one head of it. */
typedef struct segment {
    uint32_t begin, n, padded; /* padded: to whole columns of the tile */
    float *keys;               /* [head_dim][padded] */
    float *scores;             /* [padded] */
    float *values;             /* [n][head_dim]: attention; received: [n] */
    float *query, *sums;       /* [head_dim] each */
} segment;

static segment segment_at(const heads *h, const wn_cpu_memory *m, uint32_t s)
{
    segment g = {.n = h->n_max};
    if (h->seg_at != WN_NONE) {
        g.begin = m->w[h->seg_at + s];
        g.n = m->w[h->seg_at + s + 1] - g.begin;
    }
    g.padded = (g.n + COLUMNS - 1) / COLUMNS * COLUMNS;
    g.query = m->scratch;
    g.sums = g.query + h->head_dim;
    g.scores = g.sums + h->head_dim;
    g.keys = g.scores + g.padded;
    g.values = g.keys + (size_t)g.padded * h->head_dim;
    return g;
}

/* Columns col .. col+n of the row of token i. */
static void load_part(const wn_cpu_memory *m, const heads *h, uint32_t i, uint32_t col, float *x)
{
    const uint32_t row = entry(m, h->list_at, i);
    for (uint32_t d = 0; d < h->head_dim; ++d)
        x[d] = load(&m->a, row, col + d);
}

static void load_keys(const heads *h, const wn_cpu_memory *m, const segment *g, uint32_t col)
{
    memset(g->keys, 0, (size_t)g->padded * h->head_dim * sizeof *g->keys);
    for (uint32_t j = 0; j < g->n; ++j) {
        const uint32_t row = entry(m, h->list_at, g->begin + j);
        for (uint32_t d = 0; d < h->head_dim; ++d)
            g->keys[(size_t)d * g->padded + j] = load(&m->a, row, col + d);
    }
}

/* scores[j] = dotseq(query, key j) * scale. */
static void score_all(const heads *h, const segment *g)
{
    const float *query = g->query;
    float sums[1][COLUMNS];
    for (uint32_t j = 0; j < g->padded; j += COLUMNS) {
        wn_cpu_tile_rows(1, &query, g->keys + j, g->padded, h->head_dim, false, sums);
        for (uint32_t l = 0; l < COLUMNS; ++l)
            g->scores[j + l] = sums[0][l] * h->scale;
    }
}

static float weight(const heads *h, const wn_cpu_memory *m, uint32_t token, float s, float most)
{
    const float p = exp_(s - most);
    return h->sizes_at == WN_NONE ? p : real(m, h->sizes_at, token) * p;
}

static const uint32_t minus_infinity = 0xff800000u;

/* The softmax of g->scores as it runs over the blocks: its maximum and sum, and with values their weighted sums. */
static void run_over_keys(const heads *h, const wn_cpu_memory *m, const segment *g, bool values,
                          float *maximum, float *sum)
{
    float most = bits_f32(minus_infinity), l = 0.0f, *restrict o = g->sums;
    for (uint32_t d = 0; values && d < h->head_dim; ++d)
        o[d] = 0.0f;
    for (uint32_t j = 0; j < g->n; j += BLOCK) {
        const uint32_t count = least(BLOCK, g->n - j);
        const float before = most;
        for (uint32_t t = 0; t < count; ++t)
            most = g->scores[j + t] > most ? g->scores[j + t] : most;
        const float f = f32_bits(most) == minus_infinity ? 1.0f : exp_(before - most);
        l *= f;
        for (uint32_t d = 0; values && d < h->head_dim; ++d)
            o[d] *= f;
        for (uint32_t t = 0; t < count; ++t) {
            const float p = weight(h, m, g->begin + j + t, g->scores[j + t], most);
            const float *restrict v = g->values + (size_t)(j + t) * h->head_dim;
            l += p;
            for (uint32_t d = 0; values && d < h->head_dim; ++d)
                o[d] += p * v[d];
        }
    }
    *maximum = most;
    *sum = l;
}

static void attend_head(const struct wn_args_attention *pc, const wn_cpu_memory *m,
                        const segment *g, uint32_t head)
{
    const heads h = HEADS_OF(pc, pc->sizes_at);
    const uint32_t at = head * pc->head_dim;
    float most, l;
    load_keys(&h, m, g, pc->k_col + at);
    for (uint32_t j = 0; j < g->n; ++j)
        load_part(m, &h, g->begin + j, pc->v_col + at, g->values + (size_t)j * pc->head_dim);
    for (uint32_t i = g->begin; i < g->begin + g->n; ++i) {
        load_part(m, &h, i, pc->q_col + at, g->query);
        score_all(&h, g);
        run_over_keys(&h, m, g, true, &most, &l);
        const float inverse = recip_(l);
        for (uint32_t d = 0; d < pc->head_dim; ++d)
            g->sums[d] *= inverse;
        wn_cpu_store_row(&m->b, entry(m, pc->list_at, i), pc->out_col + at, pc->head_dim, g->sums);
    }
}

void cpu_attention(const struct wn_args_attention *pc, const wn_cpu_memory *m)
{
    const heads h = HEADS_OF(pc, pc->sizes_at);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs * pc->heads);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const segment g = segment_at(&h, m, i / pc->heads);
        attend_head(pc, m, &g, i % pc->heads);
    }
}

void cpu_attention_stats(const struct wn_args_attention_stats *pc, const wn_cpu_memory *m)
{
    const heads h = HEADS_OF(pc, pc->sizes_at);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs * pc->heads);
    for (uint32_t unit = own.begin; unit < own.end; ++unit) {
        const uint32_t s = unit / pc->heads, head = unit % pc->heads;
        const segment g = segment_at(&h, m, s);
        const uint32_t at = head * pc->head_dim;
        load_keys(&h, m, &g, pc->k_col + at);
        for (uint32_t i = g.begin; i < g.begin + g.n; ++i) {
            float *to = f32_row(&m->b, i) + 2 * head, l;
            load_part(m, &h, i, pc->q_col + at, g.query);
            score_all(&h, &g);
            run_over_keys(&h, m, &g, false, to, &l);
            to[1] = recip_(l);
        }
    }
}

/* The column that the token at `place` of its segment is written to; WN_NONE: none. */
static uint32_t column_of(const wn_cpu_memory *m, const segment *g, uint32_t place, uint32_t skip,
                          uint32_t index_at, uint32_t columns)
{
    if (place < skip)
        return WN_NONE;
    if (index_at == WN_NONE)
        return place - skip;
    const uint32_t index = m->w[index_at + g->begin + place];
    return is_none(index) ? WN_NONE : index % columns;
}

void cpu_attention_row(const struct wn_args_attention_row *pc, const wn_cpu_memory *m)
{
    const heads h = HEADS_OF(pc, pc->sizes_at);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs * pc->heads);
    for (uint32_t unit = own.begin; unit < own.end; ++unit) {
        const uint32_t s = unit / pc->heads, head = unit % pc->heads;
        const segment g = segment_at(&h, m, s);
        const uint32_t query = pc->q_row_at == WN_NONE ? 0 : m->w[pc->q_row_at + s];
        const uint32_t at = head * pc->head_dim;
        float most = bits_f32(minus_infinity), *to = f32_row(&m->b, s * pc->heads + head);
        for (uint32_t d = 0; d < pc->head_dim; ++d)
            g.query[d] = load(&m->c, query, pc->q_col + at + d);
        load_keys(&h, m, &g, pc->k_col + at);
        score_all(&h, &g);
        for (uint32_t j = 0; j < g.n; ++j)
            most = g.scores[j] > most ? g.scores[j] : most;
        for (uint32_t j = 0; j < g.n; ++j)
            g.scores[j] = weight(&h, m, g.begin + j, g.scores[j], most);
        const float inverse = recip_(wn_cpu_sum32(g.scores, g.n));
        for (uint32_t j = 0; j < g.n; ++j) {
            const uint32_t c = column_of(m, &g, j, pc->skip, pc->index_at, pc->columns);
            if (c != WN_NONE)
                to[c] = g.scores[j] * inverse;
        }
    }
}

void cpu_attention_received(const struct wn_args_attention_received *pc, const wn_cpu_memory *m)
{
    const heads h = HEADS_OF(pc, pc->sizes_at);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs * pc->heads);
    for (uint32_t unit = own.begin; unit < own.end; ++unit) {
        const uint32_t s = unit / pc->heads, head = unit % pc->heads;
        const segment g = segment_at(&h, m, s);
        if (g.n <= pc->skip || g.n <= pc->from)
            continue;
        const uint32_t at = head * pc->head_dim, end = g.begin + g.n;
        float *to = f32_row(&m->b, s * pc->heads + head), *sums = g.values; /* [n] of them */
        load_keys(&h, m, &g, pc->k_col + at);
        memset(sums, 0, g.n * sizeof *sums);
        for (uint32_t i = g.begin + pc->from; i < end; ++i) {
            const float most = load(&m->c, i, 2 * head), r = load(&m->c, i, 2 * head + 1);
            load_part(m, &h, i, pc->q_col + at, g.query);
            score_all(&h, &g);
            for (uint32_t j = pc->skip; j < g.n; ++j)
                sums[j] += weight(&h, m, g.begin + j, g.scores[j], most) * r;
        }
        const float inverse = recip_((float)(g.n - pc->from));
        for (uint32_t j = pc->skip; j < g.n; ++j) {
            const uint32_t c = column_of(m, &g, j, pc->skip, pc->index_at, pc->columns);
            if (c != WN_NONE)
                to[c] = sums[j] * inverse;
        }
    }
}

void cpu_attention_logits(const struct wn_args_attention_logits *pc, const wn_cpu_memory *m)
{
    const heads h = HEADS_OF(pc, WN_NONE);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const segment g = segment_at(&h, m, s);
        const wn_cpu_span own = wn_cpu_share(m, g.begin, g.begin + g.n);
        for (uint32_t head = 0; head < pc->heads && own.begin < own.end; ++head) {
            const uint32_t at = head * pc->head_dim;
            load_keys(&h, m, &g, pc->k_col + at);
            for (uint32_t i = own.begin; i < own.end; ++i) {
                float *to = f32_row(&m->b, i);
                load_part(m, &h, i, pc->q_col + at, g.query);
                score_all(&h, &g);
                for (uint32_t j = 0; j < g.n; ++j)
                    to[j] = (head ? to[j] : 0.0f) + g.scores[j];
                for (uint32_t j = 0; head + 1 == pc->heads && j < g.n; ++j)
                    to[j] *= pc->inv_heads;
            }
        }
    }
}
