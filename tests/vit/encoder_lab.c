#include "encoder_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const winnow_api *lab_api;
const winnow_ext_encoder *lab_ext;
static const char *models_folder;

void lab_begin(const char *models)
{
    models_folder = models;
    lab_api = test_api();
    lab_ext = lab_api->get_extension("winnow.encoder/1");
}

bool lab_on_gpu(void)
{
    const char *backend = getenv("WINNOW_TEST_BACKEND");
    return backend && !strcmp(backend, "gpu");
}

winnow_device *lab_device(const winnow_host *host, int32_t backend)
{
    const winnow_device_desc desc = {.struct_size = sizeof desc,
                                     .backend = backend,
                                     .host = host,
                                     .disable = getenv("WINNOW_TEST_DISABLE")};
    winnow_device *device = NULL;
    assert_int_equal(lab_api->device_create(&desc, &device), WINNOW_OK);
    return device;
}

winnow_device *lab_chosen_device(const winnow_host *host)
{
    return lab_device(host, lab_on_gpu() ? WINNOW_BACKEND_GPU : WINNOW_BACKEND_CPU);
}

const char *lab_path(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", models_folder, name);
    return path;
}

winnow_model *lab_model(const winnow_host *host, const char *name, int32_t like)
{
    winnow_model *model = NULL;
    if (lab_ext->model_open(host, lab_path(name), like, &model) != WINNOW_OK)
        fail_msg("%s is not opened", name);
    return model;
}

winnow_pipeline *lab_pipeline(const char *spec)
{
    winnow_pipeline *pipeline = NULL;
    if (lab_api->pipeline_create(NULL, spec, &pipeline) != WINNOW_OK)
        fail_msg("the pipeline %s is refused", spec);
    return pipeline;
}

void lab_pixels(uint8_t *rgb, uint64_t bytes, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1u;
    for (uint64_t i = 0; i < bytes; ++i) {
        const float noise = test_random(&state) * 40.0f;
        rgb[i] = (uint8_t)(noise + 60.0f + (float)((i / 57 * (seed + 3u)) % 120u));
    }
}

static void *take(lab_call *call, unsigned char **at, uint64_t bytes)
{
    void *here = *at;
    *at += (bytes + 63) & ~63ull;
    assert_true((uint64_t)(*at - call->memory) <= call->bytes);
    return here;
}

void lab_call_open(lab_call *call, uint32_t frames, uint32_t width, uint32_t height, uint32_t seed)
{
    memset(call, 0, sizeof *call);
    call->rgb_bytes = 3ull * frames * width * height;
    call->rgb = malloc(call->rgb_bytes + 1);
    call->bytes = 4ull * (LAB_ROWS * (LAB_DIM + 8ull) + (uint64_t)LAB_TAPS * LAB_TAP_FLOATS) + 4096;
    call->memory = malloc(call->bytes);
    assert_non_null(call->rgb);
    assert_non_null(call->memory);
    lab_pixels(call->rgb, call->rgb_bytes, seed);
    memset(call->memory, 0xa5, call->bytes);
    memset(call->count, 0xa5, sizeof call->count);
    unsigned char *at = call->memory;
    call->tokens = take(call, &at, 4ull * LAB_ROWS * LAB_DIM);
    call->indices = take(call, &at, 4ull * LAB_ROWS);
    call->sizes = take(call, &at, 4ull * LAB_ROWS);
    call->positions = take(call, &at, 12ull * LAB_ROWS);
    call->assignment = take(call, &at, 4ull * LAB_ROWS);
    for (uint32_t i = 0; i < LAB_TAPS; ++i)
        call->taps[i] = take(call, &at, 4ull * LAB_TAP_FLOATS);
    void *const outputs[WINNOW_OUT_COUNT] = {call->tokens,    call->indices,    call->sizes,
                                             call->positions, call->assignment, call->count};
    call->encode = (winnow_encode){.struct_size = sizeof call->encode,
                                   .frames = frames,
                                   .width = width,
                                   .height = height,
                                   .rgb = call->rgb};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; ++i)
        call->encode.out[i] = (winnow_tensor){.data = outputs[i], .capacity = LAB_ROWS};
    call->result.struct_size = sizeof call->result;
}

void lab_call_close(lab_call *call)
{
    free(call->rgb);
    free(call->memory);
}

bool lab_call_untouched(const lab_call *call)
{
    for (uint64_t i = 0; i < call->bytes; ++i)
        if (call->memory[i] != 0xa5)
            return false;
    return call->count[0] == 0xa5a5a5a5u;
}

void lab_assert_same(const lab_call *a, const lab_call *b, const char *what)
{
    if (a->result.rows != b->result.rows)
        fail_msg("%s: %u and %u rows", what, a->result.rows, b->result.rows);
    for (uint64_t i = 0; i < a->bytes; ++i)
        if (a->memory[i] != b->memory[i]) {
            const float *x = (const float *)(const void *)a->memory + i / 4;
            const float *y = (const float *)(const void *)b->memory + i / 4;
            const char *where = i < (uint64_t)((unsigned char *)a->indices - a->memory) ? "tokens"
                                : (const unsigned char *)x < (unsigned char *)a->taps[0]
                                    ? "indices, sizes ..."
                                    : "taps";
            fail_msg("%s: word %llu (%s) is %.9g and %.9g", what, (unsigned long long)(i / 4),
                     where, (double)*x, (double)*y);
        }
    assert_memory_equal(a->count, b->count, sizeof a->count);
}

winnow_encoder_desc lab_desc(uint32_t frames, uint32_t width, uint32_t height)
{
    return (winnow_encoder_desc){.struct_size = sizeof(winnow_encoder_desc),
                                 .max_frames = frames,
                                 .max_width = width,
                                 .max_height = height};
}
