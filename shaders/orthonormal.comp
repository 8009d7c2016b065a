// orthonormal: the columns of a segment's rows of B in place, each without its parts along the ones before (twice over,
// which f32 needs), of length 1 or all zeros.
// GROUPS: a workgroup a segment; every 32 invocations do one dot product at a time. Columns pass between invocations through
// B, their parts through W. Shared: dot32. Cost: 4*groups*groups*n multiply-adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_orthonormal
#include "common.glsl"
#include "reduce.glsl"


float column_dot(uint begin, uint n, uint u, uint g)
{
    precise float p = 0.0;
    for (uint i = lane(); i < n; i += 32u) {
        uint row = b_row(begin + i);
        precise float xy = b_element(row + u) * b_element(row + g);
        p = p + xy;
    }
    return dot32(p);
}

void main()
{
    uint s = group_index(), t = thread(), teams = LOCAL / 32u;
    if (s >= pc.segs) return;
    uint begin = w_u(pc.seg_at + s), n = w_u(pc.seg_at + s + 1u) - begin, groups = w_u(pc.groups_at + s);
    uint parts = pc.parts_at + s * pc.most, stop = pc.count == 0u ? groups : min(groups, pc.from + pc.count);
    for (uint g = pc.from; g < stop; ++g) {
        for (uint round = 0u; round < 2u; ++round) {
            for (uint u0 = 0u; u0 < g; u0 += teams) {
                uint u = u0 + (t >> 5);
                float part = column_dot(begin, n, min(u, g), g);
                if (u < g && lane() == 0u) w_set_f(parts + u, part);
                exchange();
            }
            exchange();
            for (uint i = t; i < n; i += LOCAL) {
                uint row = b_row(begin + i);
                precise float v = b_element(row + g);
                for (uint u = 0u; u < g; ++u) {
                    precise float along = w_f(parts + u) * b_element(row + u);
                    v = v - along;
                }
                b_set_word(row + g, floatBitsToUint(v));
            }
            exchange();
        }
        float length2 = column_dot(begin, n, g, g), factor = length2 > 1e-30 ? rsqrt_(length2) : 0.0;
        exchange();
        for (uint i = t; i < n; i += LOCAL) {
            uint row = b_row(begin + i);
            precise float v = b_element(row + g) * factor;
            b_set_word(row + g, floatBitsToUint(v));
        }
        exchange();
    }
}
