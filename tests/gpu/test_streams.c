/* Streams on a GPU beside plain C, to the byte: pushes of any size, one at a time and two under way at once, through every
 * stage that looks back. Run on one driver at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"
#include "plan.h"

enum { HIGH = 5, WIDE = 7, TOKENS = HIGH * WIDE, FRAMES = 9, DIM = 18, ALL = FRAMES * TOKENS };
enum { PUSHES_MOST = FRAMES + 1 };

static const winnow_api *api;
static winnow_device *devices[2]; /* plain C, the GPU */
static float film[ALL * DIM], attention[ALL];

static const char *const specs[] = {
    "evs=rate=0.6",
    "evs=rate=0.6,divprune=keep=3",
    "dtd=rate=0.7",
    "dtd=threshold=0.2",
    "dycoke=rate=0.6",
    "motion=rate=0.7:radius=1",
    "vidcom2=keep=30%",
    "longvu=threshold=0.2",
    "streamingtom=keep=9",
    "avg-pool=factor=2,evs",
    "tome=keep=4:metric=tokens",
    "flatten,avg-pool=stride=5",
};
static const uint32_t partitions[][PUSHES_MOST] = {
    {9, 0}, {4, 4, 1, 0}, {1, 3, 1, 4, 0}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0}, {2, 5, 2, 0}};

/* What a push gives. */
typedef struct answer {
    winnow_status status;
    winnow_result result;
    float tokens[ALL * DIM], sizes[ALL];
    int32_t indices[ALL], positions[3 * ALL], assignment[ALL];
    uint32_t count[4];
} answer;

static answer plain[PUSHES_MOST], gpu[PUSHES_MOST];

/* A film that changes a little from frame to frame, in sixteenths. */
static void make_film(void)
{
    uint32_t state = 23;
    for (uint32_t i = 0; i < ALL * DIM; i++) {
        state = state * 1664525u + 1013904223u;
        const bool anew = i < TOKENS * DIM || state >> 30 == 0;
        film[i] = anew ? (float)((int32_t)(state >> 8 & 63) - 32) / 16 : film[i - TOKENS * DIM];
    }
    for (uint32_t i = 0; i < ALL; i++)
        attention[i] = (float)((i * 37 + 11) % 101 + 1) / 128;
}

static winnow_plan *make_plan(winnow_device *device, const char *spec, uint32_t flags)
{
    winnow_pipeline *pipeline = NULL;
    winnow_plan *plan = NULL;
    uint32_t needed, optional;
    assert_int_equal(api->pipeline_create(NULL, spec, &pipeline), WINNOW_OK);
    assert_int_equal(api->pipeline_inputs(pipeline, &needed, &optional), WINNOW_OK);
    const winnow_plan_desc desc = {.struct_size = sizeof desc,
                                   .flags = WINNOW_PLAN_STREAM | flags,
                                   .max_shape = {.frames = FRAMES,
                                                 .tokens = TOKENS,
                                                 .dim = DIM,
                                                 .grid_h = HIGH,
                                                 .grid_w = WIDE},
                                   .roles = needed | 1u << WINNOW_ROLE_TOKENS,
                                   .outputs = 0x3f};
    const winnow_status status = api->plan_create(device, pipeline, &desc, &plan);
    if (status != WINNOW_OK)
        fail_msg("%s: %s", spec, api->status_name(status));
    api->pipeline_destroy(pipeline);
    return plan;
}

/* The push of `frames` frames from `first` on, its results in *out, which starts as noise. */
static winnow_run push_of(uint32_t first, uint32_t frames, answer *out)
{
    memset(out, 0x5a, sizeof *out);
    out->result.struct_size = sizeof out->result;
    winnow_run run = {
        .struct_size = sizeof run,
        .shape = {.frames = frames, .tokens = TOKENS, .dim = DIM, .grid_h = HIGH, .grid_w = WIDE}};
    run.in[WINNOW_ROLE_TOKENS].data = film + (size_t)first * TOKENS * DIM;
    run.in[WINNOW_ROLE_RECEIVED_ATTENTION_DEEP].data = attention + (size_t)first * TOKENS;
    run.out[WINNOW_OUT_TOKENS] = (winnow_tensor){out->tokens, 0, ALL};
    run.out[WINNOW_OUT_INDICES] = (winnow_tensor){out->indices, 0, ALL};
    run.out[WINNOW_OUT_SIZES] = (winnow_tensor){out->sizes, 0, ALL};
    run.out[WINNOW_OUT_POSITIONS] = (winnow_tensor){out->positions, 0, ALL};
    run.out[WINNOW_OUT_ASSIGNMENT] = (winnow_tensor){out->assignment, 0, ALL};
    run.out[WINNOW_OUT_COUNT_WORD] = (winnow_tensor){out->count, 0, 4};
    return run;
}

