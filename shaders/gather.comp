// gather: rows of A to rows of B by lists of the device.
// ROWS: a workgroup a row, or a part of it. Shared: none. Cost: one load and one store a word.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_gather
#include "common.glsl"
#include "rows.glsl"

void main()
{
    uint rows = set_count(pc.n_max, pc.segs, pc.seg_at), parts = row_parts(rows, pc.cols);
    for (uint k = group_index(); k < rows * parts; k += group_count()) {
        uint i = row_of_part(k, parts), run = i / pc.run, place = i - run * pc.run;
        uint from = pc.rows_at == WN_NONE ? run * pc.run : w_u(pc.rows_at + run);
        uint to = pc.to_at == WN_NONE ? run * pc.run : w_u(pc.to_at + run);
        if (is_row(from) && is_row(to)) copy_row(from + place, to + place, columns_of_part(k, parts, pc.cols));
    }
}
