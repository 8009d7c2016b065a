// label_quota: for each label what a table says for the number of flagged tokens of segment 0 with it.
// One invocation a label: there are few. Cost: n loads a label.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_label_quota
#include "common.glsl"


void main()
{
    uint l = item();
    if (l >= pc.labels) return;
    uint count = 0u;
    for (uint i = w_u(pc.seg_at); i < w_u(pc.seg_at + 1u); ++i) {
        uint index = w_u(pc.index_at + i);
        if (w_u(pc.flag_at + i) != 0u && is_row(index) && w_u(pc.label_at + index % pc.tokens) == l) ++count;
    }
    w_set_u(pc.out_at + l, w_u(pc.table_at + count));
}
