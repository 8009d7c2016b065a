// space_to_channel: output cell (t, y, x) gets the f*f input cells (y*f + di, x*f + dj) side by side as channels:
// (di*f + dj)*cols + c, for layout CHANNEL c*f*f + di*f + dj. Cells outside: zero, or the edge's cell.
// ROWS: a workgroup an input cell, or a part of it, which is a copy; where the channels of cells lie between each other, or
// share words, an output cell in pairs of channels. Shared: none. Cost: one load of A a channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_space_to_channel
#include "common.glsl"
#include "rows.glsl"

#define PAD_EDGE 2u

// What the list says of input cell di*f + dj of output cell (t, y, x).
uint entry_of(uint t, uint y, uint x, uint cell)
{
    uint f = pc.factor, position = t * pc.h * pc.w, di = cell / f;
    uint yy = y * f + di, xx = x * f + (cell - di * f);
    if (pc.layout_ == WN_LAYOUT_BLOCKS) return w_u(pc.rows_at + position + (y * pc.ow + x) * f * f + cell);
    if (pc.pad == PAD_EDGE) {
        yy = min(yy, pc.h - 1u);
        xx = min(xx, pc.w - 1u);
    }
    return yy < pc.h && xx < pc.w ? w_u(pc.rows_at + position + yy * pc.w + xx) : WN_NONE;
}

float channel_of(uint t, uint y, uint x, uint channel)
{
    uint area = pc.factor * pc.factor;
    bool split = pc.layout_ == WN_LAYOUT_CHANNEL;
    uint whole = channel / (split ? area : pc.cols), rest = channel - whole * (split ? area : pc.cols);
    uint entry = entry_of(t, y, x, split ? rest : whole);
    return is_row(entry) ? load_a(entry, split ? whole : rest) : 0.0;
}

void main()
{
    uint area = pc.factor * pc.factor, channels = area * pc.cols;
    bool is_copy = pc.layout_ != WN_LAYOUT_CHANNEL && (B_WIDE || (pc.cols & 1u) == 0u);
    uint runs = is_copy ? area : 1u, all = pc.frames * pc.oh * pc.ow * runs, parts = row_parts(all, channels / runs);
    for (uint k = group_index(); k < all * parts; k += group_count()) {
        uint run = row_of_part(k, parts), o = run / runs, cell = run - o * runs;
        uint line = o / pc.ow, x = o - line * pc.ow, t = line / pc.oh, y = line - t * pc.oh;
        uint r = pc.layout_ == WN_LAYOUT_COLUMN ? (t * pc.ow + x) * pc.oh + y : o;
        uvec2 columns = columns_of_part(k, parts, channels / runs);
        if (is_copy) {
            uint entry = entry_of(t, y, x, cell), to = b_row(r) + cell * pc.cols + columns.x;
            uint n = columns.y - columns.x;
            copy_columns(a_row(entry) + columns.x, to, is_row(entry) ? n : 0u);
            clear_columns(to, is_row(entry) ? 0u : n);
            continue;
        }
        for (uint c = columns.x + UNIT * gl_LocalInvocationIndex; c < columns.y; c += UNIT * LOCAL) {
            bool has_second = c + 1u < columns.y;
            float second = IN_PAIRS && has_second ? channel_of(t, y, x, c + 1u) : 0.0;
            b_set_unit(b_row(r) + c, vec2(channel_of(t, y, x, c), second), has_second);
        }
    }
}
