// share_counts: how many of a frame's tokens are left, as Python counts in doubles.
// THREADS: an invocation a frame. Shared: none. Cost: a long division of 53 steps or two, and some 300 steps on bits.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_share_counts
#include "common.glsl"

#include "doubles.glsl"

void main()
{
    uint s = item();
    if (s >= pc.segs) return;
    uint n = w_u(pc.seg_at + s + 1u) - w_u(pc.seg_at + s), count;
    if (pc.rule == 0u) {
        uint k = w_u(pc.of_at + s), first = w_u(pc.starts_at + k), end = w_u(pc.starts_at + k + 1u);
        uint all = w_u(pc.seg_at + end) - w_u(pc.seg_at + first), wanted = pc.each * (end - first);
        count = wanted >= all ? n : times(n, quotient(wide_of(wanted), wide_of(all)), false);
    } else {
        wide left = quotient(wide_of(pc.all - w_u(pc.gain_at)), wide_of(pc.all));
        wide q = quotient(wide_of_words(pc.ratio_high, pc.ratio_low), left), one = wide_of(1u);
        if (q.e > one.e || (q.e == one.e && not_below(q, one))) q = one;
        count = times(n, q, pc.rule == 2u);
    }
    w_set_u(pc.out_at + s, count);
}
