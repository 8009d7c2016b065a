/* Programs on a GPU: on host memory, in the host's commands, in submissions with semaphores. Run
 * on one driver at a time; WINNOW_TEST_DISABLE masks features. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

static lab_log log_of_test;
static wn_host host;
static wn_gpu *gpu;
static lab_program program;
enum { BOTH = WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_TIMING };

static int open_gpu(void **state)
{
    (void)state;
    winnow_device *device;
    host = lab_host(&log_of_test);
    if (wn_gpu_device_create(&host, "", getenv("WINNOW_TEST_DISABLE"), NULL, &device) != WINNOW_OK)
        return -1;
    gpu = (wn_gpu *)device;
    return 0;
}

static int close_gpu(void **state)
{
    (void)state;
    wn_gpu_backend.device_destroy(&gpu->base);
    return 0;
}

static void assert_said(const char *part)
{
    if (!strstr(log_of_test.last, part))
        fail_msg("the log says '%s', without '%s'", log_of_test.last, part);
}

static wn_exec *create(wn_gpu *on, uint32_t flags)
{
    const wn_exec_desc desc = lab_desc(&program, flags);
    wn_exec *exec = NULL;
    assert_int_equal(wn_gpu_backend.exec_create(&on->base, &desc, &exec), WINNOW_OK);
    return exec;
}

/* Runs once and checks everything that came out. */
static void run_right(wn_exec *exec, uint64_t gap)
{
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, gap);
    const wn_host_io io = lab_io(&data, &program);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    assert_int_equal(lab_wrong(&data, &program), 0);
    assert_int_equal(stats.dispatches, LAB_OPS - 1);
    assert_int_equal(stats.submissions, 1);
    lab_data_free(&data);
}

static void test_types(void **state)
{
    (void)state;
    for (uint32_t type = WINNOW_F32; type <= WINNOW_BF16; type++) {
        for (uint32_t cols = 1; cols < 300; cols = cols * 3 + 4) {
            lab_make(&program, cols, type);
            wn_exec *exec = create(gpu, BOTH);
            run_right(exec, 0);
            run_right(exec, 0); /* the same commands again */
            run_right(exec, 20);
            wn_gpu_backend.exec_destroy(exec);
        }
    }
}

static void test_commands_are_kept(void **state)
{
    (void)state;
    lab_make(&program, 64, WINNOW_F32);
    wn_exec *exec = create(gpu, BOTH);
    run_right(exec, 0);
    assert_true(exec->lane[0].key_holds);
    /* A smaller size of 2.0 in the same program and place: the commands must follow. */
    program.ops[0].args[6] = 8;
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, 0);
    const wn_host_io io = lab_io(&data, &program);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    assert_int_equal(data.count[1], 8);
    /* Constants are no part of the commands. */
    program.consts[1] = 3;
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    assert_int_equal(data.count[0], 3);
    lab_data_free(&data);
    wn_gpu_backend.exec_destroy(exec);
}

/* Pages are imported as coherent memory only. */
static bool has_coherent(void)
{
    const VkPhysicalDeviceMemoryProperties *memory = &gpu->caps.memory;
    bool found = false;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
        found |= (memory->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
    return found;
}

static void test_import(void **state)
{
    (void)state;
    if (gpu->caps.properties.limits.maxStorageBufferRange < 1u << 24)
        skip();
    lab_make(&program, 200000, WINNOW_F32);
    wn_exec *exec = create(gpu, BOTH);
    run_right(exec, 0);
    assert_int_equal(exec->lane[0].key_holds, !(wn_gpu_has(gpu, WN_FEATURE_HOST_IMPORT) && has_coherent()));
    run_right(exec, 8); /* rows with gaps are copied */
    assert_true(exec->lane[0].key_holds);
    run_right(exec, 0);
    wn_gpu_backend.exec_destroy(exec);
    /* An image's tokens are copied, and the commands stay. */
    lab_make(&program, 30000, WINNOW_F32);
    exec = create(gpu, BOTH);
    run_right(exec, 0);
    assert_true(exec->lane[0].key_holds);
    wn_gpu_backend.exec_destroy(exec);
}

static void test_too_small(void **state)
{
    (void)state;
    lab_make(&program, 9, WINNOW_F32);
    wn_exec *exec = create(gpu, BOTH);
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, 0);
    wn_host_io io = lab_io(&data, &program);
    memset(data.indices, 0x55, sizeof data.indices);
    io.out[WINNOW_OUT_SIZES].rows = LAB_PICKS - 1;
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats),
                     WINNOW_E_TOO_SMALL);
    assert_said("5 rows came out, and output 'sizes' has room for 4");
    assert_int_equal(data.indices[0], 0x55555555);
    assert_int_equal(data.out[0], 0xdd);
    /* More room than can be used, and outputs that nobody wants. */
    io = lab_io(&data, &program);
    io.out[WINNOW_OUT_INDICES].rows = UINT64_MAX;
    io.out[WINNOW_OUT_ASSIGNMENT].data = NULL;
    memset(data.assignment, 0x55, sizeof data.assignment);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    assert_int_equal(data.indices[LAB_PICKS - 1], 10);
    assert_int_equal(data.assignment[0], 0x55555555);
    lab_data_free(&data);
    wn_gpu_backend.exec_destroy(exec);
}

