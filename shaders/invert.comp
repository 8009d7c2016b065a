// invert: inverse[order[r]] = r.
// THREADS: an invocation a row. Shared: none. Cost: one load, one store.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_invert
#include "common.glsl"

void main()
{
    uint r = item();
    if (r >= pc.n_max || r >= w_u(pc.seg_at + pc.segs)) return;
    w_set_u(pc.inverse_at + w_u(pc.order_at + r), r);
}
