// copy_rows: B(dst[s], c) = A(src[s], c); without a source list src[s] = s.
// ROWS: a workgroup a row, or a part of it. Shared: none. Cost: one load and one store a word.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_copy_rows
#include "common.glsl"
#include "rows.glsl"

void main()
{
    uint parts = row_parts(pc.n, pc.cols);
    for (uint k = group_index(); k < pc.n * parts; k += group_count()) {
        uint s = row_of_part(k, parts), to = w_u(pc.dst_at + s);
        if (to != WN_NONE) copy_row(list_entry(pc.src_at, s), to, columns_of_part(k, parts, pc.cols));
    }
}
