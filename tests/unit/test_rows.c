/* rows_max holds for runs of fewer frames too: a host that makes room for so many never comes short. */
#include <stdio.h>
#include <string.h>

#include "support.h"

enum { FRAMES = 6, SIDE = 5, TOKENS = SIDE * SIDE, DIM = 6 };

static const winnow_shape largest = {.frames = FRAMES,
                                     .tokens = TOKENS,
                                     .dim = DIM,
                                     .grid_h = SIDE,
                                     .grid_w = SIDE,
                                     .key_dim = 4,
                                     .heads = 2,
                                     .llm_heads = 2,
                                     .text_rows = 3,
                                     .text_dim = DIM,
                                     .frame_dim = 5};

/* Those of few frames are more in the first ones: v-cast leaves one frame whole. */
static const struct {
    const char *spec;
    bool more; /* than all frames give */
} specs[] = {
    {"v-cast=keep=4%", true},
    {"v-cast=keep=4%,fastervlm=keep=90%", true},
    {"fastervlm=keep=7,budget=20", false},
    {"budget=9", false},
    {"budget=31,tome=r=2", true},
    {"evs=rate=0.9", false},
    {"dycoke=rate=0.8", false},
    {"flatten,fastervlm=keep=40", false},
    {"avg-pool=stride=7", false},
    {"adaptive-pool=size=3,tome=r=2", false},
    {"pixel-shuffle=factor=2:pad=edge", false},
    {"fastv=rate=0.5", false},
    {"pyramiddrop=ratio=0.3:of=40", false},
    {"clse=keep=20", false},
    {"clse=keep=30%:score=change", false},
    {"sparsevlm=keep=20", false},
    {"prunevid", false},
    {"fastvid=keep=20%", false},
    {"flashvid=keep=20%", false},
    {"holitom=keep=20%", false},
    {"longvu=threshold=0.7", false},
    {"framefusion=cost=0.2:prune=attention", false},
    {"vidcom2=keep=20%:total=exact", false},
    {"union=keep=9:of=fastervlm+evs", false},
    {"divprune=keep=20%:share=need", false},
    {"dycoke=rate=0.5,v-cast=keep=4%", true},
    {"mustdrop-llm", false},
    {"tops-llm=keep=20", false},
    {"sieve=keep=20", false},
    {"trio=keep=20", false},
    {"prunevid-llm=keep=30%", false},
    {"vitcop=rows=clusters", false},
    {"vitcop-llm=keep=30%", false},
    {"fsr=keep=30%", false},
    {"dytok=keep=30%", false},
    {"streamingtom=keep=30%:threshold=0.1", false},
    {"sttm=threshold=0.2:temporal=0.3:root=0", false},
};

static uint32_t run_frames(winnow_plan *plan, test_run *run, uint32_t frames, const char *spec)
{
    run->run.shape.frames = frames;
    const winnow_status status = test_api()->plan_run(plan, &run->run, &run->result);
    if (status != WINNOW_OK)
        fail_msg("%s of %u frames: %s", spec, frames, test_api()->status_name(status));
    return run->result.rows;
}

static void fewer_frames_fit(void **state)
{
    (void)state;
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    for (size_t i = 0; i < LENGTH(specs); ++i) {
        winnow_plan_info info = {.struct_size = sizeof info};
        winnow_plan *plan;
        test_run shape_alone, run;
        test_run_open(&shape_alone, &largest, (1u << WINNOW_ROLE_COUNT) - 1u, 9, 1, 4 * DIM);
        if (test_plan(device, specs[i].spec, &shape_alone, WINNOW_PLAN_HOST_MEMORY, &plan) !=
            WINNOW_OK)
            fail_msg("%s: no plan", specs[i].spec);
        assert_int_equal(api->plan_info(plan, &info), WINNOW_OK);
        test_run_close(&shape_alone);
        test_run_open(&run, &largest, (1u << WINNOW_ROLE_COUNT) - 1u, 9, info.rows_max,
                      info.dim_out);
        const uint32_t all = run_frames(plan, &run, FRAMES, specs[i].spec);
        uint32_t most = all;
        for (uint32_t frames = FRAMES - 1; frames > 0; --frames) {
            const uint32_t rows = run_frames(plan, &run, frames, specs[i].spec);
            most = rows > most ? rows : most;
        }
        if (most > info.rows_max || (most > all) != specs[i].more ||
            (info.rows_exact && all != info.rows_max))
            fail_msg("%s: %u rows of all frames, %u of fewer, %u planned", specs[i].spec, all, most,
                     info.rows_max);
        test_run_close(&run);
        api->plan_destroy(plan);
    }
    api->device_destroy(device);
}

