/* High frequencies of tokens on their grid, and how they change from one layer to another (stages/clse.c). */
#include "cpu_ops.h"

/* sum[cols] = the kernel along column x of frame t at row y. */
static void low_pass(const struct wn_args_spectral_score *pc, const wn_cpu_memory *m, uint32_t t,
                     uint32_t y, uint32_t x, float *sum)
{
    memset(sum, 0, pc->cols * sizeof *sum);
    for (uint32_t k = 0; k < pc->taps; ++k) {
        const float w = real(m, pc->weight_at - y + k, 0);
        const float *row = f32_row(&m->b, (t * pc->h + k) * pc->grid_w + x);
        for (uint32_t c = 0; c < pc->cols; ++c)
            sum[c] += w * row[c];
    }
}

/* Column by column, so that a column's rows of B stay in the cache. */
void cpu_spectral_score(const struct wn_args_spectral_score *pc, const wn_cpu_memory *m)
{
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * pc->h * pc->grid_w);
    float *gap = m->scratch, *room = gap + pc->cols;
    for (uint32_t q = own.begin; q < own.end; ++q) {
        const uint32_t y = q % pc->h, column = q / pc->h, t = column / pc->grid_w,
                       x = column % pc->grid_w, i = (t * pc->h + y) * pc->grid_w + x;
        low_pass(pc, m, t, y, x, gap);
        const float *row = wn_cpu_row(&m->a, entry(m, pc->rows_at, i), pc->cols, room);
        for (uint32_t c = 0; c < pc->cols; ++c)
            gap[c] = bits_f32(f32_bits(row[c] - gap[c]) & 0x7fffffffu);
        set_real(m, pc->v_at, i, wn_cpu_sum32(gap, pc->cols) * pc->scale);
    }
}

static const float least_normal = 1.17549435e-38f; /* 2^-126 */

static float size_of(float x)
{
    const float size = bits_f32(f32_bits(x) & 0x7fffffffu);
    return size < least_normal ? 0.0f : size;
}

static bool is_number(float v)
{
    return !is_nan(v) && !is_inf(v);
}

static bool counted(const struct wn_args_spectral_change *pc, const wn_cpu_memory *m, uint32_t i)
{
    return is_number(real(m, pc->x_at, i)) && is_number(real(m, pc->y_at, i));
}

/* How much token i changed; NaN: it does not count. */
static float change(const struct wn_args_spectral_change *pc, const wn_cpu_memory *m, uint32_t i,
                    float mean)
{
    const float x = real(m, pc->x_at, i), gap = size_of(real(m, pc->y_at, i) - x);
    const float sum = mean + x, divisor = sum + 1e-6f;
    if (!counted(pc, m, i) || !(divisor < 1.2676506e30f))
        return bits_f32(0x7fc00000u);
    const float e = gap * recip_(divisor);
    return e > 1.0f ? 1.0f : e;
}

static float sigmoid(float u)
{
    return is_nan(u) ? u : recip_(1.0f + exp_(u < -60.0f ? 60.0f : -u));
}

void cpu_spectral_change(const struct wn_args_spectral_change *pc, const wn_cpu_memory *m)
{
    const uint32_t n = m->w[pc->seg_at + pc->segs];
    float sums[32] = {0}, numbers[32] = {0}, changes[32] = {0}, squares[32] = {0};
    for (uint32_t i = 0; i < n; ++i)
        if (counted(pc, m, i)) {
            sums[i % 32] += real(m, pc->x_at, i);
            numbers[i % 32] += 1.0f;
        }
    const float number = tree32(numbers), share = recip_(number > 1.0f ? number : 1.0f),
                rest = recip_(number > 2.0f ? number - 1.0f : 1.0f);
    const float mean = tree32(sums) * share;
    for (uint32_t i = 0; i < n; ++i) {
        const float e = change(pc, m, i, mean);
        changes[i % 32] += is_nan(e) ? 0.0f : e;
    }
    const float middle = tree32(changes) * share;
    for (uint32_t i = 0; i < n; ++i) {
        const float off = change(pc, m, i, mean) - middle, square = off * off;
        squares[i % 32] += is_nan(square) ? 0.0f : square;
    }
    const float variance = tree32(squares) * rest, steep = recip_(sqrt_(variance) + 1e-6f);
    for (uint32_t i = 0; i < n; ++i) {
        const float off = change(pc, m, i, mean) - middle, z = off * steep;
        const float f = sigmoid(z * pc->sharp),
                    score = pc->weight_at == WN_NONE ? f : f * real(m, pc->weight_at, i);
        set_real(m, pc->score_at, i, size_of(score) == 0.0f ? 0.0f : score);
    }
}
