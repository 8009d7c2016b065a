// cluster_keep: the tokens of smallest number of each cluster, as many as its quota.
// THREADS: an invocation a token, by counting. Shared: none. Cost: two loads a token for each.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_cluster_keep
#include "common.glsl"

void main()
{
    uint i = item(), n = w_u(pc.seg_at + pc.segs);
    if (i >= pc.n_max || i >= n) return;
    uint lead = w_u(pc.lead_at + i), quota = w_u(pc.quota_at + lead), before = 0u;
    uint key = score_key_smallest(w_f(pc.v_at + i));
    for (uint j = lead; j < n && before < quota; ++j) {
        if (w_u(pc.lead_at + j) != lead) continue;
        uint other = score_key_smallest(w_f(pc.v_at + j));
        before += other > key || (other == key && j < i) ? 1u : 0u;
    }
    w_set_u(pc.alone_at + i, before < quota ? 1u : 0u);
}
