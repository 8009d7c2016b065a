// pool_rest: the last new row of each segment = sum over its tokens i that are not kept of weight[i] * x_i, ascending;
// its size = the sum of their sizes.
// ROWS: a workgroup a segment, or a part of its columns; the first invocation of a
// segment also sums the sizes. Shared: none. Cost: one load of A for each token that is not kept, one of keep[] for each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pool_rest
#include "common.glsl"
#include "rows.glsl"

void sum_rows(uint how, uint r, uint first, uint last, uint c, uint end)
{
    runs sum = no_runs;
    for (uint i = first; i < last; ++i) {
        if (w_u(same_in_group(pc.keep_at + i)) != 0u) continue;
        float w = pc.weight_at == WN_NONE ? 1.0 : w_f(same_in_group(pc.weight_at + i));
        sum = plus(sum, scaled(a_runs(how, w_u(same_in_group(pc.list_at + i)), c, end), w));
    }
    b_set_runs(how, r, c, end, sum);
}

void sum_sizes(uint r, uint begin, uint end)
{
    precise float size = 0.0;
    for (uint i = begin; i < end; ++i) {
        float own = pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + i);
        precise float sum = size + own;
        size = w_u(pc.keep_at + i) != 0u ? size : sum;
    }
    w_set_f(pc.sizes_new_at + r, size);
}

void main()
{
    uint parts = row_parts(pc.segs, pc.cols);
    bool whole = rows_are_whole();
    for (uint k = group_index(); k < pc.segs * parts; k += group_count()) {
        uint s = row_of_part(k, parts), first = w_u(pc.seg_at + s), last = w_u(pc.seg_at + s + 1u);
        uint r = w_u(pc.seg_new_at + s + 1u) - 1u;
        uvec2 columns = columns_of_part(k, parts, pc.cols);
        uint c = first_column(columns), end = columns.y;
        for (; whole && has_columns(WIDE, c, end); c += 4u * NEXT_COLUMN) sum_rows(WIDE, r, first, last, c, end);
        for (; whole && has_columns(WHOLE, c, end); c += NEXT_COLUMN) sum_rows(WHOLE, r, first, last, c, end);
        for (; c < end; c += NEXT_COLUMN) sum_rows(REST, r, first, last, c, end);
        if (columns.x == 0u && gl_LocalInvocationIndex == 0u && pc.sizes_new_at != WN_NONE) sum_sizes(r, first, last);
    }
}
