/* api.c: the core table, and nothing that could not be said elsewhere. */
#include <string.h>

#include "gpu/cache.h"
#include "plan.h"
#include "trained.h"

static winnow_status read_device_desc(const winnow_device_desc *given, winnow_device_desc *desc,
                                      wn_host *host)
{
    WN_TRY(wn_host_read(NULL, host));
    memset(desc, 0, sizeof *desc);
    if (given)
        WN_TRY(wn_desc_read(given, desc, sizeof *desc));
    return wn_host_read(desc->host, host);
}

/* The caller's array has the caller's struct size between its elements, which may be an older, shorter one. */
static winnow_status write_infos(const winnow_device_info *all, uint32_t given,
                                 winnow_device_info *infos, uint32_t capacity)
{
    uint32_t stride;
    memcpy(&stride, infos, sizeof stride);
    for (uint32_t i = 0; i < given && i < capacity; ++i) {
        unsigned char *at = (unsigned char *)infos + (size_t)i * stride;
        memcpy(at, &stride, sizeof stride);
        WN_TRY(wn_desc_write(&all[i], sizeof all[i], at));
    }
    return given > capacity ? WINNOW_E_TOO_SMALL : WINNOW_OK;
}

static winnow_status device_list(const winnow_device_desc *given, winnow_device_info *infos,
                                 uint32_t *count)
{
    winnow_device_desc desc;
    wn_host host;
    uint32_t gpus = 0;
    if (!count)
        return WINNOW_E_ARGUMENT;
    WN_TRY(read_device_desc(given, &desc, &host));
    WN_TRY(wn_gpu_device_list(&host, desc.disable, desc.loader_path, NULL, 0, &gpus));
    if (!infos) {
        *count = gpus + 1;
        return WINNOW_OK;
    }
    winnow_device_info *all = wn_alloc(&host, ((size_t)gpus + 1) * sizeof *all);
    if (!all)
        return wn_fail(&host, WINNOW_E_HOST_MEMORY, "devices: no host memory for a list of %u",
                       gpus + 1);
    const uint32_t room = gpus; /* a device that came meanwhile is left for the next call */
    winnow_status status =
        wn_gpu_device_list(&host, desc.disable, desc.loader_path, all, room, &gpus);
    gpus = gpus < room ? gpus : room;
    if (status == WINNOW_OK || status == WINNOW_E_TOO_SMALL) {
        const winnow_status plain = wn_cpu_device_info(&host, desc.disable, &all[gpus]);
        status = plain != WINNOW_OK ? plain
                 : *count           ? write_infos(all, gpus + 1, infos, *count)
                                    : WINNOW_E_TOO_SMALL;
        *count = gpus + 1;
    }
    wn_free(&host, all);
    return status;
}

static winnow_status gpu_create(const wn_host *host, const winnow_device_desc *desc,
                                const char *selector, winnow_device **out)
{
    winnow_status status =
        wn_gpu_device_create(host, selector, desc->disable, desc->loader_path, out);
    if (status == WINNOW_OK && desc->cache_path && desc->cache_path[0])
        status = wn_gpu_cache_use(*out, desc->cache_path);
    if (status != WINNOW_OK && *out) {
        (*out)->backend->device_destroy(*out);
        *out = NULL;
    }
    return status;
}

static winnow_status device_create(const winnow_device_desc *given, winnow_device **out)
{
    winnow_device_desc desc;
    wn_host host;
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    WN_TRY(read_device_desc(given, &desc, &host));
    if (desc.backend < WINNOW_BACKEND_AUTO || desc.backend > WINNOW_BACKEND_CPU)
        return wn_fail(&host, WINNOW_E_ARGUMENT, "device: backend is %d (use WINNOW_BACKEND_*)",
                       desc.backend);
    if (desc.backend == WINNOW_BACKEND_CPU)
        return wn_cpu_device_create(&host, desc.disable, out);
    const bool open = desc.backend == WINNOW_BACKEND_AUTO && !(desc.selector && desc.selector[0]);
    const char *selector = open ? NULL : desc.selector ? desc.selector : "";
    const winnow_status status = gpu_create(&host, &desc, selector, out);
    if (status == WINNOW_E_NO_DEVICE && open)
        return wn_cpu_device_create(&host, desc.disable, out);
    return status;
}

static void device_destroy(winnow_device *device)
{
    if (device)
        device->backend->device_destroy(device);
}

static winnow_status device_info(const winnow_device *device, winnow_device_info *out)
{
    return device ? wn_desc_write(&device->info, sizeof device->info, out) : WINNOW_E_ARGUMENT;
}

static uint32_t stage_count(void)
{
    return wn_stage_count;
}

