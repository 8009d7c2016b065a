// table_mix: rows that are weighted sums of a table's rows: positions of any grid, class tokens.
// THREADS: an invocation an element. Shared: none. Cost: taps loads of C.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_table_mix
#define WN_C
#include "common.glsl"

void main()
{
    uint r = item() / pc.cols, c = item() % pc.cols;
    if (r >= pc.n_max) return;
    uint d = list_entry(pc.dst_at, r);
    if (!is_row(d)) return;
    precise float v = 0.0;
    for (uint t = 0u; t < pc.taps; ++t) {
        uint at = r * pc.taps + t;
        precise float x = load_c(list_entry(pc.src_at, at), c);
        if (pc.weight_at != WN_NONE) x = w_f(pc.weight_at + at) * x;
        v = t == 0u ? x : v + x;
    }
    if (pc.add != 0u) v = load_b(d, c) + v;
    store_b(d, c, v);
}
