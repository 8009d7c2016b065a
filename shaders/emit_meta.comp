// emit_meta: the host's small outputs, those of mask: 1 indices [K], 2 sizes [K], 3 positions [K,3] (frame, row,
// column), 4 assignment [source] (the output row of each source token, -1: dropped), 5 count { K, NaN scores, 0, 0 }.
// THREADS: an invocation an output row and a source token. Shared: none. Cost: a few loads and stores.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_emit_meta
#include "common.glsl"

bool wanted(uint k) { return (pc.mask & (1u << k)) != 0u; }

void main()
{
    uint i = item(), kept = w_u(pc.seg_at + pc.segs);

    if (i < pc.n_max && i < kept) {
        uint p = pc.order_at == WN_NONE ? i : w_u(pc.order_at + i);
        uint g = w_u(pc.index_at + p);
        if (wanted(1u)) out1[pc.base1 + i] = g;
        if (wanted(2u)) out2[pc.base2 + i] = pc.sizes_at == WN_NONE ? floatBitsToUint(1.0) : w_u(pc.sizes_at + p);
        if (wanted(3u)) {
            uint j = g % pc.tokens, to = pc.base3 + 3u * i;
            bool is_source = int(g) >= 0;
            out3[to] = is_source ? g / pc.tokens : WN_NONE;
            out3[to + 1u] = is_source ? j / pc.grid_w : WN_NONE;
            out3[to + 2u] = is_source ? j % pc.grid_w : WN_NONE;
        }
    }
    if (wanted(4u) && i < pc.source) {
        uint a = pc.assign_at == WN_NONE ? i : w_u(pc.assign_at + i);
        if (a != WN_NONE && pc.inverse_at != WN_NONE) a = w_u(pc.inverse_at + a);
        out4[pc.base4 + i] = a;
    }
    if (wanted(5u) && i == 0u) {
        out5[pc.base5] = kept;
        out5[pc.base5 + 1u] = pc.stats_at == WN_NONE ? 0u : w_u(pc.stats_at);
        out5[pc.base5 + 2u] = 0u;
        out5[pc.base5 + 3u] = 0u;
    }
}
