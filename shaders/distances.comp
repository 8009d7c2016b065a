// distances: B(e, u) = the squared distance of point e and point u of its segment, times scale. The differences are squared
// (not |x|^2 + |y|^2 - 2xy), so that a point's distance to itself is 0.
// One invocation a tile of four points by four, in registers; four points of several segments are done one by one.
// Shared: none. Cost: 16*cols times a subtraction, a multiplication and an addition a tile.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_distances
#include "common.glsl"

// Row e, columns u .. u+3, of them those below n.
void put(uint e, uint u, uint n, bool has_x, bvec4 has_y, vec4 sums)
{
    precise vec4 v = sums * pc.scale;
    v = has_x ? mix(vec4(quiet_nan()), v, has_y) : vec4(quiet_nan());
    if (u < n) store_b(e, u, v.x);
    if (u + 1u < n) store_b(e, u + 1u, v.y);
    if (u + 2u < n) store_b(e, u + 2u, v.z);
    if (u + 3u < n) store_b(e, u + 3u, v.w);
}

vec4 row_sums(uint x_entry, uvec4 y_entries)
{
    uint x = row_or_first(x_entry), y0 = row_or_first(y_entries.x), y1 = row_or_first(y_entries.y);
    uint y2 = row_or_first(y_entries.z), y3 = row_or_first(y_entries.w);
    precise vec4 sums = vec4(0.0);
    for (uint d = 0u; d < pc.cols; ++d) {
        vec4 y = vec4(a_element(y0 + d), a_element(y1 + d), a_element(y2 + d), a_element(y3 + d));
        precise vec4 apart = vec4(a_element(x + d)) - y;
        precise vec4 squares = apart * apart;
        sums = sums + squares;
    }
    return sums;
}

void main()
{
    uint k = item(), across = (pc.width + 3u) / 4u;
    uint e = k / across * 4u, u = k % across * 4u, count = w_u(pc.seg_at + pc.segs);
    if (e >= count) return;
    uint last = min(e + 3u, count - 1u);
    uint s = segment_of(e, pc.seg_at, pc.segs);
    uvec4 columns = uvec4(u, u + 1u, u + 2u, u + 3u);

    if (last < w_u(pc.seg_at + s + 1u)) {    // one segment
        uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
        if (u >= n) return;
        uvec4 p = list_entries(pc.pos_at, min(uvec4(e, e + 1u, e + 2u, e + 3u), uvec4(last)));
        uvec4 q = list_entries(pc.pos_at, begin + min(columns, uvec4(n - 1u)));
        uvec4 x_entries = list_entries(pc.list_at, p), y_entries = list_entries(pc.list_at, q);
        uint x0 = row_or_first(x_entries.x), x1 = row_or_first(x_entries.y);
        uint x2 = row_or_first(x_entries.z), x3 = row_or_first(x_entries.w);
        uint y0 = row_or_first(y_entries.x), y1 = row_or_first(y_entries.y);
        uint y2 = row_or_first(y_entries.z), y3 = row_or_first(y_entries.w);
        precise vec4 sums0 = vec4(0.0), sums1 = vec4(0.0), sums2 = vec4(0.0), sums3 = vec4(0.0);
        for (uint d = 0u; d < pc.cols; ++d) {
            vec4 y = vec4(a_element(y0 + d), a_element(y1 + d), a_element(y2 + d), a_element(y3 + d));
            precise vec4 apart0 = vec4(a_element(x0 + d)) - y, apart1 = vec4(a_element(x1 + d)) - y;
            precise vec4 apart2 = vec4(a_element(x2 + d)) - y, apart3 = vec4(a_element(x3 + d)) - y;
            precise vec4 squares0 = apart0 * apart0, squares1 = apart1 * apart1;
            precise vec4 squares2 = apart2 * apart2, squares3 = apart3 * apart3;
            sums0 = sums0 + squares0; sums1 = sums1 + squares1;
            sums2 = sums2 + squares2; sums3 = sums3 + squares3;
        }
        bvec4 has_x = are_rows(x_entries), has_y = are_rows(y_entries);
        put(e, u, n, has_x.x, has_y, sums0);
        if (e + 1u <= last) put(e + 1u, u, n, has_x.y, has_y, sums1);
        if (e + 2u <= last) put(e + 2u, u, n, has_x.z, has_y, sums2);
        if (e + 3u <= last) put(e + 3u, u, n, has_x.w, has_y, sums3);
        return;
    }
    for (; e <= last; ++e) {
        s = segment_of(e, pc.seg_at, pc.segs);
        uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin;
        if (u >= n) continue;
        uint x_entry = list_entry(pc.list_at, list_entry(pc.pos_at, e));
        uvec4 y_entries = list_entries(pc.list_at, list_entries(pc.pos_at, begin + min(columns, uvec4(n - 1u))));
        put(e, u, n, is_row(x_entry), are_rows(y_entries), row_sums(x_entry, y_entries));
    }
}
