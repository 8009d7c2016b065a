/* Stages that learn, in every way that a plan runs: with weights from bytes in memory, on host memory, in a stream, and recorded
 * into the host's commands. What a GPU gives is what plain C gives, to the byte. Run on one driver at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/weights_file.h"
#include "lab.h"
#include "pair.h"

/* of plan.h, whose wn_build is another than gpu/exec.h's */
const winnow_api *wn_get_api(uint32_t host_abi);

enum { HIGH = 4, WIDE = 5, TOKENS = HIGH * WIDE, FRAMES = 3, MOST = FRAMES * TOKENS, DIM = 6 };
enum { HEADS = 2, TEXT = 3, INPUT_MOST = MOST * HEADS * TEXT };

static const weights_tensor explain[] = {{"layer1.weight", 9 * HEADS, 5}, {"layer1.bias", 5, 0},
                                         {"layer2.depth.weight", 9, 5},   {"layer2.weight", 5, 7},
                                         {"layer3.weight", 9 * 7, 1},     {"layer3.bias", 1, 0}};
static const weights_tensor flash[] = {{"queries", 7, DIM}};
static const weights_tensor hicom[] = {{"local_compressor.readout.0.weight", DIM, 5},
                                       {"local_compressor.readout.0.bias", 5, 0},
                                       {"local_compressor.readout.2.weight", 5, DIM}};

static const struct {
    const char *spec, *stage, *notes;
    const weights_tensor *tensors;
    size_t count;
} cases[] = {
    {"explain=weights=@w:keep=25%", "explain", ",\"kernel\":\"3x3\"", explain, 6},
    {"evs=rate=0.4,explain=weights=@w:keep=7", "explain", ",\"kernel\":\"3x3\"", explain, 6},
    {"flash=weights=@w", "flash", "", flash, 1},
    {"evs=rate=0.5,flash=weights=@w:frames=each", "flash", "", flash, 1},
    {"hicom=weights=@w:temporal=2:spatial=2", "hicom", "", hicom, 3},
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct outcome {
    uint32_t rows;
    float tokens[MOST * DIM];
    int32_t indices[MOST];
} outcome;

static const winnow_api *api;
static const winnow_ext_vulkan *ext;
static lab_log log_of_test;
static wn_host host;
static winnow_host lent;
static lab_vulkan vulkan;
static winnow_device *devices[3];                      /* plain C, a GPU, the host's GPU */
static float inputs[2][WINNOW_ROLE_COUNT][INPUT_MOST]; /* of two pushes */

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

/* Of the roles that the cases need. */
static uint64_t bytes_of(const winnow_shape *shape, uint32_t role)
{
    const uint64_t tokens = (uint64_t)shape->frames * TOKENS;
    return sizeof(float) * tokens * (role == WINNOW_ROLE_TOKENS ? DIM : HEADS * TEXT);
}

static winnow_pipeline *open_pipeline(size_t i)
{
    weights_file *f = malloc(sizeof *f);
    winnow_pipeline *pipeline = NULL;
    assert_non_null(f);
    assert_true(weights_make(f, cases[i].stage, cases[i].notes, cases[i].tensors, cases[i].count));
    const winnow_blob blob = {"w", f->bytes, f->size};
    assert_int_equal(api->pipeline_create_weights(&lent, cases[i].spec, &blob, 1, &pipeline),
                     WINNOW_OK);
    memset(f, 0xee, sizeof *f); /* the blob is read during the call alone */
    free(f);
    return pipeline;
}

static winnow_plan *open_plan(winnow_device *device, const winnow_pipeline *pipeline,
                              uint32_t flags, uint32_t *roles)
{
    uint32_t optional;
    winnow_plan *plan = NULL;
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .flags = flags,
                             .max_shape = shape_of(FRAMES),
                             .outputs = 1u << WINNOW_OUT_TOKENS | 1u << WINNOW_OUT_INDICES |
                                        1u << WINNOW_OUT_COUNT_WORD};
    assert_int_equal(api->pipeline_inputs(pipeline, &desc.roles, &optional), WINNOW_OK);
    *roles = desc.roles |= 1u << WINNOW_ROLE_TOKENS;
    assert_int_equal(api->plan_create(device, pipeline, &desc, &plan), WINNOW_OK);
    return plan;
}

