/* What encoders give: several frames as one at a time, pairs of frames, smaller calls after the
 * largest, several encoders of a device in as many threads, the short call, the weightless encoder
 * beside it; and every allocation fails once.
 * On the device of the environment (see encoder_lab.h).
 *
 * usage: vit_encoder_runs MODELS_DIR */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder_lab.h"

enum { SIDE = 56, THREADS = 3, ROUNDS = 4 };

static winnow_device *device;

static int open_all(void **state)
{
    (void)state;
    device = lab_chosen_device(NULL);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    lab_api->device_destroy(device);
    return 0;
}

static winnow_encoder *opened(const winnow_model *model, uint32_t frames, uint32_t width,
                              uint32_t height, const winnow_pipeline *pipeline)
{
    static const winnow_tap taps[] = {{WINNOW_TAP_FINAL, 0}, {WINNOW_TAP_RECEIVED, 0}};
    winnow_encoder_desc desc = lab_desc(frames, width, height);
    winnow_encoder *encoder = NULL;
    desc.pipeline = pipeline;
    desc.taps = pipeline ? NULL : taps;
    desc.tap_count = pipeline ? 0 : LENGTH(taps);
    assert_int_equal(lab_ext->encoder_open(device, model, &desc, &encoder), WINNOW_OK);
    return encoder;
}

static void encode(winnow_encoder *encoder, lab_call *call)
{
    call->encode.taps = call->taps;
    assert_int_equal(lab_ext->encoder_encode(encoder, &call->encode, &call->result), WINNOW_OK);
    assert_int_equal(call->result.submissions, lab_on_gpu() ? 1 : 0);
    assert_int_equal(call->result.rows, call->count[0]);
    call->result.dispatches = call->result.submissions = 0;
}

/* Three pictures in one call are three calls. */
static void test_frames(void **state)
{
    (void)state;
    static const char *const names[] = {"clip", "siglip", "idefics3.gguf"};
    for (size_t m = 0; m < LENGTH(names); ++m) {
        winnow_model *model = lab_model(NULL, names[m], WINNOW_LIKE_FILE);
        winnow_model_info info = {.struct_size = sizeof info};
        winnow_encoder_info about = {.struct_size = sizeof about};
        assert_int_equal(lab_ext->model_info(model, &info), WINNOW_OK);
        winnow_encoder *encoder = opened(model, 3, info.image, info.image, NULL);
        assert_int_equal(lab_ext->encoder_info(encoder, &about), WINNOW_OK);
        lab_call all, one;
        lab_call_open(&all, 3, info.image, info.image, 11);
        encode(encoder, &all);
        assert_int_equal(all.result.rows, about.rows_max);
        const uint32_t rows = all.result.rows / 3,
                       cells = info.image / info.patch * (info.image / info.patch);
        const size_t floats = (size_t)rows * about.dim,
                     width = (size_t)(cells + info.special_rows) * info.width,
                     columns = (size_t)info.heads * cells;
        for (uint32_t t = 0; t < 3; ++t) {
            lab_call_open(&one, 1, info.image, info.image, 12);
            memcpy(one.rgb, all.rgb + t * one.rgb_bytes, one.rgb_bytes);
            encode(encoder, &one);
            assert_int_equal(one.result.rows, rows);
            assert_memory_equal(one.tokens, all.tokens + t * floats, floats * sizeof(float));
            assert_memory_equal(one.taps[0], all.taps[0] + t * width, width * sizeof(float));
            assert_memory_equal(one.taps[1], all.taps[1] + t * columns, columns * sizeof(float));
            assert_int_equal(one.positions[0], 0);
            assert_int_equal(all.positions[3 * t * rows], t);
            lab_call_close(&one);
        }
        lab_call_close(&all);
        lab_ext->encoder_destroy(encoder);
        lab_ext->model_close(model);
    }
}

