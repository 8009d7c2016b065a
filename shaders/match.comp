// match: for each source the target of its segment with the highest cos = dotseq(x, y) * (inv_x * inv_y).
// One invocation takes four neighbouring sources and walks the targets of their segments in tiles of four:
// 16 dot products in registers for 8 loads a dimension. Sources of several segments walk the targets of all of
// these and take those of their own. A dispatch may look at a
// part of each segment's targets and go on from the part before. Shared: none. Cost: targets * cols * 16 multiply-adds in
// tiles of 4x4.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_match
#include "common.glsl"

// The best target so far: it, its cos and its score key.
struct candidate { float c; uint key; uint target; };

void offer(inout candidate best, float c, uint target)
{
    uint key = score_key(c);
    if (best.target == WN_NONE || key > best.key) best = candidate(c, key, target);
}

// Targets u .. u+3 at positions q, those of them that are in the source's range.
void offer4(inout candidate best, vec4 dots, float x_inv, vec4 y_inv, uvec4 q, uint u, uvec2 range)
{
    precise vec4 factor = x_inv * y_inv;
    precise vec4 c = dots * factor;
    if (u >= range.x && u < range.y) offer(best, c.x, q.x);
    if (u + 1u >= range.x && u + 1u < range.y) offer(best, c.y, q.y);
    if (u + 2u >= range.x && u + 2u < range.y) offer(best, c.z, q.z);
    if (u + 3u >= range.x && u + 3u < range.y) offer(best, c.w, q.w);
}

void put(uint e, candidate best)
{
    w_set_f(pc.best_at + e, best.c);
    w_set_u(pc.arg_at + e, best.target);
}

// The targets of source e's segment, from and up to.
uvec2 targets_of(uint e)
{
    uint s = segment_of(e, pc.src_seg_at, pc.segs);
    return uvec2(w_u(pc.dst_seg_at + s), w_u(pc.dst_seg_at + s + 1u));
}

// The part of them that this dispatch looks at.
uvec2 part_of(uint s)
{
    uint begin = w_u(pc.dst_seg_at + s), end = w_u(pc.dst_seg_at + s + 1u);
    uint from = min(begin + pc.from, end);
    return uvec2(from, pc.most == 0u ? end : min(end, from + pc.most));
}

// The best of the parts before.
candidate so_far(uint e)
{
    if (pc.from == 0u) return candidate(quiet_nan(), 0u, WN_NONE);
    float c = w_f(pc.best_at + e);
    return candidate(c, score_key(c), w_u(pc.arg_at + e));
}

void main()
{
    uint e = item() * 4u, count = w_u(pc.src_seg_at + pc.segs);
    if (e >= count) return;

    // A missing second, third or fourth source repeats the last one.
    uint last = count - 1u;
    uvec4 p = list_entries(pc.src_pos_at, min(uvec4(e, e + 1u, e + 2u, e + 3u), uvec4(last)));
    uvec4 x = list_entries(pc.list_at, p);
    vec4 x_inv = w_f4(pc.inv_at, p);
    uvec2 range0 = targets_of(e), range3 = targets_of(min(e + 3u, last));
    uvec2 range1 = range0, range2 = range0;
    if (range3 != range0) {
        range1 = targets_of(min(e + 1u, last));
        range2 = targets_of(min(e + 2u, last));
    }

    candidate best0 = so_far(e), best1 = so_far(min(e + 1u, last)), best2 = so_far(min(e + 2u, last));
    candidate best3 = so_far(min(e + 3u, last));
    // One segment: its part of the targets. Several: all segments between, each its part.
    for (uint s = segment_of(e, pc.src_seg_at, pc.segs); s < pc.segs && w_u(pc.src_seg_at + s) <= min(e + 3u, last); ++s) {
        uvec2 part = part_of(s);
        for (uint u = part.x; u < part.y; u += 4u) {
            uvec4 q = list_entries(pc.dst_pos_at, min(uvec4(u, u + 1u, u + 2u, u + 3u), uvec4(part.y - 1u)));
            vec4 dots0, dots1, dots2, dots3;
            dot_tile(x, list_entries(pc.list_at, q), pc.cols, dots0, dots1, dots2, dots3);
            vec4 y_inv = w_f4(pc.inv_at, q);
            offer4(best0, dots0, x_inv.x, y_inv, q, u, min(range0, part.yy));
            offer4(best1, dots1, x_inv.y, y_inv, q, u, min(range1, part.yy));
            offer4(best2, dots2, x_inv.z, y_inv, q, u, min(range2, part.yy));
            offer4(best3, dots3, x_inv.w, y_inv, q, u, min(range3, part.yy));
        }
    }

    put(e, best0);
    if (e + 1u < count) put(e + 1u, best1);
    if (e + 2u < count) put(e + 2u, best2);
    if (e + 3u < count) put(e + 3u, best3);
}
