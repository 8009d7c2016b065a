// place_sim: the mean cosine of a place's tokens in the frames of a span with each other, from the length of the sum of their unit vectors:
// |sum u|^2 is the sum over all pairs.
// LANES: 32 invocations a place and frame, at work in the first frames. Shared: the tree of dot32. Cost: reads every token once.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_place_sim
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < pc.frames * pc.tokens;
    uint t = is_token ? i / pc.tokens : 0u, j = i % pc.tokens, k = w_u(pc.of_at + t);
    uint first = w_u(pc.starts_at + k), end = w_u(pc.starts_at + k + 1u), count = end - first;
    bool works = is_token && t == first && count > 1u;

    precise float p = 0.0;
    for (uint d = l; d < pc.cols && works; d += 32u) {
        precise float u = 0.0;
        for (uint q = first; q < end; ++q) {
            uint at = q * pc.tokens + j, row = list_entry(pc.rows_at, at);
            precise float x = (is_row(row) ? load_a(row, d) : 0.0) * w_f(pc.inv_at + at);
            u = u + x;
        }
        precise float square = u * u;
        p = p + square;
    }
    precise float all = dot32(p);
    if (!is_token || l != 0u) return;
    precise float others = all - float(count);
    precise float mean = others * recip_(float(max(count * (count - 1u), 1u)));
    w_set_f(pc.score_at + i, works ? mean : 0.0);
}
