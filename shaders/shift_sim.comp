// shift_sim: cosine of token j of frame t with the token `shift` away from its place in frame ref[t], for every shift
// up to the radius; B holds the frames of earlier pushes.
//   c = dot(x,y) * (inv(x) * inv(y)), the bits of frame_sim's
// LANES: 32 invocations a token and shift. Shared: the tree of dot32. Cost: 2*cols loads each; the same rows come
// (2*radius+1)^2 times, from caches: a frame and the one before are all that is read meanwhile.
#version 460
#extension GL_GOOGLE_include_directive : require
#define ARGS wn_args_shift_sim
#include "common.glsl"
#include "reduce.glsl"

void main()
{
    uint e = lanes_item(), l = lane(), side = 2u * pc.radius + 1u, shifts = side * side;
    bool is_item = e < pc.frames * shifts * pc.tokens;
    uint j = e % pc.tokens, s = e / pc.tokens % shifts, t = e / (pc.tokens * shifts);
    int q = is_item ? int(w_u(pc.ref_at + t)) : -1;
    int dy = int(s / side) - int(pc.radius), dx = int(s % side) - int(pc.radius);
    int row = clamp(int(j / pc.grid_w) + dy, 0, int(pc.tokens / pc.grid_w) - 1);
    int column = clamp(int(j % pc.grid_w) + dx, 0, int(pc.grid_w) - 1);
    uint from = uint(row) * pc.grid_w + uint(column);
    uint x_entry = q != -1 ? list_entry(pc.rows_at, t * pc.tokens + j) : WN_NONE;
    uint y_entry = q >= 0 ? list_entry(pc.rows_at, uint(q) * pc.tokens + from) : WN_NONE;
    bool is_old = q <= -2, has_x = is_row(x_entry), has_y = is_old || is_row(y_entry);
    uint x = has_x ? a_row(x_entry) : 0u;
    uint y = is_old ? b_row(uint(-2 - q) * pc.tokens + from) : has_y ? a_row(y_entry) : 0u;

    precise float p = 0.0;
    for (uint d = l; d < pc.cols; d += 32u) {
        float xd = has_x ? a_element(x + d) : 0.0;
        float yd = is_old ? b_element(y + d) : has_y ? a_element(y + d) : 0.0;
        precise float product = xd * yd;
        p = p + product;
    }
    float dot = dot32(p);
    if (!is_item || l != 0u) return;
    precise float c = 0.0;
    if (q != -1) {
        uint y_inv = is_old ? pc.inv_old_at + uint(-2 - q) * pc.tokens : pc.inv_at + uint(q) * pc.tokens;
        precise float f = w_f(pc.inv_at + t * pc.tokens + j) * w_f(y_inv + from);
        c = dot * f;
    }
    w_set_f(pc.sim_at + e, c);
}