/* What fewer frames cannot do is no reason to refuse the plan, and nothing is said about it. */
static void planning_is_silent(void **state)
{
    (void)state;
    test_host host;
    test_run run;
    winnow_plan *plan;
    test_host_open(&host);
    winnow_device *device = test_device(&host.host);
    winnow_shape tiles = largest;
    tiles.frames = 5; /* four tiles in two columns; of fewer frames the tiles fill no row */
    test_run_open(&run, &tiles, (1u << WINNOW_ROLE_COUNT) - 1u, 3, TOKENS * FRAMES, DIM);
    assert_int_equal(test_plan(device, "hired=keep=3:tiles=grid:columns=2", &run, 0, &plan),
                     WINNOW_OK);
    assert_int_equal(host.lines, 0);
    test_api()->plan_destroy(plan);
    test_run_close(&run);
    test_api()->device_destroy(device);
    assert_int_equal(host.live, 0);
}

/* Of a frame whose tokens are known on the device alone nobody can say which lie at the same place, nor how many go on. */
static void unknown_numbers_are_not_aligned(void **state)
{
    (void)state;
    static const char *const behind[] = {"mustdrop-llm,evs=rate=0.4",
                                         "divprune=keep=auto,dtd=rate=0.5",
                                         "mustdrop-llm,streamingtom=keep=3"};
    test_host host;
    test_run run;
    test_host_open(&host);
    winnow_device *device = test_device(&host.host);
    winnow_shape picture = largest;
    picture.frames = 1;
    test_run_open(&run, &picture, (1u << WINNOW_ROLE_COUNT) - 1u, 3, TOKENS, DIM);
    for (size_t i = 0; i < LENGTH(behind); ++i) {
        winnow_plan *plan;
        assert_int_equal(test_plan(device, behind[i], &run, 0, &plan), WINNOW_E_SHAPE);
        assert_non_null(strstr(host.line, "frames keep different places here"));
    }
    test_run_close(&run);
    test_api()->device_destroy(device);
    assert_int_equal(host.live, 0);
}

/* A class token of 6 channels is no row of 24. */
static void class_tokens_are_as_wide(void **state)
{
    (void)state;
    static const char *const behind[] = {"pixel-shuffle=factor=2:pad=zero,visionzip",
                                         "pixel-shuffle=factor=2:pad=zero,prunesid=keep=3"};
    test_host host;
    test_run run;
    test_host_open(&host);
    winnow_device *device = test_device(&host.host);
    for (size_t i = 0; i < 2 * LENGTH(behind); ++i) {
        const bool with = i < LENGTH(behind);
        const uint32_t roles =
            ((1u << WINNOW_ROLE_COUNT) - 1u) & ~(with ? 0 : 1u << WINNOW_ROLE_CLS);
        winnow_plan *plan;
        test_run_open(&run, &largest, roles, 3, TOKENS * FRAMES, 4 * DIM);
        host.line[0] = '\0';
        assert_int_equal(test_plan(device, behind[i % LENGTH(behind)], &run, 0, &plan),
                         with ? WINNOW_E_SHAPE : WINNOW_OK);
        if (with)
            assert_non_null(strstr(host.line, "class tokens have 6 channels, and tokens 24 here"));
        test_api()->plan_destroy(plan);
        test_run_close(&run);
    }
    test_api()->device_destroy(device);
    assert_int_equal(host.live, 0);
}

static void run_behind_nothing(winnow_plan *plan, test_run *run, const char *spec)
{
    const winnow_api *api = test_api();
    winnow_plan_info info = {.struct_size = sizeof info};
    assert_int_equal(api->plan_info(plan, &info), WINNOW_OK);
    const winnow_status status = api->plan_run(plan, &run->run, &run->result);
    if (status != WINNOW_OK || run->result.rows > info.rows_max)
        fail_msg("%s: %s, %u rows", spec, api->status_name(status), run->result.rows);
}

