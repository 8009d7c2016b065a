#include "reduction.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "progress.h"

enum {
    OUTPUTS = 1 << WINNOW_OUT_TOKENS | 1 << WINNOW_OUT_INDICES | 1 << WINNOW_OUT_SIZES |
              1 << WINNOW_OUT_POSITIONS | 1 << WINNOW_OUT_ASSIGNMENT
};

static winnow_plan *make_plan(reduction *out, engine *e, const winnow_pipeline *pipeline,
                              const role_inputs *inputs, const reduction_options *options,
                              int *exit_code)
{
    winnow_plan_desc desc = {.struct_size = sizeof desc, .max_shape = inputs->shape};
    winnow_plan *plan = NULL;
    winnow_status status;

    desc.flags = WINNOW_PLAN_HOST_MEMORY | WINNOW_PLAN_TIMING;
    desc.roles = inputs->roles;
    desc.outputs = OUTPUTS;
    memcpy(desc.dtype, inputs->dtype, sizeof desc.dtype);
    desc.out_dtype = options->dtype;
    desc.order = options->order;
    status = e->api->plan_create(e->device, pipeline, &desc, &plan);
    if (status == WINNOW_OK) {
        out->plan.struct_size = sizeof out->plan;
        status = e->api->plan_info(plan, &out->plan);
    }
    if (status != WINNOW_OK) {
        *exit_code = engine_fail(e, "plan", status);
        e->api->plan_destroy(plan);
        return NULL;
    }
    return plan;
}

static bool allocate(reduction *out, winnow_run *run)
{
    uint64_t rows = out->plan.rows_max, row;
    uint64_t all = (uint64_t)out->shape.frames * out->shape.tokens;

    if (!cli_multiply(out->plan.dim_out, st_dtype_bytes(role_st_dtype(out->dtype)), &row)) {
        return false;
    }
    out->tokens = cli_array(rows, row);
    out->indices = cli_array(rows, sizeof *out->indices);
    out->sizes = cli_array(rows, sizeof *out->sizes);
    out->positions = cli_array(rows, 3 * sizeof *out->positions);
    out->assignment = cli_array(all, sizeof *out->assignment);
    run->out[WINNOW_OUT_TOKENS] = (winnow_tensor){.data = out->tokens, .capacity = rows};
    run->out[WINNOW_OUT_INDICES] = (winnow_tensor){.data = out->indices, .capacity = rows};
    run->out[WINNOW_OUT_SIZES] = (winnow_tensor){.data = out->sizes, .capacity = rows};
    run->out[WINNOW_OUT_POSITIONS] = (winnow_tensor){.data = out->positions, .capacity = rows};
    run->out[WINNOW_OUT_ASSIGNMENT] = (winnow_tensor){.data = out->assignment, .capacity = all};
    return out->tokens && out->indices && out->sizes && out->positions && out->assignment;
}

int reduction_run(reduction *out, engine *e, const winnow_pipeline *pipeline,
                  const role_inputs *inputs, const reduction_options *options)
{
    winnow_run run = {.struct_size = sizeof run, .shape = inputs->shape};
    int exit_code = CLI_DONE;
    progress *bar;

    memset(out, 0, sizeof *out);
    out->shape = inputs->shape;
    out->dtype = options->dtype;
    bar = progress_begin("planning", 0);
    double start = cli_seconds();
    winnow_plan *plan = make_plan(out, e, pipeline, inputs, options, &exit_code);
    out->plan_ms = (cli_seconds() - start) * 1e3;
    if (!plan) {
        progress_end(bar);
        return exit_code;
    }
    memcpy(run.in, inputs->in, sizeof run.in);
    if (allocate(out, &run)) {
        progress_next(bar, "reducing", 0);
        out->result.struct_size = sizeof out->result;
        start = cli_seconds();
        winnow_status status = e->api->plan_run(plan, &run, &out->result);
        out->wall_ms = (cli_seconds() - start) * 1e3;
        progress_end(bar);
        exit_code = status == WINNOW_OK ? CLI_DONE : engine_fail(e, "run", status);
    } else {
        progress_end(bar);
        exit_code = cli_fail("reduce: out of memory for %u rows", out->plan.rows_max);
    }
    e->api->plan_destroy(plan);
    return exit_code;
}

void reduction_free(reduction *r)
{
    free(r->tokens);
    free(r->indices);
    free(r->sizes);
    free(r->positions);
    free(r->assignment);
    memset(r, 0, sizeof *r);
}

static st_tensor tensor_of(const char *name, st_dtype dtype, const void *data, uint64_t rows,
                           uint64_t width)
{
    st_tensor tensor = {.name = name, .dtype = dtype, .rank = width ? 2u : 1u, .data = data};
    tensor.shape[0] = rows;
    tensor.shape[1] = width;
    tensor.count = width ? rows * width : rows;
    tensor.bytes = tensor.count * st_dtype_bytes(dtype);
    return tensor;
}

int reduction_write(const reduction *r, const char *path, const char *spec, const engine *e)
{
    uint64_t rows = r->result.rows, all = (uint64_t)r->shape.frames * r->shape.tokens;
    const st_tensor tensors[] = {
        tensor_of("tokens", role_st_dtype(r->dtype), r->tokens, rows, r->plan.dim_out),
        tensor_of("indices", ST_I32, (const void *)r->indices, rows, 0),
        tensor_of("sizes", ST_F32, (const void *)r->sizes, rows, 0),
        tensor_of("positions", ST_I32, (const void *)r->positions, rows, 3),
        tensor_of("assignment", ST_I32, (const void *)r->assignment, all, 0),
    };
    const st_pair metadata[] = {{"pipeline", spec}, {"device", engine_device_name(e)}};
    return st_write(path, tensors, sizeof tensors / sizeof tensors[0], metadata, 2);
}
