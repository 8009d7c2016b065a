/* Temporal segments: means of frames, where spans of frames begin, what stands still in them, and counts that follow. */
#include <math.h>

#include "cpu_ops.h"

void cpu_segment_mean(const struct wn_args_segment_mean *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *sum = m->scratch, *room = sum + pc->cols;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->segs);
    for (uint32_t s = own.begin; s < own.end; ++s) {
        const uint32_t n = seg[s + 1] - seg[s];
        const float factor = recip_((float)(n ? n : 1));
        memset(sum, 0, pc->cols * sizeof *sum);
        for (uint32_t i = seg[s]; i < seg[s + 1]; ++i) {
            const float *x = wn_cpu_row(&m->a, entry(m, pc->list_at, i), pc->cols, room);
            for (uint32_t c = 0; c < pc->cols; ++c)
                sum[c] += x[c];
        }
        for (uint32_t c = 0; c < pc->cols; ++c)
            sum[c] *= factor;
        wn_cpu_store_row(&m->b, s, 0, pc->cols, sum);
    }
}

void cpu_segment_dot(const struct wn_args_segment_dot *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    float *y_room = m->scratch, *x_room = y_room + pc->cols;
    const wn_cpu_span all = wn_cpu_share(m, 0, seg[pc->segs]);
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const wn_cpu_span own = wn_cpu_overlap(all, seg[s], seg[s + 1]);
        if (own.begin == own.end)
            continue;
        const float *y = wn_cpu_row(&m->c, entry(m, pc->of_at, s), pc->cols, y_room);
        for (uint32_t i = own.begin; i < own.end; ++i) {
            const uint32_t row = entry(m, pc->list_at, i);
            const float *x = wn_cpu_row(&m->a, row, pc->cols, x_room);
            const float dot = is_none(row) ? 0.0f : wn_cpu_dot32(x, y, pc->cols);
            set_real(m, pc->out_at, i, dot * real_or_one(m, pc->weight_at, i));
        }
    }
}

/* -- where spans begin ------------------------------------------------------------------------- */

void cpu_cut(const struct wn_args_cut *pc, const wn_cpu_memory *m)
{
    for (uint32_t t = 0; t < pc->frames; ++t) {
        const float score = real(m, pc->score_at, t);
        const uint32_t key = score_key_smallest(score);
        uint32_t before = 0;
        for (uint32_t q = 1; q < pc->frames; ++q) {
            const uint32_t other = score_key_smallest(real(m, pc->score_at, q));
            before += other > key || (other == key && q < t);
        }
        m->w[pc->flag_at + t] = t == 0 || score < pc->bound || before < pc->least;
    }
}

void cpu_spans(const struct wn_args_spans *pc, const wn_cpu_memory *m)
{
    uint32_t *starts = m->w + pc->starts_at, count = 0;
    for (uint32_t t = 0; t < pc->frames; ++t) {
        if (t == 0 || m->w[pc->flag_at + t])
            starts[count++] = t;
        m->w[pc->of_at + t] = count - 1;
    }
    for (uint32_t k = count; k <= pc->frames; ++k)
        starts[k] = pc->frames;
    for (uint32_t k = 0; pc->inner_at != WN_NONE && k <= pc->frames; ++k) {
        m->w[pc->inner_at + 2 * k] = starts[k];
        if (k < pc->frames)
            m->w[pc->inner_at + 2 * k + 1] = least(starts[k] + 1, pc->frames);
    }
}

void cpu_runs(const struct wn_args_runs *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < pc->frames * pc->tokens; ++i) {
        const uint32_t before = i < pc->tokens ? 0 : m->w[pc->run_at + i - pc->tokens];
        m->w[pc->run_at + i] = real(m, pc->score_at, i) > pc->bound ? before + 1 : 0;
    }
}