/* Qwen2-VL: two frames are one row of tokens, three are two rows, the last with itself. */
static void test_pairs(void **state)
{
    (void)state;
    winnow_model *model = lab_model(NULL, "qwen2vl.gguf", WINNOW_LIKE_FILE);
    winnow_encoder *encoder = opened(model, 3, SIDE, SIDE, NULL);
    lab_call three, two, same, one;
    lab_call_open(&three, 3, SIDE, SIDE, 21);
    lab_call_open(&two, 2, SIDE, SIDE, 22);
    lab_call_open(&same, 2, SIDE, SIDE, 22);
    lab_call_open(&one, 1, SIDE, SIDE, 22);
    const uint64_t frame = one.rgb_bytes;
    memcpy(two.rgb, three.rgb, 2 * frame);
    memcpy(one.rgb, three.rgb + 2 * frame, frame);
    memcpy(same.rgb, one.rgb, frame);
    memcpy(same.rgb + frame, one.rgb, frame);
    encode(encoder, &three);
    encode(encoder, &two);
    encode(encoder, &same);
    encode(encoder, &one);
    assert_int_equal(one.result.rows, 4);
    assert_int_equal(two.result.rows, 4);
    assert_int_equal(three.result.rows, 8);
    lab_assert_same(&same, &one, "a picture, and a pair of it");
    winnow_encoder_info info = {.struct_size = sizeof info};
    assert_int_equal(lab_ext->encoder_info(encoder, &info), WINNOW_OK);
    const size_t bytes = 4 * info.dim * sizeof(float);
    assert_memory_equal(three.tokens, two.tokens, bytes);
    assert_memory_equal(three.tokens + 4 * info.dim, one.tokens, bytes);
    assert_memory_not_equal(two.tokens, one.tokens, bytes);
    memcpy(two.rgb + frame, two.rgb, frame); /* the second frame counts */
    encode(encoder, &two);
    assert_memory_not_equal(three.tokens, two.tokens, bytes);
    lab_call_close(&three);
    lab_call_close(&two);
    lab_call_close(&same);
    lab_call_close(&one);
    lab_ext->encoder_destroy(encoder);
    lab_ext->model_close(model);
}

/* Any size up to the largest, in any order, as an encoder that was opened for it gives it; nothing
 * is allocated. */
static void test_smaller(void **state)
{
    (void)state;
    static const struct {
        uint32_t frames, width, height;
    } sizes[] = {{4, 112, 84}, {1, 56, 56}, {2, 112, 28}, {3, 28, 84}, {4, 112, 84}};
    static const char *const specs[] = {NULL, "divprune=keep=1",
                                        "visionzip=dominant=1:contextual=1"};
    test_host host;
    for (size_t p = 0; p < LENGTH(specs); ++p) {
        test_host_open(&host);
        winnow_device *chosen = device;
        device = lab_chosen_device(&host.host);
        winnow_model *model = lab_model(&host.host, "qwen2.5vl.gguf", WINNOW_LIKE_FILE);
        winnow_pipeline *pipeline = specs[p] ? lab_pipeline(specs[p]) : NULL;
        winnow_encoder *largest = opened(model, 4, 112, 84, pipeline);
        for (size_t i = 0; i < LENGTH(sizes); ++i) {
            lab_call a, b;
            lab_call_open(&a, sizes[i].frames, sizes[i].width, sizes[i].height, 31);
            lab_call_open(&b, sizes[i].frames, sizes[i].width, sizes[i].height, 31);
            winnow_encoder *exact =
                opened(model, sizes[i].frames, sizes[i].width, sizes[i].height, pipeline);
            const size_t calls = host.calls;
            encode(largest, &a);
            assert_int_equal(host.calls, calls);
            encode(exact, &b);
            lab_assert_same(&a, &b, specs[p] ? specs[p] : "no pipeline");
            lab_ext->encoder_destroy(exact);
            lab_call_close(&a);
            lab_call_close(&b);
        }
        lab_ext->encoder_destroy(largest);
        lab_api->pipeline_destroy(pipeline);
        lab_ext->model_close(model);
        lab_api->device_destroy(device);
        device = chosen;
        assert_int_equal(host.live, 0);
    }
}

/* The short call gives the tokens of the long one; the caller's pipeline and taps may go after
 * opening. */
