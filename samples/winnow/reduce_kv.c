#include "reduce_kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "progress.h"
#include "report.h"
#include "roles.h"

/* llm_attention [steps, heads, columns] and layout = [first visual token, visual tokens, S]: at
 * step t the sequence holds S + t columns, and what lies beyond them in the file is padding. */
typedef struct kv_input {
    const uint8_t *attention;
    void *copy; /* NULL unless the file's lies unaligned */
    size_t element;
    uint32_t steps, heads, columns;
    uint32_t first, visual, length;
    int32_t dtype;
} kv_input;

static int read_layout(kv_input *in, const st_file *file, const char *path)
{
    const st_tensor *layout = st_find(file, "layout");
    int64_t values[3];
    if (!layout) {
        return cli_fail(
            "%s: it has no \"layout\" (add [first visual token, visual tokens, columns at "
            "the first step])",
            path);
    }
    int exit_code = role_integers(layout, path, 3, values);
    if (exit_code) {
        return exit_code;
    }
    if (values[0] < 0 || values[1] < 1 || values[2] < 1 || values[0] > INT32_MAX ||
        values[1] > INT32_MAX || values[2] > INT32_MAX || values[0] + values[1] > values[2] ||
        values[2] + in->steps - 1 > in->columns) {
        return cli_fail(
            "%s: \"layout\" [%lld, %lld, %lld] does not fit %u steps of %u columns (give "
            "[first, count, S] with first + count <= S and S + steps - 1 <= columns)",
            path, (long long)values[0], (long long)values[1], (long long)values[2], in->steps,
            in->columns);
    }
    in->first = (uint32_t)values[0];
    in->visual = (uint32_t)values[1];
    in->length = (uint32_t)values[2];
    return CLI_DONE;
}

static int read_input(kv_input *in, const st_file *file, const char *path, const char *spec)
{
    const st_tensor *tensor = st_find(file, role_name(WINNOW_ROLE_LLM_ATTENTION));
    char shape[128];
    if (!tensor) {
        return cli_fail("%s: it has no \"llm_attention\", which \"%s\" needs (add [steps, heads, "
                        "columns])",
                        path, spec);
    }
    in->dtype = role_dtype(tensor->dtype);
    in->element = st_dtype_bytes(tensor->dtype);
    if (in->dtype < 0) {
        return cli_fail("%s: \"llm_attention\" is %s (convert it to F32, F16 or BF16)", path,
                        st_dtype_name(tensor->dtype));
    }
    if (tensor->rank != 3 || tensor->count == 0 || tensor->shape[0] > INT32_MAX ||
        tensor->shape[1] > INT32_MAX || tensor->shape[2] > INT32_MAX) {
        return cli_fail(
            "%s: \"llm_attention\" has the shape %s (for a decode stage it must be [steps, "
            "heads, columns])",
            path, st_shape_text(tensor, shape, sizeof shape));
    }
    in->steps = (uint32_t)tensor->shape[0];
    in->heads = (uint32_t)tensor->shape[1];
    in->columns = (uint32_t)tensor->shape[2];
    in->attention = tensor->data;
    if ((uintptr_t)tensor->data % in->element != 0) {
        in->copy = cli_array(tensor->count, in->element);
        if (!in->copy) {
            return cli_fail("%s: out of memory for \"llm_attention\"", path);
        }
        memcpy(in->copy, tensor->data, (size_t)tensor->bytes);
        in->attention = in->copy;
    }
    return read_layout(in, file, path);
}

typedef struct kv_sums {
    uint64_t kept, columns;
    uint32_t changes;
    double wall_ms;
} kv_sums;

static int run_steps(const kv_job *job, const kv_input *in, int32_t *mask, kv_sums *sums)
{
    const winnow_api *api = job->e->api;
    winnow_kv_desc desc = {.struct_size = sizeof desc,
                           .max_columns = in->columns,
                           .max_heads = in->heads,
                           .dtype = in->dtype};
    winnow_kv *kv = NULL;
    winnow_status status = api->kv_create(job->e->device, job->pipeline, &desc, &kv);
    progress *bar = progress_begin("decode steps", in->steps);
    double start = cli_seconds();

    for (uint32_t t = 0; status == WINNOW_OK && t < in->steps; t++) {
        winnow_kv_step step = {.struct_size = sizeof step,
                               .heads = in->heads,
                               .columns = in->length + t,
                               .visual_first = in->first,
                               .visual_count = in->visual};
        step.attention = in->attention + (size_t)t * in->heads * in->columns * in->element;
        step.row_stride = (uint64_t)in->columns * in->element;
        step.mask = mask + (size_t)t * in->columns;
        status = api->kv_step(kv, &step);
        sums->kept += step.kept;
        sums->columns += step.columns;
        sums->changes += step.changed;
        progress_at(bar, t + 1, in->steps);
    }
    sums->wall_ms = (cli_seconds() - start) * 1e3;
    progress_end(bar);
    api->kv_destroy(kv);
    return status == WINNOW_OK ? CLI_DONE : engine_fail(job->e, "decode step", status);
}

static int tell(const kv_job *job, const kv_input *in, const kv_sums *sums)
{
    if (!job->json) {
        printf("columns %llu -> %llu (%.3g%%) over %u steps, %.2f ms, %s\n",
               (unsigned long long)sums->columns, (unsigned long long)sums->kept,
               100.0 * (double)sums->kept / (double)sums->columns, in->steps, sums->wall_ms,
               engine_device_name(job->e));
        return cli_finish_stdout();
    }
    cJSON *tree = cJSON_CreateObject();
    cJSON_AddStringToObject(tree, "pipeline", job->spec);
    cJSON_AddItemToObject(tree, "device", report_device(&job->e->info));
    cJSON_AddNumberToObject(tree, "steps", in->steps);
    cJSON_AddNumberToObject(tree, "columns", (double)sums->columns);
    cJSON_AddNumberToObject(tree, "columns_kept", (double)sums->kept);
    cJSON_AddNumberToObject(tree, "selections", sums->changes);
    cJSON_AddNumberToObject(tree, "wall_ms", sums->wall_ms);
    cJSON_AddStringToObject(tree, "output", job->out_path);
    return report_print(tree);
}

int reduce_kv(const kv_job *job, const st_file *file)
{
    kv_input in = {0};
    kv_sums sums = {0};
    int32_t *mask = NULL;
    int exit_code = read_input(&in, file, job->in_path, job->spec);

    if (exit_code == CLI_DONE) {
        mask = cli_array((uint64_t)in.steps * in.columns, sizeof *mask);
        exit_code = mask ? run_steps(job, &in, mask, &sums)
                         : cli_fail("%s: out of memory for the mask", job->in_path);
    }
    if (exit_code == CLI_DONE) {
        st_tensor tensor = {.name = "kv_mask",
                            .dtype = ST_I32,
                            .rank = 2,
                            .shape = {in.steps, in.columns},
                            .data = (const void *)mask};
        const st_pair metadata[] = {{"pipeline", job->spec},
                                    {"device", engine_device_name(job->e)}};
        tensor.count = (uint64_t)in.steps * in.columns;
        tensor.bytes = tensor.count * sizeof *mask;
        exit_code = st_write(job->out_path, &tensor, 1, metadata, 2);
    }
    if (exit_code == CLI_DONE) {
        exit_code = tell(job, &in, &sums);
    }
    free(mask);
    free(in.copy);
    return exit_code;
}
