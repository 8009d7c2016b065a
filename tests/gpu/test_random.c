/* Pipelines, shapes and numbers by chance, on plain C and a GPU: the same tokens, and the same numbers to rounding. By seed, so
 * that what fails fails again: gpu_test_random FIRST COUNT tries others than the test does. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chosen_plan.h"
#include "numbers.h"
#include "pair.h"
#include "plan.h"

enum { BYTES = 96, SEEDS = 600, LARGE = 8, STREAMS = 3, PUSHES = 5 };
enum { ALL_ROLES = (1u << WINNOW_ROLE_COUNT) - 1u };

static const winnow_api *api;
static uint32_t failed;

/* What one device gives. */
typedef struct answer {
    winnow_plan *plan;
    winnow_stream *stream;
    winnow_plan_info info;
    winnow_status status;
    winnow_result result;
    void *out[WINNOW_OUT_COUNT];
} answer;

typedef struct trial {
    uint32_t seed;
    char spec[256];
    winnow_plan_desc desc;
    winnow_run run; /* its inputs, which both devices get */
    uint64_t state; /* of the numbers to come */
} trial;

static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fail(const trial *t, const char *what, int64_t plain, int64_t gpu)
{
    const winnow_shape *s = &t->run.shape;
    printf(
        "seed %u, %s, %u of %u frames of %u x %u (%u) tokens, %u channels: %s: plain C %lld, the GPU %lld\n",
        t->seed, t->spec, s->frames, t->desc.max_shape.frames, s->grid_h, s->grid_w, s->tokens,
        s->dim, what, (long long)plain, (long long)gpu);
    ++failed;
}

/* Attention is above zero. Every other seed has sixteenths, among which there are ties. */
static float number(uint32_t role, uint32_t seed, uint64_t bits)
{
    static const uint32_t above_zero =
        1u << WINNOW_ROLE_CLS_ATTENTION | 1u << WINNOW_ROLE_CLS_ATTENTION_SHALLOW |
        1u << WINNOW_ROLE_RECEIVED_ATTENTION_DEEP | 1u << WINNOW_ROLE_LLM_ATTENTION |
        1u << WINNOW_ROLE_TEXT_ATTENTION | 1u << WINNOW_ROLE_ATTENTION |
        1u << WINNOW_ROLE_ATTENTION_TO_TEXT | 1u << WINNOW_ROLE_SALIENCY;
    if (role == WINNOW_ROLE_SIZES)
        return (float)(1 + bits % 3);
    if (role == WINNOW_ROLE_GROUPS)
        return (float)(bits % 3);
    float x = (float)(bits >> 40) / 8388608.0f - 1.0f;
    if (seed % 2)
        x = roundf(x * 16) / 16;
    return (above_zero >> role) & 1u ? fabsf(x) + 1.0f / 16 : x;
}

static void fill_inputs(trial *t)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        const uint64_t count = chosen_elements(&t->desc.max_shape, role);
        const size_t bytes = t->desc.dtype[role] == WINNOW_F32 ? 4 : 2;
        unsigned char *data = t->run.in[role].data;
        for (uint64_t i = 0; i < count; ++i) {
            const float x = number(role, t->seed, mix(&t->state));
            const uint16_t half = f32_to_f16(x);
            memcpy(data + i * bytes, bytes == 4 ? (const void *)&x : (const void *)&half, bytes);
        }
    }
}

static bool make_inputs(trial *t)
{
    bool good = true;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role) {
        t->run.in[role].data = malloc(4 * chosen_elements(&t->desc.max_shape, role) + 1);
        good = good && t->run.in[role].data;
    }
    if (good)
        fill_inputs(t);
    return good;
}

/* Frames of more than a workgroup's tokens, rows of more than its channels. */
static void enlarge(winnow_shape *s, uint32_t times)
{
    s->grid_h *= times;
    s->grid_w *= times;
    s->tokens *= times * times;
    s->text_dim = s->text_dim == s->dim ? s->dim * 32 - 1 : s->text_dim;
    s->dim = s->dim * 32 - 1;
}

