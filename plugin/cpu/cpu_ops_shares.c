/* Budgets dealt to parts of a segment: neighbourhoods, windows, chunks, pivots. */
#include "cpu_ops.h"

/* Is place j a neighbour of place u? */
static bool touches(const struct wn_args_raise_near *pc, uint32_t u, uint32_t j)
{
    const uint32_t w = pc->grid_w, last = pc->tokens - 1;
    if (pc->wrap)
        return j == (u > 0 ? u - 1 : 0) || j == least(u + 1, last) || j == (u > w ? u - w : 0) ||
               j == least(u + w, last);
    const uint32_t uy = u / w, ux = u % w, jy = j / w, jx = j % w;
    return (uy > jy ? uy - jy : jy - uy) + (ux > jx ? ux - jx : jx - ux) == 1;
}

void cpu_raise_near(const struct wn_args_raise_near *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *index = m->w + pc->index_at;
    const uint32_t *flag = m->w + pc->flag_at;
    for (uint32_t s = 0; s < pc->segs; ++s)
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            bool raised = flag[i] != 0;
            for (uint32_t u = seg[s]; u < seg[s + 1] && !raised; ++u)
                raised = flag[u] && !is_none(index[u]) && !is_none(index[i]) &&
                         index[u] / pc->tokens == index[i] / pc->tokens &&
                         touches(pc, index[u] % pc->tokens, index[i] % pc->tokens);
            if (raised && !is_none(index[i]))
                m->w[pc->score_at + i] = 0x7f800000u;
        }
}

/* The label of a token, WN_NONE: none. */
static uint32_t label_of(const wn_cpu_memory *m, uint32_t label_at, uint32_t index, uint32_t tokens)
{
    return is_none(index) ? WN_NONE : m->w[label_at + index % tokens];
}

void cpu_raise_best(const struct wn_args_raise_best *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *index = m->w + pc->index_at;
    for (uint32_t s = 0; s < pc->segs; ++s)
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const uint32_t label = label_of(m, pc->label_at, index[i], pc->tokens);
            const uint32_t key = score_key(real(m, pc->score_at, i)), k = m->w[pc->k_at + s];
            uint32_t before = 0;
            if (label == WN_NONE)
                continue;
            for (uint32_t j = seg[s]; j < seg[s + 1] && before < k; ++j) {
                const uint32_t other = score_key(real(m, pc->score_at, j));
                before += (other > key || (other == key && j < i)) &&
                          label_of(m, pc->label_at, index[j], pc->tokens) == label &&
                          index[j] / pc->tokens == index[i] / pc->tokens;
            }
            if (before < k)
                m->w[pc->raise_at + i] = 0x7f800000u;
        }
}

void cpu_split(const struct wn_args_split *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t *out = m->w + pc->out_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t n = seg[s + 1] - seg[s];
        for (uint32_t p = 0; p < pc->parts; ++p)
            *out++ = seg[s] + p * (n / pc->parts) + least(p, n % pc->parts);
    }
    *out = seg[pc->segs];
}

static float number_or_0(float x)
{
    return is_nan(x) ? 0.0f : x;
}

static float size_of(float x)
{
    return bits_f32(f32_bits(x) & 0x7fffffffu);
}

static float chunk_worth(const struct wn_args_chunk_quota *pc, const wn_cpu_memory *m,
                         uint32_t begin, uint32_t end)
{
    if (begin == end)
        return 0.0f;
    if (end - begin == 1)
        return number_or_0(real(m, pc->score_at, begin));
    const float share = recip_((float)(end - begin));
    float sum_a = 0.0f, sum_v = 0.0f, sum = 0.0f;
    for (uint32_t i = begin; i < end; ++i) {
        sum_a += size_of(number_or_0(real(m, pc->score_at, i)) * 1000.0f);
        sum_v += size_of(number_or_0(real(m, pc->spread_at, i)));
    }
    const float f = (sum_a * share) * recip_(sum_v * share + 1e-6f);
    for (uint32_t i = begin; i < end; ++i)
        sum += number_or_0(real(m, pc->score_at, i)) * 1000.0f +
               pc->alpha * (number_or_0(real(m, pc->spread_at, i)) * f);
    return sum * share;
}

/* One more token to each chunk, best first, until `left` are given; how many remain. */
static uint32_t deal_round(const struct wn_args_chunk_quota *pc, const wn_cpu_memory *m,
                           uint32_t first, uint32_t left)
{
    uint32_t last_key = UINT32_MAX, last = 0;
    for (uint32_t turn = 0; turn < pc->parts && left; ++turn) {
        uint32_t best = WN_NONE, best_key = 0;
        for (uint32_t c = 0; c < pc->parts; ++c) {
            const uint32_t key = score_key(real(m, pc->worth_at, first + c));
            const bool behind = turn == 0 || key < last_key || (key == last_key && c > last);
            if (behind && (best == WN_NONE || key > best_key)) {
                best = c;
                best_key = key;
            }
        }
        last = best;
        last_key = best_key;
        const uint32_t *chunk = m->w + pc->chunk_seg_at + first + best;
        uint32_t *quota = m->w + pc->quota_at + first + best;
        if (pc->spill && *quota >= chunk[1] - chunk[0])
            continue;
        ++*quota;
        --left;
    }
    return left;
}

