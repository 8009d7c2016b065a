// sigmoid_rows: B(i, c) = sig(x) - mean of sig(x), x = A(rows[i], c), the mean over the row.
// LANES: 32 invocations a token. Shared: the tree of dot32. Cost: two passes, an exponential and an inverse an element.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_sigmoid_rows
#include "common.glsl"
#include "reduce.glsl"


float sigmoid(uint at)
{
    float x = a_element(at);
    x = is_nan(x) ? 0.0 : x;
    precise float y = 1.0 + exp_(x < -60.0 ? 60.0 : -x);
    return recip_(y);
}

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? list_entry(pc.rows_at, i) : WN_NONE, row = row_or_first(entry);
    precise float p = 0.0;
    for (uint c = l; c < pc.cols && is_row(entry); c += 32u) p = p + sigmoid(row + c);
    precise float mean = dot32(p) * pc.inv_cols;
    for (uint c = l; c < pc.cols && is_token; c += 32u) {
        precise float y = sigmoid(row + c) - mean;
        store_b(i, c, is_row(entry) ? y : 0.0);
    }
}
