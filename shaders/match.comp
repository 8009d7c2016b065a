// match: for each source the target of its segment with the highest cos = dotseq(x, y) * (inv_x * inv_y).
// LANES: an item is 32 sources of a segment, which walk its targets in tiles (tile.glsl): targets are the rows of a tile,
// sources its columns, so that a lane offers all rows to its own sources. Lanes with the same sources (of subgroups that take
// every SUB_DOWN-th tile; of the four parts of a tile's rows) compare what they found at the end. A dispatch may look at a part
// of each segment's targets and go on from the part before.
// Shared: tiles, or nothing; the candidates at the end. Cost: sources * targets * cols multiply-adds a segment.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_match
#include "common.glsl"
#include "reduce.glsl"
#include "tile.glsl"

// The sources of an item, those of its segment in all; and the targets in this part: places in the list.
struct work { uint e, e_end, u, u_end; };

// The best target so far of up to four sources: its cos, its score key, its place in the list (WN_NONE: none).
struct candidates { vec4 c; uvec4 key, place; };
shared vec4 best_c[LOCAL];
shared uvec4 best_key[LOCAL];
shared uvec4 best_place[LOCAL];

uvec4 sources_at(work w, uvec4 e) { return list_entries(pc.src_pos_at, min(e, uvec4(w.e_end - 1u))); }
uvec4 targets_at(work w, uvec4 u) { return list_entries(pc.dst_pos_at, min(u, uvec4(w.u_end - 1u))); }
uvec4 starts_of(uvec4 p)
{
    return rows_or_first(list_entries(pc.list_at, p));
}

// What tokens p are multiplied by, and whether they have rows.
struct factors { vec4 inv; bvec4 there; };
factors factors_of(uvec4 p) { return factors(w_f4(pc.inv_at, p), are_rows(list_entries(pc.list_at, p))); }

// Target u for four sources x.
void offer(inout candidates best, work w, uint u, vec4 sums, factors x)
{
    if (u >= w.u_end) return;
    uint q = list_entry(pc.dst_pos_at, u);
    bool there = is_row(list_entry(pc.list_at, q));
    precise vec4 f = x.inv * w_f(pc.inv_at + q);
    bvec4 both = bvec4(there && x.there.x, there && x.there.y, there && x.there.z, there && x.there.w);
    precise vec4 c = mix(vec4(0.0), sums, both) * f;
    uvec4 key = uvec4(score_key(c.x), score_key(c.y), score_key(c.z), score_key(c.w));
    bvec4 first = equal(best.place, uvec4(WN_NONE)), higher = greaterThan(key, best.key);
    bvec4 wins = bvec4(first.x || higher.x, first.y || higher.y, first.z || higher.z, first.w || higher.w);
    best.c = mix(best.c, c, wins);
    best.key = mix(best.key, key, wins);
    best.place = mix(best.place, uvec4(u), wins);
}

// The better of both: ties go to the lower place, which none is not.
void join(inout candidates best, uint other)
{
    uvec4 key = best_key[other], place = best_place[other];
    bvec4 higher = greaterThan(key, best.key), same_ = equal(key, best.key), before = lessThan(place, best.place);
    bvec4 wins = bvec4(higher.x || same_.x && before.x, higher.y || same_.y && before.y,
                       higher.z || same_.z && before.z, higher.w || same_.w && before.w);
    best.c = mix(best.c, best_c[other], wins);
    best.key = mix(best.key, key, wins);
    best.place = mix(best.place, place, wins);
}

// Writes source e's, unless the part before has as good a one.
void put(work w, uint e, float c, uint key, uint place)
{
    if (e >= w.e_end) return;
    uint before = pc.from == 0u ? WN_NONE : w_u(pc.arg_at + e);
    if (before != WN_NONE && (place == WN_NONE || key <= score_key(w_f(pc.best_at + e)))) return;
    w_set_f(pc.best_at + e, place == WN_NONE ? quiet_nan() : c);
    w_set_u(pc.arg_at + e, place == WN_NONE ? WN_NONE : list_entry(pc.dst_pos_at, place));
}

