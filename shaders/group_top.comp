// group_top: the best of each group of tokens, as many as a table says for so many.
// THREADS: an invocation a token, by counting. Shared: none. Cost: n loads a token, which neighbours share.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_group_top
#include "common.glsl"

uint group_of(uint token)
{
    if (pc.group_at == WN_NONE) return token / pc.tokens;
    float group = w_f(pc.group_at + token);
    uint word = is_nan(group) ? 0x7fc00000u : floatBitsToUint(group);
    return word == 0x80000000u ? 0u : word;
}

void main()
{
    uint i = item();
    if (i >= pc.n_max || i >= w_u(pc.seg_at + pc.segs)) return;
    uint token = w_u(pc.index_at + i);
    if (!is_row(token)) {
        w_set_u(pc.flag_at + i, 1u);
        return;
    }
    uint s = segment_of(i, pc.seg_at, pc.segs), end = w_u(pc.seg_at + s + 1u), group = group_of(token);
    uint key = score_key(w_f(pc.score_at + i)), count = 0u, before = 0u;
    for (uint j = w_u(pc.seg_at + s); j < end; ++j) {
        uint other = w_u(pc.index_at + j);
        if (!is_row(other) || group_of(other) != group) continue;
        uint rival = score_key(w_f(pc.score_at + j));
        ++count;
        before += rival > key || (rival == key && j < i) ? 1u : 0u;
    }
    w_set_u(pc.flag_at + i, before < w_u(pc.table_at + count) ? 1u : 0u);
}
