/* The weightless encoder: low-frequency DCT-II coefficients of patches. */
#include "cpu_ops.h"

/* Planes Y (as 2Y-1), Cb and Cr of the patch whose first pixel is rgb, rows `pitch` bytes apart. */
static void split_colours(const unsigned char *rgb, size_t pitch, uint32_t patch, float *planes)
{
    const uint32_t pixels = patch * patch;
    for (uint32_t i = 0; i < pixels; ++i) {
        const unsigned char *pixel = rgb + i / patch * pitch + (size_t)(i % patch) * 3;
        const float r = (float)pixel[0] * (1.0f / 255.0f);
        const float g = (float)pixel[1] * (1.0f / 255.0f);
        const float b = (float)pixel[2] * (1.0f / 255.0f);
        const float y = (0.299f * r + 0.587f * g) + 0.114f * b;
        planes[i] = 2.0f * y - 1.0f;
        planes[pixels + i] = 0.564f * (b - y);
        planes[2 * pixels + i] = 0.713f * (r - y);
    }
}

/* Coefficient (u, v) of a plane. */
static float coefficient(const struct wn_args_patch_dct *pc, const wn_cpu_memory *m,
                         const float *plane, uint32_t u, uint32_t v)
{
    const uint32_t p = pc->patch;
    float sum = 0.0f;
    for (uint32_t y = 0; y < p; ++y) {
        const float cy = real(m, pc->basis_at, u * p + y);
        for (uint32_t x = 0; x < p; ++x)
            sum += (plane[y * p + x] * cy) * real(m, pc->basis_at, v * p + x);
    }
    return sum;
}

static void emit_patch(const struct wn_args_patch_dct *pc, const wn_cpu_memory *m, uint32_t token,
                       const float *planes)
{
    const uint32_t pixels = pc->patch * pc->patch, counts[3] = {pc->luma, pc->chroma, pc->chroma};
    uint32_t column = 0;
    for (uint32_t plane = 0; plane < 3; ++plane) {
        for (uint32_t k = 0; k < counts[plane]; ++k) {
            const uint32_t at = m->w[pc->zigzag_at + k];
            const float x =
                coefficient(pc, m, planes + plane * pixels, at / pc->patch, at % pc->patch);
            wn_cpu_store_row(&m->b, token, column++, 1, &x);
        }
    }
}

void cpu_patch_dct(const struct wn_args_patch_dct *pc, const wn_cpu_memory *m)
{
    const uint32_t down = pc->height / pc->patch, across = pc->width / pc->patch;
    const size_t pitch = (size_t)pc->width * 3;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * down * across);
    for (uint32_t token = own.begin; token < own.end; ++token) {
        const uint32_t t = token / (down * across), i = token % (down * across);
        const size_t row = (size_t)t * pc->height + i / across * pc->patch;
        const unsigned char *first = m->a.data + row * pitch + (size_t)(i % across) * pc->patch * 3;
        split_colours(first, pitch, pc->patch, m->scratch);
        emit_patch(pc, m, token, m->scratch);
    }
}
