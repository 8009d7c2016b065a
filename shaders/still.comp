// still: the places that stand still in the span of a frame, and where their tokens go: to the span's first frame.
// THREADS: an invocation a token. Shared: none. Cost: a few loads of W.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_still
#include "common.glsl"

void main()
{
    uint i = item();
    if (i >= pc.frames * pc.tokens) return;
    uint t = i / pc.tokens, j = i % pc.tokens, k = w_u(pc.of_at + t);
    uint first = w_u(pc.starts_at + k), last = w_u(pc.starts_at + k + 1u) - 1u;
    float value = w_f(pc.value_at + first * pc.tokens + j);
    bool holds = pc.rule == 0u ? w_u(pc.value_at + last * pc.tokens + j) >= last - first : !is_nan(value) && value > pc.bound;
    bool is_still = last > first && holds, moves = is_still && t != first;
    w_set_u(pc.flag_at + i, is_still ? 1u : 0u);
    w_set_u(pc.keep_at + i, moves ? 0u : 1u);
    w_set_u(pc.dest_at + i, moves ? first * pc.tokens + j : WN_NONE);
}