static bool choose(trial *t, uint32_t seed)
{
    uint8_t bytes[BYTES];
    *t = (trial){.seed = seed, .run = {.struct_size = sizeof t->run}, .state = seed};
    for (size_t i = 0; i < BYTES; ++i)
        bytes[i] = (uint8_t)mix(&t->state);
    chosen_by by = {bytes, BYTES, 0};
    chosen_spec(&by, t->spec, sizeof t->spec);
    t->desc =
        (winnow_plan_desc){.struct_size = sizeof t->desc,
                           .flags = seed % STREAMS ? WINNOW_PLAN_HOST_MEMORY : WINNOW_PLAN_STREAM,
                           .max_shape = chosen_shape(&by),
                           .roles = ALL_ROLES,
                           .outputs = (1u << WINNOW_OUT_COUNT) - 1u,
                           .order = (int32_t)chosen_next(&by, 2)};
    const int32_t dtype = chosen_next(&by, 3) ? WINNOW_F32 : WINNOW_F16;
    if (seed % LARGE == 0)
        enlarge(&t->desc.max_shape, 2 + chosen_next(&by, 4));
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        t->desc.dtype[role] = dtype;
    t->run.shape = t->desc.max_shape;
    return make_inputs(t);
}

/* Entries that an output may have. */
static uint64_t capacity(const trial *t, const answer *a, uint32_t output)
{
    const winnow_shape *s = &t->desc.max_shape;
    return output == WINNOW_OUT_ASSIGNMENT   ? (uint64_t)s->frames * s->tokens
           : output == WINNOW_OUT_COUNT_WORD ? 1
                                             : a->info.rows_max;
}

static bool make_outputs(const trial *t, answer *a)
{
    bool good = true;
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output) {
        const uint64_t words = output == WINNOW_OUT_TOKENS      ? a->info.dim_out
                               : output == WINNOW_OUT_POSITIONS ? 3
                                                                : 4;
        a->out[output] = calloc(capacity(t, a, output) * words + 1, 4);
        good = good && a->out[output];
    }
    return good;
}

static void run(const trial *t, answer *a)
{
    winnow_run run = t->run;
    a->result = (winnow_result){.struct_size = sizeof a->result};
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        run.out[output] = (winnow_tensor){a->out[output], 0, capacity(t, a, output)};
    a->status = a->stream ? api->stream_push(a->stream, &run, &a->result)
                          : api->plan_run(a->plan, &run, &a->result);
}

static bool same_words(const trial *t, const char *what, const void *of_plain, const void *of_gpu,
                       size_t count)
{
    const int32_t *plain = of_plain, *gpu = of_gpu;
    for (size_t i = 0; i < count; ++i)
        if (plain[i] != gpu[i]) {
            fail(t, what, plain[i], gpu[i]);
            return false;
        }
    return true;
}

static bool same_numbers(const trial *t, const char *what, const void *of_plain, const void *of_gpu,
                         size_t count)
{
    const float *plain = of_plain, *gpu = of_gpu;
    for (size_t i = 0; i < count; ++i)
        if (!(fabsf(plain[i] - gpu[i]) <= 2e-4f * fmaxf(1, fabsf(plain[i])))) {
            fail(t, what, lrintf(plain[i] * 1e4f), lrintf(gpu[i] * 1e4f));
            return false;
        }
    return true;
}

