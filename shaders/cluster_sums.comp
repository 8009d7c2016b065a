// cluster_sums: which tokens are of one cluster, how many they are, and the sum of a number of theirs.
// THREADS: an invocation a token; the first one of a cluster adds up. Shared: none. Cost: two or three loads a token for each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_cluster_sums
#include "common.glsl"

uint group_of(uint token)
{
    float group = w_f(pc.group_at + token);
    uint word = is_nan(group) ? 0x7fc00000u : floatBitsToUint(group);
    return word == 0x80000000u ? 0u : word;
}

void main()
{
    uint i = item(), n = w_u(pc.seg_at + pc.segs);
    if (i >= pc.n_max || i >= n) return;
    uint token = w_u(pc.index_at + i), lead = i, size = 0u;
    bool single = !is_row(token);
    uint group = single ? 0u : group_of(token);
    precise float sum = 0.0;
    for (uint j = 0u; j < n; ++j) {
        uint other = w_u(pc.index_at + j);
        if (j != i && (single || !is_row(other) || group_of(other) != group)) continue;
        lead = min(lead, j);
        if (lead < i) break;
        ++size;
        float v = w_f(pc.v_at + j);
        sum = sum + (is_nan(v) ? 0.0 : v);
    }
    w_set_u(pc.lead_at + i, lead);
    w_set_u(pc.size_at + i, lead == i ? size : 0u);
    w_set_f(pc.sum_at + i, lead == i ? sum : 0.0);
}