void cpu_run_counts(const struct wn_args_run_counts *pc, const wn_cpu_memory *m)
{
    for (uint32_t t = 0; t < pc->frames; ++t) {
        uint32_t *count = m->w + pc->count_at + (size_t)t * pc->frames;
        memset(count, 0, pc->frames * sizeof *count);
        for (uint32_t j = 0; j < pc->tokens; ++j)
            for (uint32_t w = 1; w <= least(t, m->w[pc->run_at + t * pc->tokens + j]); ++w)
                ++count[w];
    }
}

void cpu_best_cuts(const struct wn_args_best_cuts *pc, const wn_cpu_memory *m)
{
    uint32_t *total = m->w + pc->total_at, *from = m->w + pc->from_at;
    for (uint32_t t = 0; t < pc->frames; ++t) {
        const uint32_t *count = m->w + pc->count_at + (size_t)t * pc->frames;
        total[t] = t ? total[t - 1] : 0;
        from[t] = t;
        for (uint32_t w = 1; w <= t && w < pc->most; ++w) {
            const uint32_t sum = (w < t ? total[t - w - 1] : 0) + w * count[w];
            if (sum > total[t]) {
                total[t] = sum;
                from[t] = t - w;
            }
        }
    }
    memset(m->w + pc->flag_at, 0, pc->frames * sizeof *m->w);
    for (uint32_t end = pc->frames; end > 0; end = from[end - 1])
        m->w[pc->flag_at + from[end - 1]] = 1;
    m->w[pc->gain_at] = total[pc->frames - 1];
}

/* -- runs of labels ---------------------------------------------------------------------------- */

static const uint32_t gap = 0xfffffffeu;

/* Frames from t on that have its label. */
static uint32_t run_from(const uint32_t *label, uint32_t t, uint32_t frames)
{
    uint32_t end = t;
    while (end < frames && label[end] == label[t])
        ++end;
    return end - t;
}

/* length[t] = frames of the run that t is in. */
static void measure_runs(const uint32_t *label, uint32_t *length, uint32_t frames)
{
    for (uint32_t t = 0, run; t < frames; t += run) {
        run = run_from(label, t, frames);
        for (uint32_t q = t; q < t + run; ++q)
            length[q] = run;
    }
}

void cpu_label_runs(const struct wn_args_label_runs *pc, const wn_cpu_memory *m)
{
    uint32_t *label = m->w + pc->label_at, *length = m->w + pc->length_at;
    const uint32_t frames = pc->frames;
    for (uint32_t t = 0; t < frames; ++t)
        label[t] = m->w[pc->keep_at + t] ? t : m->w[pc->dest_at + t];
    measure_runs(label, length, frames);
    uint32_t *flag = m->w + pc->flag_at; /* first whether a frame's run goes */
    for (uint32_t t = 0; t < frames; ++t) {
        uint32_t longest = 0;
        for (uint32_t q = 0; q < frames; ++q)
            longest = label[q] == label[t] && length[q] > longest ? length[q] : longest;
        flag[t] = longest == 1 || length[t] < longest;
    }
    for (uint32_t t = 0; t < frames; ++t)
        label[t] = flag[t] ? gap : label[t];
    for (uint32_t t = 0; t < frames;) {
        uint32_t left = 0;
        const uint32_t run = run_from(label, t, frames), end = t + run;
        if (label[t] == gap) {
            while (left < t && label[t - 1 - left] == label[t - 1])
                ++left;
            const uint32_t right = end < frames ? run_from(label, end, frames) : 0;
            const uint32_t taken = left > 0 && left >= right ? label[t - 1]
                                   : right > 0               ? label[end]
                                                             : 0;
            for (uint32_t q = t; q < end; ++q)
                label[q] = taken;
        }
        t = end;
    }
    for (uint32_t t = 0; t < frames; ++t)
        flag[t] = t == 0 || label[t] != label[t - 1];
}

/* -- what stands still ------------------------------------------------------------------------- */

