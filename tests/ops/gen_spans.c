/* Random programs around temporal segments. */
#include "case.h"

#define SEG(s)     .segs = (s).segs, .seg_at = (s).at
#define BOUNDED(s) .n_max = (s).n_max, SEG(s)

static void set_word(ops_case *c, uint32_t at, uint32_t i, uint32_t word)
{
    c->w[at + i] = word;
}

/* Spans of `frames` frames, as `spans` writes them. */
typedef struct any_spans {
    uint32_t starts, of, inner, count;
} any_spans;

static any_spans spans_of(ops_case *c, uint32_t frames)
{
    any_spans s = {array(c, frames + 1, WORDS), array(c, frames, WORDS),
                   array(c, 2 * frames + 1, WORDS), 0};
    const uint32_t percent = below(c, 5) * 25; /* one span .. all frames alone */
    for (uint32_t t = 0; t < frames; ++t) {
        if (t == 0 || chance(c, percent))
            set_word(c, s.starts, s.count++, t);
        set_word(c, s.of, t, s.count - 1);
    }
    for (uint32_t k = s.count; k <= frames; ++k)
        set_word(c, s.starts, k, frames);
    for (uint32_t k = 0; k <= frames; ++k) {
        const uint32_t start = c->w[s.starts + k];
        set_word(c, s.inner, 2 * k, start);
        if (k < frames)
            set_word(c, s.inner, 2 * k + 1, start < frames ? start + 1 : frames);
    }
    return s;
}

void gen_segment_mean(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    const segments s = any_segments(c, any_size(c, cols > 100 ? 127 : 521));
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_pool(c, 3 + (uint64_t)s.segs * (cols + 2), WINNOW_F32);
    describe(c, "n %u, segments %u, cols %u, dtype %u", s.n, s.segs, cols, c->a.dtype);
    wn_op *op = ADD(c, segment_mean, (uint64_t)s.segs * cols, SEG(s),
                    .list_at = chance(c, 80) ? row_list(c, s.n, true) : WN_NONE, .cols = cols);
    use_a(c, op);
    write_pool(c, op, 3, cols + below(c, 3));
}

void gen_segment_dot(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024);
    segments s = any_segments(c, any_size(c, cols > 100 ? 127 : 521));
    if (many_groups(c))
        s.n_max += 70000;
    make_matrix(c, &c->a, s.n, cols, any_dtype(c), any_flavour(c));
    make_c(c, s.segs, cols, WINNOW_F32, any_flavour(c), 0);
    describe(c, "n %u of %u, segments %u, cols %u, dtype %u", s.n, s.n_max, s.segs, cols,
             c->a.dtype);
    wn_op *op = ADD(c, segment_dot, s.n_max, BOUNDED(s), .list_at = row_list(c, s.n, true),
                    .of_at = chance(c, 60) ? words_below(c, s.segs, s.segs) : WN_NONE, .cols = cols,
                    .weight_at = chance(c, 60) ? positive(c, s.n) : WN_NONE,
                    .out_at = array(c, s.n_max, REALS));
    use_a(c, op);
    use_c(c, op);
}

void gen_cut(ops_case *c)
{
    const uint32_t frames = any_size(c, 300);
    describe(c, "frames %u", frames);
    ADD(c, cut, frames, .frames = frames, .score_at = reals(c, frames, any_flavour(c)),
        .flag_at = array(c, frames, WORDS), .least = below(c, 12),
        .bound = chance(c, 50) ? 0.3f : -2.5f);
}

void gen_spans(ops_case *c)
{
    const uint32_t frames = any_size(c, 300);
    describe(c, "frames %u", frames);
    ADD(c, spans, frames + 1, .frames = frames, .flag_at = flags(c, frames, 10 + 30 * below(c, 4)),
        .starts_at = array(c, frames + 1, WORDS), .of_at = array(c, frames, WORDS),
        .inner_at = chance(c, 70) ? array(c, 2 * frames + 1, WORDS) : WN_NONE);
}

/* Runs of places of a video; some frames in which nothing moves. */
static uint32_t any_runs(ops_case *c, uint32_t frames, uint32_t tokens)
{
    const uint32_t run = array(c, frames * tokens, WORDS);
    for (uint32_t t = 0; t < frames; ++t) {
        const uint32_t percent = below(c, 4) * 33;
        for (uint32_t j = 0; j < tokens; ++j)
            set_word(c, run, t * tokens + j,
                     t && chance(c, percent) ? c->w[run + (t - 1) * tokens + j] + 1 : 0);
    }
    return run;
}

void gen_runs(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 30), tokens = any_size(c, 300);
    describe(c, "%u x %u", frames, tokens);
    ADD(c, runs, tokens, .frames = frames, .tokens = tokens,
        .score_at = reals(c, frames * tokens, any_flavour(c)),
        .run_at = array(c, frames * tokens, WORDS), .bound = -0.4f);
}

