/* Plans on a GPU beside plain C, to the byte: every type out, odd rows, smaller shapes in a larger
 * plan, the same run again, and outputs that nobody wants. Run on one driver at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"
#include "plan.h"

enum {
    ROWS = 4,
    COLUMNS = 6,
    TOKENS = ROWS * COLUMNS,
    FRAMES = 3,
    DIM = 18,
    MOST = FRAMES * TOKENS
};
enum { WIDEST = 4 * DIM * 4 }; /* bytes of a row that comes out: 2 x 2 windows of f32 */
enum { GUARD = 64 };

static const winnow_api *api;
static winnow_device *devices[2]; /* plain C, the GPU */

static const char *const specs[] = {
    "pixel-shuffle=factor=2",
    "avg-pool=factor=2",
    "fastervlm=keep=5",
    "visionzip=dominant=4:contextual=3",
    "prumerge=ratio=0.25",
    "prumerge",
    "prumerge-plus",
    "vispruner=keep=6",
    "divprune=keep=5",
    "cdpruner=keep=5",
    "tome=r=5",
    "tome=keep=4",
    "evs=rate=0.5",
    "dycoke=rate=0.5",
    "flatten",
    "avg-pool=factor=2,divprune=keep=3",
    "tome=r=3,fastervlm=keep=5",
    "fastervlm=keep=9,tome=r=2",
    "visionzip=dominant=6:contextual=4,tome=r=3:metric=tokens",
};

/* What a run gives, with bytes behind every output that must stay. */
typedef struct answer {
    winnow_status status;
    winnow_result result;
    unsigned char tokens[MOST * WIDEST + GUARD];
    int32_t indices[MOST + GUARD], positions[3 * MOST + GUARD], assignment[MOST + GUARD];
    float sizes[MOST + GUARD];
    uint32_t count[4];
} answer;

static float inputs[WINNOW_ROLE_COUNT][MOST * DIM];
static uint16_t narrow[WINNOW_ROLE_COUNT][MOST * DIM];

/* Sixteenths, which f16 and bf16 hold; attention is positive. */
static void make_inputs(void)
{
    uint32_t state = 7;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        for (uint32_t i = 0; i < MOST * DIM; i++) {
            state = state * 1664525u + 1013904223u;
            const int32_t sixteenths = (int32_t)(state >> 26) - 32;
            const bool attention = role == WINNOW_ROLE_CLS_ATTENTION;
            float value = (float)(attention ? abs(sixteenths) + 1 : sixteenths) / 16;
            if (role == WINNOW_ROLE_SIZES)
                value = 1;
            inputs[role][i] = value;
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            narrow[role][i] = (uint16_t)(bits >> 16);
        }
    }
}

static uint32_t roles_of(const winnow_pipeline *pipeline)
{
    uint32_t needed, optional;
    assert_int_equal(api->pipeline_inputs(pipeline, &needed, &optional), WINNOW_OK);
    return needed | 1u << WINNOW_ROLE_TOKENS;
}

static winnow_shape shape_of(uint32_t frames, uint32_t dim)
{
    return (winnow_shape){.frames = frames,
                          .tokens = TOKENS,
                          .dim = dim,
                          .grid_h = ROWS,
                          .grid_w = COLUMNS,
                          .key_dim = 8,
                          .heads = 4,
                          .llm_heads = 2,
                          .text_rows = 2,
                          .text_dim = 12};
}

static winnow_plan *make_plan(winnow_device *device, const winnow_pipeline *pipeline, int32_t dtype)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .flags = WINNOW_PLAN_HOST_MEMORY,
                             .max_shape = shape_of(FRAMES, DIM),
                             .roles = roles_of(pipeline),
                             .outputs = 0x3f,
                             .out_dtype = dtype};
    winnow_plan *plan = NULL;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++)
        desc.dtype[role] = dtype == WINNOW_BF16 ? WINNOW_BF16 : WINNOW_F32;
    assert_int_equal(api->plan_create(device, pipeline, &desc, &plan), WINNOW_OK);
    return plan;
}

