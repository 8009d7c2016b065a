/* Random programs around the operations that say where tokens go and merge their rows. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

static void set_word(ops_case *c, uint32_t at, uint32_t i, uint32_t word)
{
    c->w[at + i] = word;
}

void gen_dest(ops_case *c)
{
    const segments set = any_segments(c, any_size(c, 1031));
    const list src = any_list(c, &set, chance(c, 40) ? 100 : 50);
    const uint32_t rule = below(c, 3);
    const uint32_t rank = rule == 2 ? flags(c, src.seg.n, 30) : ranks(c, &src.seg);
    describe(c, "rule %u, sources %u, segments %u", rule, src.seg.n, set.segs);
    ADD(c, dest, src.seg.n_max, .n_max = src.seg.n_max, .segs = set.segs, .src_seg_at = src.seg.at,
        .src_pos_at = src.pos, .rule = rule, .rank_at = rank, .k_at = counts(c, &src.seg),
        .arg_at = words_below(c, src.seg.n, set.n), .keep_at = flags(c, set.n, 60),
        .dest_at = array(c, set.n, WORDS));
}

void gen_frame_dest(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 9), tokens = any_size(c, 130), n = frames * tokens;
    const uint32_t ref = words_below(c, frames, frames);
    for (uint32_t t = 0; t < frames; ++t)
        if (chance(c, 40))
            set_word(c, ref, t, 0u - 1u - below(c, 3));
    describe(c, "%u x %u", frames, tokens);
    ADD(c, frame_dest, n, .n_max = n, .tokens = tokens, .ref_at = ref,
        .dest_at = array(c, n, WORDS));
}

/* A set, what is kept of it, and the new set, as compact would give it. */
typedef struct merged_set {
    segments old;
    uint32_t first, last, span;
    uint32_t keep, seg_new, rows, from, map, map2;
} merged_set;

static void count_rows(ops_case *c, merged_set *m)
{
    uint32_t r = 0;
    for (uint32_t k = 0; k < m->old.segs; ++k) {
        set_word(c, m->seg_new, k, r);
        if (m->first)
            set_word(c, m->from, r++, WN_NONE);
        for (uint32_t i = seg_begin(c, &m->old, k); i < seg_begin(c, &m->old, k + 1); ++i) {
            const bool kept = c->w[m->keep + i] != 0;
            set_word(c, m->map, i, kept ? r : WN_NONE);
            if (kept)
                set_word(c, m->from, r++, i);
        }
        if (m->last)
            set_word(c, m->from, r++, WN_NONE);
    }
    set_word(c, m->seg_new, m->old.segs, r);
    m->rows = r;
}

/* Where dropped tokens go: rows of their segment or up to span - 1 segments earlier; or nowhere. */
static void send_dropped(ops_case *c, merged_set *m)
{
    for (uint32_t k = 0; k < m->old.segs; ++k) {
        const uint32_t back = below(c, m->span), to = k > back ? k - back : 0;
        const uint32_t low = c->w[m->seg_new + to], high = c->w[m->seg_new + k + 1];
        for (uint32_t i = seg_begin(c, &m->old, k); i < seg_begin(c, &m->old, k + 1); ++i) {
            if (c->w[m->keep + i])
                set_word(c, m->map2, i, c->w[m->map + i]);
            else
                set_word(c, m->map2, i,
                         high > low && chance(c, 90) ? low + below(c, high - low) : WN_NONE);
        }
    }
}

static merged_set any_merged_set(ops_case *c, uint32_t n)
{
    static const uint32_t spans[] = {1, 2, 3, 20};
    merged_set m = {.old = any_segments(c, n), .span = spans[c->round % 4]};
    const uint32_t most = n + 2 * m.old.segs + 1;
    m.first = chance(c, 30);
    m.last = chance(c, 30);
    m.keep = flags(c, n, 30);
    m.seg_new = array(c, m.old.segs + 1, WORDS);
    m.from = array(c, most, WORDS);
    m.map = array(c, n, WORDS);
    m.map2 = array(c, n, WORDS);
    count_rows(c, &m);
    send_dropped(c, &m);
    return m;
}

void gen_resolve(ops_case *c)
{
    const merged_set m = any_merged_set(c, any_size(c, 1031));
    const uint32_t n = m.old.n, dest = array(c, n, WORDS);
    for (uint32_t i = 0; i < n; ++i) {
        /* chains by small steps upward (some longer than 64), loops, and dead ends */
        const uint32_t step = 1 + below(c, 2);
        set_word(c, dest, i, chance(c, 4) ? WN_NONE : chance(c, 60) ? (i + step) % n : below(c, n));
    }
    const uint32_t end = n - 1;
    for (uint32_t i = 0; c->round % 2 && i < end; ++i) { /* one long chain: too long for some */
        set_word(c, dest, i, i + 1);
        set_word(c, m.keep, i, 0);
        set_word(c, m.map, i, WN_NONE);
        set_word(c, m.keep, end, 1);
        set_word(c, m.map, end, 7);
    }
    describe(c, "n %u of %u", n, m.old.n_max);
    const bool pooled = chance(c, 30);
    ADD(c, resolve, m.old.n_max, BOUNDED(m.old), .keep_at = m.keep,
        .dest_at = pooled && chance(c, 50) ? WN_NONE : dest, .map_at = m.map,
        .map2_at = array(c, n, WORDS), .pooled = pooled, .seg_new_at = m.seg_new,
        .steps = chance(c, 50) ? 1 + below(c, 200) : 0);
}

