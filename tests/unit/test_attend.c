/* Queries that pool tokens (flash, hicom): weights that do not fit, sets of any kind before them, and what comes out of odd
 * shapes, worked out again in double. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "weights_file.h"

enum { FRAMES = 5, HIGH = 4, WIDE = 5, TOKENS = HIGH * WIDE, DIM = 6, ROWS = 3, OUT = 4 };

static const winnow_shape shape = {.frames = FRAMES,
                                   .tokens = TOKENS,
                                   .dim = DIM,
                                   .grid_h = HIGH,
                                   .grid_w = WIDE,
                                   .text_rows = 1,
                                   .text_dim = DIM,
                                   .image_dim = DIM};
enum {
    TOKENS_ALONE = 1u << WINNOW_ROLE_TOKENS,
    WITH_SIZES = TOKENS_ALONE | 1u << WINNOW_ROLE_SIZES,
    WITH_TEXT = TOKENS_ALONE | 1u << WINNOW_ROLE_TEXT
};

typedef weights_tensor tensor;
typedef weights_file file;

static void make_file(file *f, const char *stage, const tensor *tensors, size_t count)
{
    assert_true(weights_make(f, stage, "", tensors, count));
}

/* A run of `spec`, whose weights are @w; the caller closes it. status: of the pipeline or the plan. */
static winnow_status run_it(test_host *host, const char *spec, const file *f, test_run *run)
{
    const winnow_blob blob = {"w", f->bytes, f->size};
    return test_run_blob(host, spec, &blob, run->shape.frames, run);
}

static test_run open_run(uint32_t roles, uint32_t dim_out)
{
    test_run run;
    test_run_open(&run, &shape, roles, 7, FRAMES * TOKENS, dim_out);
    return run;
}

static void near(double want, double got, const char *what)
{
    if (!(fabs(want - got) <= 2e-5 * (1 + fabs(want))))
        fail_msg("%s: %.8g, not %.8g", what, got, want);
}

/* out[d] = the mean of the listed rows by a softmax of their keys' products with q, times scale. */
static void pool(const float *q, const float *rows, const uint32_t *list, uint32_t n, double scale,
                 double *out)
{
    double most = -INFINITY, sum = 0, weight[FRAMES * TOKENS];
    for (uint32_t i = 0; i < n; ++i) {
        weight[i] = 0;
        for (uint32_t d = 0; d < DIM; ++d)
            weight[i] += (double)q[d] * (double)rows[list[i] * DIM + d];
        weight[i] *= scale;
        most = weight[i] > most ? weight[i] : most;
    }
    for (uint32_t i = 0; i < n; ++i)
        sum += weight[i] = exp(weight[i] - most);
    for (uint32_t d = 0; d < DIM; ++d) {
        out[d] = 0;
        for (uint32_t i = 0; i < n; ++i)
            out[d] += weight[i] / sum * (double)rows[list[i] * DIM + d];
    }
}

static const tensor queries[] = {{"queries", ROWS, DIM}};

/* What flash makes of what a stage before it leaves, of all rows together. */
static void flash_behind(const char *before, uint32_t roles)
{
    static const file none;
    float q[ROWS * DIM];
    uint32_t list[FRAMES * TOKENS];
    char spec[128];
    test_host host;
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    make_file(f, "flash", queries, 1);
    weights_fill(&queries[0], q);
    test_host_open(&host);
    test_run first = open_run(roles, DIM), both = open_run(roles, DIM);
    assert_int_equal(run_it(&host, *before ? before : "flatten", &none, &first), WINNOW_OK);
    snprintf(spec, sizeof spec, "%s%sflash=weights=@w:scale=3", before, *before ? "," : "");
    assert_int_equal(run_it(&host, spec, f, &both), WINNOW_OK);
    assert_int_equal(both.result.rows, ROWS);
    double total = 0, sum = 0;
    for (uint32_t i = 0; i < first.result.rows; ++i) {
        list[i] = i;
        total += (double)first.sizes[i];
    }
    for (uint32_t r = 0; r < ROWS; ++r) {
        double want[DIM];
        pool(q + r * DIM, first.rows, list, first.result.rows, 3, want);
        for (uint32_t d = 0; d < DIM; ++d)
            near(want[d], (double)both.rows[r * DIM + d], spec);
        assert_int_equal(both.indices[r], -2);
        assert_int_equal(both.positions[3 * r], -1);
        sum += (double)both.sizes[r];
    }
    near(total, sum, "sizes");
    for (uint32_t i = 0; i < FRAMES * TOKENS; ++i) /* dropped before: still dropped */
        if ((first.assignment[i] < 0) != (both.assignment[i] < 0) || both.assignment[i] >= ROWS)
            fail_msg("%s: token %u went to %d, then %d", spec, i, first.assignment[i],
                     both.assignment[i]);
    test_run_close(&first);
    test_run_close(&both);
    free(f);
}

