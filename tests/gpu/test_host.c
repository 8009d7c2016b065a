/* Programs on the host's own Vulkan: recorded into its commands, submitted with its semaphores,
 * with and without a queue. Run on one driver at a time; WINNOW_TEST_DISABLE masks features. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

static lab_log log_of_test;
static wn_host host;
static winnow_host lent;
static lab_vulkan vulkan;
static lab_program program;
static PFN_vkCreateSemaphore create_semaphore;
static PFN_vkDestroySemaphore destroy_semaphore;
static PFN_vkSignalSemaphore signal_semaphore;
static PFN_vkWaitSemaphores wait_semaphores;
static int locks, unlocks;

/* By the name of the core, or as the extension that it came from. */
static PFN_vkVoidFunction device_call(const char *name, const char *extension_name)
{
    const bool core = vulkan.caps.api >= VK_API_VERSION_1_2;
    return vulkan.instance.vk.GetDeviceProcAddr(vulkan.device, core ? name : extension_name);
}

static int open_host(void **state)
{
    (void)state;
    host = lab_host(&log_of_test);
    lent = (winnow_host){sizeof lent, 0, host.allocator, host.log, host.log_user};
    if (!lab_vulkan_open(&host, true, &vulkan))
        return -1;
    create_semaphore = (PFN_vkCreateSemaphore)device_call("vkCreateSemaphore", "vkCreateSemaphore");
    destroy_semaphore =
        (PFN_vkDestroySemaphore)device_call("vkDestroySemaphore", "vkDestroySemaphore");
    signal_semaphore =
        (PFN_vkSignalSemaphore)device_call("vkSignalSemaphore", "vkSignalSemaphoreKHR");
    wait_semaphores = (PFN_vkWaitSemaphores)device_call("vkWaitSemaphores", "vkWaitSemaphoresKHR");
    return 0;
}

static int close_host(void **state)
{
    (void)state;
    lab_vulkan_close(&vulkan);
    return 0;
}

static void assert_said(const char *part)
{
    if (!strstr(log_of_test.last, part))
        fail_msg("the log says '%s', without '%s'", log_of_test.last, part);
}

static void count_lock(void *user)
{
    ++*(int *)user;
}

static void count_unlock(void *user)
{
    (void)user;
    unlocks++;
}

/* A borrowed device, a plan on it, and buffers of the host's. */
typedef struct bench {
    wn_gpu *gpu;
    wn_exec *exec;
    lab_buffers buffers;
    lab_data data;
} bench;

static void bench_make(bench *b, bool queue)
{
    winnow_device *device = NULL;
    winnow_vk_borrow desc = lab_borrow(&vulkan, &lent);
    const wn_exec_desc exec = lab_desc(&program, WINNOW_PLAN_TIMING);
    desc.disable = getenv("WINNOW_TEST_DISABLE");
    desc.lock_queue = count_lock;
    desc.unlock_queue = count_unlock;
    desc.queue_user = &locks;
    if (!queue)
        desc.queue = VK_NULL_HANDLE;
    assert_int_equal(wn_gpu_borrow(&desc, &device), WINNOW_OK);
    b->gpu = (wn_gpu *)device;
    assert_int_equal(wn_gpu_backend.exec_create(device, &exec, &b->exec), WINNOW_OK);
    assert_true(lab_buffers_make(b->gpu, &program, &b->buffers));
    lab_data_make(&b->data, &program, 0);
    lab_buffers_put(b->gpu, &b->buffers, &b->data, &program);
}

static void bench_free(bench *b)
{
    wn_gpu_backend.exec_destroy(b->exec);
    lab_buffers_free(b->gpu, &b->buffers);
    lab_data_free(&b->data);
    wn_gpu_backend.device_destroy(&b->gpu->base);
}

/* The job is used as a host's command buffer on a queue of its own making. */
static void host_submits(bench *b, wn_job *job)
{
    b->gpu->queue = vulkan.queue;
    assert_int_equal(wn_job_submit(job, NULL), WINNOW_OK);
    assert_int_equal(wn_job_wait(job, UINT64_MAX), WINNOW_OK);
    lab_buffers_get(b->gpu, &b->buffers, &b->data, &program);
}

