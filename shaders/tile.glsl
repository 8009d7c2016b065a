// tile.glsl: dotseq of rows of A with rows of A, a tile of them at a time; with WN_DISTANCES, the sums of the squares of their
// differences, in the same order. Include after reduce.glsl.
//
// LANES: an item is a tile of 32 rows by 32 columns, made in one of two ways that give the same sums:
//   BROADCAST_TILES  A subgroup of 8 or 4 lanes makes 16 rows by two columns a lane (by four with LOOPED_LOADS). Each lane
//           loads its part of the rows and its own columns; the rows reach the other lanes by broadcasts, which are one
//           instruction where lanes are those of a CPU's vector, while a load is as many as there are lanes: 4 loads (6 of
//           4 lanes) serve 32 multiply-adds, 6 serve 64. No shared memory and no barriers, so that a subgroup may return
//           alone.
//   else    Rows and columns pass through shared memory, DEPTH dimensions at a time; a lane makes 8 rows by 4 columns:
//           3 loads of four words serve 32 multiply-adds. All invocations of a workgroup have to come along.
#ifndef TILE_GLSL
#define TILE_GLSL

#include "four.glsl"

// What a dimension adds.
#ifdef WN_DISTANCES
vec2 tile_term(float x, vec2 y)
{
    precise vec2 apart = vec2(x) - y, square = apart * apart;
    return square;
}
vec4 tile_term(float x, vec4 y)
{
    precise vec4 apart = vec4(x) - y, square = apart * apart;
    return square;
}
#else
vec2 tile_term(float x, vec2 y)
{
    precise vec2 product = x * y;
    return product;
}
vec4 tile_term(float x, vec4 y)
{
    precise vec4 product = x * y;
    return product;
}
#endif

// F(sums, register and lane that hold the row's elements with 8 lanes a subgroup, the same with 4).
#define EACH_SUB_ROW(F) \
    F(s0, x0, 0u, x0, 0u) F(s1, x0, 1u, x0, 1u) F(s2, x0, 2u, x0, 2u) F(s3, x0, 3u, x0, 3u) \
    F(s4, x0, 4u, x1, 0u) F(s5, x0, 5u, x1, 1u) F(s6, x0, 6u, x1, 2u) F(s7, x0, 7u, x1, 3u) \
    F(s8, x1, 0u, x2, 0u) F(s9, x1, 1u, x2, 1u) F(s10, x1, 2u, x2, 2u) F(s11, x1, 3u, x2, 3u) \
    F(s12, x1, 4u, x3, 0u) F(s13, x1, 5u, x3, 1u) F(s14, x1, 6u, x3, 2u) F(s15, x1, 7u, x3, 3u)

#ifdef WN_SUBGROUP
const uint SUB_ROWS = 16u, SUB_WIDTH = LOOPED_LOADS != 0u && SUB_SIZE == 8u ? 4u : 2u;
const uint SUB_COLUMNS = SUB_WIDTH * SUB_SIZE, SUB_ACROSS = WN_TILE / SUB_COLUMNS, SUB_DOWN = WN_TILE / SUB_SIZE / SUB_ACROSS;
uint sub_lane() { return thread() % SUB_SIZE; }
// Places l, l + SUB_SIZE, ...
uvec4 sub_places(uint l) { return uvec4(l, l + SUB_SIZE, l + 2u * SUB_SIZE, l + 3u * SUB_SIZE); }
// Where the tile of the lane's subgroup begins in the item's, or behind its end: there are SUB_DOWN times SUB_ACROSS.
uvec2 sub_at()
{
    uint sub = lane() / SUB_SIZE;
    return uvec2(sub / SUB_ACROSS * SUB_ROWS, sub % SUB_ACROSS * SUB_COLUMNS);
}

// How a subgroup's lanes share the work: 2 columns a lane of 8 (EIGHT) or 4 (FOUR), or 4 of 8 (WIDE).
// Of the columns of a row the sums of the first two are s, of the others s##_.
#define SUB_DECLARE(s, x8, l8, x4, l4) precise vec2 s = vec2(0.0), s##_ = vec2(0.0);
#define SUB_WIDE_x(s, x8, l8, x4, l4) x = subgroupBroadcast(x8.x, l8); s = s + tile_term(x, y); s##_ = s##_ + tile_term(x, z);
#define SUB_WIDE_y(s, x8, l8, x4, l4) x = subgroupBroadcast(x8.y, l8); s = s + tile_term(x, y); s##_ = s##_ + tile_term(x, z);
#define SUB_WIDE_z(s, x8, l8, x4, l4) x = subgroupBroadcast(x8.z, l8); s = s + tile_term(x, y); s##_ = s##_ + tile_term(x, z);
#define SUB_WIDE_w(s, x8, l8, x4, l4) x = subgroupBroadcast(x8.w, l8); s = s + tile_term(x, y); s##_ = s##_ + tile_term(x, z);
#define SUB_EIGHT_x(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x8.x, l8), y);
#define SUB_EIGHT_y(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x8.y, l8), y);
#define SUB_EIGHT_z(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x8.z, l8), y);
#define SUB_EIGHT_w(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x8.w, l8), y);
#define SUB_FOUR_x(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x4.x, l4), y);
#define SUB_FOUR_y(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x4.y, l4), y);
#define SUB_FOUR_z(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x4.z, l4), y);
#define SUB_FOUR_w(s, x8, l8, x4, l4) s = s + tile_term(subgroupBroadcast(x4.w, l4), y);
// What a lane loads of its columns and of the rows, LOAD(start).
#define SUB_WIDE_LOADS(LOAD) vec4 y0 = LOAD(columns.x), y1 = LOAD(columns.y), y2 = LOAD(columns.z), y3 = LOAD(columns.w), \
    x0 = LOAD(rows.x), x1 = LOAD(rows.y);
