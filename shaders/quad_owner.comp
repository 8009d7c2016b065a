// quad_owner: the node over each token, and how many tokens each node has.
// THREADS: an invocation a token. Shared: none. Cost: a load a level, and one a token of a node that has sizes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_quad_owner
#include "common.glsl"
#include "quad.glsl"

void main()
{
    uint i = item();
    if (i >= pc.frames * pc.h * pc.w) return;
    uint y = i / pc.w % pc.h, x = i % pc.w, frame = i - y * pc.w - x, owner = i;
    for (uint l = pc.top; l > 0u; --l) {
        uint p = frame + quad_first(quad_over(y, pc.h, l), pc.h, l) * pc.w + quad_first(quad_over(x, pc.w, l), pc.w, l);
        if (w_u(pc.own_at + p) != l) continue;
        owner = p;
        break;
    }
    uint level = w_u(pc.own_at + i);
    bool is_node = level != WN_NONE;
    w_set_u(pc.owner_at + i, owner);
    w_set_u(pc.node_at + i, is_node ? 1u : 0u);
    w_set_u(pc.copy_at + i, level == 0u ? i : WN_NONE);

    precise float count = 0.0, sum = 0.0;
    if (is_node) {
        uint end_y = quad_first(quad_over(y, pc.h, level) + 1u, pc.h, level);
        uint end_x = quad_first(quad_over(x, pc.w, level) + 1u, pc.w, level);
        count = float((end_y - y) * (end_x - x));
        sum = count;
        if (pc.sizes_at != WN_NONE) {
            sum = 0.0;
            for (uint yy = y; yy < end_y; ++yy)
                for (uint xx = x; xx < end_x; ++xx) sum = sum + w_f(pc.sizes_at + frame + yy * pc.w + xx);
        }
    }
    w_set_f(pc.count_at + i, count);
    w_set_f(pc.sizes_out_at + i, sum);
}
