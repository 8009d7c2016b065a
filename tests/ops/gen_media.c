/* Random programs around the decode step and the weightless encoder. */
#include "case.h"

void gen_kv_select(ops_case *c)
{
    const uint32_t heads = 1 + below(c, 9), count = any_size(c, 1031), first = below(c, 40);
    c->a_may_move = false; /* the mask is the output that a pool would leave by */
    const uint32_t columns = first + count + below(c, 70);
    const bool close = chance(c, 50);
    make_matrix(c, &c->a, heads, columns, any_dtype(c), any_flavour(c));
    const uint32_t prev = reals(c, count, PLAIN);
    for (uint32_t j = 0; close && j < count; ++j) { /* a step like this one: mostly kept */
        float sum = 0.0f;
        for (uint32_t h = 0; h < heads; ++h) {
            uint32_t word = 0;
            const size_t element = dtype_bytes(c->a.dtype);
            memcpy(&word, c->a.data + ((size_t)h * columns + first + j) * element, element);
            sum += c->a.dtype == WINNOW_F32   ? bits_f32(word)
                   : c->a.dtype == WINNOW_F16 ? f16_to_f32((uint16_t)word)
                                              : bf16_to_f32((uint16_t)word);
        }
        c->w[prev + j] = f32_bits(sum * 1.01f);
    }
    describe(c, "heads %u, columns %u, visual %u from %u, dtype %u, close %d", heads, columns,
             count, first, c->a.dtype, close);
    wn_op *op =
        ADD(c, kv_select, 1, .heads = heads, .columns = columns, .first = first, .count = count,
            .k = below(c, count + 3), .similar = below(c, 2), .seen = chance(c, 80),
            .threshold = 0.9f, .inv_heads = 1.0f / (float)heads, .kept_at = flags(c, count, 30),
            .prev_at = prev, .cur_at = array(c, count, REALS));
    use_a(c, op);
    write_out(c, op, WINNOW_OUT_TOKENS, 1, columns + 2, WINNOW_I32);
}

void gen_patch_dct(ops_case *c)
{
    static const uint32_t patches[] = {2, 4, 8, 14, 16};
    const uint32_t p = patches[c->round % 5], frames = 1 + below(c, 2);
    const uint32_t across = 1 + below(c, 5), down = 1 + below(c, 5);
    const uint32_t luma = 1 + below(c, p * p), chroma = below(c, luma + 1);
    const uint32_t bytes = frames * across * down * p * p * 3, dim = luma + 2 * chroma;
    const uint32_t tokens = frames * across * down;
    make_matrix(c, &c->a, 1, (bytes + 3) / 4, WINNOW_F32, PLAIN);
    c->a.dtype = WINNOW_I32;
    for (uint32_t i = 0; i < c->a.cols * 4; ++i)
        c->a.data[i] = (unsigned char)below(c, 256);
    make_pool(c, (uint64_t)tokens * dim, WINNOW_F32);
    describe(c, "%u x (%u x %u) patches of %u, luma %u, chroma %u", frames, across, down, p, luma,
             chroma);
    wn_op *op = ADD(c, patch_dct, tokens * dim, .frames = frames, .height = down * p,
                    .width = across * p, .patch = p, .luma = luma, .chroma = chroma,
                    .basis_at = reals(c, p * p, PLAIN), .zigzag_at = words_below(c, luma, p * p));
    use_a(c, op);
    write_pool(c, op, 0, dim);
}