static void compare(const trial *t, const answer *plain, const answer *gpu)
{
    const wn_set *set = &plain->plan->build.set;
    void *const *p = plain->out, *const *g = gpu->out;
    const size_t rows = plain->result.rows, all = (size_t)t->run.shape.frames * t->run.shape.tokens;
    if (plain->status != gpu->status)
        fail(t, "status of the run", plain->status, gpu->status);
    else if (plain->status != WINNOW_OK)
        return;
    else if (rows != gpu->result.rows)
        fail(t, "rows", plain->result.rows, gpu->result.rows);
    else if (set->exact ? rows != set->n_max : rows > set->n_max)
        fail(t, "rows, and the program's bound of them", plain->result.rows, set->n_max);
    else
        (void)(same_words(t, "an index", p[WINNOW_OUT_INDICES], g[WINNOW_OUT_INDICES], rows) &&
               same_words(t, "a position", p[WINNOW_OUT_POSITIONS], g[WINNOW_OUT_POSITIONS],
                          3 * rows) &&
               same_words(t, "an assignment", p[WINNOW_OUT_ASSIGNMENT], g[WINNOW_OUT_ASSIGNMENT],
                          all) &&
               same_numbers(t, "a size, times 10,000", p[WINNOW_OUT_SIZES], g[WINNOW_OUT_SIZES],
                            rows) &&
               same_numbers(t, "a number, times 10,000", p[WINNOW_OUT_TOKENS], g[WINNOW_OUT_TOKENS],
                            rows * plain->info.dim_out));
}

static void open_answer(winnow_device *device, const winnow_pipeline *pipeline, const trial *t,
                        answer *a)
{
    *a = (answer){.info = {.struct_size = sizeof a->info}};
    a->status = api->plan_create(device, pipeline, &t->desc, &a->plan);
    if (a->status == WINNOW_OK)
        a->status = api->plan_info(a->plan, &a->info);
    if (a->status == WINNOW_OK && t->desc.flags & WINNOW_PLAN_STREAM)
        a->status = api->stream_create(a->plan, &a->stream);
    if (a->status == WINNOW_OK && !make_outputs(t, a))
        a->status = WINNOW_E_HOST_MEMORY;
}

static void close_answer(answer *a)
{
    api->stream_destroy(a->stream);
    api->plan_destroy(a->plan);
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; ++output)
        free(a->out[output]);
}

/* Both once, or push by push; plans of fewer and fewer frames too. */
static void run_both(trial *t, answer *plain, answer *gpu)
{
    const uint32_t most = t->desc.max_shape.frames, runs = t->desc.flags & WINNOW_PLAN_STREAM
                                                               ? PUSHES
                                                           : most < 2 ? most
                                                                      : 2;
    for (uint32_t i = 0; i < runs; ++i) {
        t->run.shape.frames = plain->stream ? (t->seed / STREAMS + 2 * i) % most + 1 : most - i;
        run(t, plain);
        run(t, gpu);
        compare(t, plain, gpu);
        if (plain->stream)
            fill_inputs(t);
    }
}

/* 1: both ran. */
static uint32_t try_seed(winnow_device *const *devices, uint32_t seed)
{
    answer plain = {.plan = NULL}, gpu = {.plan = NULL};
    trial t;
    winnow_pipeline *pipeline = NULL;
    const bool good =
        choose(&t, seed) && api->pipeline_create(NULL, t.spec, &pipeline) == WINNOW_OK;
    if (good) {
        open_answer(devices[0], pipeline, &t, &plain);
        open_answer(devices[1], pipeline, &t, &gpu);
    }
    const bool runs = good && plain.status == WINNOW_OK && gpu.status == WINNOW_OK;
    if (!good || plain.status != gpu.status)
        fail(&t, "status of the plan", plain.status, gpu.status);
    if (runs)
        run_both(&t, &plain, &gpu);
    close_answer(&plain);
    close_answer(&gpu);
    api->pipeline_destroy(pipeline);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; ++role)
        free(t.run.in[role].data);
    return runs;
}

int main(int count, char **arguments)
{
    const uint32_t first = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 1,
                   seeds = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : SEEDS;
    static const uint32_t failed_once[] = {2358, 4768, 21663, 41933};
    winnow_device *devices[2];
    uint32_t ran = 0;
    api = wn_get_api(WINNOW_ABI);
    const bool open = pair_open(api, devices);
    for (size_t i = 0; open && count < 2 && i < sizeof failed_once / sizeof *failed_once; ++i)
        ran += try_seed(devices, failed_once[i]);
    for (uint32_t seed = first; open && seed < first + seeds; ++seed)
        ran += try_seed(devices, seed);
    pair_close(api, devices);
    printf("%u of %u pipelines ran, %u failures\n", ran, seeds, failed);
    return !open || failed || ran < seeds / 4;
}
