// quad_split: a node of a quadtree stays if it resembles all its children, else they take its place.
// LANES: 32 invocations a node. Shared: the tree of dot32. Cost: five loads a channel of a node that is asked.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_quad_split
#define WN_C
#define WN_EXCHANGE
#include "common.glsl"
#include "reduce.glsl"
#include "quad.glsl"

float cosine(float xy, float xx, float yy)
{
    precise float f = norm_factor(xx, COS_EPS2, COS_INV_EPS) * norm_factor(yy, COS_EPS2, COS_INV_EPS);
    precise float c = xy * f;
    return c;
}

void main()
{
    uint k = lanes_item(), l = lane();
    uint oh = quad_side(pc.h, pc.level), ow = quad_side(pc.w, pc.level);
    uint below_h = quad_side(pc.h, pc.level - 1u), below_w = quad_side(pc.w, pc.level - 1u);
    bool is_node = k < pc.frames * oh * ow;
    uint t = is_node ? k / (oh * ow) : 0u, y = is_node ? k / ow % oh : 0u, x = is_node ? k % ow : 0u;
    uint frame = t * pc.h * pc.w;
    uint place = frame + quad_first(y, pc.h, pc.level) * pc.w + quad_first(x, pc.w, pc.level);
    bool asked = is_node && (pc.top != 0u || w_u(pc.own_at + place) == pc.level);

    uint cy = quad_child(y, below_h), cx = quad_child(x, below_w), many_y = quad_children(y, below_h);
    uint many_x = quad_children(x, below_w), first = t * below_h * below_w;
    bvec4 here = bvec4(true, many_x > 1u, many_y > 1u, many_x > 1u && many_y > 1u);
    uvec4 child = first + uvec4(cy * below_w + cx, cy * below_w + cx + 1u, (cy + 1u) * below_w + cx,
                                (cy + 1u) * below_w + cx + 1u);
    child = mix(uvec4(first), child, here);
    uvec4 entry = list_entries(pc.list_at, asked ? child : uvec4(0u));
    bvec4 rows = are_rows(entry);
    uint e0 = row_or_first(entry.x), e1 = row_or_first(entry.y), e2 = row_or_first(entry.z), e3 = row_or_first(entry.w);

    precise vec4 xy = vec4(0.0), yy = vec4(0.0);
    precise float xx = 0.0;
    for (uint d = l, own = c_row(k); asked && d < pc.cols; d += 32u) {
        float v = c_element(own + d);
        vec4 u = mix(vec4(0.0), vec4(a_element(e0 + d), a_element(e1 + d), a_element(e2 + d), a_element(e3 + d)), rows);
        precise vec4 a = v * u, b = u * u;
        precise float c = v * v;
        xy = xy + a;
        yy = yy + b;
        xx = xx + c;
    }
    vec4 dots = dot32(xy), lengths = dot32(yy);
    float own_length = dot32(xx);
    exchange();    // all lanes have read own[] of the node before one of them changes it
    if (!is_node || l != 0u) return;
    bvec4 alike = bvec4(cosine(dots.x, own_length, lengths.x) >= pc.limit, cosine(dots.y, own_length, lengths.y) >= pc.limit,
                        cosine(dots.z, own_length, lengths.z) >= pc.limit, cosine(dots.w, own_length, lengths.w) >= pc.limit);
    bool counts = pc.missing != 0u;
    bool stays = alike.x && (alike.y || !(here.y || counts)) && (alike.z || !(here.z || counts)) &&
                 (alike.w || !(here.w || counts));
    w_set_u(pc.copy_at + k, asked && stays ? place : WN_NONE);
    if (!asked) return;
    if (stays) {
        w_set_u(pc.own_at + place, pc.level);
        return;
    }
    for (uint dy = 0u; dy < many_y; ++dy)
        for (uint dx = 0u; dx < many_x; ++dx)
            w_set_u(pc.own_at + frame + quad_first(cy + dy, pc.h, pc.level - 1u) * pc.w +
                        quad_first(cx + dx, pc.w, pc.level - 1u), pc.level - 1u);
}
