/* explain: its network worked out again in double, sets of any kind before it, runs of fewer frames, NaN, and weights that do not
 * fit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "weights_file.h"

enum {
    FRAMES = 4,
    HIGH = 5,
    WIDE = 6,
    TOKENS = HIGH * WIDE,
    ALL = FRAMES * TOKENS,
    DIM = 4,
    HEADS = 3,
    TEXT = 2,
    FIRST = 5,
    SECOND = 4,
    TAPS = 9
};
enum {
    ROLES = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_TEXT_ATTENTION,
};

static const weights_tensor net[] = {{"layer1.weight", TAPS *HEADS, FIRST},
                                     {"layer1.bias", FIRST, 0},
                                     {"layer2.depth.weight", TAPS, FIRST},
                                     {"layer2.weight", FIRST, SECOND},
                                     {"layer3.weight", SECOND, 1}};
#define KERNEL ",\"kernel\":\"3x3\""

static winnow_shape shape_of(uint32_t frames)
{
    return (winnow_shape){.frames = frames,
                          .tokens = TOKENS,
                          .dim = DIM,
                          .grid_h = HIGH,
                          .grid_w = WIDE,
                          .llm_heads = HEADS,
                          .text_rows = TEXT};
}

static weights_file *file_of(const char *notes, const weights_tensor *tensors, size_t count)
{
    weights_file *f = malloc(sizeof *f);
    assert_non_null(f);
    assert_true(weights_make(f, "explain", notes, tensors, count));
    return f;
}

/* A run of `spec`, whose weights are @w, by a plan for `most` frames. */
static winnow_status run_it(test_host *host, const char *spec, const weights_file *f, uint32_t most,
                            test_run *run)
{
    const winnow_blob blob = {"w", f->bytes, f->size};
    return test_run_blob(host, spec, &blob, most, run);
}

/* -- the network in double --------------------------------------------------------------------- */

/* Cell (y + dy - 1, x + dx - 1) of a frame's grid, or -1. */
static int place(int cell, int tap)
{
    const int y = cell / WIDE + tap / 3 - 1, x = cell % WIDE + tap % 3 - 1;
    return y < 0 || y >= HIGH || x < 0 || x >= WIDE ? -1 : y * WIDE + x;
}

/* A frame's tokens: in [TOKENS][HEADS] to out [TOKENS]. */
static void see(double (*in)[HEADS], double *out)
{
    float w1[TAPS * HEADS * FIRST], b1[FIRST], depth[TAPS * FIRST], w2[FIRST * SECOND], w3[SECOND];
    float *const to[] = {w1, b1, depth, w2, w3};
    double one[TOKENS][FIRST];
    for (size_t i = 0; i < LENGTH(net); ++i)
        weights_fill(&net[i], to[i]);
    for (int cell = 0; cell < TOKENS; ++cell)
        for (int o = 0; o < FIRST; ++o) {
            double v = (double)b1[o];
            for (int tap = 0; tap < TAPS; ++tap)
                for (int h = 0; place(cell, tap) >= 0 && h < HEADS; ++h)
                    v += in[place(cell, tap)][h] * (double)w1[(tap * HEADS + h) * FIRST + o];
            one[cell][o] = v < 0 ? 0 : v;
        }
    for (int cell = 0; cell < TOKENS; ++cell) {
        double each[FIRST] = {0};
        for (int c = 0; c < FIRST; ++c)
            for (int tap = 0; tap < TAPS; ++tap)
                each[c] += place(cell, tap) < 0
                               ? 0
                               : one[place(cell, tap)][c] * (double)depth[tap * FIRST + c];
        out[cell] = 0;
        for (int o = 0; o < SECOND; ++o) {
            double v = 0;
            for (int c = 0; c < FIRST; ++c)
                v += each[c] * (double)w2[c * SECOND + o];
            out[cell] += v < 0 ? 0 : v * (double)w3[o];
        }
    }
}

