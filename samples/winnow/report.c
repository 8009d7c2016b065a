#include "report.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

int report_print(cJSON *tree)
{
    char *text = tree ? cJSON_Print(tree) : NULL;
    cJSON_Delete(tree);
    if (!text) {
        return cli_fail("report: out of memory");
    }
    puts(text);
    cJSON_free(text);
    return cli_finish_stdout();
}

const char *report_kind(const winnow_device_info *info)
{
    static const char *const kinds[] = {[WINNOW_DEVICE_OTHER] = "other",
                                        [WINNOW_DEVICE_INTEGRATED] = "integrated GPU",
                                        [WINNOW_DEVICE_DISCRETE] = "discrete GPU",
                                        [WINNOW_DEVICE_VIRTUAL] = "virtual GPU",
                                        [WINNOW_DEVICE_CPU] = "software driver"};
    if (info->backend == WINNOW_BACKEND_CPU) {
        return "plain C";
    }
    return info->kind >= 0 && (size_t)info->kind < sizeof kinds / sizeof kinds[0]
               ? kinds[info->kind]
               : "other";
}

cJSON *report_features(const char *list)
{
    cJSON *array = cJSON_CreateArray();
    while (*list) {
        char name[64];
        size_t length = strcspn(list, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        cJSON_AddItemToArray(array, cJSON_CreateString(name));
        list += length + (list[length] == ',');
    }
    return array;
}

cJSON *report_roles(uint32_t bits)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        if (bits & 1u << role) {
            cJSON_AddItemToArray(array, cJSON_CreateString(role_name(role)));
        }
    }
    return array;
}

cJSON *report_device(const winnow_device_info *info)
{
    cJSON *object = cJSON_CreateObject();
    char version[32];
    snprintf(version, sizeof version, "%u.%u.%u", info->api_version >> 22,
             info->api_version >> 12 & 0x3ffu, info->api_version & 0xfffu);
    cJSON_AddStringToObject(object, "name", info->name);
    cJSON_AddStringToObject(object, "driver", info->driver);
    cJSON_AddStringToObject(object, "backend", info->backend == WINNOW_BACKEND_CPU ? "cpu" : "gpu");
    cJSON_AddStringToObject(object, "kind", report_kind(info));
    cJSON_AddStringToObject(object, "api_version", info->api_version ? version : "");
    cJSON_AddItemToObject(object, "features", report_features(info->features));
    cJSON_AddItemToObject(object, "disabled", report_features(info->disabled));
    cJSON_AddNumberToObject(object, "subgroup_size", info->subgroup_size);
    cJSON_AddNumberToObject(object, "max_workgroup", info->max_workgroup);
    cJSON_AddNumberToObject(object, "max_binding_bytes", (double)info->max_binding);
    cJSON_AddNumberToObject(object, "memory_bytes", (double)info->memory);
    return object;
}

cJSON *report_reduction(const reduction *r, const char *spec, const engine *e)
{
    cJSON *object = cJSON_CreateObject(), *grid;
    cJSON_AddStringToObject(object, "pipeline", spec);
    cJSON_AddItemToObject(object, "device", report_device(&e->info));
    cJSON_AddNumberToObject(object, "tokens_before",
                            (double)r->shape.frames * (double)r->shape.tokens);
    cJSON_AddNumberToObject(object, "tokens_after", r->result.rows);
    cJSON_AddNumberToObject(object, "dim_before", r->shape.dim);
    cJSON_AddNumberToObject(object, "dim_after", r->plan.dim_out);
    cJSON_AddNumberToObject(object, "wall_ms", r->wall_ms);
    if (r->result.gpu_ns) {
        cJSON_AddNumberToObject(object, "gpu_ms", (double)r->result.gpu_ns * 1e-6);
    }
    cJSON_AddNumberToObject(object, "plan_ms", r->plan_ms);
    cJSON_AddNumberToObject(object, "dispatches", r->result.dispatches);
    cJSON_AddNumberToObject(object, "submissions", r->result.submissions);
    cJSON_AddNumberToObject(object, "nan_scores", r->result.nan_scores);
    grid = cJSON_AddArrayToObject(object, "grid_out");
    for (int i = 0; i < 3 && r->result.grid_out[0]; i++) {
        cJSON_AddItemToArray(grid, cJSON_CreateNumber(r->result.grid_out[i]));
    }
    return object;
}

void report_line(const reduction *r, const engine *e)
{
    double before = (double)r->shape.frames * (double)r->shape.tokens;
    printf("tokens %.0f -> %u (%.3g%%), %.2f ms, %s\n", before, r->result.rows,
           100.0 * r->result.rows / before, r->wall_ms, engine_device_name(e));
    if (r->result.nan_scores) {
        printf(
            "%u scores were NaN and ranked below every number: look at the tokens that went in\n",
            r->result.nan_scores);
    }
}
