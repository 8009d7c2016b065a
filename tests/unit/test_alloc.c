/* Every allocation of everything fails once: the right status comes back, nothing leaks, and what
 * was made can still be destroyed. Runs allocate nothing. */
#include <stdlib.h>

#include "support.h"

static const winnow_api *api;

static winnow_shape shape_of(void)
{
    return (winnow_shape){.frames = 4,
                          .tokens = 12,
                          .dim = 6,
                          .grid_h = 6,
                          .grid_w = 2,
                          .key_dim = 4,
                          .heads = 2,
                          .llm_heads = 1,
                          .text_rows = 2,
                          .text_dim = 6,
                          .frame_dim = 3};
}

typedef winnow_status (*scenario)(winnow_device *device, const winnow_pipeline *pipeline,
                                  test_host *host);

static winnow_status use_plan(winnow_device *device, const winnow_pipeline *pipeline,
                              test_host *host)
{
    const winnow_shape shape = shape_of();
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_HOST_MEMORY,
                                   .max_shape = shape,
                                   .roles = (1u << WINNOW_ROLE_COUNT) - 1u,
                                   .outputs = (1u << WINNOW_OUT_COUNT) - 1u};
    winnow_plan *plan = NULL;
    test_run run;
    test_run_open(&run, &shape, desc.roles, 5, 64, 24);
    winnow_status status = api->plan_create(device, pipeline, &desc, &plan);
    assert_true((status == WINNOW_OK) == (plan != NULL));
    const size_t calls = host->calls; /* none after this */
    for (uint32_t frames = 4; status == WINNOW_OK && frames >= 1; frames /= 2) {
        run.run.shape.frames = frames;
        status = api->plan_run(plan, &run.run, &run.result);
    }
    host->late += host->calls - calls;
    api->plan_destroy(plan);
    test_run_close(&run);
    return status;
}

static winnow_status use_stream(winnow_device *device, const winnow_pipeline *pipeline,
                                test_host *host)
{
    const winnow_shape shape = shape_of();
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_STREAM,
                                   .max_shape = shape,
                                   .roles = 1u << WINNOW_ROLE_TOKENS};
    winnow_plan *plan = NULL;
    winnow_stream *stream = NULL;
    test_run run;
    test_run_open(&run, &shape, desc.roles, 5, 48, 6);
    for (uint32_t output = WINNOW_OUT_SIZES; output < WINNOW_OUT_COUNT; ++output)
        run.run.out[output].data = NULL;
    winnow_status status = api->plan_create(device, pipeline, &desc, &plan);
    if (status == WINNOW_OK)
        status = api->stream_create(plan, &stream);
    const size_t calls = host->calls;
    for (uint32_t frames = 1; status == WINNOW_OK && frames <= 4; ++frames) {
        run.run.shape.frames = frames;
        status = api->stream_push(stream, &run.run, &run.result);
    }
    host->late += host->calls - calls;
    api->stream_destroy(stream);
    api->plan_destroy(plan);
    test_run_close(&run);
    return status;
}

static winnow_status use_kv(winnow_device *device, const winnow_pipeline *pipeline, test_host *host)
{
    const winnow_kv_desc desc = {.struct_size = sizeof desc, .max_columns = 20, .max_heads = 2};
    float attention[40];
    int32_t mask[20];
    winnow_kv *kv = NULL;
    for (int i = 0; i < 40; ++i)
        attention[i] = (float)((i * 7) % 11);
    winnow_status status = api->kv_create(device, pipeline, &desc, &kv);
    const size_t calls = host->calls;
    for (uint32_t columns = 18; status == WINNOW_OK && columns <= 20; ++columns) {
        winnow_kv_step step = {.struct_size = sizeof step,
                               .heads = 2,
                               .columns = columns,
                               .visual_first = 3,
                               .visual_count = 10,
                               .attention = attention,
                               .mask = mask};
        status = api->kv_step(kv, &step);
    }
    host->late += host->calls - calls;
    api->kv_destroy(kv);
    return status;
}