static void one_by_one(winnow_stream *stream, const uint32_t *pushes, answer *out)
{
    for (uint32_t first = 0; *pushes; first += *pushes++, out++) {
        const winnow_run run = push_of(first, *pushes, out);
        out->status = api->stream_push(stream, &run, &out->result);
    }
}

/* As many at once as may be: the next begins before the oldest ends. */
static void overlapped(winnow_stream *stream, const uint32_t *pushes, answer *out)
{
    uint32_t first = 0, begun = 0, ended = 0;
    for (; *pushes; first += *pushes++) {
        const winnow_run run = push_of(first, *pushes, &out[begun]);
        if (begun - ended == WN_LANE_COUNT) {
            assert_int_equal(api->stream_begin(stream, &run), WINNOW_E_STATE);
            out[ended].status = api->stream_end(stream, &out[ended].result);
            ended++;
        }
        assert_int_equal(api->stream_push(stream, &run, NULL),
                         begun > ended ? WINNOW_E_STATE : WINNOW_OK);
        if (begun == ended) /* that one counts: a new film begins */
            assert_int_equal(api->stream_reset(stream), WINNOW_OK);
        memset(&out[begun], 0x5a, sizeof *out);
        out[begun].result.struct_size = sizeof out->result;
        assert_int_equal(api->stream_begin(stream, &run), WINNOW_OK);
        begun++;
    }
    for (; ended < begun; ended++)
        out[ended].status = api->stream_end(stream, &out[ended].result);
    assert_int_equal(api->stream_end(stream, NULL), WINNOW_E_STATE);
}

static void same(const char *spec, const char *how, uint32_t push, const answer *a, const answer *b)
{
    if (a->status != WINNOW_OK || b->status != WINNOW_OK || a->result.rows != b->result.rows ||
        memcmp(a->result.grid_out, b->result.grid_out, sizeof a->result.grid_out) != 0 ||
        memcmp(a->count, b->count, 2 * sizeof *a->count) != 0 ||
        memcmp(a->tokens, b->tokens, sizeof a->tokens) != 0 ||
        memcmp(a->indices, b->indices, sizeof a->indices) != 0 ||
        memcmp(a->sizes, b->sizes, sizeof a->sizes) != 0 ||
        memcmp(a->positions, b->positions, sizeof a->positions) != 0 ||
        memcmp(a->assignment, b->assignment, sizeof a->assignment) != 0)
        fail_msg("%s, %s, push %u: %s with %u rows, %s with %u, or other bytes", spec, how, push,
                 api->status_name(a->status), a->result.rows, api->status_name(b->status),
                 b->result.rows);
}

static void check(const char *spec, uint32_t flags, const char *how,
                  void (*push_all)(winnow_stream *, const uint32_t *, answer *))
{
    winnow_plan *plans[2];
    winnow_stream *streams[2];
    for (int i = 0; i < 2; i++) {
        plans[i] = make_plan(devices[i], spec, i ? flags : 0);
        assert_int_equal(api->stream_create(plans[i], &streams[i]), WINNOW_OK);
    }
    for (size_t p = 0; p < sizeof partitions / sizeof *partitions; p++) {
        one_by_one(streams[0], partitions[p], plain);
        push_all(streams[1], partitions[p], gpu);
        for (uint32_t i = 0; partitions[p][i]; i++)
            same(spec, how, i, &plain[i], &gpu[i]);
        for (int i = 0; i < 2; i++)
            assert_int_equal(api->stream_reset(streams[i]), WINNOW_OK);
    }
    for (int i = 0; i < 2; i++) {
        api->stream_destroy(streams[i]);
        api->plan_destroy(plans[i]);
    }
}

