// motion_fit: the camera's move between two frames: the candidate whose tokens are most like those that they came from,
// if it explains enough of what no move leaves unexplained; then each token's score and origin along it.
//   gain(move) = mean of sim over the tokens that stay inside
// GROUPS: one workgroup a frame; an invocation sums whole candidates. Shared: group_best. Cost: (shifts + turns)*tokens
// loads a frame, of shift_sim's table.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_motion_fit
#include "common.glsl"
#include "reduce.glsl"

int part(uint word, uint k) { return int((word >> (8u * k)) & 255u) - 128; }

int floor_div(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// Where along `move` token j comes from: its shift (x), its place (y) and whether it is inside (z).
uvec3 origin(uint word, uint j)
{
    int w = int(pc.grid_w), h = int(pc.tokens) / w, radius = int(pc.radius), side = 2 * radius + 1;
    int row = int(j) / w, column = int(j) % w, m = max(max(h, w) - 1, 1);
    int y = 2 * row - (h - 1), x = 2 * column - (w - 1), zoom = part(word, 0u), turn = part(word, 1u);
    int dy = part(word, 2u) + floor_div(zoom * y + turn * x + m, 2 * m);
    int dx = part(word, 3u) + floor_div(zoom * x - turn * y + m, 2 * m);
    bool near = max(abs(dy), abs(dx)) <= radius;
    dy = clamp(dy, -radius, radius);
    dx = clamp(dx, -radius, radius);
    int from_row = clamp(row + dy, 0, h - 1), from_column = clamp(column + dx, 0, w - 1);
    bool inside = near && from_row == row + dy && from_column == column + dx;
    return uvec3(uint((dy + radius) * side + dx + radius), uint(from_row * w + from_column), inside ? 1u : 0u);
}

float gain(uint word, uint table)
{
    precise float sum = 0.0;
    uint count = 0u;
    for (uint j = 0u; j < pc.tokens; ++j) {
        uvec3 from = origin(word, j);
        float c = w_f(table + from.x * pc.tokens + j);
        sum = sum + (from.z != 0u && !is_nan(c) ? c : 0.0);
        count += from.z;
    }
    precise float mean = sum * recip_(float(max(count, 1u)));
    return 2u * count < pc.tokens ? quiet_nan() : mean;
}

uint on_top(uint word, uint move)
{
    uint dy = uint(part(word, 2u) + part(move, 2u) + 128), dx = uint(part(word, 3u) + part(move, 3u) + 128);
    return (word & 0xffffu) | dy << 16 | dx << 24;
}

// The best of `count` candidates from `first` on, on top of `taken`, if it is so much better; else `taken`.
uint better_move(uint taken, uint first, uint count, uint table)
{
    uvec2 own = uvec2(0u, WN_NONE);
    for (uint k = thread(); k < count; k += LOCAL)
        own = better(own, uvec2(score_key(gain(on_top(w_u(pc.moves_at + first + k), taken), table)), k));
    uvec2 best = group_best(own);
    if (best.x == 0u) return taken;
    uint word = on_top(w_u(pc.moves_at + first + best.y), taken);
    precise float left = 1.0 - gain(word, table), before = 1.0 - gain(taken, table);
    precise float most = pc.less * before;
    return left <= most ? word : taken;
}

void main()
{
    uint t = group_index();
    if (t >= pc.frames) return;
    int q = int(w_u(pc.ref_at + t));
    uint side = 2u * pc.radius + 1u, table = pc.sim_at + t * side * side * pc.tokens;
    uint none = w_u(pc.moves_at), move = none;
    if (q != -1) {
        move = better_move(none, 0u, pc.shifts, table);
        if (pc.turns != 0u) move = better_move(move, pc.shifts, pc.turns, table);
    }
    for (uint j = thread(); j < pc.tokens; j += LOCAL) {
        uvec3 from = origin(move, j);
        precise float score = 1.0 - w_f(table + from.x * pc.tokens + j);
        w_set_f(pc.score_at + t * pc.tokens + j, q == -1 ? pc.none_value : score);
        if (pc.dest_at != WN_NONE)
            w_set_u(pc.dest_at + t * pc.tokens + j, q >= 0 ? uint(q) * pc.tokens + from.y : WN_NONE);
    }
    if (thread() == 0u) w_set_u(pc.move_at + t, move);
}
