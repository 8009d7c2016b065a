// window_raise: in each 2 x 2 window of a grid one token's score is raised. The grid is the numbers that
// earlier calls left in it (its free cells are filled with the scores in order), or the tokens by
// their source's place.
// GROUPS: one workgroup a segment; an invocation takes every LOCAL-th cell, token or window. Shared: the
// scan over free cells. Cost: two passes over the grid.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_window_raise
#define WN_EXCHANGE
#include "common.glsl"
#include "reduce.glsl"

#define USED 0xff800000u    // -infinity

float raised(float v)
{
    precise float half_ = v * 0.5, twice = v * 2.0;
    return v < 0.0 ? half_ : twice;
}

// The cells that are not used up take the scores of places 1, 2, ...
void fill_free(uint grid, uint begin, uint n)
{
    uint cells = pc.h * pc.w, before = 0u;
    for (uint first = 0u; first < cells; first += LOCAL) {
        uint p = first + thread();
        bool is_free = p < cells && w_u(grid + p) != USED;
        uint total, place = before + group_scan(is_free ? 1u : 0u, total) + 1u;
        if (is_free && place < n) w_set_u(grid + p, w_u(pc.v_at + list_entry(pc.order_at, begin + place)));
        before += total;
    }
}

// The tokens by cell.
void place_tokens(uint grid, uint begin, uint n)
{
    uint cells = pc.h * pc.w;
    for (uint p = thread(); p < cells; p += LOCAL) w_set_u(grid + p, WN_NONE);
    exchange();
    for (uint i = begin + thread(); i < begin + n; i += LOCAL) {
        uint token = w_u(pc.index_at + i);
        if (is_row(token)) w_set_u(grid + token % cells, i);
    }
}

void main()
{
    uint s = group_index();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, grid = pc.grid_at + s * pc.h * pc.w;
    bool by_index = pc.index_at != WN_NONE;
    if (by_index) place_tokens(grid, begin, n);
    else fill_free(grid, begin, n);
    exchange();

    uint across = pc.w / 2u, windows = pc.h / 2u * across;
    for (uint k = thread(); k < windows; k += LOCAL) {
        uint corner = k / across * 2u * pc.w + k % across * 2u;
        uvec2 best = uvec2(0u, WN_NONE);    // key, cell
        for (uint o = 0u; o < 4u; ++o) {
            uint p = corner + (o >> 1) * pc.w + (o & 1u), held = w_u(grid + p);
            if (by_index && held == WN_NONE) continue;
            uint key = score_key(by_index ? w_f(pc.v_at + held) : uintBitsToFloat(held));
            if (best.y == WN_NONE || key > best.x) best = uvec2(key, p);
        }
        if (best.y == WN_NONE || (!by_index && best.y + 1u >= n)) continue;
        uint i = by_index ? w_u(grid + best.y) : list_entry(pc.order_at, begin + best.y + 1u);
        w_set_f(pc.v_at + i, raised(w_f(pc.v_at + i)));
        if (!by_index) w_set_u(grid + best.y, USED);
    }
}
