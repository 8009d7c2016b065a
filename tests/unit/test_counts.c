/* How many tokens come out: the official roundings, through the counts of plans. */
#include <math.h>
#include <stdio.h>

#include "stage.h"
#include "support.h"

static void keep_counts(void **state)
{
    (void)state;
    const struct {
        double number;
        bool percent;
        uint32_t n;
        double (*round)(double);
        uint32_t want;
    } rows[] = {
        {64, false, 100, trunc, 64}, {64, false, 64, trunc, 64},
        {64, false, 10, trunc, 10},  {25, true, 49, trunc, 12},
        {100, true, 49, trunc, 49},  {1e-6, true, 49, trunc, 1},
        {10, true, 65, rint, 6},     {10, true, 75, rint, 8},
        {10, true, 65, trunc, 6},    {29, true, 100, trunc, 28},
        {58, true, 50, trunc, 28},   {1, false, 0, trunc, 0},
        {1e9, false, 5, trunc, 5},   {50, true, 1, trunc, 1},
        {50, true, 1, rint, 1},      {50, true, 3, rint, 2},
        {50, true, 5, rint, 2},      {99.999, true, 4294967295u, trunc, 4294924345u},
    };
    for (size_t i = 0; i < LENGTH(rows); ++i) {
        const wn_value keep = {.given = true,
                               .percent = rows[i].percent,
                               .number = rows[i].number,
                               .share = rows[i].number / 100.0};
        const uint32_t got = wn_keep_count(&keep, rows[i].n, rows[i].round);
        if (got != rows[i].want)
            fail_msg("row %zu: %u, not %u", i, got, rows[i].want);
    }
}

typedef struct row {
    const char *spec;
    uint32_t frames, tokens, rows;
} row;

/* What the official code's Python gives, 100*(1-0.9) = 9.999... and all; but dycoke keeps an odd
 * last frame, which the official code loses. */
static const row exact_rows[] = {
    {"evs=rate=0.9", 10, 10, 10},
    {"evs=rate=0.9", 100, 10, 99},
    {"evs=rate=0.7", 32, 196, 1881},
    {"evs=rate=0", 3, 7, 21},
    {"evs=rate=0.999", 5, 9, 9},
    {"vidcom2=rate=0.9:total=exact", 10, 10, 10}, /* int(9.999...), but a token a frame */
    {"vidcom2=rate=0.9:total=exact", 10, 100, 99},
    {"vidcom2=keep=7:total=exact", 3, 20, 21},
    {"vidcom2=keep=50:total=exact", 3, 20, 60},
    {"dtd=rate=0.9", 3, 10, 10 + 2},
    {"dtd=rate=0.3", 3, 100, 100 + 2 * 70},
    {"dtd=rate=1", 3, 100, 100},
    {"v-cast", 2, 9, 4}, /* round(4.5) */
    {"v-cast=keep=1%", 5, 9, 5},
    {"v-cast=keep=1%:min=0", 5, 9, 1},
    {"v-cast=keep=3:min=0", 4, 9, 12},
    {"v-cast=keep=100", 4, 9, 36},
    {"v-cast", 1, 9, 9},
    {"dytok", 3, 196, 147},
    {"dytok=keep=9:limit=5", 3, 20, 15},
    {"dytok=keep=100", 2, 9, 18},
    {"dycoke=rate=0.9", 2, 100, 109},
    {"dycoke=rate=0.7", 5, 196, 370 + 196},
    {"dycoke=rate=0.7", 6, 196, 624},
    {"dycoke=rate=0.7", 8, 196, 878},
    {"dycoke=rate=0.7", 16, 196, 1618},
    {"dycoke=rate=0.7", 32, 196, 3098},
    {"dycoke=rate=0.7", 9, 196, 740 + 196},
    {"dycoke=rate=0.7", 1, 196, 196},
    {"dycoke=rate=0.3", 2, 196, 196 + 137},
    {"fastv=rate=0.5", 1, 577, 288},
    {"fastv=rate=0.5", 1, 579, 290},
    {"fastv=rate=0.9", 1, 65, 6},
    {"pyramiddrop", 1, 577, 288},
    {"pyramiddrop=step=2", 2, 289, 144},
    {"pyramiddrop=step=3:of=577", 1, 144, 72},
    {"pyramiddrop=ratio=0.29", 1, 100, 28}, /* int(100*0.29) of Python */
    {"pyramiddrop=ratio=0.001", 1, 100, 1},
    {"pyramiddrop=of=1000", 1, 100, 100},
    {"pyramiddrop,pyramiddrop=step=2", 1, 99, 24},
    {"clse=keep=17:score=attention", 2, 64, 17},
    {"clse=keep=10%:score=attention", 3, 65, 19},
    {"divprune=keep=10%", 2, 65, 12},
    {"divprune=keep=10%", 1, 75, 8},
    {"fastervlm=keep=10%", 1, 75, 7},
    {"fastervlm=keep=1000", 3, 5, 15},
    {"focus-llm=keep=25%", 2, 63, 31},
    {"focus-llm=keep=1000", 2, 63, 126},
    {"prumerge=ratio=0.125", 1, 196, 25},
    {"visionzip", 1, 576, 64},
    {"visionzip=dominant=3:contextual=50", 1, 20, 20},
    {"visionzip=dominant=5:contextual=0", 1, 20, 5},
    {"vispruner=keep=17", 2, 63, 34},
    {"hired=keep=20%", 2, 63, 24},
    {"hired=keep=20%:alpha=0.5:tiles=official", 5, 64,
     32 + 32}, /* 8 of the tiles' 8 each, evenly looked at */
    {"hiprune=keep=17", 2, 64, 34},
    {"holov=keep=25%", 3, 63, 45},
    {"holov=keep=1000", 1, 7, 7},
    {"vscan=keep=96", 2, 576, 192},
    {"vscan=keep=101", 1, 576, 99},  /* 50 a window of 16: 3 each, two lost */
    {"prunesid=keep=17", 2, 63, 32}, /* one each is left for the class token */
    {"prunesid=keep=1", 2, 63, 2},
    {"scope=keep=17", 2, 63, 34},
    {"tops=keep=17", 2, 63, 34},
    {"tops=keep=30%", 1, 63, 18},
    {"vitcop=keep=29%", 2, 100, 56}, /* int(100*0.29) of Python */
    {"vitcop=rows=clusters", 2, 64, 10},
    {"vitcop=rows=clusters:clusters=0.01:mode=official", 2, 64, 2},
    {"vitcop-llm=keep=17", 2, 64, 17},
    {"vitcop-llm=keep=10%", 1, 65, 6},
    {"trio=keep=17", 2, 64, 17},
    {"trio=keep=30%", 1, 63, 18},
    {"fsr=keep=17", 2, 64, 34},
    {"fsr=keep=100", 2, 64, 128},
    {"mmtok=keep=17", 2, 63, 34},
    {"dart=keep=64", 2, 576, 2 * 68},
    {"dart=keep=67", 1, 576, 4 + 64},
    {"dart=keep=64", 1, 40, 40},
    {"tome=r=8", 3, 20, 36},
    {"tome=r=1000", 1, 63, 32},
    {"tome=keep=5", 2, 63, 10},
    {"tome=keep=10%", 1, 63, 6},
    {"cdpruner=keep=12", 2, 40, 24},
    {"avg-pool=stride=5", 1, 24, 4},
    {"avg-pool=stride=5", 3, 7, 4},
};

