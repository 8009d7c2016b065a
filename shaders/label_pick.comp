// label_pick: flag[i] = 1 for the first quota of each label: those with keep first, then by score.
// One invocation a token, by counting. Cost: n loads a token, which neighbours share.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_label_pick
#include "common.glsl"


void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), end = w_u(pc.seg_at + s + 1u), label = w_u(pc.label_at + i), before = 0u;
    uint quota = w_u(pc.quota_at + s * pc.most + label), keep = min(1u, w_u(pc.keep_at + i));
    uint key = score_key(w_f(pc.score_at + i));
    for (uint j = w_u(pc.seg_at + s); j < end && before < quota; ++j) {
        if (w_u(pc.label_at + j) != label) continue;
        uint other_keep = min(1u, w_u(pc.keep_at + j)), other = score_key(w_f(pc.score_at + j));
        bool comes_before = other_keep != keep ? other_keep > keep : other > key || (other == key && j < i);
        before += comes_before ? 1u : 0u;
    }
    w_set_u(pc.flag_at + i, before < quota ? 1u : 0u);
}
