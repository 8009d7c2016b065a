// emit_rows: B(r, c) = A(rows[p], c), p = order[r], into the host's tensor of any type and stride; no row: zeros.
// THREADS: f32: an invocation an element. 16-bit types: an invocation one word of B, counted from the word that holds
// b_base; it may hold the end of one row and the start of the next. Halves before the first row, past cols and past the
// last row are not ours and keep their bits. Shared: none. Cost: one load an element, one store a word.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_emit_rows
#include "common.glsl"

float value(uint r, uint c)
{
    uint p = pc.order_at == WN_NONE ? r : w_u(pc.order_at + r), row = w_u(pc.rows_at + p);
    return is_row(row) ? load_a(row, c) : 0.0;
}

void main()
{
    uint rows = min(pc.n_max, w_u(pc.seg_at + pc.segs));
    if (B_TYPE == TYPE_F32 || B_TYPE == TYPE_WORDS) {
        uint r = item() / pc.cols, c = item() % pc.cols;
        if (r < rows) store_b(r, c, value(r, c));
        return;
    }

    uint word = item(), before = pc.b_base & 1u;    // halves of the first word that lie before b_base
    uint mine = 0u, bits = 0u;
    for (uint k = 0u; k < 2u; ++k) {
        uint at = 2u * word + k;
        if (at < before) continue;
        uint r = (at - before) / pc.b_stride, c = (at - before) % pc.b_stride;
        if (r >= rows || c >= pc.cols) continue;
        mine |= 0xffffu << (16u * k);
        bits |= to_half(value(r, c)) << (16u * k);
    }
    if (mine == 0u) return;
    uint to = (pc.b_base >> 1) + word;
    if (mine != 0xffffffffu) bits |= b_word(to) & ~mine;
    b_set_word(to, bits);
}
