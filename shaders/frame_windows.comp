// frame_windows: windows of so many taken frames each; every frame but the first of a window refers to that one.
// GROUPS: one workgroup scans the frames. Shared: the scan. Cost: two passes over the frames.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_frame_windows
#include "common.glsl"
#include "reduce.glsl"

bool is_taken(uint t) { return pc.taken_at == WN_NONE || w_u(pc.taken_at + t) != 0u; }

void main()
{
    if (group_index() != 0u) return;
    uint count = 0u;
    for (uint first = 0u; first < pc.frames; first += LOCAL) {
        uint t = first + thread();
        bool taken = t < pc.frames && is_taken(t);
        uint total, number = count + group_scan(taken ? 1u : 0u, total);
        if (taken) w_set_u(pc.list_at + number, t);
        if (t < pc.frames) w_set_u(pc.ref_at + t, WN_NONE);
        count += total;
    }
    exchange();
    uint windows = (count + pc.window - 1u) / pc.window;
    for (uint number = thread(); number < count; number += LOCAL) {
        uint t = w_u(pc.list_at + number), place = number % pc.window;
        if (place == 0u) w_set_u(pc.begin_at + number / pc.window, t);
        else w_set_u(pc.ref_at + t, w_u(pc.list_at + number - place));
    }
    if (thread() != 0u) return;
    w_set_u(pc.begin_at + windows, pc.frames);
    w_set_u(pc.count_at, windows);
}
