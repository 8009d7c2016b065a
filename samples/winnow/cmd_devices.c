#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "engine.h"
#include "report.h"

typedef struct values {
    engine_options engine;
    bool json;
} values;

static const arg_option options[] = {
    {"disable", 0, ARG_TEXT, offsetof(values, engine.disable), "F,..",
     "device features not to use: shows what is left"},
    {"json", 0, ARG_FLAG, offsetof(values, json), NULL, "for machines"},
    {0}};

/* All devices; the caller frees. NULL: the exit code in *exit_code. */
static winnow_device_info *list_devices(engine *e, const engine_options *chosen, uint32_t *count,
                                        int *exit_code)
{
    winnow_device_desc desc = engine_device_desc(e, chosen);
    winnow_device_info *infos = NULL;
    winnow_status status;

    *count = 0;
    status = e->api->device_list(&desc, NULL, count);
    if (status == WINNOW_OK || status == WINNOW_E_TOO_SMALL) {
        infos = cli_array(*count, sizeof *infos);
        if (!infos) {
            *exit_code = cli_fail("devices: out of memory");
            return NULL;
        }
        for (uint32_t i = 0; i < *count; i++) {
            infos[i].struct_size = sizeof infos[i];
        }
        status = e->api->device_list(&desc, infos, count);
    }
    if (status != WINNOW_OK) {
        *exit_code = engine_fail(e, "devices", status);
        if (status == WINNOW_E_ARGUMENT) {
            *exit_code = CLI_BAD_USE;
        }
        free(infos);
        return NULL;
    }
    return infos;
}

static void print_device(uint32_t number, const winnow_device_info *info)
{
    char memory[32];
    printf("%s%2u  %s\n", number ? "\n" : "", number, info->name);
    if (info->backend == WINNOW_BACKEND_CPU) {
        printf("      kind      plain C (--backend cpu)\n");
    } else {
        printf("      kind      %s, Vulkan %u.%u.%u\n", report_kind(info), info->api_version >> 22,
               info->api_version >> 12 & 0x3ffu, info->api_version & 0xfffu);
    }
    if (info->driver[0]) {
        printf("      driver    %s\n", info->driver);
    }
    if (info->memory) {
        printf("      memory    %s\n", cli_bytes(info->memory, memory, sizeof memory));
    }
    if (info->features[0]) {
        printf("      features  %s\n", info->features);
    }
    if (info->disabled[0]) {
        printf("      disabled  %s\n", info->disabled);
    }
    if (info->backend != WINNOW_BACKEND_CPU) {
        printf("      limits    subgroup %u, workgroup %u, binding %s\n", info->subgroup_size,
               info->max_workgroup, cli_bytes(info->max_binding, memory, sizeof memory));
    }
    if (info->unusable[0]) {
        printf("      unusable  %s\n", info->unusable);
    }
}

static cJSON *device_object(uint32_t number, const winnow_device_info *info)
{
    cJSON *object = report_device(info);
    cJSON_AddNumberToObject(object, "number", number);
    cJSON_AddBoolToObject(object, "usable", !info->unusable[0]);
    cJSON_AddStringToObject(object, "unusable", info->unusable);
    return object;
}

static int run(const void *given, const arg_list *operands)
{
    const values *v = given;
    engine e;
    uint32_t count;
    int exit_code;

    if (operands->count > 0) {
        return cli_misuse("devices: \"%s\" is not wanted (it takes options alone)",
                          operands->items[0]);
    }
    exit_code = engine_load(&e);
    if (exit_code) {
        return exit_code;
    }
    winnow_device_info *infos = list_devices(&e, &v->engine, &count, &exit_code);
    if (!infos) {
        return exit_code;
    }
    if (v->json) {
        cJSON *tree = cJSON_CreateObject(), *array = cJSON_AddArrayToObject(tree, "devices");
        for (uint32_t i = 0; i < count; i++) {
            cJSON_AddItemToArray(array, device_object(i, &infos[i]));
        }
        exit_code = report_print(tree);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            print_device(i, &infos[i]);
        }
        exit_code = cli_finish_stdout();
    }
    free(infos);
    return exit_code;
}

const command command_devices = {
    "devices",
    "the devices that Winnow can run on, and what they can do",
    "[OPTIONS]",
    "The number or a part of a name is what --device takes. \"features\" are in use where the\n"
    "device has them; --disable turns them off one by one, to find out what a driver does wrong.\n"
    "\nExamples:\n"
    "  winnow devices\n"
    "  winnow devices --disable fp16,subgroup\n"
    "  winnow devices --json\n",
    options,
    sizeof(values),
    run};