static void test_stats(void **state)
{
    (void)state;
    uint64_t staging = 0;
    lab_make(&program, 200, WINNOW_F32);
    wn_exec *exec = create(gpu, BOTH);
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, 0);
    const wn_host_io io = lab_io(&data, &program);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    assert_int_equal(stats.gpu_ns > 0, wn_gpu_has(gpu, WN_FEATURE_TIMESTAMPS));
    assert_true(stats.gpu_ns < 60000000000ull);
    assert_true(wn_gpu_backend.exec_bytes(exec, &staging) >= program.program.matrix_bytes);
    assert_true(staging >= LAB_ROWS * program.in_row + LAB_PICKS * program.out_row);
    wn_gpu_backend.exec_destroy(exec);
    exec = create(gpu, 0);
    wn_gpu_backend.exec_bytes(exec, &staging);
    assert_int_equal(staging, 0);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_E_STATE);
    assert_said("WINNOW_PLAN_HOST_MEMORY");
    wn_gpu_backend.exec_destroy(exec);
    wn_gpu_backend.exec_destroy(NULL);
    lab_data_free(&data);
}

/* A program that shows the history and then stores the input there. */
static void test_history(void **state)
{
    (void)state;
    enum { COLS = 16, BYTES = 4 * LAB_ROWS * COLS };
    lab_make(&program, COLS, WINNOW_F32);
    wn_op *ops = program.ops;
    const wn_op store = ops[3], show = ops[4];
    ops[0] = show;
    ops[0].a = (wn_ref){WN_SLOT_HISTORY, WINNOW_F32, 0, BYTES};
    ops[1] = store;
    ops[1].b = ops[0].a;
    ops[1].barrier = 1;
    program.program.op_count = 2;
    wn_exec_desc desc = lab_desc(&program, BOTH);
    desc.history_bytes = BYTES;
    wn_exec *exec;
    assert_int_equal(wn_gpu_backend.exec_create(&gpu->base, &desc, &exec), WINNOW_OK);
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, 0);
    wn_host_io io = lab_io(&data, &program);
    io.count_outputs = 0;
    for (uint32_t i = 1; i < WINNOW_OUT_COUNT; i++)
        io.out[i].data = NULL;
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    for (size_t i = 0; i < LAB_PICKS * program.out_row; i++)
        assert_int_equal(data.out[i], 0);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats), WINNOW_OK);
    for (uint32_t r = 0; r < LAB_PICKS; r++)
        assert_memory_equal(data.out + r * program.out_row, data.in + lab_picks[r] * program.in_row,
                            program.out_row);
    lab_data_free(&data);
    wn_gpu_backend.exec_destroy(exec);
}

/* What a plan must never do is found, and nothing runs. */
static void test_bad_programs(void **state)
{
    (void)state;
    lab_make(&program, 16, WINNOW_F32);
    wn_exec *exec = create(gpu, BOTH);
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, 0);
    const wn_host_io io = lab_io(&data, &program);
    program.ops[3].a.bytes += 64;
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats),
                     WINNOW_E_INTERNAL);
    assert_said("copy_rows touches bytes");
    program.ops[3].a.bytes -= 64;
    program.ops[3].a.slot = WN_SLOT_HISTORY; /* there is none */
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats),
                     WINNOW_E_INTERNAL);
    program.ops[3].a.slot = WN_SLOT_IN;
    program.program.w_words++;
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats),
                     WINNOW_E_INTERNAL);
    assert_said("does not fit the plan's largest");
    program.program.w_words--;
    lab_data_free(&data);
    run_right(exec, 0);
    wn_gpu_backend.exec_destroy(exec);
}

/* A matrix of more than one window; needs a device (or a layer) that sees little at once. */
static void test_windows(void **state)
{
    (void)state;
    const uint64_t range = gpu->caps.properties.limits.maxStorageBufferRange;
    if (range > 1u << 20)
        skip();
    for (uint32_t type = WINNOW_F32; type <= WINNOW_BF16; type++) {
        const uint32_t size = type == WINNOW_F32 ? 4 : 2;
        lab_make(&program, (uint32_t)(3 * range / LAB_ROWS / size) | 1, type);
        if (type != WINNOW_F32) /* the f32 copy between must fit, too */
            lab_make(&program, (uint32_t)(3 * range / LAB_ROWS / 4) | 1, type);
        wn_exec *exec = create(gpu, BOTH);
        run_right(exec, 0);
        wn_gpu_backend.exec_destroy(exec);
    }
    lab_make(&program, (uint32_t)(5 * range / LAB_ROWS / 4), WINNOW_F32);
    wn_exec *exec = create(gpu, BOTH);
    lab_data data;
    wn_exec_stats stats;
    lab_data_make(&data, &program, 0);
    const wn_host_io io = lab_io(&data, &program);
    assert_int_equal(wn_gpu_backend.exec_run(exec, &program.program, &io, &stats),
                     WINNOW_E_UNSUPPORTED);
    assert_said("sees at most");
    lab_data_free(&data);
    wn_gpu_backend.exec_destroy(exec);
    assert_true(gpu->base.max_matrix < 5 * range && gpu->base.max_matrix > range);
}

