// centre_cos: a token's cosine with the centre of its segment, or its distance, and something added to it.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: two loads a channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_centre_cos
#define WN_C
#include "common.glsl"
#include "reduce.glsl"

float factor_of(uint at, uint i) { return at == WN_NONE ? 1.0 : w_f(at + i); }

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? list_entry(pc.list_at, i) : WN_NONE;
    uint s = is_token ? segment_of(i, pc.seg_at, pc.segs) : 0u;

    precise float p = 0.0;
    if (is_row(entry)) {
        uint x = a_row(entry), y = c_row(s);
        for (uint d = l; d < pc.cols; d += 32u) {
            precise float product = a_element(x + d) * c_element(y + d);
            p = p + product;
        }
    }
    float dot = dot32(p);
    if (!is_token || l != 0u) return;
    precise float f = factor_of(pc.inv_at, i) * factor_of(pc.centre_inv_at, s);
    precise float c = dot * f;
    precise float far = 1.0 - c;
    if (pc.distance != 0u) c = far;
    precise float v = c;
    if (pc.add_at != WN_NONE) v = c + w_f(pc.add_at + i);
    w_set_f(pc.v_at + i, v);
}
