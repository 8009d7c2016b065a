// row_softmax: a softmax of each row of B in place: the maximum, the sum of e^(y - m), the quotients.
// GROUPS: a workgroup a row; an invocation takes every LOCAL-th column; the 32 partial sums are those of every 32
// invocations. Shared: the maximum, dot32. Cost: three passes, two exponentials a column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_row_softmax
#include "common.glsl"
#include "reduce.glsl"


const uint LEAST_KEY = 0x007fffffu;    // of -infinity

float scaled(uint row, uint u)
{
    precise float y = load_b(row, u) * pc.factor;
    return y;
}

float weight(float y, float m)
{
    precise float x = y - m;
    return exp_(x);
}

void main()
{
    uint e = group_index();
    if (e >= w_u(pc.row_seg_at + pc.segs)) return;
    uint s = segment_of(e, pc.row_seg_at, pc.segs), n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s);
    if (n == 0u) return;

    uint key = LEAST_KEY;
    for (uint u = thread(); u < n; u += LOCAL) key = max(key, score_key(scaled(e, u)));
    key = group_max(key);
    float m = uintBitsToFloat((key & 0x80000000u) != 0u ? key & 0x7fffffffu : ~key);

    precise float p = 0.0;
    for (uint u = lane(); u < n; u += 32u) {
        float y = scaled(e, u);
        p = p + (is_nan(y) ? 0.0 : weight(y, m));
    }
    float inv = recip_(dot32(p));
    precise float scale = pc.scale;
    if (pc.by_tokens != 0u) scale = pc.scale * recip_(float(n));
    exchange();    // all have read the row before it changes

    for (uint u = thread(); u < n; u += LOCAL) {
        float y = scaled(e, u);
        if (is_nan(y)) continue;
        precise float share = weight(y, m) * inv;
        share = share * scale;
        store_b(e, u, share < 1.17549435e-38 ? 0.0 : share);    // drivers differ in what is below
    }
}