static void flash_takes_any_set(void **state)
{
    (void)state;
    flash_behind("", TOKENS_ALONE);
    flash_behind("", WITH_SIZES);
    flash_behind("evs=rate=0.5", TOKENS_ALONE);
    flash_behind("dtd=threshold=0.1", TOKENS_ALONE);
    flash_behind("tome=r=4", WITH_SIZES);
    flash_behind("avg-pool=factor=2", TOKENS_ALONE);
    flash_behind("divprune=keep=3", WITH_SIZES);
}

/* Frames one by one: each frame's tokens go to its own rows; then what is left is pruned like any set. */
static void flash_of_each_frame(void **state)
{
    (void)state;
    test_host host;
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    make_file(f, "flash", queries, 1);
    test_host_open(&host);
    test_run run = open_run(TOKENS_ALONE, DIM);
    assert_int_equal(run_it(&host, "flash=weights=@w:frames=each", f, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, FRAMES * ROWS);
    for (uint32_t i = 0; i < FRAMES * TOKENS; ++i)
        assert_int_equal(run.assignment[i] / ROWS, i / TOKENS);
    assert_int_equal(run_it(&host, "flash=weights=@w:frames=each,divprune=keep=2", f, &run),
                     WINNOW_OK);
    assert_int_equal(run.result.rows, FRAMES * 2);
    test_run_close(&run);
    free(f);
}

/* A token of NaN has no share of any row, and goes nowhere. */
static void a_token_of_nan_spoils_nothing(void **state)
{
    (void)state;
    float q[ROWS * DIM];
    uint32_t list[FRAMES * TOKENS], n = 0;
    test_host host;
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    make_file(f, "flash", queries, 1);
    weights_fill(&queries[0], q);
    test_host_open(&host);
    test_run run = open_run(TOKENS_ALONE, DIM);
    run.tokens[17 * DIM + 2] = NAN;
    assert_int_equal(run_it(&host, "flash=weights=@w", f, &run), WINNOW_OK);
    for (uint32_t i = 0; i < FRAMES * TOKENS; ++i)
        if (i != 17)
            list[n++] = i;
    for (uint32_t r = 0; r < ROWS; ++r) {
        double want[DIM];
        pool(q + r * DIM, run.tokens, list, n, 1, want);
        for (uint32_t d = 0; d < DIM; ++d)
            near(want[d], (double)run.rows[r * DIM + d], "beside NaN");
    }
    assert_int_equal(run.assignment[17], -1);
    test_run_close(&run);
    free(f);
}

#define L "local_compressor."
#define G "global_compressor."
static const tensor local[] = {{L "readout.0.weight", DIM, 7},
                               {L "readout.0.bias", 7, 0},
                               {L "readout.2.weight", 7, OUT},
                               {L "readout.2.bias", OUT, 0}};

static void read_out(const double *x, double *out)
{
    float w0[DIM * 7], b0[7], w2[7 * OUT], b2[OUT];
    double hidden[7];
    weights_fill(&local[0], w0);
    weights_fill(&local[1], b0);
    weights_fill(&local[2], w2);
    weights_fill(&local[3], b2);
    for (uint32_t j = 0; j < 7; ++j) {
        double v = (double)b0[j];
        for (uint32_t d = 0; d < DIM; ++d)
            v += x[d] * (double)w0[d * 7 + j];
        hidden[j] = 0.5 * v * (1 + erf(v / sqrt(2)));
    }
    for (uint32_t o = 0; o < OUT; ++o) {
        out[o] = (double)b2[o];
        for (uint32_t j = 0; j < 7; ++j)
            out[o] += hidden[j] * (double)w2[j * OUT + o];
    }
}

/* Windows that the authors' code refuses: 5 frames by 4, 4 rows by 3: at equal distances, from 0 and 1 on; 5 columns by 3: 0
 * and 2. Sizes add up window by window, and a token in two windows goes to the first. */
static void windows_of_any_size(void **state)
{
    (void)state;
    test_host host;
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    make_file(f, "hicom", local, 4);
    test_host_open(&host);
    test_run run = open_run(WITH_SIZES | WITH_TEXT, OUT);
    assert_int_equal(run_it(&host, "hicom=weights=@w", f, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, 8);
    const float *text = run.run.in[WINNOW_ROLE_TEXT].data;
    const float *sizes = run.run.in[WINNOW_ROLE_SIZES].data;
    for (uint32_t e = 0; e < 8; ++e) {
        const uint32_t t0 = e / 4, y0 = e / 2 % 2, x0 = e % 2 * 2;
        uint32_t list[36], n = 0;
        double pooled[DIM], want[OUT], size = 0;
        for (uint32_t t = t0; t < t0 + 4; ++t)
            for (uint32_t y = y0; y < y0 + 3; ++y)
                for (uint32_t x = x0; x < x0 + 3; ++x)
                    list[n++] = t * TOKENS + y * WIDE + x;
        pool(text, run.tokens, list, n, 1 / sqrt(DIM), pooled);
        read_out(pooled, want);
        for (uint32_t o = 0; o < OUT; ++o)
            near(want[o], (double)run.rows[e * OUT + o], "a window");
        for (uint32_t i = 0; i < n; ++i) {
            size += (double)sizes[list[i]];
            assert_true(run.assignment[list[i]] >= 0 && run.assignment[list[i]] <= (int32_t)e);
        }
        near(size, (double)run.sizes[e], "a window's size");
        assert_int_equal(run.indices[e], list[0]);
        assert_int_equal(run.positions[3 * e], t0);
    }
    /* and what comes out is a grid again */
    assert_int_equal(run_it(&host, "hicom=weights=@w,avg-pool=factor=2", f, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, 2);
    /* One frame is a picture: windows of it alone. */
    winnow_shape one = shape;
    test_run picture;
    one.frames = 1;
    test_run_open(&picture, &one, WITH_TEXT, 3, TOKENS, OUT);
    assert_int_equal(run_it(&host, "hicom=weights=@w", f, &picture), WINNOW_OK);
    assert_int_equal(picture.result.rows, 4);
    assert_true(picture.sizes[0] == 9.0f);
    test_run_close(&picture);
    test_run_close(&run);
    free(f);
}

static const tensor whole[] = {
    {L "readout.0.weight", DIM, 7},
    {L "readout.2.weight", 7, OUT},
    {G "query", ROWS, DIM},
    {G "attn_layer.q_proj.weight", DIM, DIM},
    {G "attn_layer.k_proj.weight", DIM, DIM},
    {G "attn_layer.v_proj.weight", DIM, DIM},
    {G "attn_layer.out_proj.weight", DIM, DIM},
    {G "readout.0.weight", DIM, 7},
    {G "readout.2.weight", 7, OUT},
};

/* With the film's queries behind the windows' rows; and those alone, where tokens go to them. */
static void rows_of_both_parts(void **state)
{
    (void)state;
    test_host host;
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    make_file(f, "hicom", whole, LENGTH(whole));
    test_host_open(&host);
    test_run run = open_run(WITH_TEXT, OUT), lone = open_run(WITH_SIZES, OUT);
    assert_int_equal(run_it(&host, "hicom=weights=@w:heads=2", f, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, 8 + ROWS);
    assert_int_equal(run_it(&host, "hicom=weights=@w:heads=2:parts=global", f, &lone), WINNOW_OK);
    assert_int_equal(lone.result.rows, ROWS);
    double total = 0, sum = 0;
    const float *sizes = lone.run.in[WINNOW_ROLE_SIZES].data;
    for (uint32_t i = 0; i < FRAMES * TOKENS; ++i) {
        total += (double)sizes[i];
        assert_true(lone.assignment[i] >= 0 && lone.assignment[i] < ROWS);
        assert_true(run.assignment[i] >= 0 && run.assignment[i] < 8);
    }
    for (uint32_t r = 0; r < ROWS; ++r) {
        assert_int_equal(run.indices[8 + r], -2);
        assert_true(run.sizes[8 + r] == 1.0f);
        sum += (double)lone.sizes[r];
        for (uint32_t o = 0; o < OUT; ++o)
            assert_true(run.rows[(8 + r) * OUT + o] == lone.rows[r * OUT + o]);
    }
    near(total, sum, "sizes of the queries' rows");
    test_run_close(&run);
    test_run_close(&lone);
    free(f);
}

/* `name` left out of a list, or of another shape (rows 0: left out). */
typedef struct mistake {
    const char *stage, *spec, *says;
    tensor other;
    winnow_status status;
    uint32_t roles;
} mistake;

static const mistake mistakes[] = {
    {"flash",
     "flash=weights=@w",
     "no tensor `queries`",
     {"queries", 0, 0},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"flash",
     "flash=weights=@w",
     "[3, 5], and any x 6 is wanted",
     {"queries", ROWS, 5},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"flash",
     "flash=weights=@w",
     "[6], and any x 6",
     {"queries", DIM, 0},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"flash", "flash", "needs weights=", {"", 0, 0}, WINNOW_E_SPEC, TOKENS_ALONE},
    {"flash",
     "hicom=weights=@w",
     "holds the weights of `flash`",
     {"", 0, 0},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w:parts=local",
     "no tensor `" L "readout.0.weight`",
     {L "readout.0.weight", 0, 0},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w",
     "make 3 and 4 channels",
     {L "readout.2.weight", 7, 3},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w:parts=local",
     "is [5, 4], and 7 x 4 is wanted",
     {L "readout.2.weight", 5, OUT},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w",
     "is [3, 5], and any x 6",
     {G "query", ROWS, 5},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w",
     "no tensor `" G "attn_layer.out_proj.weight`",
     {G "attn_layer.out_proj.weight", 0, 0},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w",
     "is [6, 5], and 6 x 6",
     {G "attn_layer.v_proj.weight", DIM, 5},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w",
     "`global_logit_scale`, which is not done",
     {"global_logit_scale", 1, 0},
     WINNOW_E_UNSUPPORTED,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w:heads=4",
     "6 channels are not 4 heads",
     {"", 0, 0},
     WINNOW_E_SHAPE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w:guide=direct",
     "needs `text`",
     {"", 0, 0},
     WINNOW_E_ROLE,
     TOKENS_ALONE},
    {"hicom",
     "hicom=weights=@w:guide=coarse",
     "no tensor `" L "guide_injector.coarse_proj.0.weight`",
     {"", 0, 0},
     WINNOW_E_FILE,
     WITH_TEXT},
    {"hicom",
     "hicom=weights=@w:guide=fine",
     "no tensor `" L "guide_injector.fine_proj.q_proj.weight`",
     {"", 0, 0},
     WINNOW_E_FILE,
     WITH_TEXT},
    {"hicom",
     "hicom=weights=@w",
     "no tensor `" L "q_proj.weight`",
     {L "q_alpha", 1, 0},
     WINNOW_E_FILE,
     TOKENS_ALONE},
    {"hicom", "flatten,hicom=weights=@w", "full grid", {"", 0, 0}, WINNOW_E_SHAPE, TOKENS_ALONE},
    {"hicom", "hicom=weights=@w:temporal=0", "1..64", {"", 0, 0}, WINNOW_E_SPEC, TOKENS_ALONE},
};

static void weights_that_do_not_fit(void **state)
{
    (void)state;
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < LENGTH(mistakes); ++i) {
        const mistake *m = &mistakes[i];
        const bool flash = strcmp(m->stage, "flash") == 0;
        const tensor *from = flash ? queries : whole;
        tensor list[LENGTH(whole) + 1];
        size_t count = 0;
        bool found = false;
        for (size_t k = 0; k < (flash ? LENGTH(queries) : LENGTH(whole)); ++k) {
            const bool other = strcmp(from[k].name, m->other.name) == 0;
            found = found || other;
            list[count] = other ? m->other : from[k];
            count += list[count].rows != 0;
        }
        if (!found && m->other.rows)
            list[count++] = m->other;
        test_host host;
        make_file(f, m->stage, list, count);
        test_host_open(&host);
        test_run run = open_run(m->roles, OUT > DIM ? OUT : DIM);
        const winnow_status status = run_it(&host, m->spec, f, &run);
        if (status != m->status || host.lines != 1 || !strstr(host.line, m->says))
            fail_msg("%zu: %s: status %d, %d lines: `%s`, not `%s`", i, m->spec, (int)status,
                     host.lines, host.line, m->says);
        test_run_close(&run);
    }
    free(f);
}

/* One row of text for direct, in the space of the keys. */
static void text_that_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        uint32_t rows, dim;
        const char *says;
    } texts[] = {{2, DIM, "`text` has 2 rows, and only guide=fine takes more than one"},
                 {1, 5, "`text` has 5 channels, and its queries 6"}};
    file *f = malloc(sizeof *f);
    assert_non_null(f);
    make_file(f, "hicom", local, 4);
    for (size_t i = 0; i < LENGTH(texts); ++i) {
        winnow_shape odd = shape;
        test_host host;
        test_run run;
        odd.text_rows = texts[i].rows;
        odd.text_dim = texts[i].dim;
        test_host_open(&host);
        test_run_open(&run, &odd, WITH_TEXT, 3, FRAMES * TOKENS, OUT);
        assert_int_equal(run_it(&host, "hicom=weights=@w", f, &run), WINNOW_E_SHAPE);
        if (!strstr(host.line, texts[i].says))
            fail_msg("`%s`, not `%s`", host.line, texts[i].says);
        test_run_close(&run);
    }
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flash_takes_any_set),
        cmocka_unit_test(flash_of_each_frame),
        cmocka_unit_test(a_token_of_nan_spoils_nothing),
        cmocka_unit_test(windows_of_any_size),
        cmocka_unit_test(rows_of_both_parts),
        cmocka_unit_test(weights_that_do_not_fit),
        cmocka_unit_test(text_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
