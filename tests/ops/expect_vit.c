#include <math.h>

#include "expect.h"

static void put_half(unsigned char *at, float x)
{
    const uint16_t half = f32_to_f16(x);
    memcpy(at, &half, sizeof half);
}

/* One block of a file's type to a row of numbers. */
static outcome unpacked(expectations *e, uint32_t type, const unsigned char *block, uint32_t bytes,
                        uint32_t cols)
{
    ops_case c;
    case_init(&c, 20, 0);
    make_matrix(&c, &c.a, 1, (bytes + 3) / 4, WINNOW_F32, PLAIN);
    c.a.dtype = WINNOW_I32;
    memcpy(c.a.data, block, bytes);
    make_pool(&c, cols, WINNOW_F32);
    wn_op *op = ADD(&c, unpack, cols / 2, .type = type, .rows = 1, .cols = cols);
    use_a(&c, op);
    write_pool(&c, op, 0, cols);
    return run_expected(e, &c);
}

static void expect_small_blocks(expectations *e)
{
    unsigned char q4[18] = {0}, q8[34] = {0};
    put_half(q4, 0.5f);
    q4[2] = 0xf0; /* element 0 is 0, element 16 is 15 */
    q4[17] = 0x29;
    put_half(q8, -2.0f);
    q8[2] = 0x80; /* -128 */
    q8[33] = 0x7f;
    outcome o = unpacked(e, WN_FILE_Q4_0, q4, sizeof q4, 32);
    CHECK_REALS(e, "q4_0: the first", o.pool, -4.0f, -4.0f);
    CHECK_REALS(e, "q4_0: low nibbles end, high ones start", o.pool + 15, 0.5f, 3.5f, -4.0f);
    CHECK_REALS(e, "q4_0: the last", o.pool + 31, -3.0f);
    outcome_free(&o);
    o = unpacked(e, WN_FILE_Q8_0, q8, sizeof q8, 32);
    CHECK_REALS(e, "q8_0: signed bytes", o.pool, 256.0f, -0.0f);
    CHECK_REALS(e, "q8_0: the last", o.pool + 31, -254.0f);
    outcome_free(&o);
}

/* Groups 0 and 5 of eight: scale 33, minimum 2; scale 2 + 32, minimum 3 + 48. */
static void expect_k_blocks(expectations *e)
{
    unsigned char q4[144] = {0}, q5[176] = {0}, q6[210] = {0};
    put_half(q4, 0.25f);
    put_half(q4 + 2, 0.5f);
    q4[4 + 0] = 33;
    q4[4 + 4] = 2;
    q4[4 + 1] |= 2 << 6; /* of group 5's scale */
    q4[4 + 5] |= 3 << 6; /* of group 5's minimum */
    q4[4 + 9] = 2 | 3 << 4;
    q4[16] = 7;                /* group 0, element 0 */
    q4[16 + 64 + 31] = 9 << 4; /* group 5, element 31 */
    memcpy(q5, q4, 16);
    memcpy(q5 + 48, q4 + 16, 128);
    q5[16] = 1;           /* group 0, element 0: the fifth bit */
    q5[16 + 31] = 1 << 5; /* group 5, element 31 */
    outcome o = unpacked(e, WN_FILE_Q4_K, q4, sizeof q4, 256);
    CHECK_REALS(e, "q4_K: group 0", o.pool, 0.25f * 33 * 7 - 1.0f, -1.0f);
    CHECK_REALS(e, "q4_K: group 5", o.pool + 190, -25.5f, 0.25f * 34 * 9 - 25.5f, 0.0f);
    outcome_free(&o);
    o = unpacked(e, WN_FILE_Q5_K, q5, sizeof q5, 256);
    CHECK_REALS(e, "q5_K: group 0", o.pool, 0.25f * 33 * 23 - 1.0f, -1.0f);
    CHECK_REALS(e, "q5_K: group 5", o.pool + 190, -25.5f, 0.25f * 34 * 25 - 25.5f, 0.0f);
    outcome_free(&o);
    put_half(q6 + 208, 0.5f);
    q6[192] = 3;                      /* elements 0 .. 15 */
    q6[192 + 15] = (unsigned char)-2; /* elements 240 .. 255 */
    q6[0] = 5;                        /* element 0: 5 | 2 << 4 = 37 */
    q6[128] = 2;
    q6[64 + 32 + 31] = 6 << 4; /* element 255: 6 | 3 << 4 = 54 */
    q6[128 + 32 + 31] = 3 << 6;
    o = unpacked(e, WN_FILE_Q6_K, q6, sizeof q6, 256);
    CHECK_REALS(e, "q6_K: the first", o.pool, 0.5f * 3 * 5, 0.5f * 3 * -32);
    CHECK_REALS(e, "q6_K: the last", o.pool + 255, 0.5f * -2 * 22);
    outcome_free(&o);
}

