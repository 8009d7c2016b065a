// component: the place, in order[], of the component along which token i is longest, |sum over u of A(i, u) * U(u, g)|.
// One invocation a token. Cost: groups*groups multiply-adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_component
#include "common.glsl"


void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), groups = w_u(pc.groups_at + s), rows = s * pc.most, row = a_row(i);
    uvec2 best = uvec2(0u, WN_NONE);
    for (uint place = 0u; place < groups; ++place) {
        uint g = w_u(pc.order_at + rows + place);
        precise float sum = 0.0;
        for (uint u = 0u; u < groups; ++u) {
            precise float xy = a_element(row + u) * load_c(rows + u, pc.most + g);
            sum = sum + xy;
        }
        uint key = score_key(abs(sum));
        if (best.y == WN_NONE || key > best.x) best = uvec2(key, place);
    }
    w_set_u(pc.label_at + i, best.y);
}
