// alike_count: how many other tokens of its segment a token resembles: cos = dotseq(x, y) * (inv_x * inv_y) above a bound.
// LANES: an item is 32 tokens of a segment, which go through all of it in tiles (tile.glsl), as match does: the others are the
// rows of a tile, the item's tokens its columns. Lanes with the same columns add up what they counted at the end. A dispatch
// may look at a part of each segment and go on from the part before.
// Shared: tiles, or nothing; the counts at the end. Cost: tokens * tokens * cols multiply-adds a segment.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_alike_count
#include "common.glsl"
#include "reduce.glsl"
#include "tile.glsl"

// Tokens of an item, those of its segment in all; and the others in this part: positions.
struct work { uint e, e_end, u, u_end; };

shared uvec4 counts[LOCAL];

uvec4 starts_of(uvec4 p) { return rows_or_first(list_entries(pc.list_at, p)); }
uvec4 tokens_at(uvec4 e, uint end) { return min(e, uvec4(end - 1u)); }

// What four tokens at positions p are multiplied by, and whether they have rows.
struct factors { uvec4 p; vec4 inv; bvec4 there; };
factors factors_of(uvec4 p, uint end)
{
    uvec4 held = tokens_at(p, end);
    return factors(p, w_f4(pc.inv_at, held), are_rows(list_entries(pc.list_at, held)));
}

// 1 for those of four tokens that token u is like.
uvec4 alike(work w, uint u, vec4 sums, factors x)
{
    if (u >= w.u_end) return uvec4(0u);
    bool there = is_row(list_entry(pc.list_at, u));
    precise vec4 f = x.inv * w_f(pc.inv_at + u);
    bvec4 both = bvec4(there && x.there.x, there && x.there.y, there && x.there.z, there && x.there.w);
    precise vec4 c = mix(vec4(0.0), sums, both) * f;
    uvec4 key = uvec4(score_key(c.x), score_key(c.y), score_key(c.z), score_key(c.w));
    return uvec4(greaterThan(key, uvec4(score_key(pc.bound)))) * uvec4(notEqual(x.p, uvec4(u)));
}

void put(work w, uint e, uint count)
{
    if (e >= w.e_end) return;
    precise float before = pc.from == 0u ? 0.0 : w_f(pc.v_at + e);
    precise float all = before + float(count);
    w_set_f(pc.v_at + e, all);
}

#ifdef WN_SUBGROUP
// A subgroup's tokens, two or four a lane, with every SUB_DOWN-th tile of the others.
void by_subgroups(work w)
{
    uint sub = lane() / SUB_SIZE, l = sub_lane(), e = w.e + sub % SUB_ACROSS * SUB_COLUMNS + l;
    uvec4 count = uvec4(0u);
    if (e - l < w.e_end) {
        uvec4 columns = starts_of(tokens_at(sub_places(e), w.e_end));
        factors x = factors_of(sub_places(e), w.e_end);
        for (uint u = w.u + sub / SUB_ACROSS * SUB_ROWS; u < w.u_end; u += SUB_DOWN * SUB_ROWS) {
            uvec4 rows = starts_of(tokens_at(u + sub_places(l), w.u_end));
            SUB_SUMS(rows, columns, pc.cols)
            uint other = u;
#define COUNT(sum, x8, l8, x4, l4) count += alike(w, other, vec4(sum, SUB_WIDTH == 4u ? sum##_ : sum), x); ++other;
            EACH_SUB_ROW(COUNT)
        }
    }
    counts[thread()] = count;
    barrier();
    if (sub >= SUB_ACROSS || e - l >= w.e_end) return;
    for (uint part = 1u; part < SUB_DOWN; ++part) count += counts[thread() + part * SUB_ACROSS * SUB_SIZE];
    put(w, e, count.x);
    put(w, e + SUB_SIZE, count.y);
    if (SUB_WIDTH == 2u) return;
    put(w, e + 2u * SUB_SIZE, count.z);
    put(w, e + 3u * SUB_SIZE, count.w);
}
#endif

// most: the longest of the workgroup's parts, as all invocations have to come along.
void by_workgroup(work w, uint most)
{
    uvec2 at = tile_at();
    uint e = w.e + at.y;
    bool busy = w.e < w.e_end && w.u < w.u_end;
    uvec4 columns = uvec4(0u), count = uvec4(0u);
    factors x = factors(uvec4(0u), vec4(0.0), bvec4(false));
    if (busy) {
        columns = starts_of(tokens_at(w.e + tile_loads(), w.e_end));
        x = factors_of(e + uvec4(0u, 1u, 2u, 3u), w.e_end);
    }
    for (uint done = 0u; done < most; done += WN_TILE) {
        uint u = w.u + done;
        bool more = busy && u < w.u_end;
        uvec4 rows = uvec4(0u);
        if (more) rows = starts_of(tokens_at(u + tile_loads(), w.u_end));
        tile_sums t = tile_products(rows, columns, pc.cols, more);
#define COUNT_ROW(i, sums) count += alike(w, u + at.x + i, t.sums, x);
        if (more) { EACH_TILE_ROW(COUNT_ROW) }
    }
    counts[thread()] = count;
    barrier();
    if (at.x != 0u || w.e >= w.e_end) return;
    for (uint part = 8u; part < 32u; part += 8u) count += counts[thread() + part];
    put(w, e, count.x);
    put(w, e + 1u, count.y);
    put(w, e + 2u, count.z);
    put(w, e + 3u, count.w);
}

work work_of(uint tile)
{
    uint across = (pc.width + WN_TILE - 1u) / WN_TILE, s = tile / across;
    if (s >= pc.segs) return work(0u, 0u, 0u, 0u);
    uvec2 own = segment_range(s, 0u, pc.seg_at);
    uint from = min(own.x + pc.from, own.y);
    return work(own.x + tile % across * WN_TILE, own.y, from, pc.most == 0u ? own.y : min(own.y, from + pc.most));
}

void main()
{
    work w = work_of(lanes_item());
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) {
        by_subgroups(w);
        return;
    }
#endif
    uint most = 0u, first = group_index() * (LOCAL / 32u);
    for (uint i = 0u; i < LOCAL / 32u; ++i) {
        work other = work_of(first + i);
        if (other.e < other.e_end) most = max(most, other.u_end - other.u);
    }
    by_workgroup(w, most);
}