void gen_run_counts(ops_case *c)
{
    const uint32_t frames = any_size(c, 65), tokens = 1 + below(c, 50);
    describe(c, "%u x %u", frames, tokens);
    ADD(c, run_counts, (uint64_t)frames * frames, .frames = frames, .tokens = tokens,
        .run_at = any_runs(c, frames, tokens), .count_at = array(c, frames * frames, WORDS));
}

void gen_best_cuts(ops_case *c)
{
    const uint32_t frames = any_size(c, 130), tokens = 1 + below(c, 50);
    const uint32_t run = any_runs(c, frames, tokens), count = array(c, frames * frames, WORDS);
    describe(c, "%u x %u", frames, tokens);
    ADD(c, run_counts, (uint64_t)frames * frames, .frames = frames, .tokens = tokens, .run_at = run,
        .count_at = count);
    ADD(c, best_cuts, 1, .frames = frames, .most = chance(c, 70) ? 1024 : 1 + below(c, 9),
        .count_at = count, .total_at = array(c, frames, WORDS), .from_at = array(c, frames, WORDS),
        .flag_at = array(c, frames, WORDS), .gain_at = array(c, 1, WORDS));
}

void gen_label_runs(ops_case *c)
{
    const uint32_t frames = any_size(c, 130), labels = 1 + below(c, 6), percent = 10 * below(c, 9);
    const uint32_t keep = array(c, frames, WORDS), dest = array(c, frames, WORDS);
    for (uint32_t t = 0; t < frames; ++t) {
        const uint32_t any = below(c, labels < frames ? labels : frames);
        set_word(c, dest, t, t && chance(c, percent) ? c->w[dest + t - 1] : any);
        set_word(c, keep, t, c->w[dest + t] == t);
    }
    describe(c, "frames %u, labels %u", frames, labels);
    ADD(c, label_runs, 1, .frames = frames, .keep_at = keep, .dest_at = dest,
        .label_at = array(c, frames, SCRATCH), .length_at = array(c, frames, SCRATCH),
        .flag_at = array(c, frames, WORDS));
}

void gen_place_sim(ops_case *c)
{
    const uint32_t cols = any_cols(c, 1024), frames = 1 + below(c, 9);
    const uint32_t tokens = any_size(c, cols > 100 ? 13 : 130), n = frames * tokens;
    const any_spans s = spans_of(c, frames);
    make_matrix(c, &c->a, n, cols, any_dtype(c), any_flavour(c));
    describe(c, "%u x %u, spans %u, cols %u, dtype %u", frames, tokens, s.count, cols, c->a.dtype);
    use_a(c, ADD(c, place_sim, n, .frames = frames, .tokens = tokens, .cols = cols,
                 .rows_at = row_list(c, n, true), .inv_at = positive(c, n), .starts_at = s.starts,
                 .of_at = s.of, .score_at = array(c, n, REALS)));
}

void gen_still(ops_case *c)
{
    const uint32_t frames = 1 + below(c, 20), tokens = any_size(c, 130), n = frames * tokens;
    const any_spans s = spans_of(c, frames);
    const uint32_t rule = below(c, 2);
    describe(c, "%u x %u, spans %u, rule %u", frames, tokens, s.count, rule);
    ADD(c, still, n, .frames = frames, .tokens = tokens, .rule = rule, .starts_at = s.starts,
        .of_at = s.of, .value_at = rule ? reals(c, n, any_flavour(c)) : any_runs(c, frames, tokens),
        .flag_at = array(c, n, WORDS), .keep_at = array(c, n, WORDS), .dest_at = array(c, n, WORDS),
        .bound = 0.25f);
}

void gen_share_counts(ops_case *c)
{
    static const double ratios[] = {0.1,  0.15, 0.2, 0.25, 0.3, 1.0 / 3.0, 0.007,
                                    0.99, 1.0,  0.5, 1e-6, 0.7, 0.29,      0.05};
    const uint32_t frames = any_size(c, 300), rule = below(c, 3);
    const uint32_t tokens = c->round == 3 ? 65000 : c->round % 2 ? 1 + below(c, 40) : 196;
    const any_spans spans = spans_of(c, frames);
    const uint32_t seg = array(c, frames + 1, WORDS);
    set_word(c, seg, 0, 0);
    for (uint32_t t = 0; t < frames; ++t)
        set_word(c, seg, t + 1, c->w[seg + t] + (chance(c, 10) ? 0 : below(c, tokens + 1)));
    const double ratio = ratios[below(c, 14)];
    uint64_t bits;
    memcpy(&bits, &ratio, sizeof bits);
    const uint32_t all = frames * tokens;
    describe(c, "frames %u, spans %u, rule %u, ratio %g", frames, spans.count, rule, ratio);
    ADD(c, share_counts, frames, .segs = frames, .seg_at = seg, .rule = rule,
        .starts_at = spans.starts, .of_at = spans.of, .each = below(c, tokens + 2), .all = all,
        .gain_at = words_below(c, 1, chance(c, 50) ? all : all / 8 + 1),
        .ratio_high = (uint32_t)(bits >> 32), .ratio_low = (uint32_t)bits,
        .out_at = array(c, frames, WORDS));
}