/* Chains of destinations end at kept tokens, or nowhere; dest alone writes keep. */
void gen_merge_lists(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const list src = any_list(c, &s, chance(c, 40) ? 100 : 50);
    const uint32_t most = s.n + s.segs, rule = below(c, 2), dest = array(c, s.n, WORDS);
    for (uint32_t i = 0; i < s.n; ++i)
        set_word(c, dest, i, chance(c, 30) ? WN_NONE : below(c, s.n));
    const bool sends = chance(c, 70), members = chance(c, 70);
    struct wn_args_merge_lists args = {SEG(s),
                                       .keep_at = flags(c, s.n, chance(c, 15) ? 0 : 55),
                                       .src_seg_at = src.seg.at,
                                       .src_pos_at = src.pos,
                                       .rank_at = rule ? WN_NONE : ranks(c, &src.seg),
                                       .k_at = counts(c, &src.seg),
                                       .arg_at = sends ? words_below(c, src.seg.n, s.n) : WN_NONE,
                                       .dest_at = dest,
                                       .rows_at = row_list(c, s.n, true),
                                       .index_at = array(c, s.n, WORDS),
                                       .sizes_at = chance(c, 70) ? positive(c, s.n) : WN_NONE,
                                       .seg_out_at = array(c, s.segs + 1, WORDS),
                                       .rows_out_at = array(c, most, WORDS),
                                       .index_out_at = array(c, most, WORDS),
                                       .sizes_out_at = array(c, most, REALS),
                                       .from_at = array(c, most, WORDS),
                                       .map_at = array(c, s.n, WORDS),
                                       .first = below(c, 2),
                                       .map2_at = array(c, s.n, WORDS),
                                       .span = 1 + below(c, 4),
                                       .head_at = members ? array(c, most, WORDS) : WN_NONE,
                                       .next_at = array(c, s.n, WORDS)};
    describe(c, "n %u, segments %u, rule %u, first %u, span %u, sends %d, members %d", s.n, s.segs,
             rule, args.first, args.span, sends, members);
    add_op(c, WN_OP_merge_lists, 1, &args, sizeof args);
}

static uint32_t add_group(ops_case *c, const merged_set *m, uint32_t *next)
{
    const uint32_t head = array(c, m->rows, WORDS), slack = below(c, 70);
    *next = array(c, m->old.n, WORDS);
    ADD(c, group, m->rows + slack, .n_max = m->rows + slack, SEG(m->old), .seg_new_at = m->seg_new,
        .span = m->span, .map2_at = m->map2, .from_at = m->from, .head_at = head, .next_at = *next,
        .sizes_at = chance(c, 70) ? positive(c, m->old.n) : WN_NONE,
        .sizes_new_at = chance(c, 80) ? array(c, m->rows, REALS) : WN_NONE, .ranged = chance(c, 30),
        .begin_at = words_below(c, m->old.segs, m->old.n),
        .end_at = words_below(c, m->old.segs, m->old.n + 1), .own = chance(c, 30),
        .own_at = flags(c, m->old.n, 50));
    return head;
}

void gen_group(ops_case *c)
{
    const merged_set m = any_merged_set(c, any_size(c, 1031));
    uint32_t next;
    describe(c, "n %u, segments %u, rows %u, span %u, first %u, last %u", m.old.n, m.old.segs,
             m.rows, m.span, m.first, m.last);
    add_group(c, &m, &next);
}

/* near[many] of each kept row: positions of its segment, then WN_NONE. */
static uint32_t any_neighbours(ops_case *c, const merged_set *m, uint32_t many)
{
    const uint32_t near = array(c, m->old.n * many, WORDS);
    uint32_t row = 0;
    for (uint32_t k = 0; k < m->old.segs; ++k) {
        const uint32_t begin = seg_begin(c, &m->old, k), n = seg_begin(c, &m->old, k + 1) - begin;
        for (uint32_t i = begin; i < begin + n; ++i) {
            if (!c->w[m->keep + i])
                continue;
            const uint32_t length = below(c, many + 1);
            for (uint32_t t = 0; t < many; ++t)
                set_word(c, near, row * many + t, t < length ? begin + below(c, n) : WN_NONE);
            ++row;
        }
    }
    return near;
}

/* An even distance between rows of 16-bit types: a word of B is one invocation's. */
static uint32_t even(uint32_t n)
{
    return n + n % 2;
}

