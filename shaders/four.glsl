// four.glsl: elements of A by fours, and what drivers that run on a CPU do with them. Include after common.glsl.
#ifndef FOUR_GLSL
#define FOUR_GLSL

// 1: values pass from lane to lane by broadcasts (device_features.h); subgroups are of 8 or 4 lanes then.
layout(constant_id = 11) const uint BROADCAST_TILES = 0u;
// 1: a load is a loop over the lanes, as in Mesa before 25: the fewer the better, even if sums have to leave the registers.
layout(constant_id = 12) const uint LOOPED_LOADS = 0u;

// How many of cols elements of a row can be loaded by fours: none where rows may start elsewhere.
uint by_fours(uint cols)
{
    uint mask = QUADS != 0u ? 3u : A_WIDE ? 0u : 1u;
    return ((pc.a_base | pc.a_stride) & mask) == 0u ? cols & ~3u : 0u;
}
// Four neighbouring elements of A, from a multiple of four on.
vec4 a_four(uint at)
{
    vec4 v;
#ifndef WN_WINDOWS
    if (QUADS != 0u) {
        if (A_WIDE) return uintBitsToFloat(a0_quads[at >> 2]);
        uvec2 pair = a0_twos[at >> 2];
        return vec4(a_halves(pair.x), a_halves(pair.y));
    }
#endif
    if (A_WIDE) v = uintBitsToFloat(uvec4(a_word(at), a_word(at + 1u), a_word(at + 2u), a_word(at + 3u)));
    else v = vec4(a_halves(a_word(at >> 1)), a_halves(a_word((at >> 1) + 1u)));
    return v;
}

#ifdef WN_SUBGROUP
#extension GL_KHR_shader_subgroup_ballot : require
const uint SUB_SIZE = SUBGROUP_SIZE == 4u ? 4u : 8u;
#endif
#endif