/* The second frame is the one that nothing is left of. */
static void push_behind_nothing(winnow_plan *plan, test_run *run, const char *spec)
{
    const winnow_api *api = test_api();
    winnow_stream *stream = NULL;
    assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
    for (uint32_t push = 0; push < 2; ++push) {
        const winnow_status status = api->stream_push(stream, &run->run, &run->result);
        if (status != WINNOW_OK && status != WINNOW_E_SHAPE && status != WINNOW_E_UNSUPPORTED)
            fail_msg("%s: %s", spec, api->status_name(status));
    }
    api->stream_destroy(stream);
}

/* Makes a plan for frames of one token and runs it; false: it may not be made. */
static bool plans_behind_nothing(winnow_device *device, const char *spec, uint32_t frames,
                                 uint32_t flags)
{
    winnow_shape shape = largest;
    test_run run;
    winnow_plan *plan = NULL;
    shape.frames = frames;
    shape.tokens = shape.grid_h = shape.grid_w = 1;
    test_run_open(&run, &shape, (1u << WINNOW_ROLE_COUNT) - 1u, 3, 2 * FRAMES, 4 * DIM);
    const winnow_status planned = test_plan(device, spec, &run, flags, &plan);
    if (planned == WINNOW_OK)
        (flags == WINNOW_PLAN_STREAM ? push_behind_nothing : run_behind_nothing)(plan, &run, spec);
    else if (planned != WINNOW_E_SHAPE && planned != WINNOW_E_UNSUPPORTED &&
             planned != WINNOW_E_ROLE)
        fail_msg("%s: no plan: %s", spec, test_api()->status_name(planned));
    test_api()->plan_destroy(plan);
    test_run_close(&run);
    return planned == WINNOW_OK;
}

/* The stage with these options behind one that leaves nothing of a picture of one token, and at most that of a film. */
static uint32_t try_behind_nothing(winnow_device *device, const char *name, const char *options)
{
    char spec[160];
    winnow_pipeline *pipeline = NULL;
    uint32_t ran = 0;
    snprintf(spec, sizeof spec, "prunevid-llm=keep=10%%,%s%s", name, options);
    if (test_api()->pipeline_create(NULL, spec, &pipeline) != WINNOW_OK)
        return 0; /* it wants weights, or other options */
    test_api()->pipeline_destroy(pipeline);
    for (uint32_t frames = 1; frames < 5; frames += 3)
        ran += plans_behind_nothing(device, spec, frames, WINNOW_PLAN_HOST_MEMORY);
    snprintf(spec, sizeof spec, "dycoke=rate=0.9,%s%s", name, options);
    return ran + plans_behind_nothing(device, spec, 1, WINNOW_PLAN_STREAM);
}

static void nothing_may_be_left(void **state)
{
    (void)state;
    static const char *const options[] = {"",
                                          "=keep=5",
                                          "=keep=60%",
                                          "=rate=0.3",
                                          "=5",
                                          "=auto",
                                          "=keep=5:total=exact",
                                          "=r=3",
                                          "=factor=2",
                                          "=pad=edge",
                                          "=factor=2:pad=zero",
                                          "=stride=2",
                                          "=threshold=0.3"};
    winnow_device *device = test_device(NULL);
    for (uint32_t i = 0; i < test_api()->stage_count(); ++i) {
        winnow_stage_info stage = {.struct_size = sizeof stage};
        assert_int_equal(test_api()->stage_info(i, &stage), WINNOW_OK);
        uint32_t ran = 0;
        for (size_t k = 0; k < LENGTH(options); ++k)
            ran += try_behind_nothing(device, stage.name, options[k]);
        print_message("    %s: %u\n", stage.name, ran);
    }
    test_api()->device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_frames_fit), cmocka_unit_test(unknown_numbers_are_not_aligned),
        cmocka_unit_test(nothing_may_be_left), cmocka_unit_test(class_tokens_are_as_wide),
        cmocka_unit_test(planning_is_silent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
