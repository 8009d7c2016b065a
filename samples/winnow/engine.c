#include "engine.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

/* The library explains a failure before it returns it. An error outweighs what is said after it. */
static void remember(void *user, int32_t level, const char *message)
{
    engine *e = user;
    bool is_error = level == WINNOW_LOG_ERROR;
    if (level == WINNOW_LOG_WARNING) {
        snprintf(e->warning, sizeof e->warning, "%s", message);
    }
    if (level <= WINNOW_LOG_INFO && (is_error || !e->message_is_error)) {
        snprintf(e->message, sizeof e->message, "%s", message);
        e->message_is_error = is_error;
    }
}

void engine_tell_warning(const engine *e)
{
    if (e->warning[0]) {
        fprintf(stderr, "winnow: %s\n", e->warning);
    }
}

static void forget(engine *e)
{
    e->message[0] = 0;
    e->message_is_error = false;
}

int engine_load(engine *e)
{
    memset(e, 0, sizeof *e);
    e->api = winnow_get_api(WINNOW_ABI);
    if (!e->api) {
        return cli_fail(
            "libwinnow: it does not speak ABI %u.%u (install the library that came with "
            "this program)",
            WINNOW_ABI_MAJOR, WINNOW_ABI_MINOR);
    }
    e->host.struct_size = sizeof e->host;
    e->host.log = remember;
    e->host.log_user = e;
    return CLI_DONE;
}

winnow_device_desc engine_device_desc(const engine *e, const engine_options *options)
{
    winnow_device_desc desc = {.struct_size = sizeof desc, .host = &e->host};
    desc.selector = options->device;
    desc.disable = options->disable;
    desc.cache_path = options->cache;
    if (options->backend) {
        desc.backend =
            strcmp(options->backend, "gpu") == 0 ? WINNOW_BACKEND_GPU : WINNOW_BACKEND_CPU;
    }
    return desc;
}

/* What a file of pipelines came to is told at once, as nothing else depends on it. */
static void tell_cache(engine *e, const winnow_device_desc *desc)
{
    e->has_cache = desc->cache_path != NULL;
    if (e->has_cache) {
        engine_tell_warning(e);
        e->warning[0] = 0;
    }
}

static int open_device(engine *e, const winnow_device_desc *desc)
{
    winnow_status status;
    forget(e);
    status = e->api->device_create(desc, &e->device);
    if (status != WINNOW_OK) {
        engine_fail(e, "device", status);
        return status == WINNOW_E_ARGUMENT ? CLI_BAD_USE : CLI_FAILED;
    }
    tell_cache(e, desc);
    e->info.struct_size = sizeof e->info;
    status = e->api->device_info(e->device, &e->info);
    return status == WINNOW_OK ? CLI_DONE : engine_fail(e, "device", status);
}

int engine_open(engine *e, const engine_options *options)
{
    if (options->cache && options->backend && strcmp(options->backend, "cpu") == 0) {
        return cli_misuse("--cache: plain C compiles nothing (leave it out, or take a GPU)");
    }
    int status = engine_load(e);
    if (status == CLI_DONE) {
        winnow_device_desc desc = engine_device_desc(e, options);
        status = open_device(e, &desc);
    }
    if (status != CLI_DONE) {
        engine_close(e);
    }
    return status;
}

int engine_open_cpu(engine *e)
{
    engine_options options = {.backend = "cpu"};
    return engine_open(e, &options);
}

void engine_close(engine *e)
{
    if (e->api && e->device) {
        e->warning[0] = 0;
        e->api->device_destroy(e->device);
        if (e->has_cache) {
            engine_tell_warning(e);
        }
    }
    e->device = NULL;
}

winnow_pipeline *engine_pipeline(engine *e, const char *spec, bool given, int *exit_code)
{
    winnow_pipeline *pipeline = NULL;
    winnow_status status;
    forget(e);
    status = e->api->pipeline_create(&e->host, spec, &pipeline);
    *exit_code = CLI_DONE;
    if (status != WINNOW_OK) {
        *exit_code = engine_fail(e, "pipeline", status);
        if (given && status == WINNOW_E_SPEC) {
            *exit_code = CLI_BAD_USE;
        }
    }
    return pipeline;
}

int engine_fail(engine *e, const char *what, winnow_status status)
{
    if (e->message[0]) {
        cli_fail("%s", e->message);
    } else {
        cli_fail("%s: the library answered %s", what, e->api->status_name(status));
    }
    forget(e);
    return CLI_FAILED;
}

bool engine_stage(const engine *e, const char *name, size_t length, winnow_stage_info *out)
{
    for (uint32_t i = 0; i < e->api->stage_count(); i++) {
        memset(out, 0, sizeof *out);
        out->struct_size = sizeof *out;
        if (e->api->stage_info(i, out) == WINNOW_OK && strlen(out->name) == length &&
            strncmp(out->name, name, length) == 0) {
            return true;
        }
    }
    return false;
}

bool engine_first_stage(const engine *e, const char *spec, winnow_stage_info *out)
{
    spec += strspn(spec, " \t");
    return engine_stage(e, spec, strcspn(spec, "=,: \t"), out);
}

const char *engine_device_name(const engine *e)
{
    return e->info.name[0] ? e->info.name : "plain C";
}