static winnow_run run_of(uint32_t frames, uint32_t push, uint32_t roles, outcome *out)
{
    winnow_run run = {.struct_size = sizeof run, .shape = shape_of(frames)};
    memset(out, 0, sizeof *out);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        run.in[role].data = roles >> role & 1u ? inputs[push][role] : NULL;
    run.out[WINNOW_OUT_TOKENS] = (winnow_tensor){out->tokens, 0, MOST};
    run.out[WINNOW_OUT_INDICES] = (winnow_tensor){out->indices, 0, MOST};
    return run;
}

static void same(size_t i, const char *how, const outcome *a, const outcome *b)
{
    if (!a->rows || a->rows != b->rows || memcmp(a->tokens, b->tokens, sizeof a->tokens) != 0 ||
        memcmp(a->indices, b->indices, sizeof a->indices) != 0)
        fail_msg("%s, %s: plain C gives %u rows, the GPU %u, or other bytes", cases[i].spec, how,
                 a->rows, b->rows);
}

/* A plan on host memory, frames 3 and 1, and 3 again. */
static void run_plain(winnow_device *device, size_t i, outcome *out)
{
    static const uint32_t frames[] = {FRAMES, 1, FRAMES};
    uint32_t roles;
    winnow_pipeline *pipeline = open_pipeline(i);
    winnow_plan *plan = open_plan(device, pipeline, WINNOW_PLAN_HOST_MEMORY, &roles);
    api->pipeline_destroy(pipeline); /* the plan keeps the weights */
    for (uint32_t k = 0; k < 3; ++k) {
        winnow_result result = {.struct_size = sizeof result};
        const winnow_run run = run_of(frames[k], 0, roles, &out[k]);
        assert_int_equal(api->plan_run(plan, &run, &result), WINNOW_OK);
        out[k].rows = result.rows;
    }
    api->plan_destroy(plan);
}

static void test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; ++i) {
        static outcome plain[3], gpu[3];
        run_plain(devices[0], i, plain);
        run_plain(devices[1], i, gpu);
        for (uint32_t k = 0; k < 3; ++k)
            same(i, "host memory", &plain[k], &gpu[k]);
        assert_memory_equal(&plain[0], &plain[2], sizeof plain[0]);
    }
}

/* Two pushes, of three frames and of two. */
static void run_stream(winnow_device *device, size_t i, outcome *out)
{
    uint32_t roles;
    winnow_stream *stream = NULL;
    winnow_pipeline *pipeline = open_pipeline(i);
    winnow_plan *plan =
        open_plan(device, pipeline, WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_STREAM, &roles);
    api->pipeline_destroy(pipeline);
    assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
    for (uint32_t push = 0; push < 2; ++push) {
        winnow_result result = {.struct_size = sizeof result};
        const winnow_run run = run_of(FRAMES - push, push, roles, &out[push]);
        assert_int_equal(api->stream_push(stream, &run, &result), WINNOW_OK);
        out[push].rows = result.rows;
    }
    api->stream_destroy(stream);
    api->plan_destroy(plan);
}

static void test_stream(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; ++i) {
        static outcome plain[2], gpu[2];
        run_stream(devices[0], i, plain);
        run_stream(devices[1], i, gpu);
        same(i, "first push", &plain[0], &gpu[0]);
        same(i, "second push", &plain[1], &gpu[1]);
    }
}

/* -- recorded ---------------------------------------------------------------------------------- */

/* Buffers of the host's: its inputs, then tokens, indices and the count. */
typedef struct buffers {
    wn_memory in[WINNOW_ROLE_COUNT], out[WINNOW_OUT_COUNT];
} buffers;

static winnow_vk_tensor make_buffer(wn_gpu *gpu, uint64_t bytes, const void *data, wn_memory *out)
{
    assert_int_equal(wn_memory_create(gpu, WN_MEMORY_DOWNLOAD, bytes, out), WINNOW_OK);
    if (data)
        memcpy(out->mapped, data, (size_t)bytes);
    else
        memset(out->mapped, 0, (size_t)bytes);
    assert_int_equal(wn_memory_flush(gpu, out, bytes), WINNOW_OK);
    return (winnow_vk_tensor){.buffer = out->buffer, .bytes = bytes};
}

