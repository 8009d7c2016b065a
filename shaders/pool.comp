// pool: B(o, c) = scale * sum over ty, tx of (wy[ty]*wx[tx]) * x(ystart + ty, xstart + tx), separable windows given by
// tables for each output row and column.
// ROWS: a workgroup an output cell, or a part of its columns. Shared: none.
// Cost: one load of A a cell of the window and column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pool
#include "common.glsl"
#include "rows.glsl"

// The window of an output cell: its first tap in rows[], its weights, and how many taps it has down and across.
struct window {
    uint corner, y_weights, x_weights, height, width;
};

void pool_columns(uint how, uint o, window v, uint c, uint end)
{
    runs sum = no_runs;
    uint ty = 0u, tx = 0u;
    for (uint tap = 0u; tap < v.height * v.width; ++tap) {
        precise float w = w_f(same_in_group(v.y_weights + ty)) * w_f(same_in_group(v.x_weights + tx));
        uint entry = w_u(same_in_group(v.corner + ty * pc.w + tx));
        sum = plus(sum, scaled(a_runs(how, entry, c, end), w));
        bool ends = tx + 1u == v.width;
        tx = ends ? 0u : tx + 1u;
        ty += ends ? 1u : 0u;
    }
    b_set_runs(how, o, c, end, scaled(sum, pc.scale));
}

void main()
{
    uint all = pc.frames * pc.oh * pc.ow, parts = row_parts(all, pc.cols);
    bool whole = rows_are_whole();
    for (uint k = group_index(); k < all * parts; k += group_count()) {
        uint o = row_of_part(k, parts), line = o / pc.ow, x = o - line * pc.ow, t = line / pc.oh, y = line - t * pc.oh;
        window v = window(pc.rows_at + (t * pc.h + w_u(pc.ystart_at + y)) * pc.w + w_u(pc.xstart_at + x),
                          pc.yweight_at + y * pc.ytaps, pc.xweight_at + x * pc.xtaps, w_u(pc.ycount_at + y),
                          w_u(pc.xcount_at + x));
        uvec2 columns = columns_of_part(k, parts, pc.cols);
        uint c = first_column(columns), end = columns.y;
        for (; whole && has_columns(WIDE, c, end); c += 4u * NEXT_COLUMN) pool_columns(WIDE, o, v, c, end);
        for (; whole && has_columns(WHOLE, c, end); c += NEXT_COLUMN) pool_columns(WHOLE, o, v, c, end);
        for (; c < end; c += NEXT_COLUMN) pool_columns(REST, o, v, c, end);
    }
}