/* The span of frame t. */
static wn_cpu_span span_of(const wn_cpu_memory *m, uint32_t starts_at, uint32_t of_at, uint32_t t)
{
    const uint32_t *starts = m->w + starts_at + m->w[of_at + t];
    return (wn_cpu_span){starts[0], starts[1]};
}

void cpu_place_sim(const struct wn_args_place_sim *pc, const wn_cpu_memory *m)
{
    float *sum = m->scratch, *room = sum + pc->cols;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * pc->tokens);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t t = i / pc->tokens, j = i % pc->tokens;
        const wn_cpu_span span = span_of(m, pc->starts_at, pc->of_at, t);
        const uint32_t count = span.end - span.begin;
        set_real(m, pc->score_at, i, 0.0f);
        if (t != span.begin || count < 2)
            continue;
        memset(sum, 0, pc->cols * sizeof *sum);
        for (uint32_t q = span.begin; q < span.end; ++q) {
            const uint32_t at = q * pc->tokens + j;
            const float *x = wn_cpu_row(&m->a, entry(m, pc->rows_at, at), pc->cols, room);
            const float factor = real(m, pc->inv_at, at);
            for (uint32_t d = 0; d < pc->cols; ++d)
                sum[d] += x[d] * factor;
        }
        const float others = wn_cpu_dot32(sum, sum, pc->cols) - (float)count;
        set_real(m, pc->score_at, i, others * recip_((float)(count * (count - 1))));
    }
}

void cpu_still(const struct wn_args_still *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < pc->frames * pc->tokens; ++i) {
        const uint32_t t = i / pc->tokens, j = i % pc->tokens;
        const wn_cpu_span span = span_of(m, pc->starts_at, pc->of_at, t);
        const uint32_t last = span.end - 1;
        const bool holds = pc->rule == 0
                               ? m->w[pc->value_at + last * pc->tokens + j] >= last - span.begin
                               : real(m, pc->value_at, span.begin * pc->tokens + j) > pc->bound;
        const bool still = last > span.begin && holds, moves = still && t != span.begin;
        m->w[pc->flag_at + i] = still;
        m->w[pc->keep_at + i] = !moves;
        m->w[pc->dest_at + i] = moves ? span.begin * pc->tokens + j : WN_NONE;
    }
}

/* -- counts ------------------------------------------------------------------------------------ */

/* What the official code does in Python's doubles. */
static uint32_t share_of(const struct wn_args_share_counts *pc, const wn_cpu_memory *m, uint32_t s)
{
    const uint32_t *seg = m->w + pc->seg_at, n = seg[s + 1] - seg[s];
    if (pc->rule == 0) {
        const wn_cpu_span span = span_of(m, pc->starts_at, pc->of_at, s);
        const uint32_t all = seg[span.end] - seg[span.begin],
                       wanted = pc->each * (span.end - span.begin);
        return wanted >= all ? n : (uint32_t)ceil(n * ((double)wanted / all));
    }
    const uint64_t bits = (uint64_t)pc->ratio_high << 32 | pc->ratio_low;
    double ratio;
    memcpy(&ratio, &bits, sizeof ratio);
    const double q = ratio / ((double)(pc->all - m->w[pc->gain_at]) / pc->all);
    const double share = n * (q < 1.0 ? q : 1.0);
    return (uint32_t)(pc->rule == 1 ? ceil(share) : rint(share));
}

void cpu_share_counts(const struct wn_args_share_counts *pc, const wn_cpu_memory *m)
{
    for (uint32_t s = 0; s < pc->segs; ++s)
        m->w[pc->out_at + s] = share_of(pc, m, s);
}

void cpu_link_count(const struct wn_args_link_count *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *starts = m->w + pc->starts_at;
    for (uint32_t k = 0; k < pc->segs; ++k) {
        const uint32_t most = pc->each * (starts[k + 1] - starts[k]);
        uint32_t count = 0;
        for (uint32_t i = seg[2 * k + 1]; i < seg[2 * k + 2]; ++i)
            count += real(m, pc->score_at, i) > pc->bound;
        m->w[pc->k_at + 2 * k] = 0;
        m->w[pc->k_at + 2 * k + 1] = count <= most ? count : most ? most - 1 : 0;
    }
}

