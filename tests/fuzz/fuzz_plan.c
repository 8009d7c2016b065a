/* libFuzzer: bytes choose a pipeline, a shape, roles, types and numbers (NaN and infinities among
 * them), and a plan runs on plain C, or a stream. Whatever the numbers, what comes out must make sense. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chosen_plan.h"
#include "numbers.h"
#include "plan.h"

static void fill(chosen_by *in, uint8_t *data, uint64_t count, int32_t dtype)
{
    static const uint32_t odd[] = {0x7fc00000u, 0x7f800000u, 0xff800000u, 0,
                                   0x80000000u, 1,           0x7f7fffffu, 0xff7fffffu};
    uint32_t state = chosen_next(in, 256) | chosen_next(in, 256) << 8;
    const uint32_t wild = chosen_next(in, 40);
    for (uint64_t i = 0; i < count; ++i) {
        state = state * 1664525u + 1013904223u;
        float x = (float)(state >> 8) / 8388608.0f - 1.0f;
        if (wild < 8 && (state >> 16) % 16 == 0)
            memcpy(&x, &odd[wild], sizeof x);
        if (wild == 8)
            x = 0.25f; /* ties everywhere */
        const uint32_t bits = wild == 9 ? state : 0;
        if (bits)
            memcpy(&x, &bits, sizeof x); /* any number at all */
        const uint16_t half = dtype == WINNOW_F16 ? f32_to_f16(x) : f32_to_bf16(x);
        if (dtype == WINNOW_F32)
            memcpy(data + 4 * i, &x, 4);
        else
            memcpy(data + 2 * i, &half, 2);
    }
}

static void check(int holds, const char *what, const char *spec)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", spec, what);
        abort();
    }
}

static void check_result(const winnow_run *run, const winnow_result *result,
                         const winnow_plan_info *info, const char *spec)
{
    const uint32_t all = run->shape.frames * run->shape.tokens;
    const int32_t *indices = run->out[WINNOW_OUT_INDICES].data,
                  *assignment = run->out[WINNOW_OUT_ASSIGNMENT].data;
    check(result->rows <= info->rows_max, "more rows than the plan said", spec);
    for (uint32_t i = 0; i < result->rows; ++i)
        check(indices[i] >= -2 && indices[i] < (int32_t)all, "an index past the tokens", spec);
    for (uint32_t i = 0; i < all; ++i)
        check(assignment[i] >= -1 && assignment[i] < (int32_t)result->rows,
              "a token went past the rows", spec);
}

/* Outputs in blocks of just the size of what may be written. stream: NULL, or the plan's. */
static void run_plan(chosen_by *in, winnow_plan *plan, winnow_stream *stream,
                     const winnow_plan_desc *desc, const char *spec)
{
    const winnow_api *api = wn_get_api(WINNOW_ABI);
    winnow_run run = {.struct_size = sizeof run, .shape = desc->max_shape};
    winnow_result result = {.struct_size = sizeof result};
    winnow_plan_info info = {.struct_size = sizeof info};
    check(api->plan_info(plan, &info) == WINNOW_OK, "plan_info failed", spec);
    run.shape.frames = 1 + chosen_next(in, run.shape.frames);
    const size_t rows = info.rows_max, element = desc->out_dtype == WINNOW_F32 ? 4 : 2;
    const size_t bytes[WINNOW_OUT_COUNT] = {rows * info.dim_out * element,
                                            rows * 4,
                                            rows * 4,
                                            rows * 12,
                                            (size_t)run.shape.frames * run.shape.tokens * 4,
                                            16};
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        const uint64_t count = chosen_elements(&run.shape, role);
        if (!((desc->roles >> role) & 1u))
            continue;
        run.in[role].data = malloc(count * (desc->dtype[role] == WINNOW_F32 ? 4 : 2));
        fill(in, run.in[role].data, count, desc->dtype[role]);
    }
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        run.out[output] = (winnow_tensor){.data = malloc(bytes[output] ? bytes[output] : 1),
                                          .capacity = output == WINNOW_OUT_ASSIGNMENT
                                                          ? run.shape.frames * run.shape.tokens
                                                      : output == WINNOW_OUT_COUNT_WORD ? 1
                                                                                        : rows};
    const winnow_status status =
        stream ? api->stream_push(stream, &run, &result) : api->plan_run(plan, &run, &result);
    const int fewer = run.shape.frames < desc->max_shape.frames;
    check(status == WINNOW_OK || status == WINNOW_E_SHAPE ||
              (fewer && status == WINNOW_E_UNSUPPORTED),
          api->status_name(status), spec);
    if (status == WINNOW_OK) {
        const wn_set *set = &plan->build.set;
        check(set->exact ? result.rows == set->n_max : result.rows <= set->n_max,
              "other than the program's own bound", spec);
        check_result(&run, &result, &info, spec);
    }
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        free(run.in[role].data);
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        free(run.out[output].data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const winnow_api *api = wn_get_api(WINNOW_ABI);
    const winnow_device_desc device_desc = {.struct_size = sizeof device_desc,
                                            .backend = WINNOW_BACKEND_CPU};
    chosen_by in = {data, size, 0};
    char spec[256];
    winnow_device *device = NULL;
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    chosen_spec(&in, spec, sizeof spec);
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .flags = WINNOW_PLAN_HOST_MEMORY,
                             .max_shape = chosen_shape(&in),
                             .outputs = (1u << WINNOW_OUT_COUNT) - 1u,
                             .out_dtype = (int32_t)chosen_next(&in, 3),
                             .order = (int32_t)chosen_next(&in, 2)};
    const uint32_t absent =
        chosen_next(&in, 2) ? 0 : (chosen_next(&in, 256) | chosen_next(&in, 256) << 8) << 1;
    desc.roles = ((1u << WINNOW_ROLE_COUNT) - 1u) & ~absent;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        desc.dtype[role] = (int32_t)chosen_next(&in, 3);
    if (api->device_create(&device_desc, &device) != WINNOW_OK ||
        api->pipeline_create(NULL, spec, &pipeline) != WINNOW_OK)
        check(0, "no device or no pipeline", spec);
    if (chosen_next(&in, 4) == 3)
        desc.flags = WINNOW_PLAN_STREAM;
    const winnow_status status = api->plan_create(device, pipeline, &desc, &plan);
    check((status == WINNOW_OK) == (plan != NULL), "status and plan disagree", spec);
    check(status == WINNOW_OK || (status <= -100 && status >= -299), api->status_name(status),
          spec);
    winnow_stream *stream = NULL;
    if (plan && desc.flags == WINNOW_PLAN_STREAM)
        check(api->stream_create(plan, &stream) == WINNOW_OK, "no stream", spec);
    for (int i = 0; plan && i < (stream ? 4 : 2); ++i)
        run_plan(&in, plan, stream, &desc, spec);
    api->stream_destroy(stream);
    api->plan_destroy(plan);
    api->pipeline_destroy(pipeline);
    api->device_destroy(device);
    return 0;
}
