// merge: row r of B from its base x_b and its members x_i (a linked list of group, or the neighbours near[]):
//   WAVG      (w_b x_b + sum w_i x_i) / (w_b + sum w_i)      no member, weights of 0: x_b
//   ADD_MEAN  x_b + (sum x_i) / count                        no member: x_b
//   ADD_SUM   x_b + sum w_i x_i
//   SUM_OVER  (x_b + sum x_i) / weight of the base       no member: x_b
//   BLEND     v x_b + (1 - v) (sum x_i) / count          no member: x_b; BLEND_FEW: v = max(1/(count + 1), blend)
//   MAX       the largest of x_b and the x_i, column by column
// Sums in list order, one multiply and one add each; division by recip_.
// ROWS: a workgroup a row, or a part of its columns. Shared: none.
// Cost: one load of A a member and column.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_merge
#include "common.glsl"
#include "rows.glsl"

float weight_of(uint i) { return pc.weight_at == WN_NONE ? 1.0 : w_f(same_in_group(pc.weight_at + i)); }

// Member number k of row r, after member `before`; list: where near[] of the row starts.
uint member(uint r, uint list, uint k, uint before)
{
    uint at = k == 0u ? pc.head_at + r : pc.next_at + before;
    if (pc.near_at != WN_NONE) at = list + min(k, pc.many - 1u);
    uint i = w_u(same_in_group(at));
    return pc.near_at != WN_NONE && k >= pc.many ? WN_NONE : i;
}

units greater(units a, units b) { return units(mix(a.x, b.x, greaterThan(b.x, a.x)), mix(a.y, b.y, greaterThan(b.y, a.y))); }
runs greater(runs r, runs s) { return runs(greater(r.a, s.a), greater(r.b, s.b), greater(r.c, s.c), greater(r.d, s.d)); }

void merge_columns(uint how, uint r, uint base, uint list, uint c, uint end)
{
    runs x_base = a_runs(how, w_u(pc.list_at + base), c, end), sum = x_base;
    precise float weight = 0.0;
    if (pc.rule == WN_MERGE_WAVG) {
        weight = weight_of(base);
        sum = scaled(x_base, weight);
    } else if (pc.rule == WN_MERGE_SUM_OVER) {
        weight = weight_of(base);
    } else if (pc.rule != WN_MERGE_ADD_SUM && pc.rule != WN_MERGE_MAX) {
        sum = no_runs;
    }

    uint count = 0u;
    for (uint i = member(r, list, 0u, base); i != WN_NONE; i = member(r, list, count, i)) {
        float w = pc.rule == WN_MERGE_WAVG || pc.rule == WN_MERGE_ADD_SUM ? weight_of(i) : 1.0;
        runs x = a_runs(how, w_u(same_in_group(pc.list_at + i)), c, end);
        sum = pc.rule == WN_MERGE_MAX ? greater(sum, x) : plus(sum, scaled(x, w));
        if (pc.rule == WN_MERGE_WAVG) weight = weight + w;
        ++count;
    }

    runs y = sum;
    if (count == 0u || (pc.rule == WN_MERGE_WAVG && weight == 0.0)) {
        y = x_base;
    } else if (pc.rule == WN_MERGE_WAVG || pc.rule == WN_MERGE_SUM_OVER) {
        y = scaled(sum, recip_(weight));
    } else if (pc.rule == WN_MERGE_ADD_MEAN) {
        y = plus(x_base, scaled(sum, recip_(float(count))));
    } else if (pc.rule != WN_MERGE_ADD_SUM && pc.rule != WN_MERGE_MAX) {
        float few = recip_(float(count + 1u));
        precise float v = pc.rule == WN_MERGE_BLEND_FEW && few > pc.blend ? few : pc.blend;
        precise float rest = 1.0 - v;
        y = plus(scaled(x_base, v), scaled(scaled(sum, recip_(float(count))), rest));
    }
    b_set_runs(how, r, c, end, y);
}

void main()
{
    uint rows = min(pc.n_max, w_u(pc.seg_new_at + pc.segs)), parts = row_parts(rows, pc.cols);
    bool whole = rows_are_whole();
    for (uint k = group_index(); k < rows * parts; k += group_count()) {
        uint r = row_of_part(k, parts), base = w_u(pc.from_at + r), list = WN_NONE;
        if (base == WN_NONE) continue;
        if (pc.near_at != WN_NONE) {
            uint s = segment_of(r, pc.seg_new_at, pc.segs);
            list = pc.near_at + (r - (s + 1u) * pc.first - s * pc.last) * pc.many;
        }
        uvec2 columns = columns_of_part(k, parts, pc.cols);
        uint c = first_column(columns), end = columns.y;
        for (; whole && has_columns(WIDE, c, end); c += 4u * NEXT_COLUMN) merge_columns(WIDE, r, base, list, c, end);
        for (; whole && has_columns(WHOLE, c, end); c += NEXT_COLUMN) merge_columns(WHOLE, r, base, list, c, end);
        for (; c < end; c += NEXT_COLUMN) merge_columns(REST, r, base, list, c, end);
    }
}