void cpu_twins(const struct wn_args_twins *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t to = 0;
    for (uint32_t t = 0; t < pc->segs; ++t) {
        const wn_cpu_span span = span_of(m, pc->starts_at, pc->of_at, t);
        m->w[pc->seg_out_at + t] = to;
        for (uint32_t i = seg[t]; i < seg[t + 1]; ++i) {
            const bool flag = m->w[pc->flag_at + i] != 0;
            const uint32_t times = flag && span.end - span.begin == 1 ? 2 : 1;
            m->w[pc->map_at + i] = to;
            for (uint32_t copy = 0; copy < times; ++copy, ++to) {
                m->w[pc->rows_out_at + to] = entry(m, pc->rows_at, i);
                m->w[pc->index_out_at + to] = entry(m, pc->index_at, i);
                m->w[pc->sizes_out_at + to] = m->w[pc->sizes_at + i];
                m->w[pc->flag_out_at + to] = flag && copy == 0;
            }
        }
    }
    m->w[pc->seg_out_at + pc->segs] = to;
}

/* -- FastVID's anchors ------------------------------------------------------------------------- */

void cpu_anchors(const struct wn_args_anchors *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    uint32_t sources = 0;
    for (uint32_t t = 0; t < pc->frames; ++t) {
        const wn_cpu_span span = span_of(m, pc->starts_at, pc->of_at, t);
        const uint32_t frames = span.end - span.begin, n = seg[t + 1] - seg[t];
        const uint32_t share = pc->context * frames / ((frames + pc->period - 1) / pc->period);
        const bool is_anchor = (span.end - 1 - t) % pc->period == 0;
        const uint32_t centres = is_anchor ? least(share, n) : 0;
        const bool alone = centres == 0 || share == pc->context;
        m->w[pc->k_at + t] = centres;
        m->w[pc->begin_at + t] = alone ? seg[t] : seg[span.begin];
        m->w[pc->seg_out_at + t] = sources;
        m->w[pc->seg_far_at + t] = sources + pc->far;
        sources += centres == 0 ? 0 : alone ? n : seg[span.end] - seg[span.begin];
    }
    m->w[pc->seg_out_at + pc->frames] = sources;
    m->w[pc->seg_far_at + pc->frames] = sources + pc->far;
}

void cpu_sources(const struct wn_args_sources *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t t = 0; t < pc->frames; ++t)
        for (uint32_t e = seg[t]; e < seg[t + 1]; ++e) {
            const uint32_t p = m->w[pc->pos_at + m->w[pc->begin_at + t] + e - seg[t]];
            m->w[pc->pos_out_at + e] = p;
            m->w[pc->rows_out_at + e] = entry(m, pc->rows_at, p);
        }
}

void cpu_closest(const struct wn_args_closest *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at, *src = m->w + pc->src_seg_at;
    for (uint32_t e = 0; e < seg[pc->frames]; ++e) {
        const uint32_t p = m->w[pc->pos_at + e];
        if (m->w[pc->keep_at + p])
            continue;
        const wn_cpu_span span =
            span_of(m, pc->starts_at, pc->of_at, segment_of(seg, pc->frames, e));
        uint32_t best = WN_NONE, best_key = 0;
        for (uint32_t t = span.begin; t < span.end; ++t) {
            const uint32_t begin = m->w[pc->begin_at + t];
            if (e < begin || e - begin >= src[t + 1] - src[t])
                continue;
            const uint32_t x = src[t] + e - begin, key = score_key(real(m, pc->best_at, x));
            if (best == WN_NONE || key > best_key) {
                best = x;
                best_key = key;
            }
        }
        m->w[pc->dest_at + p] = best == WN_NONE ? WN_NONE : m->w[pc->arg_at + best];
    }
}
