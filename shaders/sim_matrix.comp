// sim_matrix: B(e, u) = cos of source e with token u of its segment, dotseq(x, y) * (inv_x * inv_y).
// LANES: an item is a tile of 32 sources of a segment by 32 of its tokens, products as tile.glsl makes them. Where the sources
// are the tokens the matrix is symmetric: what lies below its diagonal is written from above.
// Cost: n*n*cols/2 multiply-adds a segment (n*n*cols with a list of sources), n*n*4 bytes written; 32*32*cols of them for
// 64*cols elements read. 576 x 1024 in f32: 0.17 G multiply-adds, 2.4 MB read, 1.3 MB written; of the 29 CPU milliseconds that
// lavapipe 25 takes the bytes are one.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_sim_matrix
#include "common.glsl"
#include "reduce.glsl"
#include "tile.glsl"

// A segment: its first token and their number, its first source and the one behind its last.
struct segment { uint begin, n, src, src_end; };

uvec4 sources_at(segment s, uvec4 e) { return list_entries(pc.src_pos_at, min(e, uvec4(s.src_end - 1u))); }
uvec4 tokens_at(segment s, uvec4 u) { return s.begin + min(u, uvec4(s.n - 1u)); }
uvec4 starts_of(uvec4 p)
{
    return rows_or_first(list_entries(pc.list_at, p));
}

// Norm factor of token p, and whether it has a row.
struct factor { float inv; bool there; };
factor factor_of(uint p) { return factor(w_f(pc.inv_at + p), is_row(list_entry(pc.list_at, p))); }

void put(segment s, uint e, uint u, float sum, factor x, factor y)
{
    bool mirror = pc.src_pos_at == WN_NONE;
    if (u >= s.n || (mirror && s.begin + u < e)) return;
    precise float f = x.inv * y.inv;
    precise float c = (x.there && y.there ? sum : 0.0) * f;
    store_b(e, u, c);
    if (mirror) store_b(s.begin + u, e - s.begin, c);
}

// Whether a tile of sources from e and tokens from u holds anything that is not written from another.
bool has_work(segment s, uint e, uint u, uint columns)
{
    return e < s.src_end && u < s.n && (pc.src_pos_at != WN_NONE || s.begin + u + columns > e);
}

#ifdef WN_SUBGROUP
void by_subgroups(segment s, uint e, uint u)
{
    uvec2 at = sub_at();
    e += at.x;
    u += at.y;
    if (at.x >= WN_TILE || !has_work(s, e, u, SUB_COLUMNS)) return;
    uint l = sub_lane();
    uvec4 rows = starts_of(sources_at(s, e + sub_places(l)));
    uvec4 own = tokens_at(s, u + sub_places(l)), columns = starts_of(own);
    SUB_SUMS(rows, columns, pc.cols)

    factor y0 = factor_of(own.x), y1 = factor_of(own.y), y2 = factor_of(own.z), y3 = factor_of(own.w);
    uint first = u + l, source = e;
#define PUT(sum, x8, l8, x4, l4) if (source < s.src_end) { \
        factor x = factor_of(list_entry(pc.src_pos_at, source)); \
        put(s, source, first, sum.x, x, y0); \
        put(s, source, first + SUB_SIZE, sum.y, x, y1); \
        if (SUB_WIDTH == 4u) { \
            put(s, source, first + 2u * SUB_SIZE, sum##_.x, x, y2); \
            put(s, source, first + 3u * SUB_SIZE, sum##_.y, x, y3); \
        } \
        ++source; \
    }
    EACH_SUB_ROW(PUT)
}
#endif

void by_workgroup(segment s, uint e, uint u, bool busy)
{
    uvec4 rows = uvec4(0u), columns = uvec4(0u);
    if (busy) {
        rows = starts_of(sources_at(s, e + tile_loads()));
        columns = starts_of(tokens_at(s, u + tile_loads()));
    }
    tile_sums t = tile_products(rows, columns, pc.cols, busy);
    uvec2 at = tile_at();
    e += at.x;
    u += at.y;
    if (!busy || e >= s.src_end || u >= s.n) return;
    uvec4 q = tokens_at(s, u + uvec4(0u, 1u, 2u, 3u));
    factor y0 = factor_of(q.x), y1 = factor_of(q.y), y2 = factor_of(q.z), y3 = factor_of(q.w);
#define PUT_ROW(i, sums) if (e + i < s.src_end) { \
        factor x = factor_of(list_entry(pc.src_pos_at, e + i)); \
        put(s, e + i, u, t.sums.x, x, y0); \
        put(s, e + i, u + 1u, t.sums.y, x, y1); \
        put(s, e + i, u + 2u, t.sums.z, x, y2); \
        put(s, e + i, u + 3u, t.sums.w, x, y3); \
    }
    EACH_TILE_ROW(PUT_ROW)
}

void main()
{
    uint across = (pc.width + WN_TILE - 1u) / WN_TILE, tile = lanes_item();
    uint k = tile / (across * across);
    bool busy = k < pc.segs;
    segment s = segment(0u, 0u, 0u, 0u);
    if (busy) {
        uvec2 tokens = segment_range(k, 0u, pc.seg_at), sources = segment_range(k, 0u, pc.src_seg_at);
        s = segment(tokens.x, tokens.y - tokens.x, sources.x, sources.y);
    }
    uint e = s.src + tile / across % across * WN_TILE, u = tile % across * WN_TILE;
    busy = busy && has_work(s, e, u, WN_TILE);
#ifdef WN_SUBGROUP
    if (BROADCAST_TILES != 0u) {
        if (busy) by_subgroups(s, e, u);
        return;
    }
#endif
    by_workgroup(s, e, u, busy);
}
