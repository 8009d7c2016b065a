// label_runs: runs of frames of one label; short ones go to their longer neighbour (PruneVid's refinement).
// One workgroup: a frame an invocation for the lengths, then one invocation closes the gaps in order. Shared: none.
// Cost: a few loads of W a pair of frames.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_label_runs
#include "common.glsl"
#include "reduce.glsl"

uint label_of(uint t) { return w_u(pc.keep_at + t) != 0u ? t : w_u(pc.dest_at + t); }

// Frames from t on with t's label, as the gaps are closed so far.
uint run_from(uint t)
{
    uint end = t, label = w_u(pc.label_at + t);
    while (end < pc.frames && w_u(pc.label_at + end) == label) ++end;
    return end - t;
}

#define GAP 0xfffffffeu

void main()
{
    if (group_index() != 0u) return;
    for (uint t = thread(); t < pc.frames; t += LOCAL) {
        uint label = label_of(t), first = t, end = t + 1u;
        while (first > 0u && label_of(first - 1u) == label) --first;
        while (end < pc.frames && label_of(end) == label) ++end;
        w_set_u(pc.length_at + t, end - first);
    }
    exchange();
    for (uint t = thread(); t < pc.frames; t += LOCAL) {
        uint label = label_of(t), longest = 0u;
        for (uint q = 0u; q < pc.frames; ++q)
            if (label_of(q) == label) longest = max(longest, w_u(pc.length_at + q));
        w_set_u(pc.label_at + t, longest == 1u || w_u(pc.length_at + t) < longest ? GAP : label);
    }
    exchange();
    if (thread() == 0u) {
        uint left = 0u;    // frames just before t with one label
        for (uint t = 0u; t < pc.frames;) {
            uint run = run_from(t), label = w_u(pc.label_at + t);
            if (label == GAP) {
                uint right = t + run < pc.frames ? run_from(t + run) : 0u;
                label = left >= right && t > 0u ? w_u(pc.label_at + t - 1u)
                        : right > 0u           ? w_u(pc.label_at + t + run)
                                               : 0u;
                for (uint q = t; q < t + run; ++q) w_set_u(pc.label_at + q, label);
            }
            left = t > 0u && w_u(pc.label_at + t - 1u) == label ? left + run : run;
            t += run;
        }
    }
    exchange();
    for (uint t = thread(); t < pc.frames; t += LOCAL)
        w_set_u(pc.flag_at + t, t == 0u || w_u(pc.label_at + t) != w_u(pc.label_at + t - 1u) ? 1u : 0u);
}