/* `gap`: bytes between the rows of tokens; `rows`: the tokens are wanted. */
static void run(winnow_plan *plan, const winnow_shape *shape, uint32_t roles, int32_t dtype,
                uint64_t gap, bool rows, answer *out)
{
    winnow_plan_info info = {.struct_size = sizeof info};
    winnow_run run = {.struct_size = sizeof run, .shape = *shape};
    memset(out, 0x5a, sizeof *out);
    out->result.struct_size = sizeof out->result;
    assert_int_equal(api->plan_info(plan, &info), WINNOW_OK);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        void *data = dtype == WINNOW_BF16 ? (void *)narrow[role] : (void *)inputs[role];
        run.in[role].data = roles >> role & 1u ? data : NULL;
    }
    const uint64_t wide =
        (uint64_t)shape->dim * (info.dim_out / DIM) * (dtype == WINNOW_F32 ? 4u : 2u);
    run.out[WINNOW_OUT_TOKENS] = (winnow_tensor){rows ? out->tokens : NULL, gap ? wide + gap : 0,
                                                 (uint64_t)(gap ? MOST / 2 : MOST)};
    run.out[WINNOW_OUT_INDICES] = (winnow_tensor){out->indices, 0, MOST};
    run.out[WINNOW_OUT_SIZES] = (winnow_tensor){out->sizes, 0, MOST};
    run.out[WINNOW_OUT_POSITIONS] = (winnow_tensor){out->positions, 0, MOST};
    run.out[WINNOW_OUT_ASSIGNMENT] = (winnow_tensor){out->assignment, 0, MOST};
    run.out[WINNOW_OUT_COUNT_WORD] = (winnow_tensor){out->count, 0, 4};
    out->status = api->plan_run(plan, &run, &out->result);
}

static void same(const char *spec, const char *what, const answer *a, const answer *b)
{
    const bool refused = a->status != WINNOW_OK && a->status != WINNOW_E_TOO_SMALL;
    if (refused || a->status != b->status || a->result.rows != b->result.rows ||
        memcmp(a->tokens, b->tokens, sizeof a->tokens) != 0 ||
        memcmp(a->indices, b->indices, sizeof a->indices) != 0 ||
        memcmp(a->sizes, b->sizes, sizeof a->sizes) != 0 ||
        memcmp(a->positions, b->positions, sizeof a->positions) != 0 ||
        memcmp(a->assignment, b->assignment, sizeof a->assignment) != 0)
        fail_msg("%s, %s: plain C %s with %u rows, the GPU %s with %u, or other bytes", spec, what,
                 api->status_name(a->status), a->result.rows, api->status_name(b->status),
                 b->result.rows);
}

static const struct {
    const char *what;
    uint32_t frames, dim;
    uint64_t gap;
    bool rows;
    int recorded; /* -1: either */
} runs[] = {
    {"the largest", FRAMES, DIM, 0, true, 1},    {"again", FRAMES, DIM, 0, true, 0},
    {"once more", FRAMES, DIM, 0, true, 0},      {"rows with gaps", FRAMES, DIM, 4, true, -1},
    {"odd rows", FRAMES, DIM - 1, 0, true, 1},   {"odd rows with gaps", 2, DIM - 3, 8, true, 1},
    {"one frame", 1, DIM, 0, true, 1},           {"no tokens", FRAMES, DIM, 0, false, -1},
    {"no tokens, odd", 1, DIM - 5, 0, false, 1}, {"the largest again", FRAMES, DIM, 0, true, 1},
};

static void check(const char *spec, int32_t dtype)
{
    static answer plain, gpu;
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plans[2];
    assert_int_equal(api->pipeline_create(NULL, spec, &pipeline), WINNOW_OK);
    const uint32_t roles = roles_of(pipeline);
    for (int i = 0; i < 2; i++)
        plans[i] = make_plan(devices[i], pipeline, dtype);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        const winnow_shape shape = shape_of(runs[i].frames, runs[i].dim);
        run(plans[0], &shape, roles, dtype, runs[i].gap, runs[i].rows, &plain);
        run(plans[1], &shape, roles, dtype, runs[i].gap, runs[i].rows, &gpu);
        same(spec, runs[i].what, &plain, &gpu);
        if (gpu.status == WINNOW_OK && runs[i].recorded >= 0 &&
            gpu.result.recorded != (uint32_t)runs[i].recorded)
            fail_msg("%s, %s: recorded is %u", spec, runs[i].what, gpu.result.recorded);
    }
    for (int i = 0; i < 2; i++)
        api->plan_destroy(plans[i]);
    api->pipeline_destroy(pipeline);
}

static void check_all(int32_t dtype)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        check(specs[i], dtype);
}

static void test_f32(void **state)
{
    (void)state;
    check_all(WINNOW_F32);
}

static void test_f16(void **state)
{
    (void)state;
    check_all(WINNOW_F16);
}

static void test_bf16(void **state)
{
    (void)state;
    check_all(WINNOW_BF16);
}

static int open_devices(void **state)
{
    (void)state;
    api = wn_get_api(WINNOW_ABI);
    make_inputs();
    return pair_open(api, devices) ? 0 : -1;
}

static int close_devices(void **state)
{
    (void)state;
    pair_close(api, devices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
