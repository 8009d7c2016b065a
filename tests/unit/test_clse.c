/* clse: which inputs each way of ranking asks for, what it says no to, later steps, and tokens that are not numbers. */
#include <math.h>
#include <string.h>

#include "support.h"

enum {
    FRAMES = 3,
    HIGH = 4,
    WIDE = 6,
    TOKENS = HIGH * WIDE,
    ALL = FRAMES * TOKENS,
    DIM = 5,
    HEADS = 2
};

#define ROLE(name) (1u << WINNOW_ROLE_##name)

static const winnow_shape shape = {.frames = FRAMES,
                                   .tokens = TOKENS,
                                   .dim = DIM,
                                   .grid_h = HIGH,
                                   .grid_w = WIDE,
                                   .llm_heads = HEADS,
                                   .image_dim = DIM};

static void inputs_follow_the_score(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        uint32_t needed;
    } rows[] = {
        {"clse=keep=9", ROLE(TOKENS) | ROLE(IMAGE_EMBEDS) | ROLE(LLM_ATTENTION)},
        {"clse=keep=9:score=change", ROLE(TOKENS) | ROLE(IMAGE_EMBEDS)},
        {"clse=keep=9:score=attention", ROLE(TOKENS) | ROLE(LLM_ATTENTION)},
    };
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        winnow_pipeline *pipeline;
        uint32_t needed = 0, optional = 0;
        assert_int_equal(test_api()->pipeline_create(NULL, rows[i].spec, &pipeline), WINNOW_OK);
        assert_int_equal(test_api()->pipeline_inputs(pipeline, &needed, &optional), WINNOW_OK);
        test_api()->pipeline_destroy(pipeline);
        assert_int_equal(needed, rows[i].needed);
        assert_int_equal(optional & ~(needed | ROLE(SIZES)), 0);
        /* and runs with no more */
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, &shape, needed, 3, ALL, DIM);
        assert_int_equal(test_run_blob(&host, rows[i].spec, NULL, FRAMES, &run), WINNOW_OK);
        assert_int_equal(run.result.rows, 9);
        test_run_close(&run);
    }
}

static void what_does_not_fit(void **state)
{
    (void)state;
    winnow_shape line = shape;
    line.grid_h = line.grid_w = 0;
    const uint32_t all = ROLE(TOKENS) | ROLE(IMAGE_EMBEDS) | ROLE(LLM_ATTENTION);
    const struct {
        const char *spec;
        const winnow_shape *shape;
        uint32_t roles;
        winnow_status status;
        const char *says;
    } rows[] = {
        {"clse=keep=9", &line, all, WINNOW_E_SHAPE, "clse: it needs tokens on a full grid"},
        {"fastv=rate=0.5,clse=keep=9", &shape, all, WINNOW_E_SHAPE, "left them irregular"},
        {"avg-pool=factor=2,clse=keep=9", &shape, all, WINNOW_E_SHAPE,
         "the same one of an earlier layer"},
        {"clse=keep=9", &shape, ROLE(TOKENS) | ROLE(LLM_ATTENTION), WINNOW_E_ROLE,
         "`image_embeds`"},
        {"clse=keep=9", &shape, ROLE(TOKENS) | ROLE(IMAGE_EMBEDS), WINNOW_E_ROLE,
         "`llm_attention`"},
        {"clse", &shape, all, WINNOW_E_SPEC, "clse at character 1 needs keep=..."},
        {"clse=keep=9:score=none", &shape, all, WINNOW_E_SPEC, "both|change|attention"},
        {"clse=keep=9:cutoff=9", &shape, all, WINNOW_E_SPEC, "cutoff is 9"},
        {"clse=keep=9:temperature=0", &shape, all, WINNOW_E_SPEC, "temperature is 0"},
    };
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, rows[i].shape, rows[i].roles, 3, ALL, DIM);
        const winnow_status status = test_run_blob(&host, rows[i].spec, NULL, FRAMES, &run);
        if (status != rows[i].status || host.lines != 1 || !strstr(host.line, rows[i].says))
            fail_msg("%s: status %d, %d lines: `%s`, not `%s`", rows[i].spec, (int)status,
                     host.lines, host.line, rows[i].says);
        test_run_close(&run);
    }
}

/* A step behind another goes by attention, on tokens that lie nowhere in particular; pyramiddrop counts the same ones. */
static void later_steps_go_by_attention(void **state)
{
    (void)state;
    const char *specs[] = {"fastv=rate=0.5,clse=keep=11:score=attention",
                           "fastv=rate=0.5,pyramiddrop=ratio=0.1597"}; /* int(72 * 0.1597) = 11 */
    int32_t kept[2][ALL];
    for (size_t i = 0; i < LENGTH(specs); ++i) {
        test_host host;
        test_run run;
        test_host_open(&host);
        test_run_open(&run, &shape, ROLE(TOKENS) | ROLE(LLM_ATTENTION), 7, ALL, DIM);
        assert_int_equal(test_run_blob(&host, specs[i], NULL, FRAMES, &run), WINNOW_OK);
        assert_int_equal(run.result.rows, 11);
        memcpy(kept[i], run.indices, 11 * sizeof **kept);
        test_run_close(&run);
    }
    assert_memory_equal(kept[0], kept[1], 11 * sizeof **kept);
}

/* A token of NaN makes its frame the last to stay; the others are ranked as if it were not there. */
static void a_frame_of_nan_is_last(void **state)
{
    (void)state;
    enum { KEEP = 2 * TOKENS + 5 };
    test_host host;
    test_run run;
    test_host_open(&host);
    test_run_open(&run, &shape, ROLE(TOKENS) | ROLE(IMAGE_EMBEDS) | ROLE(LLM_ATTENTION), 5, ALL,
                  DIM);
    run.tokens[(TOKENS + 7) * DIM + 2] = NAN;
    assert_int_equal(test_run_blob(&host, "clse=keep=53", NULL, FRAMES, &run), WINNOW_OK);
    assert_int_equal(run.result.rows, KEEP);
    assert_int_equal(run.result.nan_scores, TOKENS);
    for (int32_t i = 0; i < KEEP;
         ++i) /* ties to the lower index: the first five of the second frame */
        assert_int_equal(run.indices[i], i < TOKENS + 5 ? i : i + TOKENS - 5);
    test_run_close(&run);
}

/* Both layers the same: no change anywhere, all scores alike. */
static void no_change_is_a_tie(void **state)
{
    (void)state;
    test_host host;
    test_run run;
    test_host_open(&host);
    test_run_open(&run, &shape, ROLE(TOKENS) | ROLE(IMAGE_EMBEDS), 9, ALL, DIM);
    memcpy(run.run.in[WINNOW_ROLE_IMAGE_EMBEDS].data, run.tokens, ALL * DIM * sizeof *run.tokens);
    assert_int_equal(test_run_blob(&host, "clse=keep=10:score=change", NULL, FRAMES, &run),
                     WINNOW_OK);
    assert_int_equal(run.result.rows, 10);
    for (int32_t i = 0; i < 10; ++i)
        assert_int_equal(run.indices[i], i);
    test_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_follow_the_score), cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(later_steps_go_by_attention), cmocka_unit_test(a_frame_of_nan_is_last),
        cmocka_unit_test(no_change_is_a_tie)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
