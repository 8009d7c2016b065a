/* Random programs around the operations that score tokens. */
#include "case.h"

void gen_fill(ops_case *c)
{
    const uint32_t n = many_groups(c) ? 64u * 65536u + 5u : any_size(c, 2000);
    array(c, 3, WORDS); /* neighbours that must stay as they are */
    const uint32_t at = array(c, n, WORDS);
    array(c, 3, WORDS);
    describe(c, "n %u", n);
    ADD(c, fill, n, .n = n, .at = at, .value = below(c, 1u << 31));
}

void gen_load_f32(ops_case *c)
{
    const uint32_t rows = any_size(c, 40), cols = any_cols(c, 1024);
    make_matrix(c, &c->a, rows, cols, any_dtype(c), any_flavour(c));
    describe(c, "%u x %u dtype %u", rows, cols, c->a.dtype);
    use_a(c, ADD(c, load_f32, rows * cols, .rows = rows, .cols = cols,
                 .dst_at = array(c, rows * cols, REALS)));
}

/* Source tokens t*tokens + j of n positions, some of them -1 or -2. */
static uint32_t source_index(ops_case *c, uint32_t n, uint32_t sources)
{
    const uint32_t at = words_below(c, n, sources);
    for (uint32_t i = 0; i < n; ++i)
        if (chance(c, 5))
            c->w[at + i] = chance(c, 50) ? 0xffffffffu : 0xfffffffeu;
    return at;
}

void gen_head_sum(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 4), heads = 1 + below(c, 17), tokens = any_size(c, 300);
    const segments s = any_segments(c, any_size(c, 1031));
    make_matrix(c, &c->a, frames * heads, tokens, any_dtype(c), any_flavour(c));
    describe(c, "n %u of %u, heads %u, dtype %u", s.n, s.n_max, heads, c->a.dtype);
    use_a(c, ADD(c, head_sum, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                 .index_at = source_index(c, s.n, frames * tokens),
                 .score_at = array(c, s.n_max, REALS), .heads = heads, .rows_per_frame = heads,
                 .cols_per_frame = tokens, .scale = 1.0f / (float)heads));
}

/* Some rows that are all zeros, and one that is tiny. */
static void add_zero_rows(ops_case *c, matrix *m)
{
    for (uint32_t r = 0; r < m->rows; ++r) {
        if (!chance(c, 10))
            continue;
        for (uint32_t i = 0; i < m->cols; ++i)
            put_element(m, r, i, 0.0f);
    }
}

void gen_row_norm(ops_case *c)
{
    segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 1024);
    if (many_groups(c))
        s.n_max += 140000;
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    add_zero_rows(c, &c->a);
    describe(c, "n %u of %u, cols %u, dtype %u", s.n, s.n_max, cols, c->a.dtype);
    use_a(c, ADD(c, row_norm, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                 .list_at = row_list(c, s.n, true), .inv_at = array(c, s.n_max, REALS),
                 .cols = cols, .eps2 = 1e-16f, .inv_eps = 1e8f));
}

/* A frame to look back to for each: some have none, some an older one. */
static uint32_t references(ops_case *c, uint32_t frames, uint32_t before)
{
    const uint32_t ref = words_below(c, frames, frames);
    for (uint32_t t = 0; t < frames; ++t)
        if (chance(c, 50))
            c->w[ref + t] = 0u - 1u - below(c, before + 1);
    return ref;
}

void gen_row_abs(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t cols = any_cols(c, 1024);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    describe(c, "n %u of %u, cols %u, dtype %u", s.n, s.n_max, cols, c->a.dtype);
    use_a(c,
          ADD(c, row_abs, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
              .list_at = row_list(c, s.n, true), .v_at = array(c, s.n_max, REALS), .cols = cols));
}