#ifdef WN_SUBGROUP
// A subgroup's sources, two or four a lane, with every SUB_DOWN-th tile of targets.
void by_subgroups(work w)
{
    uint sub = lane() / SUB_SIZE, l = sub_lane(), e = w.e + sub % SUB_ACROSS * SUB_COLUMNS + l;
    candidates best = candidates(vec4(0.0), uvec4(0u), uvec4(WN_NONE));
    if (e - l < w.e_end) {
        uvec4 p = sources_at(w, sub_places(e)), columns = starts_of(p);
        factors x = factors_of(p);
        for (uint u = w.u + sub / SUB_ACROSS * SUB_ROWS; u < w.u_end; u += SUB_DOWN * SUB_ROWS) {
            uvec4 rows = starts_of(targets_at(w, u + sub_places(l)));
            SUB_SUMS(rows, columns, pc.cols)
            uint target = u;
#define OFFER(sum, x8, l8, x4, l4) offer(best, w, target, vec4(sum, SUB_WIDTH == 4u ? sum##_ : sum), x); ++target;
            EACH_SUB_ROW(OFFER)
        }
    }
    best_c[thread()] = best.c;
    best_key[thread()] = best.key;
    best_place[thread()] = best.place;
    barrier();
    if (sub >= SUB_ACROSS || e - l >= w.e_end) return;
    for (uint part = 1u; part < SUB_DOWN; ++part) join(best, thread() + part * SUB_ACROSS * SUB_SIZE);
    put(w, e, best.c.x, best.key.x, best.place.x);
    put(w, e + SUB_SIZE, best.c.y, best.key.y, best.place.y);
    if (SUB_WIDTH == 2u) return;
    put(w, e + 2u * SUB_SIZE, best.c.z, best.key.z, best.place.z);
    put(w, e + 3u * SUB_SIZE, best.c.w, best.key.w, best.place.w);
}
#endif

// most: the longest of the workgroup's parts, as all invocations have to come along.
void by_workgroup(work w, uint most)
{
    uvec2 at = tile_at();
    uint e = w.e + at.y;
    bool busy = w.e < w.e_end && w.u < w.u_end;
    uvec4 columns = uvec4(0u);
    factors x = factors(vec4(0.0), bvec4(false));
    if (busy) {
        columns = starts_of(sources_at(w, w.e + tile_loads()));
        x = factors_of(sources_at(w, e + uvec4(0u, 1u, 2u, 3u)));
    }
    candidates best = candidates(vec4(0.0), uvec4(0u), uvec4(WN_NONE));
    for (uint done = 0u; done < most; done += WN_TILE) {
        uint u = w.u + done;
        bool more = busy && u < w.u_end;
        uvec4 rows = uvec4(0u);
        if (more) rows = starts_of(targets_at(w, u + tile_loads()));
        tile_sums t = tile_products(rows, columns, pc.cols, more);
#define OFFER_ROW(i, sums) offer(best, w, u + at.x + i, t.sums, x);
        if (more) { EACH_TILE_ROW(OFFER_ROW) }
    }
    best_c[thread()] = best.c;
    best_key[thread()] = best.key;
    best_place[thread()] = best.place;
    barrier();
    if (at.x != 0u || w.e >= w.e_end) return;
    for (uint part = 8u; part < 32u; part += 8u) join(best, thread() + part);
    put(w, e, best.c.x, best.key.x, best.place.x);
    put(w, e + 1u, best.c.y, best.key.y, best.place.y);
    put(w, e + 2u, best.c.z, best.key.z, best.place.z);
    put(w, e + 3u, best.c.w, best.key.w, best.place.w);
}

work work_of(uint tile)
{
    uint across = (pc.width + WN_TILE - 1u) / WN_TILE, s = tile / across;
    if (s >= pc.segs) return work(0u, 0u, 0u, 0u);
    uvec2 sources = segment_range(s, 0u, pc.src_seg_at), targets = segment_range(s, 0u, pc.dst_seg_at);
    uint from = min(targets.x + pc.from, targets.y);
    return work(sources.x + tile % across * WN_TILE, sources.y, from,
                pc.most == 0u ? targets.y : min(targets.y, from + pc.most));
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
