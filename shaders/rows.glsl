// rows.glsl: operations that write whole rows of B. Include after common.glsl.
//
// The workgroups share the rows out among themselves, whatever their number (ROWS in ops.def): a workgroup takes
// part k = group_index(), k + group_count(), ... of row_parts(). So what belongs to a row is worked out once a
// workgroup, from addresses that all its invocations share, and there is no division an element.
//
// A unit is a column where A and B both have 32-bit elements, else two neighbouring columns from an even one, which are
// a word of a 16-bit type. An invocation takes a run of RUN neighbouring units at once, by quads (four words in one
// load or store) where the rows' places allow it: a loop of its own each, since some compilers run both sides of a
// branch. Neighbours in a workgroup take neighbouring runs.
#ifndef ROWS_GLSL
#define ROWS_GLSL
#include "same.glsl"
const bool B_WIDE = B_TYPE == TYPE_F32 || B_TYPE == TYPE_WORDS;
const bool IN_PAIRS = !(A_WIDE && B_WIDE);
const uint UNIT = IN_PAIRS ? 2u : 1u;    // columns
#define RUN 4u
#define RUN_COLUMNS (RUN * UNIT)
const uint NEXT_UNIT = QUADS != 0u ? UNIT : UNIT * LOCAL;        // columns from a run's unit to its next one
const uint NEXT_RUN = QUADS != 0u ? RUN_COLUMNS : UNIT;          // and from a run to that of the next invocation

uint group_count() { return gl_NumWorkGroups.x * gl_NumWorkGroups.y; }

// Parts of a row: one where there are workgroups for the rows alone, else of a run an invocation, and of four in small
// workgroups.
#define PART_COLUMNS (RUN_COLUMNS * LOCAL * (LOCAL < 32u ? 4u : 1u))
uint row_parts(uint rows, uint cols)
{
    return group_count() <= rows ? 1u : max(1u, (cols + PART_COLUMNS - 1u) / PART_COLUMNS);
}
// The row of part k, and the columns x .. y-1 of it.
uint row_of_part(uint k, uint parts) { return parts == 1u ? k : k / parts; }
uvec2 columns_of_part(uint k, uint parts, uint cols)
{
    if (parts == 1u) return uvec2(0u, cols);
    uint first = k % parts * PART_COLUMNS;
    return uvec2(first, min(first + PART_COLUMNS, cols));
}
// The invocation's first column, and how far its next one is.
uint first_column(uvec2 columns) { return columns.x + NEXT_RUN * gl_LocalInvocationIndex; }
#define NEXT_COLUMN (RUN_COLUMNS * LOCAL)

// ---- single units: `at` from the start of the binding; has_second: both columns are there -------------------------
vec2 a_unit(uint at, bool has_second)
{
    if (!IN_PAIRS) return vec2(uintBitsToFloat(a_word(at)), 0.0);
    if (A_WIDE) return vec2(uintBitsToFloat(a_word(at)), has_second ? uintBitsToFloat(a_word(at + 1u)) : 0.0);
    uint word = a_word(at >> 1);
    if ((at & 1u) != 0u) word = (word >> 16) | (has_second ? a_word((at >> 1) + 1u) << 16 : 0u);
    return a_halves(word);
}

// 16-bit rows of B begin at even elements, so that a word belongs to one invocation.
void b_set_unit(uint at, vec2 v, bool has_second)
{
    if (B_WIDE) {
        b_set_word(at, floatBitsToUint(v.x));
        if (IN_PAIRS && has_second) b_set_word(at + 1u, floatBitsToUint(v.y));
        return;
    }
    uint low = to_half(v.x);
    if (has_second) {
        b_set_word(at >> 1, low | to_half(v.y) << 16);
    } else {
#ifdef WN_STORAGE16
        b_set_half(at, low);
#else
        b_set_word(at >> 1, low | (b_word(at >> 1) & 0xffff0000u));
#endif
    }
}

// ---- runs: the first columns of RUN units, and the second ones of pairs ------------------------------------------
struct units {
    vec4 x, y;
};
const units no_units = units(vec4(0.0), vec4(0.0));

// Whether runs of A and B that begin so far from the start of the bindings can be read and written by quads.
bool has_quads(uint a_at, uint b_at)
{
#ifdef WN_WINDOWS
    return false;
#else
    return QUADS != 0u && (a_at & (A_WIDE ? 3u : 7u)) == 0u && (b_at & (B_WIDE ? 3u : 7u)) == 0u;
#endif
}

