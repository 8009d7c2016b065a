/* Random programs around convolutions over grids. */
#include "case.h"

void gen_grid_conv(ops_case *c)
{
    static const uint32_t sides[] = {1, 3, 5, 7};
    const bool depth = chance(c, 40), line = chance(c, 30), bias = chance(c, 60);
    const uint32_t cols = any_cols(c, depth ? 90 : 40), inner = depth ? cols : any_cols(c, 24);
    const uint32_t kh = line ? 1 : sides[below(c, 4)], kw = sides[below(c, 4)];
    const uint32_t frames = 1 + below(c, 3), taps = kh * kw, rows = depth ? taps : taps * inner;
    const uint32_t h = line ? 1 : 1 + below(c, 11);
    const uint32_t w = line ? any_size(c, 521) : any_size(c, rows > 400 ? 11 : 23);
    const uint32_t cells = frames * h * w, stride = cols + below(c, 4), first = below(c, 5);
    make_matrix(c, &c->a, cells, inner, WINNOW_F32, any_flavour(c));
    const uint32_t at = make_c(c, rows, cols, (uint8_t)(below(c, 5) % 3), PLAIN, cols);
    make_pool(c, first + (uint64_t)(cells + 1) * stride, WINNOW_F32);
    describe(c, "%u of %u x %u, kernel %u x %u, channels %u to %u, C type %u, depth %d, bias %d",
             frames, h, w, kh, kw, inner, cols, c->c_ref.dtype, depth, bias);
    wn_op *op =
        ADD(c, grid_conv, (uint64_t)frames * h * ((w + 3) / 4) * ((cols + 3) / 4), .frames = frames,
            .h = h, .w = w, .kh = kh, .kw = kw, .inner = inner, .cols = cols, .depth = depth,
            .bias_at = bias ? at : WN_NONE, .relu = chance(c, 50));
    use_a(c, op);
    use_c(c, op);
    write_pool(c, op, first, stride);
}
