#include "expect.h"

/* Two grids of 2 x 3 with one channel: a kernel that takes the cell to the left, half of the cell below and twice that below to the
 * right; with bias and ReLU. */
static void expect_full(expectations *e)
{
    static const float cells[12] = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
    static const float kernel[9] = {0, 0, 0, 1, 0, 0, 0, 0.5f, 2};
    ops_case c;
    case_init(&c, 1, 0);
    set_a(&c, 12, 1, cells);
    const uint32_t at = make_c(&c, 9, 1, WINNOW_F32, PLAIN, 1);
    for (uint32_t k = 0; k < 9; ++k)
        put_c(&c, k, 0, kernel[k]);
    put_c_word(&c, at, 1.0f);
    make_pool(&c, 12, WINNOW_F32);
    wn_op *op = ADD(&c, grid_conv, 4, .frames = 2, .h = 2, .w = 3, .kh = 3, .kw = 3, .inner = 1,
                    .cols = 1, .bias_at = at, .relu = 1);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 1);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "grid_conv", o.pool, 13, 16.5f, 6, 1, 5, 6, 0, 0, 0, 1, 0, 0);
    outcome_free(&o);
}

/* One sequence of three cells of two channels: each channel its own kernel of three, from the left: (1, 10, 100) and (0, 1, 2). */
static void expect_depth(expectations *e)
{
    static const float cells[6] = {1, 1, 2, 3, 4, 5};
    static const float kernel[6] = {1, 0, 10, 1, 100, 2};
    ops_case c;
    case_init(&c, 2, 0);
    set_a(&c, 3, 2, cells);
    make_c(&c, 3, 2, WINNOW_F32, PLAIN, 0);
    for (uint32_t k = 0; k < 6; ++k)
        put_c(&c, k / 2, k % 2, kernel[k]);
    make_pool(&c, 6, WINNOW_F32);
    wn_op *op = ADD(&c, grid_conv, 1, .frames = 1, .h = 1, .w = 3, .kh = 1, .kw = 3, .inner = 2,
                    .cols = 2, .depth = 1, .bias_at = WN_NONE);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "grid_conv: each channel", o.pool, 210, 7, 421, 13, 42, 5);
    outcome_free(&o);
}

/* Two channels in and out, one cell: the products of all, channel by channel. */
static void expect_mixed(expectations *e)
{
    static const float cells[2] = {3, 5};
    ops_case c;
    case_init(&c, 3, 0);
    set_a(&c, 1, 2, cells);
    make_c(&c, 2, 2, WINNOW_F16, PLAIN, 0);
    for (uint32_t k = 0; k < 4; ++k)
        put_c(&c, k / 2, k % 2, (float)(k + 1));
    make_pool(&c, 2, WINNOW_F32);
    wn_op *op = ADD(&c, grid_conv, 1, .frames = 1, .h = 1, .w = 1, .kh = 1, .kw = 1, .inner = 2,
                    .cols = 2, .bias_at = WN_NONE);
    use_a(&c, op);
    use_c(&c, op);
    write_pool(&c, op, 0, 2);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "grid_conv: one cell", o.pool, 18, 26);
    outcome_free(&o);
}

void expect_convolution(expectations *e)
{
    expect_full(e);
    expect_depth(e);
    expect_mixed(e);
}