static void pushes_give_what_plain_c_gives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        check(specs[i], 0, "one at a time", one_by_one);
}

static void two_at_once_give_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        check(specs[i], WINNOW_PLAN_OVERLAP, "two at once", overlapped);
}

/* On both backends; the second push's outputs are too small, the third goes on as if it had come out. */
static void what_is_too_small_is_said_at_the_end(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        winnow_plan *plan = make_plan(devices[d], "evs=rate=0.6", WINNOW_PLAN_OVERLAP);
        winnow_stream *stream;
        assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
        winnow_run run = push_of(0, 3, &gpu[0]);
        assert_int_equal(api->stream_begin(stream, &run), WINNOW_OK);
        run = push_of(3, 3, &gpu[1]);
        run.out[WINNOW_OUT_TOKENS].capacity = 2;
        assert_int_equal(api->stream_begin(stream, &run), WINNOW_OK);
        assert_int_equal(api->stream_end(stream, &gpu[0].result), WINNOW_OK);
        run = push_of(6, 3, &gpu[2]);
        assert_int_equal(api->stream_begin(stream, &run), WINNOW_OK);
        assert_int_equal(api->stream_end(stream, &gpu[1].result), WINNOW_E_TOO_SMALL);
        assert_int_equal(gpu[1].indices[0], 0x5a5a5a5a);
        gpu[2].status = api->stream_end(stream, &gpu[2].result);
        if (d == 0)
            plain[2] = gpu[2];
        same("evs=rate=0.6", "behind one without room", 2, &plain[2], &gpu[2]);
        api->stream_destroy(stream);
        api->plan_destroy(plan);
    }
}

/* A stream that goes with pushes under way, and the plan's next: nothing of the first is left. */
static void streams_may_go_before_their_pushes_end(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        winnow_plan *plan = make_plan(devices[d], "dtd=rate=0.7", WINNOW_PLAN_OVERLAP);
        winnow_stream *stream;
        for (uint32_t begun = 1; begun <= 2; begun++) {
            assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
            for (uint32_t i = 0; i < begun; i++) {
                const winnow_run run = push_of(i, 1, &gpu[i]);
                assert_int_equal(api->stream_begin(stream, &run), WINNOW_OK);
            }
            api->stream_destroy(stream);
        }
        assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
        overlapped(stream, partitions[1], d ? gpu : plain);
        api->stream_destroy(stream);
        api->plan_destroy(plan);
    }
    for (uint32_t i = 0; partitions[1][i]; i++)
        same("dtd=rate=0.7", "after others", i, &plain[i], &gpu[i]);
}

static void plans_without_the_memory_say_so(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        winnow_plan *plan = make_plan(devices[d], "evs", 0);
        winnow_stream *stream;
        assert_int_equal(api->stream_create(plan, &stream), WINNOW_OK);
        const winnow_run run = push_of(0, 1, &gpu[0]);
        assert_int_equal(api->stream_begin(stream, &run), WINNOW_E_STATE);
        assert_int_equal(api->stream_end(stream, NULL), WINNOW_E_STATE);
        assert_int_equal(api->stream_begin(NULL, &run), WINNOW_E_ARGUMENT);
        assert_int_equal(api->stream_begin(stream, NULL), WINNOW_E_ARGUMENT);
        assert_int_equal(api->stream_end(NULL, NULL), WINNOW_E_ARGUMENT);
        api->stream_destroy(stream);
        api->plan_destroy(plan);
    }
}

static int open_devices(void **state)
{
    (void)state;
    api = wn_get_api(WINNOW_ABI);
    make_film();
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
        cmocka_unit_test(pushes_give_what_plain_c_gives),
        cmocka_unit_test(two_at_once_give_the_same),
        cmocka_unit_test(what_is_too_small_is_said_at_the_end),
        cmocka_unit_test(streams_may_go_before_their_pushes_end),
        cmocka_unit_test(plans_without_the_memory_say_so),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
