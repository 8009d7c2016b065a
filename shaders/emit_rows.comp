// emit_rows: B(r, c) = A(rows[p], c), p = order[r], into the host's tensor of any type and stride; no row: zeros.
// ROWS: a workgroup a row, or a part of it. Where 16-bit rows begin in the middle of a word, a row has the words from its
// first half on, but the word that it shares with the row before; halves before the first row, past cols and past the last
// row are not ours and keep their bits. Shared: none. Cost: one load a word, one store a word.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_emit_rows
#include "common.glsl"
#include "rows.glsl"

uint entry_of(uint r) { return w_u(pc.rows_at + (pc.order_at == WN_NONE ? r : w_u(pc.order_at + r))); }

// The words of row r; the last one may hold the first element of the row behind.
void put_words(uint r, uint rows)
{
    uint begin = b_row(r), end = begin + pc.b_stride;
    uint entry = entry_of(r), behind = r + 1u < rows ? entry_of(r + 1u) : WN_NONE;
    uint first = r == 0u ? begin >> 1 : (begin + 1u) >> 1;
    for (uint word = first + gl_LocalInvocationIndex; word < (end + 1u) >> 1; word += LOCAL) {
        uint mine = 0u, bits = 0u;
        for (uint k = 0u; k < 2u; ++k) {
            uint at = 2u * word + k;
            bool is_behind = at >= end;
            uint c = at - (is_behind ? end : begin);    // before the first row: large
            if (c >= pc.cols || (is_behind && r + 1u >= rows)) continue;
            uint from = is_behind ? behind : entry;
            float v = is_row(from) ? load_a(from, c) : 0.0;
            mine |= 0xffffu << (16u * k);
            bits |= to_half(v) << (16u * k);
        }
        if (mine == 0u) continue;
        if (mine != 0xffffffffu) bits |= b_word(word) & ~mine;
        b_set_word(word, bits);
    }
}

void main()
{
    uint rows = min(pc.n_max, w_u(pc.seg_at + pc.segs));
    bool split = !B_WIDE && ((pc.b_base | pc.b_stride) & 1u) != 0u;    // words
    uint parts = split ? 1u : row_parts(rows, pc.cols);
    for (uint k = group_index(); k < rows * parts; k += group_count()) {
        uint r = row_of_part(k, parts);
        if (split) put_words(r, rows);
        else copy_row(entry_of(r), r, columns_of_part(k, parts, pc.cols));
    }
}