static void test_short_call(void **state)
{
    (void)state;
    winnow_model *model = lab_model(NULL, "clip", WINNOW_LIKE_FILE);
    winnow_pipeline *pipeline = lab_pipeline("visionzip=dominant=4:contextual=2");
    winnow_encoder *encoder = opened(model, 1, 0, 0, pipeline);
    lab_api->pipeline_destroy(pipeline);
    lab_call call;
    lab_call_open(&call, 1, SIDE, SIDE, 41);
    encode(encoder, &call);
    float *tokens = malloc((size_t)LAB_ROWS * LAB_DIM * sizeof *tokens);
    assert_non_null(tokens);
    assert_int_equal(lab_ext->encoder_run(encoder, call.rgb, 1, SIDE, SIDE, tokens), WINNOW_OK);
    winnow_encoder_info info = {.struct_size = sizeof info};
    assert_int_equal(lab_ext->encoder_info(encoder, &info), WINNOW_OK);
    assert_true(call.result.rows > 0 && call.result.rows <= info.rows_max);
    assert_memory_equal(tokens, call.tokens, (size_t)call.result.rows * info.dim * sizeof *tokens);
    assert_int_equal(lab_ext->encoder_run(encoder, NULL, 1, SIDE, SIDE, tokens), WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->encoder_run(encoder, call.rgb, 1, SIDE, SIDE, NULL),
                     WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->encoder_run(NULL, call.rgb, 1, SIDE, SIDE, tokens),
                     WINNOW_E_ARGUMENT);
    assert_int_equal(lab_ext->encoder_run(encoder, call.rgb, 2, SIDE, SIDE, tokens),
                     WINNOW_E_SHAPE);
    free(tokens);
    lab_call_close(&call);
    lab_ext->encoder_destroy(encoder);
    lab_ext->model_close(model);
}

/* The encoder without weights works beside it, and says that it has no long call or gives the
 * same. */
static void test_patches(void **state)
{
    (void)state;
    winnow_model *model = lab_model(NULL, "clip", WINNOW_LIKE_FILE);
    winnow_encoder *vit = opened(model, 1, SIDE, SIDE, NULL), *patches = NULL;
    winnow_encoder_info info = {.struct_size = sizeof info};
    static float before[7 * 7 * 20], after[7 * 7 * 20];
    lab_call call;
    lab_call_open(&call, 1, SIDE, SIDE, 51);
    assert_int_equal(lab_ext->encoder_create(device, "patches=patch=8:luma=12:chroma=4", 1, SIDE,
                                             SIDE, &patches),
                     WINNOW_OK);
    assert_int_equal(lab_ext->encoder_info(patches, &info), WINNOW_OK);
    assert_int_equal(info.patch, 8);
    assert_int_equal(info.dim, 20);
    assert_int_equal(lab_ext->encoder_run(patches, call.rgb, 1, SIDE, SIDE, before), WINNOW_OK);
    encode(vit, &call);
    assert_int_equal(lab_ext->encoder_run(patches, call.rgb, 1, SIDE, SIDE, after), WINNOW_OK);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(lab_ext->encoder_encode(patches, &call.encode, &call.result),
                     WINNOW_E_UNSUPPORTED);
    lab_ext->encoder_destroy(patches);
    lab_call_close(&call);
    lab_ext->encoder_destroy(vit);
    lab_ext->model_close(model);
}

/* -- threads ----------------------------------------------------------------------------------- */

typedef struct worker {
    pthread_t thread;
    winnow_model *model;
    lab_call call[ROUNDS];
    winnow_status status;
} worker;

/* cmocka's asserts belong to the main thread. */
static void *work(void *user)
{
    worker *w = user;
    const winnow_encoder_desc desc = lab_desc(2, SIDE, SIDE);
    winnow_encoder *encoder = NULL;
    w->status = lab_ext->encoder_open(device, w->model, &desc, &encoder);
    for (int i = 0; i < ROUNDS && w->status == WINNOW_OK; ++i)
        w->status = lab_ext->encoder_encode(encoder, &w->call[i].encode, &w->call[i].result);
    lab_ext->encoder_destroy(encoder);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    static worker workers[THREADS];
    static const char *const names[THREADS] = {"clip", "clip", "qwen2vl.gguf"};
    winnow_model *models[2] = {lab_model(NULL, names[0], WINNOW_LIKE_FILE),
                               lab_model(NULL, names[2], WINNOW_LIKE_FILE)};
    for (int t = 0; t < THREADS; ++t) {
        workers[t].model = models[t == 2];
        for (int i = 0; i < ROUNDS; ++i)
            lab_call_open(&workers[t].call[i], 1 + (uint32_t)i % 2, SIDE, SIDE,
                          60u + (uint32_t)(t + i));
        assert_int_equal(pthread_create(&workers[t].thread, NULL, work, &workers[t]), 0);
    }
    for (int t = 0; t < THREADS; ++t)
        assert_int_equal(pthread_join(workers[t].thread, NULL), 0);
    for (int t = 0; t < THREADS; ++t) {
        winnow_encoder *encoder = opened(workers[t].model, 2, SIDE, SIDE, NULL);
        assert_int_equal(workers[t].status, WINNOW_OK);
        for (int i = 0; i < ROUNDS; ++i) {
            lab_call alone;
            lab_call_open(&alone, 1 + (uint32_t)i % 2, SIDE, SIDE, 60u + (uint32_t)(t + i));
            assert_int_equal(lab_ext->encoder_encode(encoder, &alone.encode, &alone.result),
                             WINNOW_OK);
            lab_assert_same(&workers[t].call[i], &alone, "in a thread and alone");
            lab_call_close(&alone);
            lab_call_close(&workers[t].call[i]);
        }
        lab_ext->encoder_destroy(encoder);
    }
    for (int m = 0; m < 2; ++m)
        lab_ext->model_close(models[m]);
}

