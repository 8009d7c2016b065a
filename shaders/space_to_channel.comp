// space_to_channel: output cell (t, y, x) gets the f*f input cells (y*f + di, x*f + dj) side by side as channels:
// (di*f + dj)*cols + c, for layout CHANNEL c*f*f + di*f + dj. Cells outside: zero, or the edge's cell.
// THREADS: an invocation two neighbouring channels of a cell. Shared: none. Cost: one load of A a channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_space_to_channel
#include "common.glsl"

#define PAD_EDGE 2u

// Channel `channel` of output cell (y, x) of frame t.
float value(uint t, uint y, uint x, uint channel)
{
    uint f = pc.factor, area = f * f;
    bool split = pc.layout_ == WN_LAYOUT_CHANNEL;
    uint cell = split ? channel % area : channel / pc.cols;    // di*f + dj
    uint c = split ? channel / area : channel % pc.cols;

    uint position = t * pc.h * pc.w;
    if (pc.layout_ == WN_LAYOUT_BLOCKS) {
        position += (y * pc.ow + x) * area + cell;
    } else {
        uint yy = y * f + cell / f, xx = x * f + cell % f;
        if (pc.pad == PAD_EDGE) {
            yy = min(yy, pc.h - 1u);
            xx = min(xx, pc.w - 1u);
        }
        if (yy >= pc.h || xx >= pc.w) return 0.0;
        position += yy * pc.w + xx;
    }
    uint row = w_u(pc.rows_at + position);
    return is_row(row) ? load_a(row, c) : 0.0;
}

void main()
{
    uint channels = pc.factor * pc.factor * pc.cols, pairs = (channels + 1u) >> 1;
    uint o = item() / pairs, channel = 2u * (item() % pairs);
    if (o >= pc.frames * pc.oh * pc.ow) return;
    uint t = o / (pc.oh * pc.ow), y = o / pc.ow % pc.oh, x = o % pc.ow;

    bool has_second = channel + 1u < channels;
    uint r = pc.layout_ == WN_LAYOUT_COLUMN ? (t * pc.ow + x) * pc.oh + y : o;
    store_b2(r, channel, value(t, y, x, channel), has_second ? value(t, y, x, channel + 1u) : 0.0, has_second);
}