static winnow_status pipeline_create_weights(const winnow_host *given, const char *spec,
                                             const winnow_blob *blobs, uint32_t count,
                                             winnow_pipeline **out)
{
    wn_host host;
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    WN_TRY(wn_host_read(given, &host));
    winnow_pipeline *pipeline = wn_alloc(&host, sizeof *pipeline);
    if (!pipeline)
        return wn_fail(&host, WINNOW_E_HOST_MEMORY, "pipeline: no host memory for the object");
    pipeline->host = host;
    winnow_status status = wn_spec_parse(&host, spec, pipeline);
    if (status == WINNOW_OK)
        status = wn_trained_read(pipeline, spec, blobs, count);
    if (status != WINNOW_OK) {
        wn_free(&host, pipeline);
        return status;
    }
    *out = pipeline;
    return WINNOW_OK;
}

static winnow_status pipeline_create(const winnow_host *given, const char *spec,
                                     winnow_pipeline **out)
{
    return pipeline_create_weights(given, spec, NULL, 0, out);
}

static void pipeline_destroy(winnow_pipeline *pipeline)
{
    if (!pipeline)
        return;
    wn_trained_drop(pipeline->trained);
    const wn_host host = pipeline->host;
    wn_free(&host, pipeline);
}

static winnow_status pipeline_inputs(const winnow_pipeline *pipeline, uint32_t *needed,
                                     uint32_t *optional)
{
    if (!pipeline || !needed || !optional)
        return WINNOW_E_ARGUMENT;
    *needed = *optional = 0;
    for (uint32_t i = 0; i < pipeline->stage_count; ++i) {
        *needed |= wn_use_needs(&pipeline->stages[i]);
        *optional |= wn_use_takes(&pipeline->stages[i]);
    }
    if (!pipeline->stages[0].stage->decode)
        *optional |= 1u << WINNOW_ROLE_SIZES; /* every set carries them */
    *optional &= ~*needed;
    return WINNOW_OK;
}

static winnow_status copy_bandwidth(winnow_device *device, uint64_t bytes, double *bytes_per_second)
{
    if (!device || !bytes || !bytes_per_second)
        return WINNOW_E_ARGUMENT;
    return device->backend->copy_bandwidth(device, bytes, bytes_per_second);
}

static winnow_status product_rate(winnow_device *device, int32_t dtype, double *flops)
{
    if (!device || !flops)
        return WINNOW_E_ARGUMENT;
    return wn_product_rate(device, dtype, flops);
}

static const winnow_ext_measure ext_measure = {.struct_size = sizeof ext_measure,
                                               .copy_bandwidth = copy_bandwidth,
                                               .product_rate = product_rate};

const void *wn_ext_measure(void)
{
    return &ext_measure;
}

static const void *get_extension(const char *id)
{
    static const struct {
        const char *id;
        const void *(*table)(void);
    } extensions[] = {
        {"winnow.vulkan/1", wn_ext_vulkan},
        {"winnow.encoder/1", wn_ext_encoder},
        {"winnow.measure/1", wn_ext_measure},
    };
    for (size_t i = 0; id && i < sizeof extensions / sizeof *extensions; ++i)
        if (strcmp(id, extensions[i].id) == 0)
            return extensions[i].table();
    return NULL;
}

static const winnow_api api = {
    .struct_size = sizeof api,
    .abi = WINNOW_ABI,
    .version = WN_VERSION,
    .status_name = wn_status_name,
    .get_extension = get_extension,
    .stage_count = stage_count,
    .stage_info = wn_stage_describe,
    .device_list = device_list,
    .device_create = device_create,
    .device_destroy = device_destroy,
    .device_info = device_info,
    .pipeline_create = pipeline_create,
    .pipeline_destroy = pipeline_destroy,
    .pipeline_inputs = pipeline_inputs,
    .plan_create = wn_plan_create,
    .plan_destroy = wn_plan_destroy,
    .plan_info = wn_plan_info,
    .plan_run = wn_plan_run,
    .stream_create = wn_stream_create,
    .stream_destroy = wn_stream_destroy,
    .stream_push = wn_stream_push,
    .stream_reset = wn_stream_reset,
    .kv_create = wn_kv_create,
    .kv_destroy = wn_kv_destroy,
    .kv_step = wn_kv_step,
    .kv_reset = wn_kv_reset,
    .pipeline_create_weights = pipeline_create_weights,
    .stream_begin = wn_stream_begin,
    .stream_end = wn_stream_end,
};

const winnow_api *wn_get_api(uint32_t host_abi)
{
    return host_abi >> 16 == WINNOW_ABI_MAJOR ? &api : NULL;
}