/* -- allocations ------------------------------------------------------------------------------- */

static winnow_status once(test_host *host, const char *name, const char *spec, size_t fail_at)
{
    winnow_device *own = NULL;
    winnow_model *model = NULL;
    winnow_pipeline *pipeline = NULL;
    winnow_encoder *encoder = NULL;
    winnow_views *views = NULL;
    static uint8_t picture[64 * 64 * 3];
    static const winnow_tap tap = {WINNOW_TAP_KEYS, -1};
    const int32_t backend = lab_on_gpu() ? WINNOW_BACKEND_GPU : WINNOW_BACKEND_CPU;
    test_host_open(host);
    host->fail_at = fail_at;
    const winnow_device_desc desc = {
        .struct_size = sizeof desc, .backend = backend, .host = &host->host};
    winnow_status status = lab_api->device_create(&desc, &own);
    if (status == WINNOW_OK)
        status = lab_ext->model_open(&host->host, lab_path(name), WINNOW_LIKE_FILE, &model);
    if (status == WINNOW_OK)
        status = lab_ext->model_prepare(model, picture, 64, 64, &views);
    if (status == WINNOW_OK)
        status = lab_api->pipeline_create(&host->host, spec, &pipeline);
    if (status == WINNOW_OK) {
        winnow_encoder_desc open = lab_desc(1, views->view[0].width, views->view[0].height);
        open.pipeline = pipeline;
        open.taps = &tap;
        open.tap_count = 1;
        status = lab_ext->encoder_open(own, model, &open, &encoder);
        assert_true((status == WINNOW_OK) == (encoder != NULL));
    }
    if (status == WINNOW_OK) {
        lab_call call;
        lab_call_open(&call, 1, views->view[0].width, views->view[0].height, 3);
        const size_t calls = host->calls;
        status = lab_ext->encoder_encode(encoder, &call.encode, &call.result);
        assert_int_equal(host->calls, calls);
        lab_call_close(&call);
    }
    lab_ext->encoder_destroy(encoder);
    lab_ext->views_free(views);
    lab_api->pipeline_destroy(pipeline);
    lab_ext->model_close(model);
    lab_api->device_destroy(own);
    if (host->live)
        fail_msg("%s: %zu blocks leak after allocation %zu failed", name, host->live, fail_at);
    return status;
}

static void test_allocations(void **state)
{
    (void)state;
    static const struct {
        const char *model, *spec;
    } uses[] = {{"clip", "fastervlm=keep=50%:layers=1,divprune=keep=3"},
                {"qwen2.5vl.gguf", "visionzip=dominant=2:contextual=1"}};
    for (size_t u = 0; u < LENGTH(uses); ++u) {
        test_host host;
        assert_int_equal(once(&host, uses[u].model, uses[u].spec, 0), WINNOW_OK);
        const size_t all = host.calls, step = lab_on_gpu() ? all / 24 + 1 : 1;
        assert_true(all > 10);
        for (size_t n = 1; n <= all; n += step) {
            const winnow_status status = once(&host, uses[u].model, uses[u].spec, n);
            if (status != WINNOW_E_HOST_MEMORY)
                fail_msg("%s: allocation %zu of %zu failed and %s came back", uses[u].model, n, all,
                         lab_api->status_name(status));
        }
        print_message("%s: %zu allocations, every %zu failed\n", uses[u].model, all, step);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),      cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_smaller),     cmocka_unit_test(test_short_call),
        cmocka_unit_test(test_patches),     cmocka_unit_test(test_threads),
        cmocka_unit_test(test_allocations),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: vit_encoder_runs MODELS_DIR\n");
        return 2;
    }
    lab_begin(argv[1]);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
