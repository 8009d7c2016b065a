// scale_pick: which scale each window of a grid takes, by a bound on its numbers or the largest of them, and where that sends its
// tokens: to the first of their cell.
// THREADS: an invocation a token, which looks at its window's numbers. Shared: none. Cost: levels loads a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_scale_pick
#include "common.glsl"

// The largest level whose number is at the bound or above.
uint level_by_bound(uint q)
{
    uint bound = score_key(pc.bound), taken = 0u;
    for (uint level = 1u; level <= pc.levels; ++level)
        if (score_key(load_a(q, level - 1u)) >= bound) taken = level;
    return taken;
}

// The level of the largest number; of equals the lower.
uint level_by_size(uint q)
{
    uint taken = 0u, best = score_key(load_a(q, 0u));
    for (uint level = 1u; level <= pc.levels; ++level) {
        uint key = score_key(load_a(q, level));
        if (key > best) {
            best = key;
            taken = level;
        }
    }
    return taken;
}

void main()
{
    uint i = item(), tokens = pc.h * pc.grid_w;
    if (i >= pc.frames * tokens) return;
    uint side = 1u << pc.levels, across = (pc.grid_w + side - 1u) / side, down = (pc.h + side - 1u) / side;
    uint t = i / tokens, y = i % tokens / pc.grid_w, x = i % pc.grid_w;
    uint q = (t * down + y / side) * across + x / side;
    uint level = pc.largest != 0u ? level_by_size(q) : level_by_bound(q);
    uint first = t * tokens + (y >> level << level) * pc.grid_w + (x >> level << level);
    w_set_u(pc.keep_at + i, first == i ? 1u : 0u);
    w_set_u(pc.dest_at + i, first == i ? WN_NONE : first);
}
