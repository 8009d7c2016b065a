/* Scores of tokens, and counts that follow from sizes. */
#include "cpu_ops.h"

void cpu_fill(const struct wn_args_fill *pc, const wn_cpu_memory *m)
{
    for (uint32_t i = 0; i < pc->n; ++i)
        m->w[pc->at + i] = pc->value;
}

void cpu_load_f32(const struct wn_args_load_f32 *pc, const wn_cpu_memory *m)
{
    for (uint32_t r = 0; r < pc->rows; ++r)
        for (uint32_t c = 0; c < pc->cols; ++c)
            set_real(m, pc->dst_at, r * pc->cols + c, load(&m->a, r, c));
}

enum { AT_ONCE = 64 }; /* tokens whose scores grow side by side */

/* Tokens from i on, at most AT_ONCE, that lie side by side in one frame of the source. */
static uint32_t neighbours(const struct wn_args_head_sum *pc, const wn_cpu_memory *m, uint32_t i,
                           uint32_t n)
{
    const uint32_t *index = m->w + pc->index_at + i, room = least(AT_ONCE, n - i);
    const uint32_t most = least(room, pc->cols_per_frame - index[0] % pc->cols_per_frame);
    uint32_t count = 1;
    while (count < most && index[count] == index[0] + count)
        ++count;
    return count;
}

void cpu_head_sum(const struct wn_args_head_sum *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    for (uint32_t i = 0, count = 1; i < n; i += count, count = 1) {
        const uint32_t source = m->w[pc->index_at + i];
        if (is_none(source)) {
            m->w[pc->score_at + i] = 0x7f800000u;
            continue;
        }
        count = neighbours(pc, m, i, n);
        const uint32_t first = source / pc->cols_per_frame * pc->rows_per_frame;
        float sums[AT_ONCE] = {0}, room[AT_ONCE];
        wn_cpu_rows part = m->a; /* the tokens' columns */
        part.data = element(&m->a, 0, source % pc->cols_per_frame);
        for (uint32_t h = 0; h < pc->heads; ++h) {
            const float *x = wn_cpu_row(&part, first + h, count, room);
            for (uint32_t l = 0; l < count; ++l)
                sums[l] += x[l];
        }
        for (uint32_t l = 0; l < count; ++l)
            set_real(m, pc->score_at, i + l, pc->scale * sums[l]);
    }
}

void cpu_row_norm(const struct wn_args_row_norm *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t row = entry(m, pc->list_at, i);
        float inv = 0.0f;
        if (!is_none(row)) {
            const float *x = wn_cpu_row(&m->a, row, pc->cols, m->scratch);
            inv = norm_factor(wn_cpu_dot32(x, x, pc->cols), pc->eps2, pc->inv_eps);
        }
        set_real(m, pc->inv_at, i, inv);
    }
}

void cpu_row_abs(const struct wn_args_row_abs *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    float *x = m->scratch;
    for (uint32_t i = own.begin; i < own.end; ++i) {
        wn_cpu_load_row(&m->a, entry(m, pc->list_at, i), pc->cols, x); /* zeros if it is none */
        for (uint32_t d = 0; d < pc->cols; ++d)
            x[d] = bits_f32(f32_bits(x[d]) & 0x7fffffffu);
        set_real(m, pc->v_at, i, wn_cpu_sum32(x, pc->cols));
    }
}

static float cosine(const float *x, const float *y, uint32_t n)
{
    float xx, xy, yy;
    wn_cpu_dots32(x, y, n, &xx, &xy, &yy);
    const float fx = norm_factor(xx, COS_EPS2, COS_INV_EPS);
    const float fy = norm_factor(yy, COS_EPS2, COS_INV_EPS);
    return xy * (fx * fy);
}

static float round_bf16(float x)
{
    return bf16_to_f32(f32_to_bf16(x));
}

/* x = bf16(x / norm), the norm in bf16. The division is by recip_: a quotient of two bf16 is never
 * so near the middle of two bf16 that the last bits of f32 could decide how it rounds. */
static void normalise_bf16(float *x, uint32_t n)
{
    for (uint32_t d = 0; d < n; ++d)
        x[d] = round_bf16(x[d]);
    const float s = wn_cpu_dot32(x, x, n);
    float factor = 0.0f; /* of an infinite norm */
    if (!is_inf(s)) {
        float norm = s == 0.0f ? 0.0f : round_bf16(s * rsqrt_(s));
        if (norm < 1e-8f)
            norm = 1e-8f;
        factor = recip_(norm);
    }
    for (uint32_t d = 0; d < n; ++d)
        x[d] = round_bf16(x[d] * factor);
}

/* As torch's cosine_similarity of two bf16 tensors, both in scratch that may be overwritten. */
static float cosine_bf16(float *x, float *y, uint32_t n)
{
    normalise_bf16(x, n);
    normalise_bf16(y, n);
    float sums[32] = {0}; /* dot32 with rounded products */
    for (uint32_t d = 0; d < n; ++d)
        sums[d % 32] += round_bf16(x[d] * y[d]);
    for (uint32_t step = 1; step < 32; step *= 2)
        for (uint32_t l = 0; l < 32; l += 2 * step)
            sums[l] += sums[l + step];
    return round_bf16(sums[0]);
}

