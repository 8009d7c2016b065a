// attention_stats: of every query and head the maximum m of its scores and the inverse of the sum l of e^(s - m).
// LANES: an item is a segment, a head and 128 queries; a lane has four, keys come in blocks of eight (attention.glsl).
// Shared: none. Cost: 4*head_dim multiply-adds a key and lane.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_attention_stats
#include "common.glsl"
#include "reduce.glsl"
#include "same.glsl"
#include "attention.glsl"

void put(uint i, uint h, float m, float l)
{
    store_b(i, 2u * h, m);
    store_b(i, 2u * h + 1u, recip_(l));
}

void main()
{
    uint blocks = (pc.width + ITEM_TOKENS - 1u) / ITEM_TOKENS;
    uint item_ = same(lanes_item()), block = item_ % blocks;
    item_ /= blocks;
    uint h = item_ % pc.heads, s = item_ / pc.heads;
    if (s >= pc.segs) return;
    uvec2 range = segment_range(s, pc.n_max, pc.seg_at);
    uint first = range.x + block * ITEM_TOKENS + lane() * OWN;
    if (is_idle(first, range.y)) return;
    uvec4 own = token_rows(pc.list_at, first, range.y - 1u, pc.q_col + h * pc.head_dim);
    uint k_col = pc.k_col + h * pc.head_dim, fours = head_fours(pc.q_col | pc.k_col, pc.head_dim);

    precise vec4 l = vec4(0.0);
    vec4 m = vec4(uintBitsToFloat(0xff800000u));
    for (uint j = range.x; j < range.y; j += OTHERS) {
        uint count = min(OTHERS, range.y - j);
        uvec4 k0 = same4(token_rows(pc.list_at, j, range.y - 1u, k_col));
        uvec4 k1 = same4(token_rows(pc.list_at, j + 4u, range.y - 1u, k_col));
        scores sc = score_block(own, k0, k1, pc.head_dim, fours, pc.scale);
        vec4 next = largest(m, sc, count), f = shrink(m, next);
        m = next;
        l = l * f;
        for (uint t = 0u; t < count; ++t) l = l + weights_of(score_of(sc, t), m, pc.sizes_at, j + t);
    }
    if (first < range.y) put(first, h, m.x, l.x);
    if (first + 1u < range.y) put(first + 1u, h, m.y, l.y);
    if (first + 2u < range.y) put(first + 2u, h, m.z, l.z);
    if (first + 3u < range.y) put(first + 3u, h, m.w, l.w);
}
