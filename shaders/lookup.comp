// lookup: out[to[i]] = values[from[i]] for as many i as there are, which the device alone knows.
// THREADS: an invocation an entry. Shared: none. Cost: three loads, one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_lookup
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint from = list_entry(pc.from_at, i), to = list_entry(pc.to_at, i);
    if (to != WN_NONE) w_set_u(pc.out_at + to, from == WN_NONE ? WN_NONE : w_u(pc.values_at + from));
}