static void make_buffers(wn_gpu *gpu, uint32_t roles, winnow_vk_run *run, buffers *b)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        if (roles >> role & 1u)
            run->in[role] =
                make_buffer(gpu, bytes_of(&run->shape, role), inputs[0][role], &b->in[role]);
    run->out[WINNOW_OUT_TOKENS] =
        make_buffer(gpu, sizeof(float) * MOST * DIM, NULL, &b->out[WINNOW_OUT_TOKENS]);
    run->out[WINNOW_OUT_INDICES] =
        make_buffer(gpu, sizeof(int32_t) * MOST, NULL, &b->out[WINNOW_OUT_INDICES]);
    run->out[WINNOW_OUT_COUNT_WORD] =
        make_buffer(gpu, 4 * sizeof(uint32_t), NULL, &b->out[WINNOW_OUT_COUNT_WORD]);
}

static void get(wn_gpu *gpu, const wn_memory *from, void *to, size_t bytes)
{
    assert_int_equal(wn_memory_invalidate(gpu, from, bytes), WINNOW_OK);
    memcpy(to, from->mapped, bytes);
}

/* The host's commands, submitted twice. */
static void run_recorded(size_t i, outcome *out)
{
    wn_gpu *gpu = (wn_gpu *)devices[2];
    uint32_t roles, count[4];
    winnow_pipeline *pipeline = open_pipeline(i);
    winnow_plan *plan = open_plan(devices[2], pipeline, 0, &roles);
    winnow_vk_run run = {.struct_size = sizeof run, .shape = shape_of(FRAMES)};
    buffers b = {0};
    wn_job job;
    api->pipeline_destroy(pipeline);
    make_buffers(gpu, roles, &run, &b);
    assert_int_equal(wn_job_create(gpu, false, &job), WINNOW_OK);
    assert_int_equal(wn_job_begin(&job), WINNOW_OK);
    assert_int_equal(ext->plan_record(plan, job.commands, &run), WINNOW_OK);
    assert_int_equal(wn_job_end(&job), WINNOW_OK);
    for (int k = 0; k < 2; ++k) {
        assert_int_equal(wn_job_submit(&job, NULL), WINNOW_OK);
        assert_int_equal(wn_job_wait(&job, UINT64_MAX), WINNOW_OK);
    }
    wn_job_destroy(&job);
    memset(out, 0, sizeof *out);
    get(gpu, &b.out[WINNOW_OUT_COUNT_WORD], count, sizeof count);
    out->rows = count[0];
    assert_true(out->rows <= MOST);
    get(gpu, &b.out[WINNOW_OUT_TOKENS], out->tokens, sizeof(float) * out->rows * DIM);
    get(gpu, &b.out[WINNOW_OUT_INDICES], out->indices, sizeof(int32_t) * out->rows);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        wn_memory_destroy(gpu, &b.in[role]);
    for (uint32_t k = 0; k < WINNOW_OUT_COUNT; ++k)
        wn_memory_destroy(gpu, &b.out[k]);
    api->plan_destroy(plan);
}

static void test_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; ++i) {
        static outcome plain[3], recorded;
        run_plain(devices[0], i, plain);
        run_recorded(i, &recorded);
        same(i, "recorded", &plain[0], &recorded);
    }
}

/* Attention is positive. */
static void make_inputs(void)
{
    uint32_t random = 7;
    for (uint32_t push = 0; push < 2; ++push)
        for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
            for (uint32_t i = 0; i < INPUT_MOST; ++i) {
                random = random * 1664525u + 1013904223u;
                const float x = (float)(random >> 8) / 8388608.0f - 1.0f;
                inputs[push][role][i] = role == WINNOW_ROLE_TEXT_ATTENTION ? (x + 1.0f) * 0.01f : x;
            }
}

static int open_devices(void **state)
{
    (void)state;
    api = wn_get_api(WINNOW_ABI);
    ext = api->get_extension(WINNOW_EXT_VULKAN);
    host = lab_host(&log_of_test);
    lent = (winnow_host){sizeof lent, 0, host.allocator, host.log, host.log_user};
    make_inputs();
    if (!ext || !pair_open(api, devices) || !lab_vulkan_open(&host, true, &vulkan))
        return -1;
    winnow_vk_borrow borrow = lab_borrow(&vulkan, &lent);
    borrow.disable = getenv("WINNOW_TEST_DISABLE");
    return ext->device_borrow(&borrow, &devices[2]) == WINNOW_OK ? 0 : -1;
}

static int close_devices(void **state)
{
    (void)state;
    pair_close(api, devices);
    api->device_destroy(devices[2]);
    lab_vulkan_close(&vulkan);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_recorded),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