/* The score of token j of frame t against the rows at place j of the frame that ref[t] names. */
static float frame_score(const struct wn_args_frame_sim *pc, const wn_cpu_memory *m, uint32_t t,
                         uint32_t j)
{
    const int32_t q = (int32_t)m->w[pc->ref_at + t];
    if (q == -1)
        return pc->none_value;
    float *x_room = m->scratch, *y_room = x_room + pc->cols;
    const wn_cpu_rows *from = q >= 0 ? &m->a : &m->b;
    const uint32_t x_row = entry(m, pc->rows_at, t * pc->tokens + j);
    const uint32_t y_row = q >= 0 ? entry(m, pc->rows_at, (uint32_t)q * pc->tokens + j)
                                  : (uint32_t)(-2 - q) * pc->tokens + j;
    if (pc->flags & 2u) {
        wn_cpu_load_row(&m->a, x_row, pc->cols, x_room);
        wn_cpu_load_row(from, y_row, pc->cols, y_room);
        const float c = cosine_bf16(x_room, y_room, pc->cols);
        return pc->flags & 1u ? round_bf16(1.0f - c) : c;
    }
    const float *x = wn_cpu_row(&m->a, x_row, pc->cols, x_room);
    const float *y = wn_cpu_row(from, y_row, pc->cols, y_room);
    const float c = cosine(x, y, pc->cols);
    return pc->flags & 1u ? 1.0f - c : c;
}

void cpu_frame_sim(const struct wn_args_frame_sim *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * pc->tokens);
    for (uint32_t i = own.begin; i < own.end; ++i)
        set_real(m, pc->score_at, i, frame_score(pc, m, i / pc->tokens, i % pc->tokens));
}

void cpu_relevance(const struct wn_args_relevance *pc, const wn_cpu_memory *m)
{
    const uint32_t cols = pc->cols;
    const wn_cpu_span own = wn_cpu_share(m, 0, m->w[pc->seg_at + pc->segs]);
    float *x_room = m->scratch, *text = x_room + cols;
    float *text_factor = text + (size_t)pc->text_rows * cols;
    for (uint32_t k = 0; k < pc->text_rows; ++k) {
        float *y = text + (size_t)k * cols;
        wn_cpu_load_row(&m->b, k, cols, y);
        text_factor[k] = norm_factor(wn_cpu_dot32(y, y, cols), COS_EPS2, COS_INV_EPS);
    }
    for (uint32_t i = own.begin; i < own.end; ++i) {
        const uint32_t source = m->w[pc->index_at + i];
        if (is_none(source)) {
            set_real(m, pc->rel_at, i, 0.0f);
            continue;
        }
        const float *x = wn_cpu_row(&m->a, source, cols, x_room);
        const float factor = norm_factor(wn_cpu_dot32(x, x, cols), COS_EPS2, COS_INV_EPS);
        float sum = 0.0f;
        for (uint32_t k = 0; k < pc->text_rows; ++k) {
            const float *y = text + (size_t)k * cols;
            sum += wn_cpu_dot32(x, y, cols) * (factor * text_factor[k]);
        }
        set_real(m, pc->rel_at, i, pc->scale * sum);
    }
}

static void scale_one_range(const struct wn_args_scale_range *pc, const wn_cpu_memory *m,
                            uint32_t begin, uint32_t end)
{
    float low = bits_f32(0x7f800000u), high = -low;
    for (uint32_t i = begin; i < end; ++i) {
        const float v = real(m, pc->v_at, i); /* a NaN loses every comparison */
        if (v < low)
            low = v;
        if (v > high)
            high = v;
    }
    const float width = high - low;
    if (width <= pc->tiny) {
        for (uint32_t i = begin; i < end; ++i)
            set_real(m, pc->v_at, i, 1.0f);
        return;
    }
    const float factor = recip_(width + pc->more);
    for (uint32_t i = begin; i < end; ++i)
        set_real(m, pc->v_at, i, ((real(m, pc->v_at, i) - low) + pc->offset) * factor);
}

void cpu_scale_range(const struct wn_args_scale_range *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    if (pc->global) {
        scale_one_range(pc, m, 0, seg[pc->segs]);
        return;
    }
    for (uint32_t s = 0; s < pc->segs; ++s)
        scale_one_range(pc, m, seg[s], seg[s + 1]);
}

void cpu_count_map(const struct wn_args_count_map *pc, const wn_cpu_memory *m)
{
    const uint32_t *seg = m->w + pc->seg_at;
    for (uint32_t s = 0; s < pc->segs; ++s) {
        const uint32_t row = seg[(s + 1) * pc->span] - seg[s * pc->span] - pc->base;
        for (uint32_t p = 0; p < pc->parts; ++p)
            m->w[pc->out_at + s * pc->parts + p] = m->w[pc->table_at + p * pc->rows + row];
    }
}

void cpu_power(const struct wn_args_power *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    for (uint32_t i = 0; i < n; ++i) {
        const float v = real(m, pc->v_at, i);
        const uint32_t size = f32_bits(v) & 0x7fffffffu;
        if (is_nan(v) || f32_bits(v) == 0x7f800000u)
            continue;
        if (size < 0x00800000u)
            set_real(m, pc->v_at, i, pc->p > 0.0f ? 0.0f : 1.0f);
        else
            set_real(m, pc->v_at, i, v < 0.0f ? bits_f32(0x7fc00000u) : exp_(pc->p * log_(v)));
    }
}
