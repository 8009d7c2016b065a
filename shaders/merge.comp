// merge: row r of B from its base x_b and its members x_i (a linked list of group, or the neighbours near[]):
//   WAVG      (w_b x_b + sum w_i x_i) / (w_b + sum w_i)      no member: x_b
//   ADD_MEAN  x_b + (sum x_i) / count                        no member: x_b
//   ADD_SUM   x_b + sum w_i x_i
//   SUM_OVER  (x_b + sum x_i) / weight of the base       no member: x_b
//   BLEND     v x_b + (1 - v) (sum x_i) / count          no member: x_b; BLEND_FEW: v = max(1/(count + 1), blend)
// Sums in list order, one multiply and one add each; division by recip_.
// THREADS: an invocation two neighbouring columns of a row. Shared: none. Cost: one load of A a member and column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_merge
#include "common.glsl"

float weight_of(uint i) { return pc.weight_at == WN_NONE ? 1.0 : w_f(pc.weight_at + i); }

// Columns c and c+1 of x_i.
vec2 x_of(uint i, uint c, bool has_second)
{
    uint row = w_u(pc.list_at + i);
    if (!is_row(row)) return vec2(0.0);
    return vec2(load_a(row, c), has_second ? load_a(row, c + 1u) : 0.0);
}

// Member number k of row r, after member `before`; list: where near[] of the row starts.
uint member(uint r, uint list, uint k, uint before)
{
    if (pc.near_at != WN_NONE) return k < pc.many ? w_u(list + k) : WN_NONE;
    return w_u(k == 0u ? pc.head_at + r : pc.next_at + before);
}

void main()
{
    uint pairs = (pc.cols + 1u) >> 1, r = item() / pairs, c = 2u * (item() % pairs);
    if (r >= pc.n_max || r >= w_u(pc.seg_new_at + pc.segs)) return;
    uint base = w_u(pc.from_at + r);
    if (base == WN_NONE) return;
    bool has_second = c + 1u < pc.cols;
    uint list = WN_NONE;
    if (pc.near_at != WN_NONE) {
        uint s = segment_of(r, pc.seg_new_at, pc.segs);
        list = pc.near_at + (r - (s + 1u) * pc.first - s * pc.last) * pc.many;
    }

    vec2 x_base = x_of(base, c, has_second);
    precise vec2 sum = x_base;
    precise float weight = 0.0;
    if (pc.rule == WN_MERGE_WAVG) {
        weight = weight_of(base);
        sum = vec2(weight) * x_base;
    } else if (pc.rule == WN_MERGE_SUM_OVER) {
        weight = weight_of(base);
    } else if (pc.rule != WN_MERGE_ADD_SUM) {
        sum = vec2(0.0);
    }

    uint count = 0u;
    for (uint i = member(r, list, 0u, base); i != WN_NONE; i = member(r, list, count, i)) {
        float w = pc.rule == WN_MERGE_WAVG || pc.rule == WN_MERGE_ADD_SUM ? weight_of(i) : 1.0;
        precise vec2 wx = vec2(w) * x_of(i, c, has_second);
        sum = sum + wx;
        if (pc.rule == WN_MERGE_WAVG) weight = weight + w;
        ++count;
    }

    precise vec2 y = sum;
    if (count == 0u) {
        y = x_base;
    } else if (pc.rule == WN_MERGE_WAVG || pc.rule == WN_MERGE_SUM_OVER) {
        y = sum * vec2(recip_(weight));
    } else if (pc.rule == WN_MERGE_ADD_MEAN) {
        precise vec2 mean = sum * vec2(recip_(float(count)));
        y = x_base + mean;
    } else if (pc.rule != WN_MERGE_ADD_SUM) {
        float few = recip_(float(count + 1u));
        precise float v = pc.rule == WN_MERGE_BLEND_FEW && few > pc.blend ? few : pc.blend;
        precise float rest = 1.0 - v;
        precise vec2 mean = sum * vec2(recip_(float(count)));
        precise vec2 own = vec2(v) * x_base, others = vec2(rest) * mean;
        y = own + others;
    }
    store_b2(r, c, y.x, y.y, has_second);
}
