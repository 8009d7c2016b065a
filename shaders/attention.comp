// attention: softmax(q k) v in each segment, head by head, keys in blocks of eight with a running maximum.
// LANES: an item is a segment, a head, up to 32 of its dimensions and 128 queries; a lane has four queries. Its sums are
// registers: 32 dimensions by four queries; the scores are computed again for every 32 dimensions. With BROADCAST_TILES they
// are 64 dimensions, since there the sums leave the registers anyway, and the items that are then too many have nothing to
// do. Shared: none.
// Cost: per key and lane 4*head_dim + 4*dims multiply-adds for about 1.5*head_dim + dims loads.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_attention
#include "common.glsl"
#include "reduce.glsl"
#include "same.glsl"
#include "attention.glsl"

const uint PART = BROADCAST_TILES != 0u ? 64u : 32u;    // dimensions an item does at most

void main()
{
    uint blocks = (pc.width + ITEM_TOKENS - 1u) / ITEM_TOKENS, parts = (pc.head_dim + PART - 1u) / PART;
    uint item_ = same(lanes_item()), block = item_ % blocks;
    item_ /= blocks;
    uint part = item_ % parts;
    item_ /= parts;
    uint h = item_ % pc.heads, s = item_ / pc.heads;
    if (s >= pc.segs) return;
    uvec2 range = segment_range(s, pc.n_max, pc.seg_at);
    uint first = range.x + block * ITEM_TOKENS + lane() * OWN;
    if (is_idle(first, range.y)) return;
    uint per = ((pc.head_dim + parts - 1u) / parts + 1u) & ~1u;
    uint from = part * per, dims = from < pc.head_dim ? min(per, pc.head_dim - from) : 0u;
    if (dims == 0u) return;
    uint most = dims - 2u;    // the last pair, which pairs that are not there repeat
    uvec4 own = token_rows(pc.list_at, first, range.y - 1u, pc.q_col + h * pc.head_dim);
    uint k_col = pc.k_col + h * pc.head_dim, v_col = pc.v_col + h * pc.head_dim + from;
    uint fours = head_fours(pc.q_col | pc.k_col, pc.head_dim);

#define LOW_PAIRS(F) F(0u, o0, o1) F(2u, o2, o3) F(4u, o4, o5) F(6u, o6, o7) F(8u, o8, o9) F(10u, o10, o11) \
    F(12u, o12, o13) F(14u, o14, o15) F(16u, o16, o17) F(18u, o18, o19) F(20u, o20, o21) F(22u, o22, o23) \
    F(24u, o24, o25) F(26u, o26, o27) F(28u, o28, o29) F(30u, o30, o31)
#define HIGH_PAIRS(F) F(32u, o32, o33) F(34u, o34, o35) F(36u, o36, o37) F(38u, o38, o39) F(40u, o40, o41) \
    F(42u, o42, o43) F(44u, o44, o45) F(46u, o46, o47) F(48u, o48, o49) F(50u, o50, o51) F(52u, o52, o53) \
    F(54u, o54, o55) F(56u, o56, o57) F(58u, o58, o59) F(60u, o60, o61) F(62u, o62, o63)
#define EACH_PAIR(F) LOW_PAIRS(F) if (PART > 32u) { HIGH_PAIRS(F) }
#define DECLARE(d, oa, ob) precise vec4 oa = vec4(0.0), ob = vec4(0.0);
#define SHRINK(d, oa, ob) oa = oa * f; ob = ob * f;
#define GATHER(d, oa, ob) v = a_pair(at + min(d, most)); oa = oa + p * v.x; ob = ob + p * v.y;
#ifdef WN_SUBGROUP
// Element d of a value, of which lane l has 8*l .. 8*l+7 (of 4: 16*l .. 16*l+15).
#define VALUE_OF_8(d) subgroupBroadcast((d) % 8u < 4u ? v0[(d) % 4u] : v1[(d) % 4u], (d) / 8u)
#define VALUE_OF_4(d) subgroupBroadcast((d) % 16u < 8u ? ((d) % 8u < 4u ? v0[(d) % 4u] : v1[(d) % 4u]) : \
    ((d) % 8u < 4u ? v2[(d) % 4u] : v3[(d) % 4u]), (d) / 16u)
#define VALUE(d) (SUB_SIZE == 8u ? VALUE_OF_8(d) : VALUE_OF_4(d))
#define ADD_VALUE(d, oa, ob) oa = oa + p * VALUE(d); ob = ob + p * VALUE(d + 1u);
#endif
#define CHOOSE(d, oa, ob) x = mix(x, oa, bvec4(i == d)); y = mix(y, ob, bvec4(i == d));

    bool by_four = head_fours(pc.v_col | from, dims) != 0u;
    uint last4 = by_four ? dims - 4u : 0u;
    LOW_PAIRS(DECLARE)
    HIGH_PAIRS(DECLARE)
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
        EACH_PAIR(SHRINK)
        uint t = 0u;
#ifdef WN_SUBGROUP
        if (BROADCAST_TILES != 0u) {
            uint own_d = thread() % SUB_SIZE * (64u / SUB_SIZE);
            for (; t < (by_four ? count : 0u); ++t) {
                precise vec4 p = weights_of(score_of(sc, t), m, pc.sizes_at, j + t);
                uint at = a_row(entry_of(pc.list_at, j + t)) + v_col;
                vec4 v0 = a_four(at + min(own_d, last4)), v1 = a_four(at + min(own_d + 4u, last4)), v2 = v0, v3 = v0;
                if (SUB_SIZE == 4u) {
                    v2 = a_four(at + min(own_d + 8u, last4));
                    v3 = a_four(at + min(own_d + 12u, last4));
                }
                l = l + p;
                EACH_PAIR(ADD_VALUE)
            }
        }
#endif
        for (; t < count; ++t) {
            precise vec4 p = weights_of(score_of(sc, t), m, pc.sizes_at, j + t);
            uint at = same(a_row(entry_of(pc.list_at, j + t)) + v_col);
            vec2 v;
            l = l + p;
            EACH_PAIR(GATHER)
        }
    }

    if (first >= range.y) return;
    vec4 inv = vec4(recip_(l.x), recip_(l.y), recip_(l.z), recip_(l.w));
    uvec4 rows = entries_of(pc.list_at, min(uvec4(first, first + 1u, first + 2u, first + 3u), uvec4(range.y - 1u)));
    uint col = pc.out_col + h * pc.head_dim + from;
    for (uint i = 0u; i < dims; i += 2u) {
        precise vec4 x = vec4(0.0), y = vec4(0.0);
        EACH_PAIR(CHOOSE)
        x = x * inv;
        y = y * inv;
        // Tokens past the end are the last one again, with the same values.
        store_b2(rows.x, col + i, x.x, y.x, true);
        store_b2(rows.y, col + i, x.y, y.y, true);
        store_b2(rows.z, col + i, x.z, y.z, true);
        store_b2(rows.w, col + i, x.w, y.w, true);
    }
}
