// column_sum: sums or means over the tokens of each segment, channel by channel; of squared distances from C too.
// THREADS: an invocation two neighbouring columns of a segment. Shared: none. Cost: a load and an add a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_column_sum
#define WN_C
#include "common.glsl"

void main()
{
    uint pairs = (pc.cols + 1u) / 2u, s = item() / pairs, c = item() % pairs * 2u;
    if (s >= pc.segs) return;
    bool has_second = c + 1u < pc.cols, squares = pc.square != 0u;
    vec2 centre = vec2(0.0);
    if (squares) centre = vec2(load_c(0u, c), has_second ? load_c(0u, c + 1u) : 0.0);

    precise vec2 sum = vec2(0.0);
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u);
    for (uint i = begin; i < end; ++i) {
        uint entry = list_entry(pc.list_at, i);
        if (!is_row(entry) && !squares) continue;
        precise vec2 v = vec2(0.0);
        if (is_row(entry)) {
            uint x = a_row(entry) + c;
            v = vec2(a_element(x), has_second ? a_element(x + 1u) : 0.0);
        }
        if (pc.weight_at != WN_NONE) v = v * w_f(pc.weight_at + i);
        if (squares) {
            precise vec2 d = v - centre;
            v = d * d;
        }
        sum = sum + vec2(is_nan(v.x) ? 0.0 : v.x, is_nan(v.y) ? 0.0 : v.y);
    }

    if (pc.over_at != WN_NONE) {
        uint n = w_u(pc.over_at + (s + 1u) * pc.span) - w_u(pc.over_at + s * pc.span);
        float f = n == 0u ? 0.0 : recip_(float(n));
        sum = sum * f;
    }
    store_b(s, c, sum.x);
    if (has_second) store_b(s, c + 1u, sum.y);
}
