/* Windows that take a scale each (focus): gates that do not fit, what a gate says, and tokens that are not numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

enum { FRAMES = 2, HIGH = 4, WIDE = 6, TOKENS = HIGH * WIDE, DIM = 5, SCALES = 3 };

static const winnow_shape shape = {
    .frames = FRAMES, .tokens = TOKENS, .dim = DIM, .grid_h = HIGH, .grid_w = WIDE};
static const winnow_shape film = {.frames = FRAMES, .tokens = TOKENS, .dim = DIM};

/* A gate of f32: its weights all 0, its biases 0, 1, 2, ... but 9 at scale `favoured`. bias 0: it has none. */
typedef struct gate {
    uint32_t rows, cols, bias, favoured;
    const char *name;
} gate;

static size_t make_file(unsigned char *bytes, size_t room, const gate *g)
{
    const uint32_t numbers = g->rows * g->cols;
    char *head = (char *)bytes + 8;
    size_t used =
        (size_t)snprintf(head, room - 8,
                         "{\"__metadata__\":{\"winnow.stage\":\"focus\",\"winnow.version\":\"1\"},"
                         "\"%s\":{\"dtype\":\"F32\",\"shape\":[%u,%u],\"data_offsets\":[0,%u]}",
                         g->name, g->rows, g->cols, 4 * numbers);
    if (g->bias)
        used += (size_t)snprintf(
            head + used, room - 8 - used,
            ",\"gate.bias\":{\"dtype\":\"F32\",\"shape\":[%u],\"data_offsets\":[%u,%u]}", g->bias,
            4 * numbers, 4 * (numbers + g->bias));
    used += (size_t)snprintf(head + used, room - 8 - used, "}");
    assert_true(8 + used + 4 * (numbers + g->bias) < room);
    memset(bytes, 0, 8);
    bytes[0] = (unsigned char)used;
    bytes[1] = (unsigned char)(used >> 8);
    memset(bytes + 8 + used, 0, 4 * numbers);
    for (uint32_t i = 0; i < g->bias; ++i) {
        const float bias = i == g->favoured ? 9.0f : (float)i;
        memcpy(bytes + 8 + used + 4 * (numbers + i), &bias, sizeof bias);
    }
    return 8 + used + 4 * (numbers + g->bias);
}

/* Plans and runs `spec`, whose weights are @w (g NULL: it has none). */
static winnow_status run_it(test_host *host, const char *spec, const gate *g, test_run *run)
{
    unsigned char bytes[4096];
    const winnow_blob blob = {"w", bytes, g ? make_file(bytes, sizeof bytes, g) : 0};
    return test_run_blob(host, spec, g ? &blob : NULL, run->shape.frames, run);
}

static void what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        gate g;
        winnow_status status;
        const char *says;
        const winnow_shape *shape;
    } rows[] = {
        {"focus=weights=@w",
         {DIM, 2, 2, 0, "gate.weight"},
         WINNOW_E_FILE,
         "5 x 3 is wanted",
         &shape},
        {"focus=weights=@w:window=2",
         {DIM, SCALES, SCALES, 0, "gate.weight"},
         WINNOW_E_FILE,
         "5 x 2 is wanted",
         &shape},
        {"focus=weights=@w", {4, SCALES, 0, 0, "gate.weight"}, WINNOW_E_FILE, "5 x 3", &shape},
        {"focus=weights=@w",
         {DIM, SCALES, 2, 0, "gate.weight"},
         WINNOW_E_FILE,
         "gate.bias",
         &shape},
        {"focus=weights=@w",
         {DIM, SCALES, 0, 0, "gate"},
         WINNOW_E_FILE,
         "no tensor `gate.weight`",
         &shape},
        {"focus=window=3", {0}, WINNOW_E_SPEC, "window= is 2, 4 or 8", &shape},
        {"focus=window=16", {0}, WINNOW_E_SPEC, "2..8", &shape},
        {"focus=pool=sum", {0}, WINNOW_E_SPEC, "max", &shape},
        {"focus", {0}, WINNOW_E_SHAPE, "grid", &film},
    };
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, rows[i].shape, 1u << WINNOW_ROLE_TOKENS, 3, FRAMES * TOKENS, DIM);
        const winnow_status status =
            run_it(&host, rows[i].spec, rows[i].g.rows ? &rows[i].g : NULL, &run);
        if (status != rows[i].status || host.lines != 1 || !strstr(host.line, rows[i].says))
            fail_msg("%s: status %d, %d lines: `%s`, not `%s`", rows[i].spec, (int)status,
                     host.lines, host.line, rows[i].says);
        test_run_close(&run);
    }
}

/* Windows of 4 x 4 and 4 x 2 in each frame, at the scale that the gate's biases say; without any the finest is taken. */
static void a_gate_is_obeyed(void **state)
{
    (void)state;
    static const uint32_t cells[SCALES] = {TOKENS, 6, 2};
    for (uint32_t k = 0; k <= SCALES; ++k) {
        const bool none = k == SCALES;
        const gate g = {DIM, SCALES, none ? 0 : SCALES, k, "gate.weight"};
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, &shape, 1u << WINNOW_ROLE_TOKENS, 5, FRAMES * TOKENS, DIM);
        assert_int_equal(run_it(&host, "focus=weights=@w", &g, &run), WINNOW_OK);
        assert_int_equal(run.result.rows, FRAMES * cells[none ? 0 : k]);
        test_run_close(&run);
    }
}

/* A window with a NaN is like nothing and stays as it is; of its own token alone does NaN come out. */
static void a_token_of_nan_stays_alone(void **state)
{
    (void)state;
    test_host host;
    test_run run;
    test_host_open(&host);
    test_run_open(&run, &shape, 1u << WINNOW_ROLE_TOKENS, 5, FRAMES * TOKENS, DIM);
    run.tokens[7 * DIM + 2] = NAN; /* row 1, column 1 of the first frame */
    assert_int_equal(run_it(&host, "focus=similarity=-1", NULL, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, 16 + 1 + 2);
    for (uint32_t r = 0; r < run.result.rows; ++r)
        for (uint32_t d = 0; d < DIM; ++d)
            assert_int_equal(isnan(run.rows[r * DIM + d]), run.indices[r] == 7 && d == 2);
    test_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_does_not_fit),
                                       cmocka_unit_test(a_gate_is_obeyed),
                                       cmocka_unit_test(a_token_of_nan_stays_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