static void rows_out_are_the_official(void **state)
{
    (void)state;
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(exact_rows); ++i) {
        const row *r = &exact_rows[i];
        const winnow_shape shape = {.frames = r->frames,
                                    .tokens = r->tokens,
                                    .dim = 4,
                                    .key_dim = 4,
                                    .heads = 1,
                                    .llm_heads = 1,
                                    .text_rows = 1,
                                    .text_dim = 4,
                                    .frame_dim = 3};
        const uint32_t roles = 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS |
                               1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_TEXT |
                               1u << WINNOW_ROLE_IMAGE_EMBEDS | 1u << WINNOW_ROLE_LLM_ATTENTION |
                               1u << WINNOW_ROLE_CLS_ATTENTION_SHALLOW |
                               1u << WINNOW_ROLE_TEXT_ATTENTION | 1u << WINNOW_ROLE_SALIENCY |
                               1u << WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW |
                               1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP;
        test_run run;
        winnow_plan *plan;
        winnow_plan_info info = {.struct_size = sizeof info};
        test_run_open(&run, &shape, roles, 7, r->frames * r->tokens + 8, 4);
        assert_int_equal(test_plan(device, r->spec, &run, WINNOW_PLAN_HOST_MEMORY, &plan),
                         WINNOW_OK);
        assert_int_equal(api->plan_info(plan, &info), WINNOW_OK);
        const winnow_status status = api->plan_run(plan, &run.run, &run.result);
        if (status != WINNOW_OK || run.result.rows != r->rows || info.rows_max < r->rows ||
            (info.rows_exact && info.rows_max != r->rows) || run.count[0] != r->rows)
            fail_msg("%s of %u x %u: status %d, %u rows (at most %u), not %u", r->spec, r->frames,
                     r->tokens, (int)status, run.result.rows, info.rows_max, r->rows);
        api->plan_destroy(plan);
        test_run_close(&run);
    }
    api->device_destroy(device);
}

static void nan_scores_rank_last_and_are_counted(void **state)
{
    (void)state;
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    const winnow_shape shape = {.frames = 2, .tokens = 9, .dim = 4, .heads = 2};
    test_run run;
    winnow_plan *plan;
    test_run_open(&run, &shape, 1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_CLS_ATTENTION, 3, 18,
                  4);
    float *attention = run.run.in[WINNOW_ROLE_CLS_ATTENTION].data;
    attention[4] = attention[7] = NAN; /* of frame 0, head 0 */
    assert_int_equal(test_plan(device, "fastervlm=keep=7", &run, WINNOW_PLAN_HOST_MEMORY, &plan),
                     WINNOW_OK);
    assert_int_equal(api->plan_run(plan, &run.run, &run.result), WINNOW_OK);
    assert_int_equal(run.result.rows, 14);
    assert_int_equal(run.result.nan_scores, 2);
    assert_int_equal(run.count[1], 2);
    for (uint32_t i = 0; i < 14; ++i)
        assert_true(run.indices[i] != 4 && run.indices[i] != 7);
    assert_true(run.assignment[4] == -1 && run.assignment[7] == -1);
    api->plan_destroy(plan);
    test_run_close(&run);
    api->device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_counts),
        cmocka_unit_test(rows_out_are_the_official),
        cmocka_unit_test(nan_scores_rank_last_and_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
