// resize: one axis of a separable resize of RGB bytes, in fixed point: 22 bits behind the point, rounded, clipped.
// THREADS: an invocation a word of B, four bytes. Shared: none. Cost: a load and a multiply-add a byte and tap.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_resize
#include "common.glsl"

uint pixel_byte(uint at) { return (a_word(pc.a_base + (at >> 2)) >> (8u * (at & 3u))) & 0xffu; }

uint out_byte(uint at)
{
    uint channel = at % 3u, pixel = at / 3u, x = pixel % pc.out_w, line = pixel / pc.out_w;
    uint y = line % pc.out_h, t = line / pc.out_h, o = pc.vertical != 0u ? y : x;
    uint count = w_u(pc.count_at + o), start = w_u(pc.start_at + o), coef = pc.coef_at + o * pc.taps;
    if (count == 0u) return (pc.fill >> (8u * channel)) & 0xffu;
    uint from = pc.vertical != 0u ? (t * pc.in_h + start) * pc.in_w + x : (t * pc.in_h + y) * pc.in_w + start;
    uint step_ = pc.vertical != 0u ? 3u * pc.in_w : 3u;
    int sum = 1 << 21;
    for (uint k = 0u; k < count; ++k)
        sum += int(w_u(coef + k)) * int(pixel_byte(3u * from + channel + k * step_));
    return uint(clamp(sum >> 22, 0, 255));
}

void main()
{
    uint bytes = pc.frames * pc.out_w * pc.out_h * 3u, at = 4u * item();
    if (at >= bytes) return;
    uint word = 0u;
    for (uint i = 0u; i < 4u && at + i < bytes; ++i) word |= out_byte(at + i) << (8u * i);
    b_set_word(pc.b_base + item(), word);
}