/* Relevance of every source token. */
static void relevance(const test_run *run, double *out)
{
    const float *attention = run->run.in[WINNOW_ROLE_TEXT_ATTENTION].data;
    const uint32_t all = run->shape.frames * TOKENS;
    for (uint32_t t = 0; t < run->shape.frames; ++t) {
        double in[TOKENS][HEADS] = {{0}};
        for (uint32_t h = 0; h < HEADS; ++h)
            for (uint32_t m = 0; m < TEXT; ++m)
                for (uint32_t i = 0; i < TOKENS; ++i)
                    in[i][h] += (double)attention[(h * TEXT + m) * all + t * TOKENS + i] / TEXT;
        see(in, out + t * TOKENS);
    }
}

/* -- what is kept ------------------------------------------------------------------------------ */

/* The kept ones of frames first .. last of what was there before: `count` of them, none worse than one that went. */
static void check_best(const char *spec, const test_run *before, const test_run *after,
                       const double *score, uint32_t first, uint32_t last, uint32_t count)
{
    double worst = INFINITY, lost = -INFINITY;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < before->result.rows; ++i) {
        const uint32_t at = (uint32_t)before->indices[i];
        bool stays = false;
        if (at / TOKENS < first || at / TOKENS > last)
            continue;
        for (uint32_t k = 0; k < after->result.rows; ++k)
            stays = stays || after->indices[k] == (int32_t)at;
        kept += stays;
        if (stays && score[at] < worst)
            worst = score[at];
        if (!stays && score[at] > lost)
            lost = score[at];
    }
    if (kept != count || worst < lost - 1e-6)
        fail_msg("%s: %u kept, not %u; %g kept, %g gone", spec, kept, count, worst, lost);
}

/* options of explain behind `before`; each: `count` of each frame, else of all. */
static void behind(const char *before, const char *options, uint32_t frames, uint32_t most,
                   bool each, uint32_t count)
{
    char spec[128];
    double score[ALL];
    const winnow_shape shape = shape_of(frames);
    weights_file *f = file_of(KERNEL, net, LENGTH(net));
    test_host host;
    test_host_open(&host);
    test_run first, both;
    test_run_open(&first, &shape, ROLES, 11, ALL, DIM);
    test_run_open(&both, &shape, ROLES, 11, ALL, DIM);
    assert_int_equal(run_it(&host, *before ? before : "divprune=keep=100%", f, most, &first),
                     WINNOW_OK);
    snprintf(spec, sizeof spec, "%s%sexplain=%sweights=@w", before, *before ? "," : "", options);
    assert_int_equal(run_it(&host, spec, f, most, &both), WINNOW_OK);
    assert_int_equal(both.result.rows, each ? count * frames : count);
    assert_int_equal(both.result.nan_scores, 0);
    relevance(&both, score);
    for (uint32_t t = 0; each && t < frames; ++t)
        check_best(spec, &first, &both, score, t, t, count);
    if (!each)
        check_best(spec, &first, &both, score, 0, frames - 1, count);
    for (uint32_t k = 0; k < both.result.rows; ++k) /* no row changes */
        for (uint32_t i = 0; i < first.result.rows; ++i)
            if (first.indices[i] == both.indices[k])
                assert_memory_equal(first.rows + i * DIM, both.rows + k * DIM, sizeof(float) * DIM);
    test_run_close(&first);
    test_run_close(&both);
    free(f);
}

static void keeps_the_best_of_any_set(void **state)
{
    (void)state;
    behind("", "", FRAMES, FRAMES, false, ALL / 2);
    behind("", "keep=7:", FRAMES, FRAMES, false, 7);
    behind("", "keep=1000:", FRAMES, FRAMES, false, ALL);
    behind("", "keep=0.1%:", FRAMES, FRAMES, false, 1);
    behind("", "keep=25%:frames=each:", FRAMES, FRAMES, true, TOKENS / 4);
    behind("evs=rate=0.5", "keep=9:", FRAMES, FRAMES, false, 9);
    behind("divprune=keep=11", "keep=4:frames=each:", FRAMES, FRAMES, true, 4);
    behind("tome=r=9", "keep=20:", FRAMES, FRAMES, false, 20);
    behind("avg-pool=factor=2", "keep=3:", 1, 1, false, 3);
}

