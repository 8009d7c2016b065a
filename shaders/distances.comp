// distances: B(e, u) = the squared distance of point e and point u of its segment, times scale. The differences are squared
// (not |x|^2 + |y|^2 - 2xy), so that a point's distance to itself is 0.
// LANES: an item is a tile of 32 points of a segment by 32 of them, as tile.glsl makes them. The matrix is symmetric to the
// bit: what lies below its diagonal is written from above. Cost: n*n*cols/2 times a subtraction, a multiplication and an
// addition a segment, n*n*4 bytes written.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_distances
#define WN_DISTANCES
#include "common.glsl"
#include "reduce.glsl"
#include "tile.glsl"

// A segment: its first entry and the number of them.
struct segment { uint begin, n; };

uvec4 entries_at(segment s, uvec4 u) { return list_entries(pc.list_at, list_entries(pc.pos_at, s.begin + min(u, uvec4(s.n - 1u)))); }
bool has_row(segment s, uint e) { return is_row(list_entry(pc.list_at, list_entry(pc.pos_at, s.begin + e))); }

// Points e and u of the segment.
void put(segment s, uint e, uint u, float sum, bool there)
{
    if (u >= s.n || u < e) return;
    precise float v = sum * pc.scale;
    v = there ? v : quiet_nan();
    store_b(s.begin + e, u, v);
    store_b(s.begin + u, e, v);
}

// Whether a tile of points from e and from u holds anything that is not written from another.
bool has_work(segment s, uint e, uint u, uint columns) { return e < s.n && u < s.n && u + columns > e; }

#ifdef WN_SUBGROUP
void by_subgroups(segment s, uint e, uint u)
{
    uvec2 at = sub_at();
    e += at.x;
    u += at.y;
    if (at.x >= WN_TILE || !has_work(s, e, u, SUB_COLUMNS)) return;
    uint l = sub_lane();
    uvec4 rows = rows_or_first(entries_at(s, e + sub_places(l)));
    uvec4 own = entries_at(s, u + sub_places(l)), columns = rows_or_first(own);
    SUB_SUMS(rows, columns, pc.cols)

    bvec4 there = are_rows(own);
    uint first = u + l, row = e;
#define PUT(sum, x8, l8, x4, l4) if (row < s.n) { \
        bool x = has_row(s, row); \
        put(s, row, first, sum.x, x && there.x); \
        put(s, row, first + SUB_SIZE, sum.y, x && there.y); \
        if (SUB_WIDTH == 4u) { \
            put(s, row, first + 2u * SUB_SIZE, sum##_.x, x && there.z); \
            put(s, row, first + 3u * SUB_SIZE, sum##_.y, x && there.w); \
        } \
        ++row; \
    }
    EACH_SUB_ROW(PUT)
}
#endif

void by_workgroup(segment s, uint e, uint u, bool busy)
{
    uvec4 rows = uvec4(0u), columns = uvec4(0u);
    if (busy) {
        rows = rows_or_first(entries_at(s, e + tile_loads()));
        columns = rows_or_first(entries_at(s, u + tile_loads()));
    }
    tile_sums t = tile_products(rows, columns, pc.cols, busy);
    uvec2 at = tile_at();
    e += at.x;
    u += at.y;
    if (!busy || e >= s.n || u >= s.n) return;
    bvec4 there = are_rows(entries_at(s, u + uvec4(0u, 1u, 2u, 3u)));
#define PUT_ROW(i, sums) if (e + i < s.n) { \
        bool x = has_row(s, e + i); \
        put(s, e + i, u, t.sums.x, x && there.x); \
        put(s, e + i, u + 1u, t.sums.y, x && there.y); \
        put(s, e + i, u + 2u, t.sums.z, x && there.z); \
        put(s, e + i, u + 3u, t.sums.w, x && there.w); \
    }
    EACH_TILE_ROW(PUT_ROW)
}

void main()
{
    uint across = (pc.width + WN_TILE - 1u) / WN_TILE, tile = lanes_item(), line = tile / across, k = 0u;
    segment s = segment(0u, 0u);
    for (; k < pc.segs; ++k) {    // lines of tiles, segment by segment
        s.begin = w_u(pc.seg_at + k);
        s.n = w_u(pc.seg_at + k + 1u) - s.begin;
        uint lines = (s.n + WN_TILE - 1u) / WN_TILE;
        if (line < lines) break;
        line -= lines;
    }
    uint e = line * WN_TILE, u = tile % across * WN_TILE;
    bool busy = k < pc.segs && has_work(s, e, u, WN_TILE);
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) {
        if (busy) by_subgroups(s, e, u);
        return;
    }
#endif
    by_workgroup(s, e, u, busy);
}
