// mark: flag[from[i]] = 1 where chosen[i]: the choice of a part of a set, told to the whole set.
// THREADS: an invocation a token. Shared: none. Cost: two loads, at most one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_mark
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    if (w_u(pc.chosen_at + i) != 0u) w_set_u(pc.flag_at + list_entry(pc.from_at, i), 1u);
}