/* A quarter turn by y of dimensions (0, 2), half a turn by x of (1, 3); a row that is left alone. */
static void expect_rope(expectations *e)
{
    ops_case c;
    case_init(&c, 21, 0);
    set_a(&c, 2, 4, (float[]){1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f});
    make_pool(&c, 8, WINNOW_F32);
    const uint32_t same = ramp(&c, 2), index = WORDS_OF(&c, 0, (uint32_t)-1);
    wn_op *op = ADD(&c, copy_rows, 4, .n = 2, .src_at = WN_NONE, .dst_at = same, .cols = 4);
    use_a(&c, op);
    write_pool(&c, op, 0, 4);
    const uint32_t y = WORDS_OF(&c, 0), x = WORDS_OF(&c, 1);
    const uint32_t cos_at = REALS_OF(&c, 0.0f, -1.0f), sin_at = REALS_OF(&c, 1.0f, 0.0f);
    op = ADD(&c, rope, 2, .n_max = 2, .segs = 1, .seg_at = WN_NONE, .index_at = index, .y_at = y,
             .x_at = x, .cos_at = cos_at, .sin_at = sin_at, .heads = 1, .quarter = 1);
    write_pool(&c, op, 0, 4);
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "rope", o.pool, -3.0f, -2.0f, 1.0f, -4.0f, 5.0f, 6.0f, 7.0f, 8.0f);
    outcome_free(&o);
}

/* Equal scores: the mean of the values; sizes weigh it. Two segments: one does not see the other. */
static void expect_attention(expectations *e)
{
    ops_case c;
    case_init(&c, 22, 0);
    const float rows[] = {1, 1, 0, 0, 2, 10, 1, 1, 0, 0, 4, 20, 1, 1, 1, 1, 8, 40};
    set_a(&c, 3, 6, rows);
    make_pool(&c, 12, WINNOW_F32);
    const uint32_t seg = WORDS_OF(&c, 0, 2, 3), sizes = REALS_OF(&c, 1.0f, 3.0f, 5.0f);
    wn_op *op = ADD(&c, attention, 2, .n_max = 3, .segs = 2, .seg_at = seg, .list_at = WN_NONE,
                    .sizes_at = WN_NONE, .width = 2, .heads = 1, .head_dim = 2, .k_col = 2,
                    .v_col = 4, .scale = 0.5f);
    use_a(&c, op);
    write_pool(&c, op, 0, 4);
    op = ADD(&c, attention, 2, .n_max = 3, .segs = 2, .seg_at = seg, .list_at = WN_NONE,
             .sizes_at = sizes, .width = 2, .heads = 1, .head_dim = 2, .k_col = 2, .v_col = 4,
             .out_col = 2, .scale = 0.5f);
    use_a(&c, op);
    write_pool(&c, op, 0, 4);
    outcome o = run_expected(e, &c);
    const float want[] = {3, 15, 3.5f, 17.5f, 3, 15, 3.5f, 17.5f, 8, 40, 8, 40};
    for (uint32_t i = 0; i < 12; ++i)
        check_true(e, "attention: the mean", fabsf(o.pool[i] - want[i]) <= 4e-7f * want[i]);
    outcome_free(&o);
}

/* y = relu(x W + b) * s + y with W = [[1, 2], [3, 4]]: sums 7 and 10. */
static void expect_matmul(expectations *e)
{
    ops_case c;
    case_init(&c, 23, 0);
    set_a(&c, 1, 2, (float[]){1.0f, 2.0f});
    const uint32_t at = make_c(&c, 2, 2, WINNOW_F16, PLAIN, 4);
    for (uint32_t i = 0; i < 4; ++i)
        put_c(&c, i / 2, i % 2, (float)(i + 1));
    put_c_word(&c, at, -8.0f);
    put_c_word(&c, at + 1, 0.5f);
    put_c_word(&c, at + 2, 3.0f);
    put_c_word(&c, at + 3, 2.0f);
    make_pool(&c, 2, WINNOW_F32);
    for (uint32_t with = 0; with < 3; with += 2) {
        wn_op *op =
            ADD(&c, matmul, 1, .n_max = 1, .segs = 1, .seg_at = WN_NONE, .inner = 2, .cols = 2,
                .bias_at = at, .scale_at = at + 2, .act = WN_ACT_RELU, .with = with);
        use_a(&c, op);
        use_c(&c, op);
        write_pool(&c, op, 0, 2);
    }
    outcome o = run_expected(e, &c);
    CHECK_REALS(e, "matmul", o.pool, 0.0f, 42.0f);
    outcome_free(&o);
}

/* Two taps of one half each, a byte past the range, a place outside. */
static void expect_resize(expectations *e)
{
    ops_case c;
    case_init(&c, 24, 0);
    const unsigned char rgb[6] = {10, 20, 255, 20, 41, 0};
    make_matrix(&c, &c.a, 1, 2, WINNOW_F32, PLAIN);
    c.a.dtype = WINNOW_I32;
    memcpy(c.a.data, rgb, sizeof rgb);
    const uint32_t start = WORDS_OF(&c, 0, 0, 0), count = WORDS_OF(&c, 2, 0, 1);
    const uint32_t coef = WORDS_OF(&c, 1u << 21, 1u << 21, 0, 0, 1u << 23, 0);
    c.a_may_move = false;
    wn_op *op =
        ADD(&c, resize, 3, .frames = 1, .in_w = 2, .in_h = 1, .out_w = 3, .out_h = 1, .taps = 2,
            .start_at = start, .count_at = count, .coef_at = coef, .fill = 0x030201);
    use_a(&c, op);
    write_out(&c, op, WINNOW_OUT_TOKENS, 1, 3, WINNOW_I32);
    outcome o = run_expected(e, &c);
    CHECK_WORDS(e, "resize", (uint32_t *)(void *)o.pool, 0x01801f0fu, 0x28140302u, 0xffu);
    outcome_free(&o);
}

void expect_vit(expectations *e)
{
    expect_small_blocks(e);
    expect_k_blocks(e);
    expect_rope(e);
    expect_attention(e);
    expect_matmul(e);
    expect_resize(e);
}
