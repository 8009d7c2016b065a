// link_count: how many of a span's tokens are linked to the frame before: those above a bound, fewer where too few tokens would be left.
// One workgroup a span. Shared: the reduction. Cost: one load of W a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_link_count
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint k = group_index();
    if (k >= pc.segs) return;
    uint begin = w_u(pc.seg_at + 2u * k + 1u), end = w_u(pc.seg_at + 2u * k + 2u), own = 0u;
    for (uint i = begin + thread(); i < end; i += LOCAL) {
        float score = w_f(pc.score_at + i);
        own += !is_nan(score) && score > pc.bound ? 1u : 0u;
    }
    uint count = group_sum(own), most = pc.each * (w_u(pc.starts_at + k + 1u) - w_u(pc.starts_at + k));
    if (thread() != 0u) return;
    w_set_u(pc.k_at + 2u * k, 0u);
    w_set_u(pc.k_at + 2u * k + 1u, count <= most ? count : max(most, 1u) - 1u);
}
