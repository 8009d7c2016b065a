// raise_best: raise[i] = +infinity for the k best by score of each label in a segment and frame.
// One invocation a token, by counting. Cost: n loads a token, which neighbours share.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_raise_best
#include "common.glsl"


// The frame and the label of a token; x WN_NONE: it has none.
uvec2 place_of(uint i)
{
    uint index = w_u(pc.index_at + i);
    if (!is_row(index)) return uvec2(WN_NONE, WN_NONE);
    uint label = w_u(pc.label_at + index % pc.tokens);
    return label == WN_NONE ? uvec2(WN_NONE, WN_NONE) : uvec2(index / pc.tokens, label);
}

void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uvec2 own = place_of(i);
    if (own.x == WN_NONE) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), end = w_u(pc.seg_at + s + 1u), k = w_u(pc.k_at + s), before = 0u;
    uint key = score_key(w_f(pc.score_at + i));
    for (uint j = w_u(pc.seg_at + s); j < end && before < k; ++j) {
        uint other = score_key(w_f(pc.score_at + j));
        if ((other > key || (other == key && j < i)) && place_of(j) == own) ++before;
    }
    if (before < k) w_set_u(pc.raise_at + i, 0x7f800000u);
}