static void record_in(bench *b, uint32_t times)
{
    wn_job job;
    assert_int_equal(wn_job_create(b->gpu, false, &job), WINNOW_OK);
    assert_int_equal(wn_job_begin(&job), WINNOW_OK);
    for (uint32_t i = 0; i < times; i++)
        assert_int_equal(wn_gpu_record(b->exec, job.commands, &program.program, &b->buffers.spans),
                         WINNOW_OK);
    assert_int_equal(wn_job_end(&job), WINNOW_OK);
    for (int i = 0; i < 2; i++) { /* the commands stand for themselves */
        memset(b->data.out, 0xdd, LAB_PICKS * program.out_row);
        host_submits(b, &job);
        assert_int_equal(lab_wrong(&b->data, &program), 0);
    }
    wn_job_destroy(&job);
}

static void test_record(void **state)
{
    (void)state;
    static const uint32_t types[] = {WINNOW_F32, WINNOW_F16, WINNOW_BF16};
    for (int queue = 0; queue < 2; queue++) {
        for (uint32_t i = 0; i < 3; i++) {
            bench b;
            lab_make(&program, 30 + i, types[i]);
            bench_make(&b, queue);
            record_in(&b, 1);
            record_in(&b, WN_GENERATIONS - WN_LANE_COUNT); /* all that can wait at once */
            record_in(&b, 2);
            bench_free(&b);
        }
    }
}

static void test_without_count(void **state)
{
    (void)state;
    bench b;
    lab_make(&program, 12, WINNOW_F32);
    bench_make(&b, true);
    b.buffers.spans.out[WINNOW_OUT_COUNT_WORD].buffer = VK_NULL_HANDLE;
    wn_job job;
    assert_int_equal(wn_job_create(b.gpu, false, &job), WINNOW_OK);
    assert_int_equal(wn_job_begin(&job), WINNOW_OK);
    assert_int_equal(wn_gpu_record(b.exec, job.commands, &program.program, &b.buffers.spans),
                     WINNOW_OK);
    assert_int_equal(wn_job_end(&job), WINNOW_OK);
    host_submits(&b, &job);
    wn_job_destroy(&job);
    assert_int_equal(b.data.count[0], 0xcccccccc);
    b.data.count[0] = LAB_PICKS;
    b.data.count[1] = 7;
    b.data.count[2] = b.data.count[3] = 0;
    assert_int_equal(lab_wrong(&b.data, &program), 0);
    bench_free(&b);
}

static void test_no_queue(void **state)
{
    (void)state;
    bench b;
    double speed;
    wn_exec_stats stats;
    lab_make(&program, 8, WINNOW_F32);
    bench_make(&b, false);
    const wn_host_io io = lab_io(&b.data, &program);
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, NULL),
                     WINNOW_E_STATE);
    assert_said("without a queue");
    assert_int_equal(wn_gpu_wait(b.exec, 0, NULL, NULL), WINNOW_E_STATE);
    assert_int_equal(wn_gpu_backend.exec_run(b.exec, &program.program, &io, &stats),
                     WINNOW_E_STATE);
    assert_int_equal(wn_gpu_backend.copy_bandwidth(&b.gpu->base, 4096, &speed), WINNOW_E_STATE);
    assert_int_equal(wn_gpu_record(b.exec, NULL, &program.program, &b.buffers.spans),
                     WINNOW_E_ARGUMENT);
    bench_free(&b);
}

static void test_submit(void **state)
{
    (void)state;
    bench b;
    wn_exec_stats stats;
    uint32_t count[4];
    lab_make(&program, 50, WINNOW_BF16);
    locks = unlocks = 0;
    bench_make(&b, true);
    assert_int_equal(wn_gpu_wait(b.exec, 0, NULL, NULL), WINNOW_E_STATE);
    for (int i = 0; i < 3; i++) /* each waits for the one before */
        assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, NULL),
                         WINNOW_OK);
    assert_int_equal(wn_gpu_wait(b.exec, UINT64_MAX, &stats, count), WINNOW_OK);
    assert_int_equal(wn_gpu_wait(b.exec, 0, &stats, count), WINNOW_OK); /* asked again */
    assert_int_equal(count[0], LAB_PICKS);
    assert_int_equal(count[1], 7);
    assert_int_equal(stats.dispatches, LAB_OPS - 1);
    assert_int_equal(stats.submissions, 1);
    assert_int_equal(stats.gpu_ns > 0, wn_gpu_has(b.gpu, WN_FEATURE_TIMESTAMPS));
    lab_buffers_get(b.gpu, &b.buffers, &b.data, &program);
    assert_int_equal(lab_wrong(&b.data, &program), 0);
    assert_int_equal(locks, 4); /* and one to zero the workspace */
    assert_int_equal(unlocks, 4);
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, NULL), WINNOW_OK);
    bench_free(&b); /* waits for that */
}

