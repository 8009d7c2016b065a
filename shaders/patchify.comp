// patchify: patches of RGB bytes as rows of numbers, byte * scale + shift, channel by channel or pixel by pixel, cells in blocks of f x f.
// THREADS: an invocation two neighbouring columns of a row. Shared: none. Cost: two bytes.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_patchify
#include "common.glsl"

// Column c of the patch whose first pixel is (top, left), of the frames from t on.
float value(uint t, uint top, uint left, uint c)
{
    uint p = pc.patch_, inside = c % (3u * p * p);
    uint pixel = pc.by_pixel != 0u ? inside / 3u : inside % (p * p);
    uint channel = pc.by_pixel != 0u ? inside % 3u : inside / (p * p), dx = pixel % p, dy = pixel / p;
    uint frame = min(t + c / (3u * p * p), pc.frames - 1u);
    uint at = 3u * ((frame * pc.height + top + dy) * pc.width + left + dx) + channel;
    float level = float((a_word(pc.a_base + (at >> 2)) >> (8u * (at & 3u))) & 0xffu);
    precise float x = level * (channel == 0u ? pc.scale0 : channel == 1u ? pc.scale1 : pc.scale2);
    x = x + (channel == 0u ? pc.shift0 : channel == 1u ? pc.shift1 : pc.shift2);
    return x;
}

void main()
{
    uint p = pc.patch_, f = pc.f, cols = pc.times * 3u * p * p, pairs = (cols + 1u) >> 1;
    uint r = item() / pairs, c = 2u * (item() % pairs);
    uint across = pc.width / p, cells = pc.height / p * across, group = r / cells, cell = r % cells;
    if (group >= (pc.frames + pc.times - 1u) / pc.times) return;
    uint block = cell / (f * f), inside = cell % (f * f), blocks = across / f;
    uint top = (block / blocks * f + inside / f) * p, left = (block % blocks * f + inside % f) * p;
    bool has_second = c + 1u < cols;
    float x = value(group * pc.times, top, left, c);
    float y = has_second ? value(group * pc.times, top, left, c + 1u) : 0.0;
    store_b2(r, c, x, y, has_second);
}
