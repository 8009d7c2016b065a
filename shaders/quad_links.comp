// quad_links: nodes of quadtrees of neighbouring frames that lie over each other and are alike.
// LANES: 32 invocations a place, at work where a node is. Shared: the tree of dot32. Cost: three loads a channel of a node.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_quad_links
#include "common.glsl"
#include "reduce.glsl"

// The node over i's tokens in the frame that `there` is a place of, if it reaches further than `level` levels.
uint partner(bool is_node, bool has_frame, uint there, uint level)
{
    if (!is_node || !has_frame) return WN_NONE;
    uint o = w_u(pc.owner_at + there);
    return w_u(pc.own_at + o) >= level ? o : WN_NONE;
}

uint linked(uint other, float xy, float xx, float yy)
{
    precise float f = norm_factor(xx, COS_EPS2, COS_INV_EPS) * norm_factor(yy, COS_EPS2, COS_INV_EPS);
    precise float c = xy * f;
    return other != WN_NONE && c >= pc.limit ? other : WN_NONE;
}

void main()
{
    uint i = lanes_item(), l = lane(), all = pc.frames * pc.tokens;
    bool is_node = i < all && w_u(pc.node_at + min(i, all - 1u)) != 0u;
    uint level = is_node ? w_u(pc.own_at + i) : 0u;
    uint ahead = partner(is_node, i + pc.tokens < all, i + pc.tokens, level + 1u);
    uint behind = partner(is_node, i >= pc.tokens, i - pc.tokens, level);
    bool has_ahead = ahead != WN_NONE, has_behind = behind != WN_NONE;

    precise vec4 p = vec4(0.0);
    precise float yy = 0.0;
    uint x = a_row(is_node ? i : 0u), y0 = a_row(has_ahead ? ahead : 0u), y1 = a_row(has_behind ? behind : 0u);
    for (uint d = l; (has_ahead || has_behind) && d < pc.cols; d += 32u) {
        float v = a_element(x + d), u0 = 0.0, u1 = 0.0;
        if (has_ahead) u0 = a_element(y0 + d);
        if (has_behind) u1 = a_element(y1 + d);
        precise vec4 a = vec4(v, v, v, u0) * vec4(u0, u1, v, u0);
        precise float b = u1 * u1;
        p = p + a;
        yy = yy + b;
    }
    vec4 dots = dot32(p);
    float behind_length = dot32(yy);
    if (i >= all || l != 0u) return;
    w_set_u(pc.ahead_at + i, linked(ahead, dots.x, dots.z, dots.w));
    w_set_u(pc.behind_at + i, linked(behind, dots.y, dots.z, behind_length));
}
