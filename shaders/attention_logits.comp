// attention_logits: B(i, j) = mean over the heads of q_ih k_jh scale, before any softmax.
// LANES: an item is a segment, 128 queries and eight keys; a lane has four queries (attention.glsl). Shared: none.
// Cost: 32 * heads * head_dim multiply-adds a lane.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_attention_logits
#include "common.glsl"
#include "reduce.glsl"
#include "same.glsl"
#include "attention.glsl"

// Column j of the four queries from `first` on, those before `end`.
void put(uint first, uint end, uint j, vec4 sum)
{
    precise vec4 v = sum * pc.inv_heads;
    store_b(first, j, v.x);
    if (first + 1u < end) store_b(first + 1u, j, v.y);
    if (first + 2u < end) store_b(first + 2u, j, v.z);
    if (first + 3u < end) store_b(first + 3u, j, v.w);
}

void main()
{
    uint blocks = (pc.width + ITEM_TOKENS - 1u) / ITEM_TOKENS, across = (pc.width + OTHERS - 1u) / OTHERS;
    uint item_ = same(lanes_item()), column = item_ % across * OTHERS;
    item_ /= across;
    uint block = item_ % blocks, s = item_ / blocks;
    if (s >= pc.segs) return;
    uvec2 range = segment_range(s, pc.n_max, pc.seg_at);
    uint first = range.x + block * ITEM_TOKENS + lane() * OWN, j = range.x + column;
    if (is_idle(first, range.y) || j >= range.y) return;

    precise vec4 t0 = vec4(0.0), t1 = vec4(0.0), t2 = vec4(0.0), t3 = vec4(0.0);
    precise vec4 t4 = vec4(0.0), t5 = vec4(0.0), t6 = vec4(0.0), t7 = vec4(0.0);
    uint fours = head_fours(pc.q_col | pc.k_col, pc.head_dim);
    for (uint h = 0u; h < pc.heads; ++h) {
        uint at = h * pc.head_dim;
        uvec4 own = token_rows(pc.list_at, first, range.y - 1u, pc.q_col + at);
        uvec4 k0 = same4(token_rows(pc.list_at, j, range.y - 1u, pc.k_col + at));
        uvec4 k1 = same4(token_rows(pc.list_at, j + 4u, range.y - 1u, pc.k_col + at));
        scores sc = score_block(own, k0, k1, pc.head_dim, fours, pc.scale);
        t0 = t0 + sc.s0; t1 = t1 + sc.s1; t2 = t2 + sc.s2; t3 = t3 + sc.s3;
        t4 = t4 + sc.s4; t5 = t5 + sc.s5; t6 = t6 + sc.s6; t7 = t7 + sc.s7;
    }
    if (first >= range.y) return;
    uint count = range.y - j;
    put(first, range.y, column, t0);
    if (count > 1u) put(first, range.y, column + 1u, t1);
    if (count > 2u) put(first, range.y, column + 2u, t2);
    if (count > 3u) put(first, range.y, column + 3u, t3);
    if (count > 4u) put(first, range.y, column + 4u, t4);
    if (count > 5u) put(first, range.y, column + 5u, t5);
    if (count > 6u) put(first, range.y, column + 6u, t6);
    if (count > 7u) put(first, range.y, column + 7u, t7);
}