void gen_link_count(ops_case *c)
{
    const uint32_t frames = any_size(c, 65), tokens = 1 + below(c, 90);
    const any_spans s = spans_of(c, frames);
    const uint32_t seg = array(c, 2 * frames + 1, WORDS);
    for (uint32_t k = 0; k <= 2 * frames; ++k)
        set_word(c, seg, k, c->w[s.inner + k] * tokens);
    describe(c, "%u x %u, spans %u", frames, tokens, s.count);
    ADD(c, link_count, frames, .segs = frames, .seg_at = seg, .starts_at = s.starts,
        .score_at = reals(c, frames * tokens, any_flavour(c)), .each = below(c, tokens + 1),
        .k_at = array(c, 2 * frames, WORDS), .bound = 0.25f);
}

void gen_twins(ops_case *c)
{
    const uint32_t frames = any_size(c, 31), tokens = 1 + below(c, 60), n = frames * tokens;
    const uint32_t many = below(c, tokens + 1);
    const any_spans s = spans_of(c, frames);
    const uint32_t seg = array(c, frames + 1, WORDS), flag = flags(c, n, 0);
    for (uint32_t t = 0; t <= frames; ++t)
        set_word(c, seg, t, t * tokens);
    for (uint32_t t = 0; t < frames; ++t)
        for (uint32_t q = 0, turn = below(c, tokens); q < many; ++q)
            set_word(c, flag, t * tokens + (q + turn) % tokens, 1);
    describe(c, "%u x %u, %u flagged, spans %u", frames, tokens, many, s.count);
    const uint32_t items = (n > frames + 1 ? n : frames + 1) + below(c, 70), twice = 2 * n;
    ADD(c, twins, items, .n_max = n, .segs = frames, .seg_at = seg, .flag_at = flag,
        .starts_at = s.starts, .of_at = s.of, .many = many, .rows_at = row_list(c, n, true),
        .index_at = array(c, n, WORDS), .sizes_at = positive(c, n),
        .seg_out_at = array(c, frames + 1, WORDS), .rows_out_at = array(c, twice, WORDS),
        .index_out_at = array(c, twice, WORDS), .sizes_out_at = array(c, twice, REALS),
        .flag_out_at = array(c, twice, WORDS), .map_at = array(c, n, WORDS));
}

/* Entries of a list in each frame, some frames without. */
static uint32_t any_frames(ops_case *c, uint32_t frames, uint32_t tokens)
{
    const uint32_t seg = array(c, frames + 1, WORDS);
    set_word(c, seg, 0, 0);
    for (uint32_t t = 0; t < frames; ++t)
        set_word(c, seg, t + 1, c->w[seg + t] + (chance(c, 10) ? 0 : below(c, tokens + 1)));
    return seg;
}

/* anchors, sources and closest, in a row: each on what the one before gave. */
static void anchor_program(ops_case *c)
{
    const uint32_t frames = any_size(c, 31), tokens = 1 + below(c, 40);
    const any_spans s = spans_of(c, frames);
    const uint32_t seg = any_frames(c, frames, tokens), n = c->w[seg + frames];
    const uint32_t most = n * frames + 1, far = n + below(c, 9);
    const uint32_t begin = array(c, frames, WORDS), sources = array(c, frames + 1, WORDS);
    const uint32_t pos = shuffled(c, n + 1);
    describe(c, "%u frames, entries %u, spans %u", frames, n, s.count);
    ADD(c, anchors, frames + 1, .frames = frames, .seg_at = seg, .starts_at = s.starts,
        .of_at = s.of, .context = below(c, 5), .period = 1 + below(c, 5), .far = far,
        .k_at = array(c, frames, WORDS), .begin_at = begin, .seg_out_at = sources,
        .seg_far_at = array(c, frames + 1, WORDS));
    ADD(c, sources, most, .n_max = most, .frames = frames, .seg_at = sources, .begin_at = begin,
        .pos_at = pos, .rows_at = row_list(c, n + 1, true), .pos_out_at = array(c, most, WORDS),
        .rows_out_at = array(c, most, WORDS));
    ADD(c, closest, n + 1, .n_max = n + 1, .frames = frames, .seg_at = seg, .pos_at = pos,
        .starts_at = s.starts, .of_at = s.of, .src_seg_at = sources, .begin_at = begin,
        .best_at = reals(c, most, any_flavour(c)), .arg_at = array(c, most, WORDS),
        .keep_at = flags(c, n + 1, 20), .dest_at = array(c, n + 1, WORDS));
}

void gen_anchors(ops_case *c)
{
    anchor_program(c);
}

void gen_sources(ops_case *c)
{
    anchor_program(c);
}

void gen_closest(ops_case *c)
{
    anchor_program(c);
}
