// raise_near: score[i] = +infinity where token i or a neighbour of it on the grid has its flag.
// One invocation a token, which looks at all of its segment, since places may be missing. Cost: n loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_raise_near
#include "common.glsl"


// Is place j a neighbour of place u?
bool touches(uint u, uint j)
{
    if (pc.wrap != 0u) {
        uint last = pc.tokens - 1u;
        return j == (u > 0u ? u - 1u : 0u) || j == min(u + 1u, last) || j == (u > pc.grid_w ? u - pc.grid_w : 0u) ||
               j == min(u + pc.grid_w, last);
    }
    uint uy = u / pc.grid_w, ux = u % pc.grid_w, jy = j / pc.grid_w, jx = j % pc.grid_w;
    uint dy = uy > jy ? uy - jy : jy - uy, dx = ux > jx ? ux - jx : jx - ux;
    return dy + dx == 1u;
}

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint index = w_u(pc.index_at + i);
    if (!is_row(index)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), end = w_u(pc.seg_at + s + 1u);
    bool raised = w_u(pc.flag_at + i) != 0u;
    for (uint u = w_u(pc.seg_at + s); u < end && !raised; ++u) {
        uint other = w_u(pc.index_at + u);
        if (w_u(pc.flag_at + u) != 0u && is_row(other) && other / pc.tokens == index / pc.tokens)
            raised = touches(other % pc.tokens, index % pc.tokens);
    }
    if (raised) w_set_u(pc.score_at + i, 0x7f800000u);
}
