// focus_count: how many tokens, the heaviest first, hold a share of a segment's weight; what that leaves for the scan.
// GROUPS: one workgroup a segment; sums of 32 neighbours side by side, then one invocation goes through those. Shared: none.
// Cost: two passes over the tokens, and n/32 + 32 steps.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_focus_count
#include "common.glsl"
#include "reduce.glsl"

// The least k whose sum reaches the limit; n if none does.
uint reaching(float limit, uint n, uint sorted, uint sums)
{
    precise float before = 0.0;
    uint chunk = 0u, chunks = (n + 31u) / 32u;
    for (; chunk < chunks; ++chunk) {
        precise float after = before + w_f(sums + chunk);
        if (after >= limit) break;
        before = after;
    }
    precise float part = 0.0;
    for (uint k = chunk * 32u; k < min(chunk * 32u + 32u, n); ++k) {
        part = part + w_f(sorted + k);
        precise float c = before + part;
        if (c >= limit) return k + 1u;
    }
    return n;
}

void main()
{
    uint s = group_index(), t = thread();
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
    uint sorted = pc.sorted_at + begin, sums = pc.sums_at + begin;
    for (uint i = begin + t; i < begin + n; i += LOCAL) {
        float v = w_f(pc.v_at + i);
        w_set_f(sorted + w_u(pc.rank_at + i), v > 0.0 ? v : 0.0);
        w_set_f(pc.weight_at + i, v > 1e-30 ? v : 1e-30);
    }
    exchange();
    for (uint chunk = t; chunk * 32u < n; chunk += LOCAL) {
        precise float sum = 0.0;
        for (uint k = chunk * 32u; k < min(chunk * 32u + 32u, n); ++k) sum = sum + w_f(sorted + k);
        w_set_f(sums + chunk, sum);
    }
    exchange();
    if (t != 0u) return;

    precise float total = 0.0;
    for (uint chunk = 0u; chunk * 32u < n; ++chunk) total = total + w_f(sums + chunk);
    precise float limit = pc.share * total;
    uint most = min(w_u(pc.want_at + s), n), focus = min(reaching(limit, n, sorted, sums), most), rest = most - focus;
    precise float gathered = float(rest) * pc.many;
    w_set_u(pc.focus_at + s, focus);
    w_set_u(pc.scan_at + s, most == 0u ? 0u : rest + 1u);
    w_set_u(pc.gather_at + s, gathered < float(n - most) ? uint(gathered) : n - most);
}
