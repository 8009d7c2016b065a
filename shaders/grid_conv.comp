// grid_conv: B(cell, o) = act(sum over the kernel's cells and channels, in their order, of A(cell', c) * C(k, o) + bias).
// THREADS: an invocation does four neighbouring cells of a row of the grid by four columns, in registers.
// Shared: none. Cost: 16 multiply-adds for four loads of A (depth: 16) and four of C.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_C
#define ARGS wn_args_grid_conv
#include "common.glsl"

uvec4 columns(uint quad) { return min(quad * 4u + uvec4(0u, 1u, 2u, 3u), uvec4(pc.cols - 1u)); } // one that is not there repeats the last

vec4 weights_of(uint k, uvec4 o)
{
    uint row = c_row(k);
    return vec4(c_element(row + o.x), c_element(row + o.y), c_element(row + o.z), c_element(row + o.w));
}

float value(uint row, bool inside, uint c) { return inside ? a_element(row + c) : 0.0; }

vec4 values(uint row, bool inside, uvec4 o)
{
    return inside ? vec4(a_element(row + o.x), a_element(row + o.y), a_element(row + o.z), a_element(row + o.w)) : vec4(0.0);
}

vec4 finish(vec4 v, uvec4 o)
{
    precise vec4 sum = v;
    if (pc.bias_at != WN_NONE)
        sum = v + vec4(c_f(pc.bias_at + o.x), c_f(pc.bias_at + o.y), c_f(pc.bias_at + o.z), c_f(pc.bias_at + o.w));
    return pc.relu != 0u ? mix(sum, vec4(0.0), lessThan(sum, vec4(0.0))) : sum;
}

void store(uint row, uint first, vec4 v)
{
    store_b(row, first, v.x);
    if (first + 1u < pc.cols) store_b(row, first + 1u, v.y);
    if (first + 2u < pc.cols) store_b(row, first + 2u, v.z);
    if (first + 3u < pc.cols) store_b(row, first + 3u, v.w);
}

void main()
{
    uint quads = (pc.cols + 3u) / 4u, across = (pc.w + 3u) / 4u;
    uint quad = item() % quads, x0 = item() / quads % across * 4u, line = item() / quads / across;
    if (line >= pc.frames * pc.h) return;
    uint y = line % pc.h, grid = line - y;
    uvec4 o = columns(quad);
    precise vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    for (uint dy = 0u; dy < pc.kh; ++dy) {
        uint yy = y + dy - pc.kh / 2u;    // above the grid: past 2^31
        if (yy >= pc.h) continue;
        for (uint dx = 0u; dx < pc.kw; ++dx) {
            uvec4 xx = x0 + uvec4(0u, 1u, 2u, 3u) + dx - pc.kw / 2u;
            bvec4 inside = lessThan(xx, uvec4(pc.w));
            uvec4 at = (grid + yy) * pc.w + mix(uvec4(0u), xx, inside);
            at = uvec4(a_row(at.x), a_row(at.y), a_row(at.z), a_row(at.w));
            uint k = dy * pc.kw + dx;
            if (pc.depth != 0u) {
                vec4 w = weights_of(k, o);
                s0 = s0 + values(at.x, inside.x, o) * w;
                s1 = s1 + values(at.y, inside.y, o) * w;
                s2 = s2 + values(at.z, inside.z, o) * w;
                s3 = s3 + values(at.w, inside.w, o) * w;
                continue;
            }
            for (uint c = 0u; c < pc.inner; ++c) {
                vec4 w = weights_of(k * pc.inner + c, o);
                s0 = s0 + value(at.x, inside.x, c) * w;
                s1 = s1 + value(at.y, inside.y, c) * w;
                s2 = s2 + value(at.z, inside.z, c) * w;
                s3 = s3 + value(at.w, inside.w, c) * w;
            }
        }
    }
    uint row = line * pc.w + x0, first = quad * 4u;
    store(row, first, finish(s0, o));
    if (x0 + 1u < pc.w) store(row + 1u, first, finish(s1, o));
    if (x0 + 2u < pc.w) store(row + 2u, first, finish(s2, o));
    if (x0 + 3u < pc.w) store(row + 3u, first, finish(s3, o));
}