static void runs_of_fewer_frames(void **state)
{
    (void)state;
    for (uint32_t frames = 1; frames < FRAMES; ++frames) {
        behind("", "keep=30%:", frames, FRAMES, false, frames * 9);
        behind("evs=rate=0.4", "keep=8:", frames, FRAMES, false, 8);
    }
}

/* One row of NaN: what the two kernels see of it ranks last, and is counted. */
static void nan_ranks_last(void **state)
{
    (void)state;
    const winnow_shape shape = shape_of(1);
    weights_file *f = file_of(KERNEL, net, LENGTH(net));
    test_host host;
    test_run run;
    test_host_open(&host);
    test_run_open(&run, &shape, ROLES, 3, TOKENS, DIM);
    float *attention = run.run.in[WINNOW_ROLE_TEXT_ATTENTION].data;
    attention[0] = NAN; /* cell (0, 0): kernels of 3 x 3 reach (2, 2) */
    assert_int_equal(run_it(&host, "explain=weights=@w:keep=21", f, 1, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, 21);
    assert_int_equal(run.result.nan_scores, 9);
    for (uint32_t i = 0; i < 21; ++i)
        assert_true(run.indices[i] / WIDE > 2 || run.indices[i] % WIDE > 2);
    assert_int_equal(run_it(&host, "explain=weights=@w:keep=22", f, 1, &run), WINNOW_OK);
    assert_int_equal(run.indices[0], 0); /* of equals the first */
    test_run_close(&run);
    free(f);
}

/* -- what does not fit ------------------------------------------------------------------------- */

static const struct {
    const char *spec, *notes, *says;
    weights_tensor other; /* in place of the one of that name; rows 0: left out */
    winnow_status status;
} mistakes[] = {
    {"explain=weights=@w", "", "say `` as their kernel", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"3x4\"", "`3x4` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"2\"", "`2` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"17x1\"", "`17x1` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"1x17\"", "`1x17` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"65\"", "`65` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"3x3x3\"", "`3x3x3` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w", ",\"kernel\":\"x3\"", "`x3` as", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w",
     ",\"kernel\":\"5\"",
     "is [27, 5], and 25 x any",
     {"", 0, 0},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "no tensor `layer1.weight`",
     {"layer1.weight", 0, 0},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "attention of 4 heads, and `text_attention` has 3",
     {"layer1.weight", 36, FIRST},
     WINNOW_E_SHAPE},
    {"explain=weights=@w",
     KERNEL,
     "is [26, 5], and 18 x any",
     {"layer1.weight", 26, FIRST},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "is [9, 4], and 9 x 5 is wanted",
     {"layer2.depth.weight", TAPS, 4},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "is [3, 5], and 9 x 5 is wanted",
     {"layer2.depth.weight", 3, FIRST},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "is [4, 4], and 5 x any",
     {"layer2.weight", 4, SECOND},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "no tensor `layer2.weight`",
     {"layer2.weight", 0, 0},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "`layer2.bias` of its weights is not [4]",
     {"layer2.bias", 3, 0},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "is [5, 1], and 36 x any",
     {"layer3.weight", 5, 1},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "gives 2 channels, and 1",
     {"layer3.weight", SECOND, 2},
     WINNOW_E_FILE},
    {"explain=weights=@w",
     KERNEL,
     "gives 4 channels, and 1",
     {"layer3.weight", 0, 0},
     WINNOW_E_FILE},
    {"explain", KERNEL, "needs weights=", {"", 0, 0}, WINNOW_E_SPEC},
    {"flash=weights=@w", KERNEL, "holds the weights of `explain`", {"", 0, 0}, WINNOW_E_FILE},
    {"explain=weights=@w:keep=0", KERNEL, "1..1e9", {"", 0, 0}, WINNOW_E_SPEC},
    {"explain=weights=@w:frames=some", KERNEL, "together", {"", 0, 0}, WINNOW_E_SPEC},
};

static void weights_that_do_not_fit(void **state)
{
    (void)state;
    const winnow_shape shape = shape_of(FRAMES);
    for (size_t i = 0; i < LENGTH(mistakes); ++i) {
        weights_tensor list[LENGTH(net) + 1];
        size_t count = 0;
        bool found = false;
        for (size_t k = 0; k < LENGTH(net); ++k) {
            const bool other = strcmp(net[k].name, mistakes[i].other.name) == 0;
            found = found || other;
            list[count] = other ? mistakes[i].other : net[k];
            count += list[count].rows != 0;
        }
        if (!found && mistakes[i].other.rows)
            list[count++] = mistakes[i].other;
        weights_file *f = file_of(mistakes[i].notes, list, count);
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, &shape, ROLES, 5, ALL, DIM);
        const winnow_status status = run_it(&host, mistakes[i].spec, f, FRAMES, &run);
        if (status != mistakes[i].status || host.lines != 1 || !strstr(host.line, mistakes[i].says))
            fail_msg("%zu: %s: status %d, %d lines: `%s`, not `%s`", i, mistakes[i].spec,
                     (int)status, host.lines, host.line, mistakes[i].says);
        test_run_close(&run);
        free(f);
    }
}