units a_quads(uint at)
{
    units r = no_units;
#ifndef WN_WINDOWS
    if (!IN_PAIRS) {
        r.x = uintBitsToFloat(a0_quads[at >> 2]);
    } else if (A_WIDE) {
        vec4 v = uintBitsToFloat(a0_quads[at >> 2]), w = uintBitsToFloat(a0_quads[(at >> 2) + 1u]);
        r = units(vec4(v.xz, w.xz), vec4(v.yw, w.yw));
    } else {
        uvec4 words = a0_quads[at >> 3];
        vec2 a = a_halves(words.x), b = a_halves(words.y), c = a_halves(words.z), d = a_halves(words.w);
        r = units(vec4(a.x, b.x, c.x, d.x), vec4(a.y, b.y, c.y, d.y));
    }
#endif
    return r;
}

uvec4 to_halves(vec4 v) { return uvec4(to_half(v.x), to_half(v.y), to_half(v.z), to_half(v.w)); }

void b_set_quads(uint at, units r)
{
#ifndef WN_WINDOWS
    if (!IN_PAIRS) {
        b0_quads[at >> 2] = floatBitsToUint(r.x);
    } else if (B_WIDE) {
        b0_quads[at >> 2] = floatBitsToUint(vec4(r.x.x, r.y.x, r.x.y, r.y.y));
        b0_quads[(at >> 2) + 1u] = floatBitsToUint(vec4(r.x.z, r.y.z, r.x.w, r.y.w));
    } else {
        b0_quads[at >> 3] = to_halves(r.x) | to_halves(r.y) << 16;
    }
#endif
}

// The same unit by unit; the row has `left` columns from there on, and units past them see the last one.
units a_units(uint at, uint left)
{
    uint last = (left - 1u) & ~(UNIT - 1u);
    uvec4 c = min(uvec4(0u, NEXT_UNIT, 2u * NEXT_UNIT, 3u * NEXT_UNIT), uvec4(last));
    bvec4 second = lessThan(c + 1u, uvec4(left));
    vec2 v0 = a_unit(at + c.x, second.x), v1 = a_unit(at + c.y, second.y);
    vec2 v2 = a_unit(at + c.z, second.z), v3 = a_unit(at + c.w, second.w);
    return units(vec4(v0.x, v1.x, v2.x, v3.x), vec4(v0.y, v1.y, v2.y, v3.y));
}

void b_set_units(uint at, uint left, units r)
{
    uint c = NEXT_UNIT;
    b_set_unit(at, vec2(r.x.x, r.y.x), 1u < left);
    if (c < left) b_set_unit(at + c, vec2(r.x.y, r.y.y), c + 1u < left);
    c += NEXT_UNIT;
    if (c < left) b_set_unit(at + c, vec2(r.x.z, r.y.z), c + 1u < left);
    c += NEXT_UNIT;
    if (c < left) b_set_unit(at + c, vec2(r.x.w, r.y.w), c + 1u < left);
}

// Runs that are whole.
units a_whole(uint at)
{
    if (QUADS != 0u) return a_quads(at);
    vec2 v0 = a_unit(at, true), v1 = a_unit(at + NEXT_UNIT, true);
    vec2 v2 = a_unit(at + 2u * NEXT_UNIT, true), v3 = a_unit(at + 3u * NEXT_UNIT, true);
    return units(vec4(v0.x, v1.x, v2.x, v3.x), vec4(v0.y, v1.y, v2.y, v3.y));
}
void b_set_whole(uint at, units r)
{
    if (QUADS != 0u) {
        b_set_quads(at, r);
        return;
    }
    b_set_unit(at, vec2(r.x.x, r.y.x), true);
    b_set_unit(at + NEXT_UNIT, vec2(r.x.y, r.y.y), true);
    b_set_unit(at + 2u * NEXT_UNIT, vec2(r.x.z, r.y.z), true);
    b_set_unit(at + 3u * NEXT_UNIT, vec2(r.x.w, r.y.w), true);
}

