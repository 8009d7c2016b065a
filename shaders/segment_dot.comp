// segment_dot: each token's dot product with a row that its segment names, times a weight.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: 2*cols loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_segment_dot
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < pc.n_max && i < w_u(pc.seg_at + pc.segs);
    uint s = is_token ? segment_of(i, pc.seg_at, pc.segs) : 0u;
    uint entry = is_token ? list_entry(pc.list_at, i) : WN_NONE;
    bool has_x = is_row(entry);
    uint x = has_x ? a_row(entry) : 0u, y = has_x ? c_row(list_entry(pc.of_at, s)) : 0u;

    precise float p = 0.0;
    for (uint d = l; d < pc.cols && has_x; d += 32u) {
        precise float product = a_element(x + d) * c_element(y + d);
        p = p + product;
    }
    precise float dot = dot32(p);
    if (!is_token || l != 0u) return;
    precise float weighted = dot * (pc.weight_at == WN_NONE ? 1.0 : w_f(pc.weight_at + i));
    w_set_f(pc.out_at + i, weighted);
}
