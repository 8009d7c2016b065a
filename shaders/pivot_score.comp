// pivot_score: score[i] = the similarity of token i with a segment's pivot, -infinity for flagged tokens.
// One invocation a token. Cost: a load of A.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_pivot_score
#include "common.glsl"


void main()
{
    uint i = item();
    if (i >= w_u(pc.seg_at + pc.segs)) return;
    uint s = segment_of(i, pc.seg_at, pc.segs), row = w_u(pc.row_at + s * pc.step + pc.place);
    float score = row == WN_NONE ? quiet_nan() : load_a(row == WN_NONE ? 0u : row, i - w_u(pc.seg_at + s));
    w_set_f(pc.score_at + i, w_u(pc.flag_at + i) != 0u ? uintBitsToFloat(0xff800000u) : score);
}