static void inputs_that_do_not_fit(void **state)
{
    (void)state;
    weights_file *f = file_of(KERNEL, net, LENGTH(net));
    winnow_shape shape = shape_of(FRAMES);
    test_host host;
    test_run run;
    shape.grid_h = shape.grid_w = 0;
    test_host_open(&host);
    test_run_open(&run, &shape, ROLES, 5, ALL, DIM);
    assert_int_equal(run_it(&host, "explain=weights=@w", f, FRAMES, &run), WINNOW_E_SHAPE);
    assert_non_null(strstr(host.line, "for tokens on a grid, and no grid was given"));
    test_run_close(&run);
    shape = shape_of(FRAMES);
    test_run_open(&run, &shape, 1u << WINNOW_ROLE_TOKENS, 5, ALL, DIM);
    assert_int_equal(run_it(&host, "explain=weights=@w", f, FRAMES, &run), WINNOW_E_ROLE);
    assert_non_null(strstr(host.line, "text_attention"));
    test_run_close(&run);
    free(f);
}

/* Seventeen layers of no kernel; sixteen are taken, on tokens without a grid. */
static void layers_at_most(void **state)
{
    (void)state;
    enum { MOST = 17 };
    char names[MOST][16];
    weights_tensor list[MOST];
    winnow_shape shape = shape_of(FRAMES);
    shape.grid_h = shape.grid_w = 0;
    for (uint32_t i = 0; i < MOST; ++i) {
        snprintf(names[i], sizeof names[i], "layer%u.weight", i + 1);
        list[i] = (weights_tensor){names[i], 1, 1};
    }
    for (size_t count = MOST - 1; count <= MOST; ++count) {
        weights_file *f = file_of(",\"kernel\":\"1\"", list, count);
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, &shape, ROLES, 5, ALL, DIM);
        const winnow_status status = run_it(&host, "explain=weights=@w", f, FRAMES, &run);
        assert_int_equal(status, count == MOST ? WINNOW_E_FILE : WINNOW_OK);
        if (count == MOST)
            assert_non_null(strstr(host.line, "more than 16 layers"));
        test_run_close(&run);
        free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_best_of_any_set),
        cmocka_unit_test(runs_of_fewer_frames),
        cmocka_unit_test(nan_ranks_last),
        cmocka_unit_test(weights_that_do_not_fit),
        cmocka_unit_test(inputs_that_do_not_fit),
        cmocka_unit_test(layers_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
