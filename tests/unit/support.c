#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { HEADER = 64, MAGIC = 0x57494e4e };

static void *allocate(void *user, size_t bytes, size_t alignment)
{
    test_host *t = user;
    assert_true(alignment > 0 && alignment <= HEADER && (alignment & (alignment - 1)) == 0);
    if (++t->calls == t->fail_at)
        return NULL;
    unsigned char *block = aligned_alloc(HEADER, (bytes + HEADER - 1) / HEADER * HEADER + HEADER);
    if (!block)
        return NULL;
    const uint32_t magic = MAGIC;
    memcpy(block, &magic, sizeof magic);
    memset(block + HEADER, 0xa5, bytes); /* nobody may rely on zeros */
    ++t->live;
    return block + HEADER;
}

static void release(void *user, void *memory)
{
    test_host *t = user;
    if (!memory)
        return;
    unsigned char *block = (unsigned char *)memory - HEADER;
    uint32_t magic;
    memcpy(&magic, block, sizeof magic);
    assert_int_equal(magic, MAGIC); /* ours, and not released before */
    memset(block, 0, sizeof magic);
    --t->live;
    free(block);
}

static void remember(void *user, int32_t level, const char *message)
{
    test_host *t = user;
    (void)level;
    ++t->lines;
    snprintf(t->line, sizeof t->line, "%s", message);
}

void test_host_open(test_host *t)
{
    memset(t, 0, sizeof *t);
    t->host = (winnow_host){.struct_size = sizeof t->host,
                            .allocator = {.allocate = allocate, .release = release, .user = t},
                            .log = remember,
                            .log_user = t};
}

const winnow_api *test_api(void)
{
    return wn_get_api(WINNOW_ABI);
}

winnow_device *test_device(const winnow_host *host)
{
    const winnow_device_desc desc = {
        .struct_size = sizeof desc, .backend = WINNOW_BACKEND_CPU, .host = host};
    winnow_device *device = NULL;
    assert_int_equal(test_api()->device_create(&desc, &device), WINNOW_OK);
    return device;
}

float test_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static uint64_t role_floats(const winnow_shape *s, uint32_t role)
{
    uint64_t rows;
    uint32_t cols;
    wn_role_extent(s, role, &rows, &cols);
    return rows * cols;
}

/* Attention and sizes are positive. */
static float number_of(uint32_t role, float random)
{
    if (role == WINNOW_ROLE_SIZES)
        return 1.0f + (float)(int)(3.0f * (random + 1.0f));
    if (strstr(wn_role_name(role), "attention"))
        return (random + 1.0f) * 0.01f;
    return random;
}

static void give_inputs(test_run *run, uint32_t seed, float **at)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        const uint64_t floats = role_floats(&run->shape, role);
        if (!((run->roles >> role) & 1u))
            continue;
        for (uint64_t i = 0; i < floats; ++i)
            (*at)[i] = number_of(role, test_random(&seed));
        run->run.in[role].data = *at;
        if (role == WINNOW_ROLE_TOKENS)
            run->tokens = *at;
        *at += floats;
    }
}

static void *give_output(test_run *run, uint32_t output, uint64_t rows, uint64_t words, float **at)
{
    void *data = *at;
    run->run.out[output] = (winnow_tensor){.data = data, .capacity = rows};
    *at += rows * words;
    return data;
}

void test_run_open(test_run *run, const winnow_shape *shape, uint32_t roles, uint32_t seed,
                   uint32_t capacity, uint32_t dim_out)
{
    const uint64_t all = (uint64_t)shape->frames * shape->tokens;
    memset(run, 0, sizeof *run);
    run->shape = *shape;
    run->roles = roles;
    run->run.struct_size = sizeof run->run;
    run->run.shape = *shape;
    run->result.struct_size = sizeof run->result;
    uint64_t words = all + (uint64_t)capacity * (dim_out + 5) + 4;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        words += (roles >> role) & 1u ? role_floats(shape, role) : 0;
    run->memory = calloc(words, 4);
    assert_non_null(run->memory);
    float *at = run->memory;
    give_inputs(run, seed, &at);
    run->rows = give_output(run, WINNOW_OUT_TOKENS, capacity, dim_out, &at);
    run->indices = give_output(run, WINNOW_OUT_INDICES, capacity, 1, &at);
    run->sizes = give_output(run, WINNOW_OUT_SIZES, capacity, 1, &at);
    run->positions = give_output(run, WINNOW_OUT_POSITIONS, capacity, 3, &at);
    run->assignment = give_output(run, WINNOW_OUT_ASSIGNMENT, all, 1, &at);
    run->count = give_output(run, WINNOW_OUT_COUNT_WORD, 1, 4, &at);
}

void test_run_close(test_run *run)
{
    free(run->memory);
}

winnow_status test_plan(winnow_device *device, const char *spec, const test_run *run,
                        uint32_t flags, winnow_plan **out)
{
    const winnow_api *api = test_api();
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = flags,
                                   .max_shape = run->shape,
                                   .roles = run->roles,
                                   .outputs = (1u << WINNOW_OUT_COUNT) - 1u};
    winnow_pipeline *pipeline = NULL;
    *out = NULL;
    winnow_status status = api->pipeline_create(NULL, spec, &pipeline);
    if (status == WINNOW_OK)
        status = api->plan_create(device, pipeline, &desc, out);
    api->pipeline_destroy(pipeline);
    return status;
}

winnow_status test_run_blob(test_host *host, const char *spec, const winnow_blob *blob,
                            uint32_t most, test_run *run)
{
    const winnow_api *api = test_api();
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    winnow_device *device = test_device(&host->host);
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .flags = WINNOW_PLAN_HOST_MEMORY,
                             .max_shape = run->shape,
                             .roles = run->roles,
                             .outputs = (1u << WINNOW_OUT_COUNT) - 1u};
    desc.max_shape.frames = most;
    winnow_status status =
        api->pipeline_create_weights(&host->host, spec, blob, blob ? 1 : 0, &pipeline);
    if (status == WINNOW_OK)
        status = api->plan_create(device, pipeline, &desc, &plan);
    if (status == WINNOW_OK)
        status = api->plan_run(plan, &run->run, &run->result);
    api->plan_destroy(plan);
    api->pipeline_destroy(pipeline);
    api->device_destroy(device);
    assert_int_equal(host->live, 0);
    return status;
}
