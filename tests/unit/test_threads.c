/* Threads with a plan each, on one device and one pipeline, as the thread rules promise. */
#include <pthread.h>
#include <string.h>

#include "ops.h"
#include "support.h"

enum { THREADS = 4, ROUNDS = 12, ROWS_MOST = 400 };

static const winnow_shape shape = {
    .frames = 3, .tokens = 30, .dim = 16, .grid_h = 5, .grid_w = 6, .key_dim = 8};
#define ROLES (1u << WINNOW_ROLE_TOKENS | 1u << WINNOW_ROLE_KEYS)

typedef struct job {
    winnow_device *device;
    const winnow_pipeline *pipeline;
    const test_run *want;
    int wrong;
} job;

static winnow_status one_round(const job *j, test_run *run)
{
    const winnow_api *api = test_api();
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_HOST_MEMORY,
                                   .max_shape = shape,
                                   .roles = ROLES,
                                   .outputs = (1u << WINNOW_OUT_COUNT) - 1u};
    uint32_t needed, optional;
    winnow_plan *plan = NULL;
    winnow_status status = api->pipeline_inputs(j->pipeline, &needed, &optional);
    if (status == WINNOW_OK)
        status = api->plan_create(j->device, j->pipeline, &desc, &plan);
    for (int i = 0; status == WINNOW_OK && i < 3; ++i)
        status = api->plan_run(plan, &run->run, &run->result);
    api->plan_destroy(plan);
    return status;
}

static void *work(void *user)
{
    job *j = user;
    test_run run;
    test_run_open(&run, &shape, ROLES, 9, ROWS_MOST, 16);
    for (int i = 0; i < ROUNDS; ++i) {
        if (one_round(j, &run) != WINNOW_OK || run.result.rows != j->want->result.rows ||
            memcmp(run.rows, j->want->rows, run.result.rows * 16 * sizeof(float)) != 0 ||
            memcmp(run.indices, j->want->indices, run.result.rows * sizeof(int32_t)) != 0)
            ++j->wrong;
    }
    test_run_close(&run);
    return NULL;
}

static void plans_in_threads(const char *spec)
{
    const winnow_api *api = test_api();
    winnow_device *device = test_device(NULL);
    winnow_pipeline *pipeline = NULL;
    pthread_t threads[THREADS];
    job jobs[THREADS];
    wn_cpu_device_share_all(device, 3); /* so that they want the device's own threads too */
    test_run want;
    test_run_open(&want, &shape, ROLES, 9, ROWS_MOST, 16);
    assert_int_equal(api->pipeline_create(NULL, spec, &pipeline), WINNOW_OK);
    for (int i = 0; i < THREADS; ++i)
        jobs[i] = (job){device, pipeline, &want, 0};
    assert_int_equal(one_round(&jobs[0], &want), WINNOW_OK);
    for (int i = 0; i < THREADS; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    for (int i = 0; i < THREADS; ++i)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; ++i)
        assert_int_equal(jobs[i].wrong, 0);
    test_run_close(&want);
    api->pipeline_destroy(pipeline);
    api->device_destroy(device);
}

static void selections(void **state)
{
    (void)state;
    plans_in_threads("evs=rate=0.4,divprune=keep=7");
}

static void merges(void **state)
{
    (void)state;
    plans_in_threads("tome=keep=9");
}

static void pools(void **state)
{
    (void)state;
    plans_in_threads("bilinear-pool=factor=2,tome=r=2");
}

static void *make_and_break(void *user)
{
    const winnow_api *api = test_api();
    int *wrong = user;
    for (int i = 0; i < 50; ++i) {
        winnow_stage_info info = {.struct_size = sizeof info};
        winnow_pipeline *pipeline = NULL;
        winnow_device *device = test_device(NULL);
        *wrong += api->pipeline_create(NULL, i % 2 ? "tome=r=3" : "tone=r=3", &pipeline) !=
                  (i % 2 ? WINNOW_OK : WINNOW_E_SPEC);
        *wrong += api->stage_info((uint32_t)i % api->stage_count(), &info) != WINNOW_OK;
        *wrong += !api->get_extension("winnow.encoder/1");
        api->pipeline_destroy(pipeline);
        api->device_destroy(device);
    }
    return NULL;
}

static void objects_in_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int wrong[THREADS] = {0};
    for (int i = 0; i < THREADS; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_break, &wrong[i]), 0);
    for (int i = 0; i < THREADS; ++i) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(selections), cmocka_unit_test(merges),
                                       cmocka_unit_test(pools),
                                       cmocka_unit_test(objects_in_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