/* Two plans that share a device, in two lanes of the same program. */
static void test_two_plans(void **state)
{
    (void)state;
    lab_make(&program, 33, WINNOW_F16);
    wn_exec *one = create(gpu, BOTH), *two = create(gpu, BOTH);
    run_right(one, 0);
    run_right(two, 2);
    run_right(one, 0);
    wn_gpu_backend.exec_destroy(one);
    run_right(two, 0);
    wn_gpu_backend.exec_destroy(two);
}

/* Every shader fits the layout and the limits, in the variant that this device gets. */
static void test_all_pipelines(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < WN_OP_COUNT; kind++) {
        const bool attends = kind == WN_OP_attention || kind == WN_OP_attention_stats ||
                             kind == WN_OP_attention_received || kind == WN_OP_attention_logits;
        for (uint32_t windowed = 0; windowed < 2; windowed++) {
            const wn_types types = {.a = windowed ? WINNOW_F16 : WINNOW_F32,
                                    .b = windowed ? WINNOW_BF16 : WINNOW_F32,
                                    .c = windowed ? WINNOW_F16 : WINNOW_F32,
                                    .windowed = windowed};
            VkPipeline pipeline = VK_NULL_HANDLE, again = VK_NULL_HANDLE;
            if (attends && windowed && wn_caps_slow_compiler(&gpu->caps)) {
                assert_int_equal(wn_pipeline_get(gpu, kind, &types, &pipeline),
                                 WINNOW_E_UNSUPPORTED);
                assert_said("takes minutes to compile");
                continue;
            }
            assert_int_equal(wn_pipeline_get(gpu, kind, &types, &pipeline), WINNOW_OK);
            assert_int_equal(wn_pipeline_get(gpu, kind, &types, &again), WINNOW_OK);
            assert_true(pipeline && pipeline == again);
        }
    }
}

/* Memory of the host's that runs out after `left` requests. */
typedef struct budget {
    wn_host real;
    int left, live;
} budget;

static void *take(void *user, size_t bytes, size_t alignment)
{
    budget *b = user;
    if (b->left-- <= 0)
        return NULL;
    b->live++;
    return b->real.allocator.allocate(b->real.allocator.user, bytes, alignment);
}

static void give(void *user, void *memory)
{
    budget *b = user;
    b->live -= memory != NULL;
    b->real.allocator.release(b->real.allocator.user, memory);
}

static void test_host_memory(void **state)
{
    (void)state;
    budget b = {.real = gpu->base.host};
    winnow_status status = WINNOW_E_HOST_MEMORY;
    lab_make(&program, 10, WINNOW_F32);
    for (int n = 0; n < 20 && status != WINNOW_OK; n++) {
        const wn_exec_desc desc = lab_desc(&program, BOTH);
        wn_exec *exec = (wn_exec *)&b;
        b.left = n;
        gpu->base.host.allocator = (winnow_allocator){take, give, &b};
        status = wn_gpu_backend.exec_create(&gpu->base, &desc, &exec);
        if (status == WINNOW_OK)
            run_right(exec, 0);
        else
            assert_null(exec);
        wn_gpu_backend.exec_destroy(exec);
        gpu->base.host = b.real;
        assert_int_equal(b.live, 0);
        assert_true(status == WINNOW_OK || status == WINNOW_E_HOST_MEMORY);
    }
    assert_int_equal(status, WINNOW_OK);
}

/* One plan a thread, one device. */
typedef struct worker {
    pthread_t thread;
    const lab_program *program;
    unsigned wrong;
} worker;

static void *work(void *user)
{
    worker *w = user;
    const wn_exec_desc desc = lab_desc(w->program, BOTH);
    for (int i = 0; i < 3; i++) {
        wn_exec *exec;
        lab_data data;
        wn_exec_stats stats;
        lab_data_make(&data, w->program, 0);
        const wn_host_io io = lab_io(&data, w->program);
        if (wn_gpu_backend.exec_create(&gpu->base, &desc, &exec) != WINNOW_OK)
            w->wrong++; /* exec is NULL */
        else if (wn_gpu_backend.exec_run(exec, &w->program->program, &io, &stats) != WINNOW_OK)
            w->wrong++;
        else
            w->wrong += lab_wrong(&data, w->program);
        wn_gpu_backend.exec_destroy(exec);
        lab_data_free(&data);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    static worker workers[4];
    lab_make(&program, 70, WINNOW_F32);
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker){.program = &program};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),     cmocka_unit_test(test_commands_are_kept),
        cmocka_unit_test(test_import),    cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_stats),     cmocka_unit_test(test_history),
        cmocka_unit_test(test_windows),   cmocka_unit_test(test_bad_programs),
        cmocka_unit_test(test_two_plans), cmocka_unit_test(test_host_memory),
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_all_pipelines),
    };
    return cmocka_run_group_tests(tests, open_gpu, close_gpu);
}
