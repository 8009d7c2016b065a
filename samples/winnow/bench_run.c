#include "bench_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_weights.h"
#include "cli.h"

enum { RUNS_LEAST = 5, RUNS_MOST = 25 };
/* Over `slow` two runs must do; over `tired` the first one, warm or not. */
static const double slow_seconds = 2.0, tired_seconds = 20.0, enough_seconds = 0.5;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void bench_skip(bench_figures *out, engine *e, const char *what, winnow_status status)
{
    snprintf(out->skipped, sizeof out->skipped, "%s",
             e->message[0] ? e->message : e->api->status_name(status));
    if (!out->skipped[0]) {
        snprintf(out->skipped, sizeof out->skipped, "%s", what);
    }
    e->message[0] = 0;
    e->message_is_error = false;
}

/* How many more runs after one that took `seconds`. */
static uint32_t runs_for(double seconds, bool once)
{
    if (once || seconds > slow_seconds) {
        return once || seconds > tired_seconds ? 1 : 2;
    }
    double fit = enough_seconds / (seconds > 1e-6 ? seconds : 1e-6);
    return fit < RUNS_LEAST ? RUNS_LEAST : fit > RUNS_MOST ? RUNS_MOST : (uint32_t)fit;
}

void bench_measure(bench_figures *out, engine *e, const bench_call *call, bool once)
{
    double gpu[RUNS_MOST], wall[RUNS_MOST];
    uint32_t runs = 1;

    /* Run -1 warms up: drivers compile at the first dispatch. A single run does without. */
    for (int i = once ? 0 : -1; i < (int)runs; i++) {
        winnow_result result = {.struct_size = sizeof result};
        double start = cli_seconds();
        winnow_status status = call->run(call->user, &result);
        double seconds = cli_seconds() - start;
        if (status != WINNOW_OK) {
            bench_skip(out, e, "the run failed", status);
            out->failed = true;
            return;
        }
        if (out->first_ms == 0.0) {
            out->first_ms = seconds * 1e3;
        }
        out->recorded += result.recorded;
        if (i < 0 && seconds > tired_seconds) {
            i = 0;
        }
        if (i <= 0) { /* the first after the warm-up tells how long one takes */
            runs = runs_for(seconds, once);
        }
        if (i >= 0) {
            gpu[i] = (double)result.gpu_ns * 1e-6;
            wall[i] = seconds * 1e3;
        }
        out->rows = result.rows;
        out->dispatches = result.dispatches;
        out->submissions = result.submissions;
    }
    out->repetitions = runs;
    out->gpu_ms = median(gpu, runs);
    out->wall_ms = median(wall, runs);
}

typedef struct plan_call {
    const winnow_api *api;
    winnow_plan *plan;
    winnow_run run;
} plan_call;

static winnow_status call_plan(void *user, winnow_result *result)
{
    plan_call *c = user;
    return c->api->plan_run(c->plan, &c->run, result);
}

static winnow_plan *plan_for(bench_figures *out, engine *e, const winnow_pipeline *pipeline,
                             const bench_inputs *inputs, uint32_t roles)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc,
                             .max_shape = inputs->shape,
                             .flags = WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_TIMING,
                             .roles = roles,
                             .out_dtype = inputs->dtype};
    winnow_plan_info info = {.struct_size = sizeof info};
    winnow_plan *plan = NULL;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        desc.dtype[role] = inputs->dtype;
    }
    winnow_status status = e->api->plan_create(e->device, pipeline, &desc, &plan);
    if (status == WINNOW_OK) {
        status = e->api->plan_info(plan, &info);
    }
    if (status != WINNOW_OK) {
        bench_skip(out, e, "no plan", status);
        e->api->plan_destroy(plan);
        return NULL;
    }
    out->barriers = info.barriers;
    out->floor_bytes = info.floor_bytes;
    out->workspace_bytes = info.workspace_bytes;
    return plan;
}

