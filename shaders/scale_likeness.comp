// scale_likeness: how much of its tokens' length a window keeps if the cells of each scale become one token: the length of the sum
// of a cell's unit vectors is its tokens' cosines with their direction, added up.
// LANES: 32 invocations a window, each with its channels; all windows go through the same number of cells, some of them empty.
// Shared: the tree of dot32. Cost: reads every token once a scale.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_scale_likeness
#include "common.glsl"
#include "reduce.glsl"

// The cell of `side` x `side` tokens whose first is (y, x) of frame t, channel d; past `to` (the window's and the grid's end) nothing.
float cell_sum(uint t, uvec2 first, uint side, uvec2 to, uint d)
{
    precise float u = 0.0;
    for (uint y = first.y; y < min(first.y + side, to.y); ++y)
        for (uint x = first.x; x < min(first.x + side, to.x); ++x) {
            uint i = (t * pc.h + y) * pc.grid_w + x, row = list_entry(pc.rows_at, i);
            precise float part = (is_row(row) ? load_a(row, d) : 0.0) * w_f(pc.inv_at + i);
            u = u + part;
        }
    return u;
}

void main()
{
    uint side = 1u << pc.levels, across = (pc.grid_w + side - 1u) / side, down = (pc.h + side - 1u) / side;
    uint q = lanes_item(), l = lane(), t = q / (across * down);
    bool is_window = t < pc.frames;
    uvec2 from = uvec2(q % across, q / across % down) * side, to = min(from + side, uvec2(pc.grid_w, pc.h));
    float share = recip_(float(is_window ? (to.x - from.x) * (to.y - from.y) : 1u));

    for (uint level = 1u; level <= pc.levels; ++level) {
        uint cell = 1u << level, cells = side >> level;
        precise float length_ = 0.0;
        for (uint k = 0u; k < cells * cells; ++k) {
            uvec2 first = from + uvec2(k % cells, k / cells) * cell;
            bool there = is_window && first.x < to.x && first.y < to.y;
            precise float p = 0.0;
            for (uint d = l; d < pc.cols && there; d += 32u) {
                float u = cell_sum(t, first, cell, to, d);
                precise float square = u * u;
                p = p + square;
            }
            length_ = length_ + sqrt_(dot32(p));
        }
        precise float mean = length_ * share;
        if (is_window && l == 0u) store_b(q, level - 1u, mean);
    }
}
