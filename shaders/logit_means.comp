// logit_means: x[i] = the logit of the protected token's query with i; y[i] = the mean of i's own
// logits with all but the protected token.
// LANES: 32 invocations a token. Shared: the tree of dot32 (reduce.glsl). Cost: n loads and adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_logit_means
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint s = is_token ? segment_of(i, pc.seg_at, pc.segs) : 0u;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    uint head = is_token ? list_entry(pc.order_at, begin) - begin : 0u;

    precise float p = 0.0;
    if (is_token) {
        uint row = a_row(i);
        for (uint j = l; j < n; j += 32u) p = p + (j == head ? 0.0 : a_element(row + j));
    }
    float sum = dot32(p);
    if (!is_token || l != 0u) return;
    precise float mean = sum * recip_(float(max(n - 1u, 1u)));
    w_set_f(pc.x_at + i, load_a(begin + head, i - begin));
    w_set_f(pc.y_at + i, mean);
}
