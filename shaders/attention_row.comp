// attention_row: one query's attention over a segment, head by head: scores into B, then the maximum, the sum of
// e^(s - m), and the quotients in place.
// GROUPS: a workgroup a segment and head; an invocation takes every LOCAL-th key; the 32 partial sums are those of every
// 32 invocations. Shared: the maximum, dot32. Cost: head_dim multiply-adds a key, three exponentials.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_attention_row
#define WN_EXCHANGE
#define WN_C
#include "common.glsl"
#include "reduce.glsl"

const uint LEAST_KEY = 0x007fffffu;    // of -infinity

float score(uint query, uint j, uint col)
{
    uint key = a_row(list_entry(pc.list_at, j)) + col;
    precise float s = 0.0;
    for (uint d = 0u; d < pc.head_dim; d += 2u) {
        vec2 y = a_pair(key + d);
        s = s + c_element(query + d) * y.x;
        s = s + c_element(query + d + 1u) * y.y;
    }
    s = s * pc.scale;
    return s;
}

float weight(float s, float m, uint j)
{
    precise float x = s - m;
    precise float p = exp_(x);
    if (pc.sizes_at != WN_NONE) p = w_f(pc.sizes_at + j) * p;
    return p;
}

// The column that token j of the segment is written to; WN_NONE: none.
uint column_of(uint j, uint begin)
{
    if (j < pc.skip) return WN_NONE;
    if (pc.index_at == WN_NONE) return j - pc.skip;
    uint index = w_u(pc.index_at + begin + j);
    return is_row(index) ? index % pc.columns : WN_NONE;
}

void main()
{
    uint row = group_index(), s = row / pc.heads, h = row % pc.heads;
    if (s >= pc.segs) return;
    uvec2 range = segment_range(s, pc.n_max, pc.seg_at);
    uint n = range.y - range.x, col = pc.k_col + h * pc.head_dim;
    uint query = c_row(pc.q_row_at == WN_NONE ? 0u : w_u(pc.q_row_at + s)) + pc.q_col + h * pc.head_dim;

    uint key = LEAST_KEY;
    for (uint j = thread(); j < n; j += LOCAL) {
        float sc = score(query, range.x + j, col);
        key = max(key, score_key(sc));
        uint c = column_of(j, range.x);
        if (c != WN_NONE) store_b(row, c, sc);
    }
    key = group_max(key);
    float m = uintBitsToFloat((key & 0x80000000u) != 0u ? key & 0x7fffffffu : ~key);
    exchange();

    precise float p = 0.0;
    for (uint j = lane(); j < n; j += 32u) {
        uint c = column_of(j, range.x);
        float sc = c == WN_NONE ? score(query, range.x + j, col) : load_b(row, c);
        p = p + weight(sc, m, range.x + j);
    }
    float inv = recip_(dot32(p));
    exchange();

    for (uint j = thread(); j < n; j += LOCAL) {
        uint c = column_of(j, range.x);
        if (c == WN_NONE) continue;
        precise float y = weight(load_b(row, c), m, range.x + j) * inv;
        store_b(row, c, y);
    }
}