// ---- sums over rows: an invocation's columns of a row in registers -----------------------------------------------
// Four runs at once (WIDE), which share the work that a row makes, one (WHOLE), or what is left of one (REST). The loops of
// an operation, over its columns:
//   for (; quads && has_columns(WIDE, c, end); c += 4u * NEXT_COLUMN) sum_of_columns(WIDE, ...);
//   for (; quads && has_columns(WHOLE, c, end); c += NEXT_COLUMN) sum_of_columns(WHOLE, ...);
//   for (; c < end; c += NEXT_COLUMN) sum_of_columns(REST, ...);
#define REST 0u
#define WHOLE 1u
#define WIDE 2u
struct runs {
    units a, b, c, d;
};
const runs no_runs = runs(no_units, no_units, no_units, no_units);

// Whether the first two may be used at all, and whether the row still has so many columns.
bool rows_are_whole() { return QUADS == 0u || has_quads(pc.a_base | pc.a_stride, pc.b_base | pc.b_stride); }
bool has_columns(uint how, uint c, uint end)
{
    return c + (how == WIDE ? 3u * NEXT_COLUMN : 0u) + 3u * NEXT_UNIT + UNIT <= end;
}

units masked(units r, bool there) { return units(mix(vec4(0.0), r.x, bvec4(there)), mix(vec4(0.0), r.y, bvec4(there))); }
runs a_runs(uint how, uint entry, uint c, uint end)    // zeros where the entry of a list is no row
{
    bool there = is_row(entry);
    uint at = a_row(there ? entry : 0u) + c;
    runs r = no_runs;
    if (how == REST) {
        r.a = masked(a_units(at, end - c), there);
        return r;
    }
    r.a = masked(a_whole(at), there);
    if (how == WHOLE) return r;
    r.b = masked(a_whole(at + NEXT_COLUMN), there);
    r.c = masked(a_whole(at + 2u * NEXT_COLUMN), there);
    r.d = masked(a_whole(at + 3u * NEXT_COLUMN), there);
    return r;
}

void b_set_runs(uint how, uint row, uint c, uint end, runs r)
{
    uint at = b_row(row) + c;
    if (how == REST) {
        b_set_units(at, end - c, r.a);
        return;
    }
    b_set_whole(at, r.a);
    if (how == WHOLE) return;
    b_set_whole(at + NEXT_COLUMN, r.b);
    b_set_whole(at + 2u * NEXT_COLUMN, r.c);
    b_set_whole(at + 3u * NEXT_COLUMN, r.d);
}

units scaled(units r, float factor)
{
    precise vec4 x = r.x * vec4(factor), y = r.y * vec4(factor);
    return units(x, y);
}
units plus(units a, units b)
{
    precise vec4 x = a.x + b.x, y = a.y + b.y;
    return units(x, y);
}
runs scaled(runs r, float f) { return runs(scaled(r.a, f), scaled(r.b, f), scaled(r.c, f), scaled(r.d, f)); }
runs plus(runs r, runs s) { return runs(plus(r.a, s.a), plus(r.b, s.b), plus(r.c, s.c), plus(r.d, s.d)); }

// ---- copies: elements x .. of A to elements y .. of B, n columns -------------------------------------------------
bool same_type() { return A_TYPE == B_TYPE || (A_WIDE && B_WIDE); }    // the bits need no change

void copy_columns(uint x, uint y, uint n)
{
    uint t = gl_LocalInvocationIndex, c = NEXT_RUN * t;
    uint whole = has_quads(x, y) ? n & ~(RUN_COLUMNS - 1u) : 0u;
#ifndef WN_WINDOWS
    for (; c < whole; c += NEXT_COLUMN) {
        if (same_type()) b0_quads[(y + c) / (4u * UNIT)] = a0_quads[(x + c) / (4u * UNIT)];
        else b_set_quads(y + c, a_quads(x + c));
    }
#endif
    for (c = whole + UNIT * t; c < n; c += UNIT * LOCAL) b_set_unit(y + c, a_unit(x + c, c + 1u < n), c + 1u < n);
}

void clear_columns(uint y, uint n)
{
    for (uint c = UNIT * gl_LocalInvocationIndex; c < n; c += UNIT * LOCAL) b_set_unit(y + c, vec2(0.0), c + 1u < n);
}

// Row `to` of B from what a list says of A: no row gives zeros.
void copy_row(uint entry, uint to, uvec2 columns)
{
    uint y = b_row(to) + columns.x, n = columns.y - columns.x;
    copy_columns(a_row(entry) + columns.x, y, is_row(entry) ? n : 0u);
    clear_columns(y, is_row(entry) ? 0u : n);
}
#endif
