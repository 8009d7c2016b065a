// row_norm: inv[i] = 1 / max(|x|, eps), x = A(list[i]), from s = dot32(x, x).
// TEAMS: a team a token. Shared: dot32 without subgroups. Cost: cols loads and multiply-adds a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_row_norm
#include "common.glsl"
#include "reduce.glsl"
#include "teams.glsl"

void main()
{
    uint n = w_u(pc.seg_at + pc.segs);
    for (uint first = first_item(); first < n; first += items_step()) {
        uint i = first + team();
        uint entry = i < n ? list_entry(pc.list_at, i) : WN_NONE;
        float s = square_of_row(a_row(entry), pc.cols, is_row(entry));
        if (i < n && member() == 0u)
            w_set_f(pc.inv_at + i, is_row(entry) ? norm_factor(s, pc.eps2, pc.inv_eps) : 0.0);
    }
}