void gen_merge(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024), rule = below(c, 7), many = 1 + below(c, 33);
    const merged_set m = any_merged_set(c, any_size(c, cols > 100 ? 65 : 300));
    const bool near = chance(c, 35);
    const uint32_t stride = even(cols + below(c, 5)), slack = below(c, 9);
    make_matrix(c, &c->a, m.old.n, cols, any_dtype(c), PLAIN);
    make_pool(c, 2 + (uint64_t)(m.rows + slack) * stride, (uint8_t)below(c, 3));
    uint32_t next = WN_NONE, head = WN_NONE;
    if (!near)
        head = add_group(c, &m, &next);
    describe(c, "rule %u, n %u, rows %u, cols %u, dtypes %u %u, near %d", rule, m.old.n, m.rows,
             cols, c->a.dtype, c->pool.dtype, near);
    wn_op *op =
        ADD(c, merge, (uint64_t)(m.rows + slack) * ((cols + 1) / 2), .n_max = m.rows + slack,
            .segs = m.old.segs, .seg_new_at = m.seg_new, .list_at = row_list(c, m.old.n, true),
            .from_at = m.from, .head_at = head, .next_at = next,
            .weight_at = chance(c, 70) ? positive(c, m.old.n) : WN_NONE, .rule = rule, .cols = cols,
            .near_at = near ? any_neighbours(c, &m, many) : WN_NONE, .many = many, .first = m.first,
            .last = m.last, .blend = 0.3f);
    use_a(c, op);
    write_pool(c, op, 2, stride);
}

void gen_pool_rest(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments s = any_segments(c, any_size(c, cols > 100 ? 127 : 521));
    const uint32_t seg_new = array(c, s.segs + 1, WORDS), stride = cols + below(c, 3) + 1;
    for (uint32_t k = 0, r = 0; k <= s.segs; ++k) {
        set_word(c, seg_new, k, r);
        r += 1 + below(c, 5);
    }
    const uint32_t rows = c->w[seg_new + s.segs];
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 6 + (uint64_t)rows * (stride & ~1u), any_dtype(c));
    describe(c, "n %u, segments %u, cols %u, dtype %u", s.n, s.segs, cols, c->a.dtype);
    wn_op *op = ADD(c, pool_rest, s.segs * ((cols + 1) / 2), SEG(s), .seg_new_at = seg_new,
                    .keep_at = flags(c, s.n, 40), .list_at = row_list(c, s.n, true),
                    .weight_at = positive(c, s.n), .cols = cols,
                    .sizes_at = chance(c, 60) ? positive(c, s.n) : WN_NONE,
                    .sizes_new_at = chance(c, 80) ? array(c, rows, REALS) : WN_NONE);
    use_a(c, op);
    write_pool(c, op, 6, stride & ~1u);
}

void gen_merge_order(ops_case *c)
{
    const segments set = any_segments(c, any_size(c, 1031));
    const list src = any_list(c, &set, 50), dst = any_list(c, &set, 50);
    const uint32_t k = counts(c, &src.seg), seg_new = array(c, set.segs + 1, WORDS);
    uint32_t rows = 0;
    for (uint32_t s = 0; s < set.segs; ++s) {
        const uint32_t sources = seg_begin(c, &src.seg, s + 1) - seg_begin(c, &src.seg, s);
        const uint32_t targets = seg_begin(c, &dst.seg, s + 1) - seg_begin(c, &dst.seg, s);
        set_word(c, seg_new, s, rows);
        rows += targets + (c->w[k + s] < sources ? sources - c->w[k + s] : 0);
    }
    set_word(c, seg_new, set.segs, rows);
    const uint32_t n_max = src.seg.n + dst.seg.n + below(c, 70);
    describe(c, "sources %u, targets %u, segments %u", src.seg.n, dst.seg.n, set.segs);
    ADD(c, merge_order, n_max, .n_max = n_max, .segs = set.segs, .src_seg_at = src.seg.at,
        .src_pos_at = src.pos, .dst_seg_at = dst.seg.at, .dst_pos_at = dst.pos,
        .rank_at = ranks(c, &src.seg), .k_at = k, .map_at = array(c, set.n, WORDS),
        .seg_new_at = seg_new, .order_at = array(c, rows + 1, WORDS), .by_place = below(c, 2));
}

void gen_remap(ops_case *c)
{
    const uint32_t n = any_size(c, 1031), positions = 1 + below(c, n);
    const bool listed = chance(c, 70);
    const uint32_t assign = words_below(c, n, positions), map = array(c, n, WORDS);
    for (uint32_t i = 0; i < n; ++i) {
        if (chance(c, 20))
            set_word(c, assign, i, WN_NONE);
        if (chance(c, 20))
            set_word(c, map, i, WN_NONE);
    }
    describe(c, "n %u, listed %d", n, listed);
    ADD(c, remap, n, .n = n, .assign_at = listed ? assign : WN_NONE, .map_at = map,
        .assign_out_at = array(c, n, WORDS));
}

void gen_invert(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, invert, s.n_max, BOUNDED(s), .order_at = shuffled(c, s.n),
        .inverse_at = array(c, s.n, WORDS));
}
