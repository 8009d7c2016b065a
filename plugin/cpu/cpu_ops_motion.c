/* The camera's move between frames, on the token grid. */
#include "cpu_ops.h"

static uint32_t clamped(int32_t value, int32_t low, int32_t high)
{
    return (uint32_t)(value < low ? low : value > high ? high : value);
}

void cpu_shift_sim(const struct wn_args_shift_sim *pc, const wn_cpu_memory *m)
{
    const uint32_t side = 2 * pc->radius + 1, shifts = side * side, tokens = pc->tokens;
    const int32_t radius = (int32_t)pc->radius, w = (int32_t)pc->grid_w,
                  h = (int32_t)(tokens / pc->grid_w);
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames * shifts * tokens);
    float *x_room = m->scratch, *y_room = x_room + pc->cols;
    for (uint32_t e = own.begin; e < own.end; ++e) {
        const uint32_t j = e % tokens, s = e / tokens % shifts, t = e / (tokens * shifts);
        const int32_t q = (int32_t)m->w[pc->ref_at + t];
        if (q == -1) {
            set_real(m, pc->sim_at, e, 0.0f);
            continue;
        }
        const int32_t row = (int32_t)j / w + (int32_t)(s / side) - radius,
                      column = (int32_t)j % w + (int32_t)(s % side) - radius;
        const uint32_t from = clamped(row, 0, h - 1) * pc->grid_w + clamped(column, 0, w - 1);
        const wn_cpu_rows *rows = q >= 0 ? &m->a : &m->b;
        const uint32_t place = (q >= 0 ? (uint32_t)q : (uint32_t)(-2 - q)) * tokens + from;
        const uint32_t x_row = entry(m, pc->rows_at, t * tokens + j);
        const uint32_t y_row = q >= 0 ? entry(m, pc->rows_at, place) : place;
        const float dot = wn_cpu_dot32(wn_cpu_row(&m->a, x_row, pc->cols, x_room),
                                       wn_cpu_row(rows, y_row, pc->cols, y_room), pc->cols);
        const float inv = real(m, q >= 0 ? pc->inv_at : pc->inv_old_at, place);
        set_real(m, pc->sim_at, e, dot * (real(m, pc->inv_at, t * tokens + j) * inv));
    }
}

static int32_t part(uint32_t word, uint32_t k)
{
    return (int32_t)((word >> (8 * k)) & 255u) - 128;
}

static int32_t floor_div(int32_t a, int32_t b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/* Where along a move a token comes from. */
typedef struct origin {
    uint32_t shift, place;
    bool inside;
} origin;

static origin origin_of(const struct wn_args_motion_fit *pc, uint32_t word, uint32_t j)
{
    const int32_t w = (int32_t)pc->grid_w, h = (int32_t)pc->tokens / w,
                  radius = (int32_t)pc->radius;
    const int32_t row = (int32_t)j / w, column = (int32_t)j % w;
    const int32_t longest = h > w ? h - 1 : w - 1, edge = longest > 1 ? longest : 1;
    const int32_t y = 2 * row - (h - 1), x = 2 * column - (w - 1);
    const int32_t zoom = part(word, 0), turn = part(word, 1);
    const int32_t dy = part(word, 2) + floor_div(zoom * y + turn * x + edge, 2 * edge);
    const int32_t dx = part(word, 3) + floor_div(zoom * x - turn * y + edge, 2 * edge);
    const int32_t near_y = dy < -radius ? -radius : dy > radius ? radius : dy;
    const int32_t near_x = dx < -radius ? -radius : dx > radius ? radius : dx;
    const uint32_t from_row = clamped(row + near_y, 0, h - 1),
                   from_column = clamped(column + near_x, 0, w - 1);
    return (origin){.shift = (uint32_t)((near_y + radius) * (2 * radius + 1) + near_x + radius),
                    .place = from_row * pc->grid_w + from_column,
                    .inside = dy == near_y && dx == near_x && (int32_t)from_row == row + dy &&
                              (int32_t)from_column == column + dx};
}

static float gain(const struct wn_args_motion_fit *pc, const wn_cpu_memory *m, uint32_t word,
                  uint32_t table)
{
    float sum = 0.0f;
    uint32_t count = 0;
    for (uint32_t j = 0; j < pc->tokens; ++j) {
        const origin from = origin_of(pc, word, j);
        const float c = real(m, table, from.shift * pc->tokens + j);
        sum += from.inside && !is_nan(c) ? c : 0.0f;
        count += from.inside;
    }
    const float mean = sum * recip_((float)(count ? count : 1));
    return 2 * count < pc->tokens ? bits_f32(0x7fc00000u) : mean;
}

static uint32_t on_top(uint32_t word, uint32_t move)
{
    const uint32_t dy = (uint32_t)(part(word, 2) + part(move, 2) + 128),
                   dx = (uint32_t)(part(word, 3) + part(move, 3) + 128);
    return (word & 0xffffu) | dy << 16 | dx << 24;
}

static uint32_t better_move(const struct wn_args_motion_fit *pc, const wn_cpu_memory *m,
                            uint32_t taken, uint32_t first, uint32_t count, uint32_t table)
{
    uint32_t best_key = 0, best = taken;
    for (uint32_t k = 0; k < count; ++k) {
        const uint32_t word = on_top(m->w[pc->moves_at + first + k], taken);
        const uint32_t key = score_key(gain(pc, m, word, table));
        if (key > best_key) {
            best_key = key;
            best = word;
        }
    }
    if (best_key == 0)
        return taken;
    const float left = 1.0f - gain(pc, m, best, table), before = 1.0f - gain(pc, m, taken, table);
    return left <= pc->less * before ? best : taken;
}

void cpu_motion_fit(const struct wn_args_motion_fit *pc, const wn_cpu_memory *m)
{
    const uint32_t side = 2 * pc->radius + 1, tokens = pc->tokens;
    const wn_cpu_span own = wn_cpu_share(m, 0, pc->frames);
    for (uint32_t t = own.begin; t < own.end; ++t) {
        const uint32_t table = pc->sim_at + t * side * side * tokens;
        const int32_t q = (int32_t)m->w[pc->ref_at + t];
        uint32_t move = m->w[pc->moves_at];
        if (q != -1) {
            move = better_move(pc, m, move, 0, pc->shifts, table);
            if (pc->turns)
                move = better_move(pc, m, move, pc->shifts, pc->turns, table);
        }
        for (uint32_t j = 0; j < tokens; ++j) {
            const origin from = origin_of(pc, move, j);
            const float score = 1.0f - real(m, table, from.shift * tokens + j);
            set_real(m, pc->score_at, t * tokens + j, q == -1 ? pc->none_value : score);
            if (pc->dest_at != WN_NONE)
                m->w[pc->dest_at + t * tokens + j] =
                    q >= 0 ? (uint32_t)q * tokens + from.place : WN_NONE;
        }
        m->w[pc->move_at + t] = move;
    }
}