void cpu_chunk_quota(const struct wn_args_chunk_quota *pc, const wn_cpu_memory *m)
{
    const uint32_t *chunk = m->w + pc->chunk_seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t first = s * pc->parts, want = m->w[pc->want_at + s];
        float sum = 0.0f;
        uint32_t left = want;
        for (uint32_t c = first; c < first + pc->parts; ++c) {
            set_real(m, pc->worth_at, c, chunk_worth(pc, m, chunk[c], chunk[c + 1]));
            sum += real(m, pc->worth_at, c);
        }
        sum = sum + 1e-6f;
        const float inverse = sum > 1e-30f ? recip_(sum) : 0.0f;
        for (uint32_t c = first; c < first + pc->parts; ++c) {
            const float tokens = (real(m, pc->worth_at, c) * inverse) * (float)want;
            uint32_t quota = tokens >= 1.0f ? tokens < (float)want ? (uint32_t)tokens : want : 0;
            quota = least(quota, left);
            if (pc->spill)
                quota = least(quota, chunk[c + 1] - chunk[c]);
            m->w[pc->quota_at + c] = quota;
            left -= quota;
        }
        for (uint32_t before = left + 1; left && left < before;) {
            before = left;
            left = deal_round(pc, m, first, left);
            if (!pc->spill)
                break;
        }
    }
}

void cpu_label_quota(const struct wn_args_label_quota *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *index = m->w + pc->index_at;
    for (uint32_t l = 0; l < pc->labels; ++l) {
        uint32_t count = 0;
        for (uint32_t i = seg[0]; i < seg[1]; ++i)
            count += m->w[pc->flag_at + i] && label_of(m, pc->label_at, index[i], pc->tokens) == l;
        m->w[pc->out_at + l] = m->w[pc->table_at + count];
    }
}

enum { PIVOTS = 16, SET_SLOTS = 32, SET_FIRST = 8, SET_GROWS_AT = 4 };

/* The pivots' numbers and rows in the order in which they are put into a set, and the set. */
typedef struct pivot_set {
    uint32_t count, size, number[PIVOTS], row[PIVOTS], slot[SET_SLOTS];
} pivot_set;

/* A number is its own hash: its slot, up to nine further ones where those are in the table, then others. */
static void put_pivot(pivot_set *set, uint32_t which)
{
    const uint32_t mask = set->size - 1;
    uint32_t perturb = set->number[which], i = perturb & mask;
    for (;;) {
        for (uint32_t probe = 0; probe <= (i + 9 <= mask ? 9u : 0u); ++probe)
            if (set->slot[i + probe] == WN_NONE) {
                set->slot[i + probe] = which;
                return;
            }
        perturb >>= 5;
        i = (i * 5 + 1 + perturb) & mask;
    }
}

/* The list's entries, best norm first. */
static void add_pivots(pivot_set *set, const wn_cpu_memory *m, const uint32_t *pos, uint32_t count,
                       uint32_t norm_at, uint32_t offset, uint32_t rows)
{
    const uint32_t before = set->count;
    uint32_t keys[PIVOTS];
    for (uint32_t e = 0; e < count; ++e) {
        const uint32_t key = score_key(real(m, norm_at, pos[e]));
        uint32_t t = e;
        for (; t > 0 && keys[t - 1] < key; --t) {
            keys[t] = keys[t - 1];
            set->number[before + t] = set->number[before + t - 1];
            set->row[before + t] = set->row[before + t - 1];
        }
        keys[t] = key;
        set->number[before + t] = pos[e] + offset;
        set->row[before + t] = rows + e;
    }
    set->count += count;
}

static void fill_set(pivot_set *set)
{
    uint32_t old[SET_FIRST];
    memset(set->slot, 0xff, sizeof set->slot);
    set->size = SET_FIRST;
    for (uint32_t which = 0; which < set->count; ++which) {
        put_pivot(set, which);
        if (which != SET_GROWS_AT)
            continue;
        memcpy(old, set->slot, sizeof old);
        memset(set->slot, 0xff, sizeof set->slot);
        set->size = SET_SLOTS;
        for (uint32_t i = 0; i < SET_FIRST; ++i)
            if (old[i] != WN_NONE)
                put_pivot(set, old[i]);
    }
}

void cpu_pivot_order(const struct wn_args_pivot_order *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *piv_seg = m->w + pc->piv_seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t first = piv_seg[s], image = least(piv_seg[s + 1] - first, pc->image);
        const uint32_t text_row = pc->text_row + s * pc->text, n = seg[s + 1] - seg[s];
        uint32_t *out = m->w + pc->order_at + s * (pc->image + pc->text);
        memset(out, 0xff, (pc->image + pc->text) * sizeof *out);
        for (uint32_t o = 0; o < image && !pc->by_set; ++o)
            *out++ = first + o;
        for (uint32_t o = 0; o < pc->text && !pc->by_set; ++o)
            *out++ = text_row + o;
        if (!pc->by_set)
            continue;
        pivot_set set = {0};
        add_pivots(&set, m, m->w + pc->piv_pos_at + first, image, pc->norm_at, pc->start - seg[s],
                   first);
        if (pc->text)
            add_pivots(&set, m, m->w + pc->text_pos_at, pc->text, pc->text_norm_at, pc->start + n,
                       text_row);
        fill_set(&set);
        for (uint32_t i = 0; i < set.size; ++i)
            if (set.slot[i] != WN_NONE)
                *out++ = set.row[set.slot[i]];
    }
}

void cpu_pivot_score(const struct wn_args_pivot_score *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t row = m->w[pc->row_at + s * pc->step + pc->place];
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const float score =
                row == WN_NONE ? bits_f32(0x7fc00000u) : f32_row(&m->a, row)[i - seg[s]];
            set_real(m, pc->score_at, i, m->w[pc->flag_at + i] ? bits_f32(0xff800000u) : score);
        }
    }
}
