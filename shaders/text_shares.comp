// text_shares: the softmax of a token's dot products over the rows of text.
// LANES: 32 invocations a token; the first keeps the products in B, which no other reads. Shared: the tree of dot32.
// Cost: 2*cols loads for each token and row, two exponentials.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_text_shares
#define WN_C
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint i = lanes_item(), l = lane();
    bool is_token = i < pc.n_max && i < w_u(pc.seg_at + pc.segs);
    uint entry = is_token ? list_entry(pc.list_at, i) : WN_NONE;
    bool has_x = is_row(entry), writes = is_token && l == 0u;
    uint x = has_x ? a_row(entry) : 0u;

    float top = uintBitsToFloat(0xff800000u);
    for (uint m = 0u; m < pc.text_rows; ++m) {
        uint y = c_row(m);
        precise float p = 0.0;
        for (uint d = l; d < pc.cols && has_x; d += 32u) {
            precise float product = a_element(x + d) * c_element(y + d);
            p = p + product;
        }
        float s = dot32(p);
        if (s > top) top = s;
        if (writes) store_b(i, m, s);
    }
    if (!writes) return;

    precise float sum = 0.0;
    for (uint m = 0u; m < pc.text_rows; ++m) {
        precise float s = load_b(i, m) - top;
        float e = exp_(s);
        sum = sum + e;
        store_b(i, m, e);
    }
    float inv = recip_(sum);
    for (uint m = 0u; m < pc.text_rows; ++m) {
        precise float share = load_b(i, m) * inv;
        store_b(i, m, share < 1.17549435e-38 ? 0.0 : share);    // drivers differ in what is below
    }
}
