// patch_dct: the low frequencies of each patch's DCT-II: coefficient (u, v) = sum over y, x of
// (f(y, x) * cy[u, y]) * cx[v, x], f = 2Y-1, Cb or Cr; a token's row: luma, then Cb, then Cr, in zigzag order.
// THREADS: an invocation a (token, coefficient). Shared: none. Cost: patch^2 pixels.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_patch_dct
#include "common.glsl"

// Byte `at` of the frames, in 0..1.
float level(uint at)
{
    precise float v = float((a_word(pc.a_base + (at >> 2)) >> (8u * (at & 3u))) & 0xffu) * uintBitsToFloat(0x3b808081u);
    return v;    // the bits are 1/255
}

// Plane 0: 2Y-1, 1: Cb, 2: Cr of a pixel.
float colour(uint pixel, uint plane)
{
    uint at = 3u * pixel;
    float r = level(at), g = level(at + 1u), b = level(at + 2u);
    precise float r_part = 0.299 * r, g_part = 0.587 * g, b_part = 0.114 * b;
    precise float rg = r_part + g_part;
    precise float y = rg + b_part;
    precise float f;
    if (plane == 0u) {
        precise float twice = 2.0 * y;
        f = twice - 1.0;
    } else {
        precise float difference = (plane == 1u ? b : r) - y;
        f = (plane == 1u ? 0.564 : 0.713) * difference;
    }
    return f;
}

void main()
{
    uint dim = pc.luma + 2u * pc.chroma, token = item() / dim, k = item() % dim, p = pc.patch_;
    uint patches_x = pc.width / p, patches_y = pc.height / p;
    if (token >= pc.frames * patches_y * patches_x) return;
    uint t = token / (patches_y * patches_x), top = token / patches_x % patches_y * p, left = token % patches_x * p;

    uint plane = k < pc.luma ? 0u : k < pc.luma + pc.chroma ? 1u : 2u;
    uint frequency = w_u(pc.zigzag_at + (plane == 0u ? k : k - pc.luma - (plane - 1u) * pc.chroma));
    uint cy = pc.basis_at + frequency / p * p, cx = pc.basis_at + frequency % p * p;

    precise float sum = 0.0;
    for (uint y = 0u; y < p; ++y) {
        float wy = w_f(cy + y);
        uint line = (t * pc.height + top + y) * pc.width + left;
        for (uint x = 0u; x < p; ++x) {
            precise float fy = colour(line + x, plane) * wy;
            precise float term = fy * w_f(cx + x);
            sum = sum + term;
        }
    }
    store_b(token, k, sum);
}
