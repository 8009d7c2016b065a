// rank: rank[i] = how many tokens of the segment come before i in descending order of the scores.
// One invocation a token, by counting. Cost: n loads a token, which neighbours share.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_rank
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs);
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + s + 1u);

    float score = w_f(pc.score_at + i);
    uint key = score_key(score), before = 0u;
    for (uint j = begin; j < end; ++j) {
        uint other = score_key(w_f(pc.score_at + j));
        before += other > key || (other == key && j < i) ? 1u : 0u;
    }
    w_set_u(pc.rank_at + i, before);
    if (is_nan(score) && pc.stats_at != WN_NONE) atomicAdd(W[pc.stats_at], 1u);
}