static winnow_status use_encoder(winnow_device *device, const winnow_pipeline *pipeline,
                                 test_host *host)
{
    const winnow_ext_encoder *e = api->get_extension("winnow.encoder/1");
    static uint8_t rgb[2 * 32 * 16 * 3];
    static float tokens[2 * 2 * 64];
    winnow_encoder *encoder = NULL;
    (void)pipeline;
    winnow_status status =
        e->encoder_create(device, "patches=patch=16:luma=24:chroma=4", 2, 32, 16, &encoder);
    const size_t calls = host->calls;
    if (status == WINNOW_OK)
        status = e->encoder_run(encoder, rgb, 2, 32, 16, tokens);
    host->late += host->calls - calls;
    e->encoder_destroy(encoder);
    return status;
}

/* Everything once; the fail_at-th allocation fails. */
static winnow_status once(test_host *host, size_t fail_at, const char *spec, scenario use)
{
    winnow_device *device = NULL;
    winnow_pipeline *pipeline = NULL;
    test_host_open(host);
    host->fail_at = fail_at;
    const winnow_device_desc desc = {
        .struct_size = sizeof desc, .backend = WINNOW_BACKEND_CPU, .host = &host->host};
    winnow_status status = api->device_create(&desc, &device);
    if (status == WINNOW_OK)
        status = api->pipeline_create(&host->host, spec, &pipeline);
    if (status == WINNOW_OK)
        status = use(device, pipeline, host);
    api->pipeline_destroy(pipeline);
    api->device_destroy(device);
    if (host->live)
        fail_msg("%s: %zu blocks leak after allocation %zu failed", spec, host->live, fail_at);
    return status;
}

static int allocate_late; /* specs */

static void fail_each(const char *spec, scenario use)
{
    test_host host;
    const winnow_status all = once(&host, 0, spec, use);
    if (all != WINNOW_OK)
        fail_msg("%s: %s (%s)", spec, api->status_name(all), host.line);
    const size_t count = host.calls;
    if (host.late) {
        print_error("%s: %zu allocations after planning\n", spec, host.late);
        ++allocate_late;
    }
    assert_true(count >= 3); /* or the allocator is not used */
    for (size_t n = 1; n <= count; ++n) {
        const winnow_status status = once(&host, n, spec, use);
        if (status != WINNOW_E_HOST_MEMORY || host.lines != 1)
            fail_msg("%s: allocation %zu of %zu: %s, %d lines", spec, n, count,
                     api->status_name(status), host.lines);
    }
}

static void plans(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pixel-shuffle",
        "pixel-shuffle=factor=3:pad=edge",
        "pixel-shuffle=layout=column:factor=1",
        "avg-pool=stride=5",
        "avg-pool=factor=2",
        "adaptive-pool=size=2",
        "bilinear-pool",
        "focus=window=2",
        "fastervlm=keep=3",
        "fastv",
        "visionzip=dominant=2:contextual=3",
        "prumerge",
        "prumerge-plus=ratio=0.3",
        "vispruner=keep=5",
        "tome=r=3",
        "tome=keep=2",
        "divprune=keep=25%",
        "cdpruner=keep=3",
        "cdpruner=keep=4:weight=0.5:split=5",
        "evs=rate=0.5",
        "dycoke",
        "dycoke=mode=merge",
        "hired=keep=3",
        "hired=keep=20%:tiles=grid",
        "hiprune=keep=5",
        "holov=keep=5",
        "vscan=keep=6:window=2",
        "correlation=many=2",
        "clse=keep=5:score=change",
        "prunesid=keep=8",
        "scope=keep=3:alpha=2",
        "tops=keep=3:norm=range",
        "sieve=keep=3:heads=1",
        "trio=keep=3",
        "mmtok=keep=3",
        "dart=keep=4:pivots=2:mode=official",
        "evs=rate=0.3,tome=r=2,divprune=keep=2",
    };
    for (size_t i = 0; i < LENGTH(specs); ++i)
        fail_each(specs[i], use_plan);
    assert_int_equal(allocate_late, 0);
}

static void streams(void **state)
{
    (void)state;
    fail_each("evs=rate=0.5", use_stream);
    fail_each("dycoke", use_stream);
}

static void decode_steps(void **state)
{
    (void)state;
    fail_each("dycoke-kv", use_kv);
}

static void encoders(void **state)
{
    (void)state;
    fail_each("evs", use_encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans), cmocka_unit_test(streams),
                                       cmocka_unit_test(decode_steps), cmocka_unit_test(encoders)};
    api = test_api();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