static VkSemaphore semaphore_of(VkSemaphoreType type)
{
    const VkSemaphoreTypeCreateInfo kind = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = type};
    const VkSemaphoreCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
        .pNext = type == VK_SEMAPHORE_TYPE_TIMELINE ? &kind : NULL,
    };
    VkSemaphore out = VK_NULL_HANDLE;
    assert_int_equal(create_semaphore(vulkan.device, &info, NULL, &out), VK_SUCCESS);
    return out;
}

static void test_binary(void **state)
{
    (void)state;
    bench b;
    lab_make(&program, 50, WINNOW_F32);
    bench_make(&b, true);
    VkSemaphore between = semaphore_of(VK_SEMAPHORE_TYPE_BINARY);
    const winnow_vk_submit first = {
        .struct_size = sizeof first, .signal_semaphores = &between, .signal_count = 1};
    const winnow_vk_submit then = {
        .struct_size = sizeof then, .wait_semaphores = &between, .wait_count = 1};
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, &first), WINNOW_OK);
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, &then), WINNOW_OK);
    assert_int_equal(wn_gpu_wait(b.exec, UINT64_MAX, NULL, NULL), WINNOW_OK);
    lab_buffers_get(b.gpu, &b.buffers, &b.data, &program);
    assert_int_equal(lab_wrong(&b.data, &program), 0);
    bench_free(&b);
    destroy_semaphore(vulkan.device, between, NULL);
}

static void test_timeline(void **state)
{
    (void)state;
    bench b;
    if (!vulkan.timeline.timelineSemaphore)
        skip();
    lab_make(&program, 50, WINNOW_F32);
    bench_make(&b, true);
    VkSemaphore line = semaphore_of(VK_SEMAPHORE_TYPE_TIMELINE);
    const uint64_t wait = 3, signal = 4;
    const winnow_vk_submit submit = {.struct_size = sizeof submit,
                                     .wait_semaphores = &line,
                                     .wait_values = &wait,
                                     .wait_count = 1,
                                     .signal_semaphores = &line,
                                     .signal_values = &signal,
                                     .signal_count = 1};
    const winnow_status status = wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, &submit);
    if (!wn_gpu_has(b.gpu, WN_FEATURE_TIMELINE)) {
        assert_int_equal(status, WINNOW_E_FEATURE);
        assert_said("timeline semaphores are not in use");
    } else {
        const VkSemaphoreSignalInfo go = {
            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO, .semaphore = line, .value = wait};
        const VkSemaphoreWaitInfo done = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                          .semaphoreCount = 1,
                                          .pSemaphores = &line,
                                          .pValues = &signal};
        assert_int_equal(status, WINNOW_OK);
        assert_int_equal(wn_gpu_wait(b.exec, 1000000, NULL, NULL), WINNOW_E_TIMEOUT);
        assert_int_equal(signal_semaphore(vulkan.device, &go), VK_SUCCESS);
        assert_int_equal(wn_gpu_wait(b.exec, UINT64_MAX, NULL, NULL), WINNOW_OK);
        assert_int_equal(wait_semaphores(vulkan.device, &done, UINT64_MAX), VK_SUCCESS);
        lab_buffers_get(b.gpu, &b.buffers, &b.data, &program);
        assert_int_equal(lab_wrong(&b.data, &program), 0);
    }
    bench_free(&b);
    destroy_semaphore(vulkan.device, line, NULL);
}

static void test_bad_semaphores(void **state)
{
    (void)state;
    bench b;
    lab_make(&program, 5, WINNOW_F32);
    bench_make(&b, true);
    VkSemaphore many[33] = {VK_NULL_HANDLE};
    winnow_vk_submit bad = {.struct_size = sizeof bad, .wait_count = 1};
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, &bad),
                     WINNOW_E_ARGUMENT);
    bad.wait_semaphores = many;
    bad.wait_count = 33;
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, &bad),
                     WINNOW_E_UNSUPPORTED);
    bad.struct_size = 0;
    assert_int_equal(wn_gpu_submit(b.exec, &program.program, &b.buffers.spans, &bad),
                     WINNOW_E_STRUCT_SIZE);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),         cmocka_unit_test(test_without_count),
        cmocka_unit_test(test_no_queue),       cmocka_unit_test(test_submit),
        cmocka_unit_test(test_binary),         cmocka_unit_test(test_timeline),
        cmocka_unit_test(test_bad_semaphores),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
