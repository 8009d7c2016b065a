// attention_received: the attention that a token gets from the queries of its segment, on average, head by head.
// LANES: an item is a segment, a head and 128 tokens; a lane has four, queries come in blocks of eight (attention.glsl).
// Shared: none. Cost: 4*head_dim multiply-adds a query and lane.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_attention_received
#define WN_C
#include "common.glsl"
#include "reduce.glsl"
#include "same.glsl"
#include "attention.glsl"

vec4 sizes_of(uint first, uint last)
{
    return w_f4(pc.sizes_at, min(uvec4(first, first + 1u, first + 2u, first + 3u), uvec4(last)));
}

// Token j's entry of row `row`, in the column that it has: place - skip, or its index in the frame.
void put(uint row, uint j, uint begin, float mean)
{
    uint c = j - begin;
    if (pc.index_at != WN_NONE) {
        uint index = w_u(pc.index_at + j);
        if (!is_row(index)) return;
        c = index % pc.columns;
    }
    store_b(row, c, mean);
}

void main()
{
    uint blocks = (pc.width + ITEM_TOKENS - 1u) / ITEM_TOKENS;
    uint item_ = same(lanes_item()), block = item_ % blocks;
    item_ /= blocks;
    uint h = item_ % pc.heads, s = item_ / pc.heads;
    if (s >= pc.segs) return;
    uvec2 range = segment_range(s, pc.n_max, pc.seg_at);
    uint begin = range.x + pc.skip, first = begin + block * ITEM_TOKENS + lane() * OWN;
    if (is_idle(first, range.y) || range.x + pc.from >= range.y) return;
    uvec4 own = token_rows(pc.list_at, first, range.y - 1u, pc.k_col + h * pc.head_dim);
    uint q_col = pc.q_col + h * pc.head_dim, fours = head_fours(pc.q_col | pc.k_col, pc.head_dim);
    vec4 sizes = pc.sizes_at == WN_NONE ? vec4(1.0) : sizes_of(first, range.y - 1u);

    precise vec4 sum = vec4(0.0);
    uint from = range.x + pc.from;
    for (uint i = from; i < range.y; i += OTHERS) {
        uint count = min(OTHERS, range.y - i);
        uvec4 q0 = same4(token_rows(pc.list_at, i, range.y - 1u, q_col));
        uvec4 q1 = same4(token_rows(pc.list_at, i + 4u, range.y - 1u, q_col));
        scores sc = score_block(own, q0, q1, pc.head_dim, fours, pc.scale);
        for (uint t = 0u; t < count; ++t) {
            precise vec4 x = score_of(sc, t) - vec4(load_c(i + t, 2u * h));
            precise vec4 p = exp4(x);
            p = sizes * p;
            p = p * vec4(load_c(i + t, 2u * h + 1u));
            sum = sum + p;
        }
    }
    precise vec4 mean = sum * recip_(float(range.y - from));
    uint row = s * pc.heads + h;
    if (first < range.y) put(row, first, begin, mean.x);
    if (first + 1u < range.y) put(row, first + 1u, begin, mean.y);
    if (first + 2u < range.y) put(row, first + 2u, begin, mean.z);
    if (first + 3u < range.y) put(row, first + 3u, begin, mean.w);
}