void gen_frame_sim(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 5), tokens = any_size(c, 130), cols = any_cols(c, 1024);
    const uint32_t before = 1 + below(c, 3), n = frames * tokens, mode = c->round / 3 % 4;
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    make_matrix(c, &c->b_in, before * tokens, cols, (uint8_t)below(c, 3), PLAIN);
    add_zero_rows(c, &c->a);
    const uint32_t ref = references(c, frames, before); /* -1: none, -2-q: frame q of B */
    describe(c, "%u x %u, cols %u, dtypes %u %u, flags %u", frames, tokens, cols, c->a.dtype,
             c->b_in.dtype, mode);
    wn_op *op = ADD(c, frame_sim, n, .n_max = n, .frames = frames, .tokens = tokens, .cols = cols,
                    .rows_at = row_list(c, n, true), .ref_at = ref, .score_at = array(c, n, REALS),
                    .flags = mode, .none_value = 255.0f);
    use_a(c, op);
    use_b_in(c, op);
}

enum { MOST_RADIUS = 3 };
#define NO_MOVE 0x80808080u

void gen_shift_sim(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 4), grid_w = 1 + below(c, 9), grid_h = 1 + below(c, 9);
    const uint32_t tokens = grid_w * grid_h, cols = any_cols(c, 300), before = 1 + below(c, 3);
    const uint32_t radius = below(c, MOST_RADIUS + 1), side = 2 * radius + 1, n = frames * tokens;
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    make_matrix(c, &c->b_in, before * tokens, cols, (uint8_t)below(c, 3), PLAIN);
    describe(c, "%u x %u x %u, cols %u, radius %u, dtypes %u %u", frames, grid_h, grid_w, cols,
             radius, c->a.dtype, c->b_in.dtype);
    wn_op *op =
        ADD(c, shift_sim, (uint64_t)n * side, .frames = frames, .tokens = tokens,
            .grid_w = grid_w, .cols = cols, .radius = radius, .rows_at = row_list(c, n, true),
            .ref_at = references(c, frames, before), .inv_at = positive(c, n),
            .inv_old_at = positive(c, before * tokens), .sim_at = array(c, n * side * side, REALS));
    use_a(c, op);
    use_b_in(c, op);
}

/* Bytes around 128: zoom and turn up to 4, dy and dx up to a little more than the radius. */
static uint32_t any_moves(ops_case *c, uint32_t count, uint32_t radius)
{
    const uint32_t moves = array(c, count, WORDS);
    for (uint32_t k = 0; k < count; ++k) {
        const uint32_t shift = 2 * radius + 3, turn = chance(c, 50) ? 9 : 1;
        c->w[moves + k] =
            (128 - turn / 2 + below(c, turn)) | (128 - turn / 2 + below(c, turn)) << 8 |
            (127 - radius + below(c, shift)) << 16 | (127 - radius + below(c, shift)) << 24;
    }
    c->w[moves] = NO_MOVE;
    return moves;
}

void gen_motion_fit(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 4), grid_w = 1 + below(c, 17), grid_h = 1 + below(c, 17);
    const uint32_t tokens = grid_w * grid_h, radius = below(c, MOST_RADIUS + 1);
    const uint32_t side = 2 * radius + 1, n = frames * tokens, shifts = 1 + below(c, 60);
    const uint32_t turns = chance(c, 50) ? below(c, 300) : 0;
    const uint32_t sim = reals(c, n * side * side, any_flavour(c));
    describe(c, "%u x %u x %u, radius %u, moves %u + %u", frames, grid_h, grid_w, radius, shifts,
             turns);
    ADD(c, motion_fit, frames, .frames = frames, .tokens = tokens, .grid_w = grid_w,
        .radius = radius, .ref_at = references(c, frames, 2), .sim_at = sim,
        .moves_at = any_moves(c, shifts + turns, radius), .shifts = shifts, .turns = turns,
        .score_at = array(c, n, REALS), .dest_at = chance(c, 70) ? array(c, n, WORDS) : WN_NONE,
        .move_at = array(c, frames, WORDS), .less = 0.9f, .none_value = 255.0f);
}