#define SUB_EIGHT_LOADS(LOAD) vec4 y0 = LOAD(columns.x), y1 = LOAD(columns.y), y2 = y0, y3 = y0, \
    x0 = LOAD(rows.x), x1 = LOAD(rows.y);
#define SUB_FOUR_LOADS(LOAD) vec4 y0 = LOAD(columns.x), y1 = LOAD(columns.y), y2 = y0, y3 = y0, \
    x0 = LOAD(rows.x), x1 = LOAD(rows.y), x2 = LOAD(rows.z), x3 = LOAD(rows.w);
#define SUB_LOAD_FOUR(start) a_four(start + d)
#define SUB_LOAD_ONE(start) vec4(a_element(start + d))
#define SUB_ADD(how, k) y = vec2(y0.k, y1.k); z = vec2(y2.k, y3.k); EACH_SUB_ROW(SUB_##how##_##k)
#define SUB_LOOP(how, cols) \
    for (; d < fours; d += 4u) { \
        SUB_##how##_LOADS(SUB_LOAD_FOUR) \
        SUB_ADD(how, x) SUB_ADD(how, y) SUB_ADD(how, z) SUB_ADD(how, w) \
    } \
    for (; d < cols; ++d) { \
        SUB_##how##_LOADS(SUB_LOAD_ONE) \
        SUB_ADD(how, x) \
    }

// s0 .. s15: the sums of the subgroup's rows with the lane's columns. rows: where rows l, l + SUB_SIZE, ... of lane l start, of
// those below SUB_ROWS; columns: where columns l, l + SUB_SIZE, ... do, of those below SUB_COLUMNS.
#define SUB_SUMS(rows, columns, cols) \
    EACH_SUB_ROW(SUB_DECLARE) \
    { \
        uint d = 0u, fours = by_fours(cols); \
        vec2 y, z; \
        float x; \
        if (SUB_SIZE == 4u) { SUB_LOOP(FOUR, cols) } \
        else if (LOOPED_LOADS != 0u) { SUB_LOOP(WIDE, cols) } \
        else { SUB_LOOP(EIGHT, cols) } \
    }
#endif

// Through shared memory: sums of four columns for each of the lane's eight rows.
struct tile_sums { vec4 s0, s1, s2, s3, s4, s5, s6, s7; };
#define EACH_TILE_ROW(F) F(0u, s0) F(1u, s1) F(2u, s2) F(3u, s3) F(4u, s4) F(5u, s5) F(6u, s6) F(7u, s7)
// The lane's first row and its first column in the tile.
uvec2 tile_at() { return uvec2(lane() / 8u * 8u, lane() % 8u * 4u); }
// The two rows (or columns) of the tile that the lane loads, twice.
uvec4 tile_loads() { return lane() / 2u + uvec4(0u, 16u, 0u, 16u); }

const uint DEPTH = 8u, PITCH = WN_TILE / 4u + 1u;    // a gap, so that neighbours in depth lie in other banks
shared vec4 tile_rows[LOCAL / 32u * DEPTH * PITCH];
shared vec4 tile_columns[LOCAL / 32u * DEPTH * PITCH];

// Elements d .. d+3 of a row that starts at `at`; past its end the last one.
vec4 a_four_below(uint at, uint d, uint cols)
{
    if (d < by_fours(cols)) return a_four(at + d);
    uvec4 e = at + min(d + uvec4(0u, 1u, 2u, 3u), uvec4(cols - 1u));
    return vec4(a_element(e.x), a_element(e.y), a_element(e.z), a_element(e.w));
}

// rows, columns: where the rows of tile_loads() start. busy: false for all lanes of an item that has no tile.
tile_sums tile_products(uvec4 rows, uvec4 columns, uint cols, bool busy)
{
    uint base = (thread() >> 5) * DEPTH * PITCH, quad = lane() % 2u * 4u, at = base + quad * PITCH + lane() / 8u;
    uint part = lane() / 2u % 4u;
    uvec2 own = base + uvec2(tile_at().x / 4u, tile_at().y / 4u);
    precise vec4 s0 = vec4(0.0), s1 = vec4(0.0), s2 = vec4(0.0), s3 = vec4(0.0);
    precise vec4 s4 = vec4(0.0), s5 = vec4(0.0), s6 = vec4(0.0), s7 = vec4(0.0);
    for (uint d = 0u; d < cols; d += DEPTH) {
        if (busy && d + quad < cols) {
            for (uint i = 0u; i < 2u; ++i) {    // rows 16*i + lane/2
                vec4 x = a_four_below(rows[i], d + quad, cols), y = a_four_below(columns[i], d + quad, cols);
                for (uint k = 0u; k < 4u; ++k) {
                    tile_rows[at + k * PITCH + 4u * i][part] = x[k];
                    tile_columns[at + k * PITCH + 4u * i][part] = y[k];
                }
            }
        }
        barrier();
        uint depth = busy ? min(DEPTH, cols - d) : 0u;
        for (uint k = 0u; k < depth; ++k) {
            vec4 x = tile_rows[own.x + k * PITCH], z = tile_rows[own.x + k * PITCH + 1u], y = tile_columns[own.y + k * PITCH];
            s0 = s0 + tile_term(x.x, y); s1 = s1 + tile_term(x.y, y);
            s2 = s2 + tile_term(x.z, y); s3 = s3 + tile_term(x.w, y);
            s4 = s4 + tile_term(z.x, y); s5 = s5 + tile_term(z.y, y);
            s6 = s6 + tile_term(z.z, y); s7 = s7 + tile_term(z.w, y);
        }
        barrier();
    }
    return tile_sums(s0, s1, s2, s3, s4, s5, s6, s7);
}
#endif
