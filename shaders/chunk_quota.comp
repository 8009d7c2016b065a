// chunk_quota: how many of want[s] tokens each of a segment's chunks keeps, by attention and by how unlike its tokens'
// similarities are. One invocation a segment: chunks are few. Cost: two passes over its scores.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_chunk_quota
#include "common.glsl"


float number_or_0(float x) { return is_nan(x) ? 0.0 : x; }
float attention(uint i)
{
    precise float a = number_or_0(w_f(pc.score_at + i)) * 1000.0;
    return a;
}
float spread(uint i) { return number_or_0(w_f(pc.spread_at + i)); }

float worth_of(uint begin, uint end)
{
    if (begin == end) return 0.0;
    if (end - begin == 1u) return number_or_0(w_f(pc.score_at + begin));
    float share = recip_(float(end - begin));
    precise float sum_a = 0.0, sum_v = 0.0, sum = 0.0;
    for (uint i = begin; i < end; ++i) {
        sum_a = sum_a + abs(attention(i));
        sum_v = sum_v + abs(spread(i));
    }
    precise float mean_a = sum_a * share;
    precise float mean_v = sum_v * share;
    mean_v = mean_v + 1e-6;
    precise float f = mean_a * recip_(mean_v);
    for (uint i = begin; i < end; ++i) {
        precise float v = spread(i) * f;
        precise float weighted = pc.alpha * v;
        precise float both = attention(i) + weighted;
        sum = sum + both;
    }
    precise float worth = sum * share;
    return worth;
}

void main()
{
    uint s = item();
    if (s >= pc.segs) return;
    uint first = s * pc.parts, want = w_u(pc.want_at + s), used = 0u;
    precise float sum = 0.0;
    for (uint c = first; c < first + pc.parts; ++c) {
        float worth = worth_of(w_u(pc.chunk_seg_at + c), w_u(pc.chunk_seg_at + c + 1u));
        w_set_f(pc.worth_at + c, worth);
        sum = sum + worth;
    }
    sum = sum + 1e-6;
    float inv = sum > 1e-30 ? recip_(sum) : 0.0;
    for (uint c = first; c < first + pc.parts; ++c) {
        precise float part = w_f(pc.worth_at + c) * inv;
        precise float tokens = part * float(want);
        uint quota = 0u;
        if (tokens >= 1.0) quota = tokens < float(want) ? uint(tokens) : want;
        uint n = w_u(pc.chunk_seg_at + c + 1u) - w_u(pc.chunk_seg_at + c);
        quota = min(quota, want - used);
        if (pc.spill != 0u) quota = min(quota, n);
        w_set_u(pc.quota_at + c, quota);
        used += quota;
    }
    for (bool more = used < want; more;) {    // once round, best first
        more = false;
        uvec2 last = uvec2(WN_NONE, 0u);
        for (uint turn = 0u; turn < pc.parts && used < want; ++turn) {
            uvec2 best = uvec2(0u, WN_NONE);    // of those behind the last one
            for (uint c = 0u; c < pc.parts; ++c) {
                uvec2 own = uvec2(score_key(w_f(pc.worth_at + first + c)), c);
                bool behind = turn == 0u || own.x < last.x || (own.x == last.x && own.y > last.y);
                if (behind && (best.y == WN_NONE || own.x > best.x)) best = own;
            }
            last = best;
            uint c = first + best.y, n = w_u(pc.chunk_seg_at + c + 1u) - w_u(pc.chunk_seg_at + c);
            if (pc.spill != 0u && w_u(pc.quota_at + c) >= n) continue;
            w_set_u(pc.quota_at + c, w_u(pc.quota_at + c) + 1u);
            ++used;
            more = pc.spill != 0u;
        }
    }
}
