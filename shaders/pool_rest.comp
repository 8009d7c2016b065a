// pool_rest: the last new row of each segment = sum over its tokens i that are not kept of weight[i] * x_i, ascending;
// its size = the sum of their sizes.
// THREADS: an invocation a (segment, column); that of column 0 also sums the sizes. Shared: none.
// Cost: one load of A for each token that is not kept, one of keep[] for each token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pool_rest
#include "common.glsl"

void main()
{
    uint pairs = (pc.cols + 1u) >> 1, s = item() / pairs, c = 2u * (item() % pairs);
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u), r = w_u(pc.seg_new_at + s + 1u) - 1u;
    bool has_second = c + 1u < pc.cols;

    precise vec2 sum = vec2(0.0);
    precise float size = 0.0;
    for (uint i = begin; i < end; ++i) {
        if (w_u(pc.keep_at + i) != 0u) continue;
        uint row = w_u(pc.list_at + i);
        vec2 x = is_row(row) ? vec2(load_a(row, c), has_second ? load_a(row, c + 1u) : 0.0) : vec2(0.0);
        precise vec2 wx = vec2(pc.weight_at == WN_NONE ? 1.0 : w_f(pc.weight_at + i)) * x;
        sum = sum + wx;
        if (c == 0u) size = size + (pc.sizes_at == WN_NONE ? 1.0 : w_f(pc.sizes_at + i));
    }
    store_b2(r, c, sum.x, sum.y, has_second);
    if (c == 0u && pc.sizes_new_at != WN_NONE) w_set_f(pc.sizes_new_at + r, size);
}
