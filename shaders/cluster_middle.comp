// cluster_middle: what does not stay alone of a cluster goes to the place in the middle of it.
// THREADS: an invocation a token. Shared: none. Cost: two passes over the tokens for each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_cluster_middle
#include "common.glsl"

bool is_merged(uint j, uint root)
{
    return w_u(pc.alone_at + j) == 0u && w_u(pc.root_at + w_u(pc.lead_at + j)) == root;
}

void main()
{
    uint i = item(), n = w_u(pc.seg_at + pc.segs);
    if (i >= pc.n_max || i >= n) return;
    uint root = w_u(pc.root_at + w_u(pc.lead_at + i)), middle = WN_NONE;
    if (w_u(pc.alone_at + i) == 0u) {
        uint members = 0u, count = 0u;
        for (uint j = root; j < n; ++j) members += is_merged(j, root) ? 1u : 0u;
        for (uint j = root; j < n && middle == WN_NONE; ++j) {
            if (!is_merged(j, root)) continue;
            if (count == members / 2u) middle = j;
            ++count;
        }
    }
    bool own = middle == i;
    w_set_u(pc.keep_at + i, own || middle == WN_NONE ? 1u : 0u);
    w_set_u(pc.dest_at + i, own ? WN_NONE : middle);
    w_set_u(pc.own_at + i, own ? 1u : 0u);
}