static void run_plan(bench_figures *out, engine *e, winnow_plan *plan, const bench_inputs *inputs,
                     uint32_t roles, bool once)
{
    plan_call user = {.api = e->api, .plan = plan};
    winnow_run *run = &user.run;
    winnow_plan_info info = {.struct_size = sizeof info};
    run->struct_size = sizeof *run;
    run->shape = inputs->shape;
    e->api->plan_info(plan, &info);

    void *tokens =
        cli_array((uint64_t)info.rows_max * info.dim_out, inputs->dtype == WINNOW_F32 ? 4 : 2);
    int32_t *indices = cli_array(info.rows_max, sizeof *indices);
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        run->in[role].data = roles & 1u << role ? inputs->data[role] : NULL;
    }
    run->out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = tokens, .capacity = info.rows_max};
    run->out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = indices, .capacity = info.rows_max};
    if (tokens && indices) {
        bench_measure(out, e, &(bench_call){call_plan, &user}, once);
    } else {
        snprintf(out->skipped, sizeof out->skipped, "out of memory for its rows");
    }
    free(tokens);
    free(indices);
}

/* What an encoder has beside its tokens: a host gives it to stages that do without but do better with it, as tome. */
static const uint32_t at_hand = 1u << WINNOW_ROLE_KEYS | 1u << WINNOW_ROLE_CLS_ATTENTION;

void bench_run(bench_figures *out, engine *e, const char *spec, bench_inputs *inputs, bool once)
{
    winnow_pipeline *pipeline = NULL;
    uint32_t needed = 0, optional = 0;
    winnow_status status;

    memset(out, 0, sizeof *out);
    status = bench_pipeline(e->api, &e->host, spec, inputs->shape.dim, &pipeline);
    if (status == WINNOW_OK) {
        status = e->api->pipeline_inputs(pipeline, &needed, &optional);
    }
    const uint32_t roles = needed | 1u << WINNOW_ROLE_TOKENS | (optional & at_hand);
    if (status != WINNOW_OK) {
        bench_skip(out, e, "no pipeline", status);
    } else if (!bench_inputs_make(inputs, roles)) {
        snprintf(out->skipped, sizeof out->skipped, "out of memory for its inputs");
    } else {
        double start = cli_seconds();
        winnow_plan *plan = plan_for(out, e, pipeline, inputs, roles);
        double planned_ms = (cli_seconds() - start) * 1e3;
        if (plan) {
            run_plan(out, e, plan, inputs, roles, once);
            out->start_ms = planned_ms + out->first_ms;
            e->api->plan_destroy(plan);
        }
    }
    e->api->pipeline_destroy(pipeline);
}

void bench_run_kv(bench_figures *out, engine *e, const char *spec, bool quick)
{
    enum { HEADS = 28, STEPS = 9 };
    const uint32_t columns = quick ? 256 : 8192, visual = quick ? 196 : 6272;
    /* llm_attention of one row each step: the shape's tokens are the columns */
    bench_inputs rows = {.shape = {.frames = STEPS, .tokens = columns, .llm_heads = HEADS}};
    winnow_kv_desc desc = {.struct_size = sizeof desc, .max_columns = columns, .max_heads = HEADS};
    winnow_pipeline *pipeline = NULL;
    winnow_kv *kv = NULL;
    int32_t *mask = cli_array(columns, sizeof *mask);
    double wall[STEPS];
    winnow_status status = e->api->pipeline_create(&e->host, spec, &pipeline);

    memset(out, 0, sizeof *out);
    if (status == WINNOW_OK) {
        status = e->api->kv_create(e->device, pipeline, &desc, &kv);
    }
    if (status == WINNOW_OK &&
        (!mask || !bench_inputs_make(&rows, 1u << WINNOW_ROLE_LLM_ATTENTION))) {
        status = WINNOW_E_HOST_MEMORY;
    }
    for (uint32_t t = 0; status == WINNOW_OK && t < STEPS; t++) {
        winnow_kv_step step = {.struct_size = sizeof step,
                               .heads = HEADS,
                               .columns = columns - STEPS + 1 + t,
                               .visual_first = 16,
                               .visual_count = visual,
                               .mask = mask};
        step.attention =
            (const float *)rows.data[WINNOW_ROLE_LLM_ATTENTION] + (size_t)t * HEADS * columns;
        double start = cli_seconds();
        status = e->api->kv_step(kv, &step);
        wall[t] = (cli_seconds() - start) * 1e3;
        out->rows = step.kept;
    }
    if (status != WINNOW_OK) {
        bench_skip(out, e, "no decode steps", status);
        out->failed = kv != NULL;
    } else {
        out->repetitions = STEPS;
        out->wall_ms = median(wall, STEPS);
        out->floor_bytes = (uint64_t)columns * (HEADS * sizeof(float) + sizeof *mask);
    }
    e->api->kv_destroy(kv);
    e->api->pipeline_destroy(pipeline);
    bench_inputs_free(&rows);
    free(mask);
}
