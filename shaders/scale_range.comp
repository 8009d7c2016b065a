// scale_range: v = ((v - lo) + offset) * 1/(hi - lo + more) over each segment, or over all tokens; lo, hi: its least
// and greatest number. A range of at most `tiny` gives 1.
// One workgroup a segment, each invocation keeps its strided tokens. Shared: two maxima. Cost: two passes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_scale_range
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint s = group_index();
    bool is_global = pc.global != 0u;
    if (s >= (is_global ? 1u : pc.segs)) return;
    uint begin = w_u(pc.seg_at + s), end = w_u(pc.seg_at + (is_global ? pc.segs : s + 1u));

    uint most = 0u, least = 0u;
    for (uint i = begin + thread(); i < end; i += LOCAL) {
        float v = w_f(pc.v_at + i);
        most = max(most, score_key(v));
        least = max(least, score_key_smallest(v));
    }
    most = group_max(most);
    least = group_max(least);

    float hi = number_of(most), lo = least == 0u ? uintBitsToFloat(0x7f800000u) : number_of(~least);
    precise float range = hi - lo;
    bool is_flat = !is_nan(range) && range <= pc.tiny;
    precise float divisor = range + pc.more;
    float factor = recip_(divisor);
    for (uint i = begin + thread(); i < end; i += LOCAL) {
        precise float moved = w_f(pc.v_at + i) - lo;
        precise float raised = moved + pc.offset;
        precise float scaled = raised * factor;
        w_set_f(pc.v_at + i, is_flat ? 1.0 : scaled);
    }
}
