/* Random programs around what a model's files and pictures become: numbers, sizes, patches. */
#include "case.h"

/* A: n random bytes as words. */
static void make_bytes(ops_case *c, uint64_t n)
{
    make_matrix(c, &c->a, 1, (uint32_t)((n + 3) / 4), WINNOW_F32, PLAIN);
    c->a.dtype = WINNOW_I32;
    for (uint32_t i = 0; i < c->a.cols * 4; ++i)
        c->a.data[i] = (unsigned char)below(c, 256);
}

void gen_unpack(ops_case *c)
{
    static const uint32_t block[] = {1, 1, 1, 32, 32, 256, 256, 256};
    static const uint32_t bytes[] = {4, 2, 2, 18, 34, 144, 176, 210};
    const uint32_t type = c->round % 8,
                   blocks = block[type] > 1 ? 1 + below(c, 3) : any_cols(c, 70);
    const uint32_t cols = blocks * block[type], rows = any_size(c, cols > 70 ? 33 : 300);
    const uint32_t turn = below(c, 2), wide = turn ? rows : cols, tall = turn ? cols : rows;
    const uint32_t stride = (wide + below(c, 4) + 1) & ~1u;
    make_bytes(c, (uint64_t)rows * blocks * bytes[type]);
    make_pool(c, 8 + (uint64_t)tall * stride, any_dtype(c));
    describe(c, "type %u, %u x %u, turn %u, to %u", type, rows, cols, turn, c->pool.dtype);
    wn_op *op = ADD(c, unpack, tall * ((wide + 1) / 2), .type = type, .rows = rows, .cols = cols,
                    .turn = turn);
    use_a(c, op);
    write_pool(c, op, 2 * below(c, 5), stride);
}

void gen_resize(ops_case *c)
{
    const bool vertical = chance(c, 50);
    const uint32_t frames = 1 + below(c, 3), in_w = 1 + below(c, 40), in_h = 1 + below(c, 40);
    const uint32_t out = 1 + below(c, 50), in = vertical ? in_h : in_w;
    const uint32_t out_w = vertical ? in_w : out, out_h = vertical ? out : in_h;
    const uint32_t taps = 1 + below(c, in < 9 ? in : 9), bytes = frames * out_w * out_h * 3;
    make_bytes(c, (uint64_t)frames * in_w * in_h * 3);
    const uint32_t start = array(c, out, WORDS), count = array(c, out, WORDS);
    const uint32_t coef = array(c, out * taps, WORDS);
    for (uint32_t o = 0; o < out; ++o) {
        c->w[count + o] = chance(c, 15) ? 0 : 1 + below(c, taps);
        c->w[start + o] = below(c, in - c->w[count + o] + 1);
    }
    for (uint32_t i = 0; i < out * taps; ++i)
        c->w[coef + i] =
            below(c, 3u << 21) - (1u << 21); /* negative ones too: both ends are clipped */
    describe(c, "%u frames, %u x %u to %u x %u, taps %u", frames, in_w, in_h, out_w, out_h, taps);
    c->a_may_move = false;
    wn_op *op =
        ADD(c, resize, (bytes + 3) / 4, .frames = frames, .in_w = in_w, .in_h = in_h,
            .out_w = out_w, .out_h = out_h, .vertical = vertical, .taps = taps, .start_at = start,
            .count_at = count, .coef_at = coef, .fill = below(c, 1u << 24));
    use_a(c, op);
    write_out(c, op, WINNOW_OUT_TOKENS, 1, (bytes + 3) / 4, WINNOW_I32);
}

void gen_patchify(ops_case *c)
{
    static const uint32_t patches[] = {1, 14, 3, 16, 2, 5};
    const uint32_t p = patches[c->round % 6], f = 1 + below(c, 3), times = 1 + below(c, 2);
    const uint32_t down = f * (1 + below(c, 3)), across = f * (1 + below(c, 3));
    const uint32_t frames = 1 + below(c, 3), groups = (frames + times - 1) / times;
    const uint32_t cols = times * 3 * p * p, rows = groups * down * across;
    const uint32_t stride = (cols + below(c, 4) + 1) & ~1u;
    make_bytes(c, (uint64_t)frames * down * across * p * p * 3);
    const bool by_pixel = chance(c, 40);
    make_pool(c, 8 + (uint64_t)rows * stride, (uint8_t)below(c, 3));
    describe(c, "%u frames of %u x %u patches of %u, f %u, times %u, by pixel %d", frames, down, across, p, f,
             times, by_pixel);
    wn_op *op = ADD(c, patchify, rows * ((cols + 1) / 2), .frames = frames, .height = down * p,
                    .width = across * p, .patch = p, .times = times, .f = f, .scale0 = 0.0171f,
                    .scale1 = 0.0175f, .scale2 = 0.0174f, .shift0 = -2.1f, .shift1 = -2.0f,
                    .shift2 = -1.8f, .by_pixel = by_pixel);
    use_a(c, op);
    write_pool(c, op, 2 * below(c, 5), stride);
}
