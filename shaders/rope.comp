// rope: rotary positions of a grid, in place: of each head's first half a quarter turns with y, a quarter with x.
// THREADS: an invocation two neighbouring dimensions and their partners half a head further. Shared: none. Cost: four
// elements of B.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_rope
#include "common.glsl"

// (u, v) turned by the angle of dimension d.
vec2 turned(float u, float v, uint p, uint d)
{
    uint e = (d < pc.quarter ? w_u(pc.y_at + p) : w_u(pc.x_at + p)) * pc.quarter + d % pc.quarter;
    float c = w_f(pc.cos_at + e), s = w_f(pc.sin_at + e);
    precise float uc = u * c, vs = v * s, vc = v * c, us = u * s;
    precise float x = uc - vs, y = vc + us;
    return vec2(x, y);
}

void main()
{
    uint d = 2u * (item() % pc.quarter), h = item() / pc.quarter % pc.heads, r = item() / (pc.quarter * pc.heads);
    if (r >= set_count(pc.n_max, pc.segs, pc.seg_at)) return;
    uint p = list_entry(pc.index_at, r), o = pc.col + h * 4u * pc.quarter + d, half_ = 2u * pc.quarter;
    if (!is_row(p)) return;
    vec2 first = turned(load_b(r, o), load_b(r, o + half_), p, d);
    vec2 second = turned(load_b(r, o + 1u), load_b(r, o + half_ + 1u), p, d + 1u);
    store_b2(r, o, first.x, second.x, true);
    store_b2(r, o + half_, first.y, second.y, true);
}