void gen_relevance(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 300));
    const uint32_t cols = any_cols(c, 1024), text_rows = 1 + below(c, 9);
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_matrix(c, &c->b_in, text_rows, cols, (uint8_t)below(c, 3), PLAIN);
    add_zero_rows(c, &c->a);
    describe(c, "n %u, cols %u, text %u, dtypes %u %u", s.n, cols, text_rows, c->a.dtype,
             c->b_in.dtype);
    wn_op *op = ADD(c, relevance, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                    .index_at = source_index(c, s.n, s.n), .rel_at = array(c, s.n_max, REALS),
                    .cols = cols, .text_rows = text_rows, .scale = -1.0f / (float)text_rows);
    use_a(c, op);
    use_b_in(c, op);
}

void gen_text_shares(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024), text_rows = any_size(c, 70);
    segments s = any_segments(c, any_size(c, 200));
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, text_rows, cols, (uint8_t)below(c, 3), any_flavour(c), 0);
    make_pool(c, 3 + (uint64_t)s.n_max * (text_rows + 2), WINNOW_F32);
    describe(c, "n %u of %u, cols %u, text %u, dtype %u", s.n, s.n_max, cols, text_rows,
             c->a.dtype);
    wn_op *op = ADD(c, text_shares, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                    .list_at = chance(c, 80) ? row_list(c, s.n, true) : WN_NONE, .cols = cols,
                    .text_rows = text_rows);
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, 3, text_rows + below(c, 3));
}

void gen_rated_sum(ops_case *c)
{
    const uint32_t heads = 1 + below(c, 17), text_rows = any_size(c, 40), all = any_size(c, 300);
    const segments s = any_segments(c, any_size(c, 1031));
    make_matrix(c, &c->a, heads * text_rows, all, any_dtype(c), any_flavour(c));
    const uint32_t rate = reals(c, text_rows, any_flavour(c));
    const bool same = chance(c, 20);
    for (uint32_t k = 0; same && k < text_rows; ++k) /* none is above the mean, as a rule */
        c->w[rate + k] = f32_bits(0.5f);
    describe(c, "n %u of %u, heads %u, text %u, dtype %u", s.n, s.n_max, heads, text_rows,
             c->a.dtype);
    use_a(c, ADD(c, rated_sum, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at,
                 .index_at = source_index(c, s.n, all), .rate_at = rate, .heads = heads,
                 .text_rows = text_rows, .score_at = array(c, s.n_max, REALS),
                 .scale = 1.0f / (float)heads));
}

void gen_scale_range(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 1031));
    const bool all = chance(c, 30);
    const uint32_t v = reals(c, s.n, any_flavour(c));
    for (uint32_t k = 0; k < s.segs; ++k) /* a segment where all are equal */
        for (uint32_t i = seg_begin(c, &s, k); chance(c, 10) && i < seg_begin(c, &s, k + 1); ++i)
            c->w[v + i] = f32_bits(0.7f);
    describe(c, "n %u, segments %u, global %d", s.n, s.segs, all);
    ADD(c, scale_range, all ? 1 : s.segs, .segs = s.segs, .seg_at = s.at, .v_at = v, .global = all,
        .offset = 1e-6f, .tiny = 1e-12f, .more = chance(c, 50) ? 0.0f : 1e-3f);
}

void gen_power(ops_case *c)
{
    static const float powers[] = {0.0f, 0.5f, 1.5f, 2.0f, 3.25f};
    const segments s = any_segments(c, any_size(c, 1031));
    const uint32_t v = chance(c, 60) ? positive(c, s.n) : reals(c, s.n, any_flavour(c));
    describe(c, "n %u of %u", s.n, s.n_max);
    ADD(c, power, s.n_max, .n_max = s.n_max, .segs = s.segs, .seg_at = s.at, .v_at = v,
        .p = powers[below(c, 5)]);
}

void gen_count_map(ops_case *c)
{
    const segments s = any_segments(c, any_size(c, 521));
    const uint32_t span = chance(c, 30) ? s.segs : 1, segs = s.segs / span;
    const uint32_t parts = 1 + below(c, 3), rows = s.n + 1;
    describe(c, "segments %u, span %u, parts %u", s.segs, span, parts);
    ADD(c, count_map, segs * parts, .segs = segs, .seg_at = s.at, .span = span,
        .table_at = array(c, rows * parts, WORDS), .rows = rows, .base = 0, .parts = parts,
        .out_at = array(c, segs * parts, WORDS));
}
