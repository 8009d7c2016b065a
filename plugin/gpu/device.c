/* device.c: lists the GPUs that a loader shows, picks one, and opens it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/device.h"

enum { THREADS_LOCAL = 128, GROUP_LOCAL_CPU = 32, GROUP_LOCAL = 256, GROUP_LOCAL_MOST = 1024 };
/* On a CPU an invocation costs as much to begin as some tens of loads, so that few do much. */
enum { ROWS_LOCAL_CPU = 8, TEAMS_LOCAL_CPU = 32, SHARING_GROUPS_CPU = 64 };
enum { SHARED_PER_INVOCATION = 28, SHARED_FIXED = 2048 }; /* bytes that shaders/reduce.glsl takes */

/* The physical devices of an instance, in the loader's order. */
typedef struct gpu_list {
    VkPhysicalDevice *physical;
    wn_caps *caps;
    uint32_t count;
} gpu_list;

static void list_free(const wn_host *host, gpu_list *list)
{
    wn_free(host, list->physical);
    wn_free(host, list->caps);
    *list = (gpu_list){0};
}

static winnow_status list_read(const wn_host *host, const wn_instance *instance, gpu_list *out)
{
    winnow_status status = WINNOW_E_HOST_MEMORY;
    gpu_list list = {0};
    WN_VK(host, &instance->vk, EnumeratePhysicalDevices, instance->handle, &list.count, NULL);
    list.physical = wn_alloc(host, list.count * sizeof *list.physical);
    list.caps = wn_alloc(host, list.count * sizeof *list.caps);
    if (!list.physical || !list.caps) {
        wn_fail(host, status, "vulkan: no memory to list %u devices", list.count);
        goto fail;
    }
    WN_VK(host, &instance->vk, EnumeratePhysicalDevices, instance->handle, &list.count,
          list.physical);
    for (uint32_t i = 0; i < list.count; i++) {
        status = wn_caps_read(host, instance, list.physical[i], &list.caps[i]);
        if (status != WINNOW_OK)
            goto fail;
    }
    *out = list;
    return WINNOW_OK;

fail:
    list_free(host, &list);
    return status;
}

winnow_status wn_gpu_device_list(const wn_host *host, const char *disable, const char *loader_path,
                                 winnow_device_info *infos, uint32_t capacity, uint32_t *count)
{
    wn_instance instance;
    gpu_list list = {0};
    uint32_t mask;
    *count = 0;
    WN_TRY(wn_features_parse(host, disable, &mask));
    winnow_status status = wn_instance_open(host, loader_path, WINNOW_LOG_INFO, &instance);
    if (status == WINNOW_E_NO_DEVICE)
        return WINNOW_OK; /* no Vulkan here: nothing to list */
    if (status != WINNOW_OK)
        return status;
    status = list_read(host, &instance, &list);
    if (status == WINNOW_E_NO_DEVICE)
        status = WINNOW_OK;
    for (uint32_t i = 0; i < list.count && i < capacity && infos; i++)
        wn_caps_info(&list.caps[i], mask, &infos[i]);
    *count = list.count;
    if (infos && list.count > capacity)
        status = WINNOW_E_TOO_SMALL;
    list_free(host, &list);
    wn_instance_close(&instance);
    return status;
}

static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (!part[i])
            return true;
    }
    return false;
}

static bool selects(const char *selector, uint32_t number, const wn_caps *caps)
{
    if (!selector[0])
        return true;
    if (selector[strspn(selector, "0123456789")] == 0)
        return strtoul(selector, NULL, 10) == number;
    return contains(caps->properties.deviceName, selector) || contains(caps->driver, selector);
}

static bool is_software(const wn_caps *caps)
{
    return caps->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
}

/* Higher is better. A device that cannot be used is chosen only if nothing else is meant. */
static int rank(const wn_caps *caps)
{
    static const int ranks[] = {
        [VK_PHYSICAL_DEVICE_TYPE_OTHER] = 1,        [VK_PHYSICAL_DEVICE_TYPE_CPU] = 2,
        [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = 3,  [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = 4,
        [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = 5,
    };
    const size_t type = (size_t)caps->properties.deviceType;
    if (caps->unusable[0])
        return 0;
    return type < sizeof ranks / sizeof *ranks ? ranks[type] : 1;
}

static winnow_status nothing_selected(const wn_host *host, const char *selector,
                                      const gpu_list *list)
{
    char names[512] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < list->count && used < sizeof names; i++) {
        const int n = snprintf(names + used, sizeof names - used, "%s%u %s", i ? ", " : "", i,
                               list->caps[i].properties.deviceName);
        used += n > 0 ? (size_t)n : 0;
    }
    if (!list->count)
        return wn_fail(host, WINNOW_E_NO_DEVICE,
                       "device: no GPU (install a Vulkan driver, or use plain C)");
    return wn_fail(host, WINNOW_E_NO_DEVICE, "device: no GPU is '%s' (there are: %s)", selector,
                   names);
}

static winnow_status select_gpu(const wn_host *host, const char *selector, const gpu_list *list,
                                uint32_t *chosen)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < list->count; i++) {
        if (selects(selector, i, &list->caps[i]) &&
            (best == UINT32_MAX || rank(&list->caps[i]) > rank(&list->caps[best])))
            best = i;
    }
    if (best == UINT32_MAX)
        return nothing_selected(host, selector, list);
    *chosen = best;
    if (list->caps[best].unusable[0])
        return wn_fail(host, WINNOW_E_FEATURE, "device: %s cannot be used: %s (choose another)",
                       list->caps[best].properties.deviceName, list->caps[best].unusable);
    return WINNOW_OK;
}

static void want_extension(wn_gpu *gpu, enum wn_extension extension, bool want)
{
    if (want && (gpu->caps.extensions >> extension & 1u))
        gpu->enabled.extensions[gpu->enabled.extension_count++] = wn_extension_names[extension];
}

/* The features that their shader declares, chained. */
static void *want_cooperative(wn_enabled *on)
{
    on->float16 = (VkPhysicalDeviceShaderFloat16Int8Features){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
        .pNext = &on->memory_model,
        .shaderFloat16 = VK_TRUE,
    };
    on->memory_model = (VkPhysicalDeviceVulkanMemoryModelFeatures){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES,
        .pNext = &on->cooperative,
        .vulkanMemoryModel = VK_TRUE,
        .vulkanMemoryModelDeviceScope = VK_TRUE, /* then the atomics of other shaders need it */
    };
    on->cooperative = (VkPhysicalDeviceCooperativeMatrixFeaturesKHR){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
        .cooperativeMatrix = VK_TRUE,
    };
    return &on->float16;
}

static void want_features(wn_gpu *gpu)
{
    wn_enabled *on = &gpu->enabled;
    const wn_caps *caps = &gpu->caps;
    const bool timeline = wn_gpu_has(gpu, WN_FEATURE_TIMELINE);
    const bool control = wn_gpu_has(gpu, WN_FEATURE_SUBGROUP) && caps->subgroup_control;
    on->head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    on->storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
    on->timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES;
    on->subgroup_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
    on->storage16.storageBuffer16BitAccess = wn_gpu_has(gpu, WN_FEATURE_STORAGE16);
    on->timeline.timelineSemaphore = timeline;
    on->subgroup_control.subgroupSizeControl = control;
    on->subgroup_control.computeFullSubgroups = control;
    on->head.pNext = &on->storage16;
    void **tail = &on->storage16.pNext;
    if (timeline) {
        *tail = &on->timeline;
        tail = &on->timeline.pNext;
    }
    if (control) {
        *tail = &on->subgroup_control;
        tail = &on->subgroup_control.pNext;
    }
    if (wn_gpu_has(gpu, WN_FEATURE_COOPERATIVE_MATRIX))
        *tail = want_cooperative(on);
    want_extension(gpu, WN_EXT_PUSH_DESCRIPTOR, wn_gpu_has(gpu, WN_FEATURE_PUSH_DESCRIPTOR));
    want_extension(gpu, WN_EXT_HOST_MEMORY, wn_gpu_has(gpu, WN_FEATURE_HOST_IMPORT));
    want_extension(gpu, WN_EXT_TIMELINE, timeline && caps->api < VK_API_VERSION_1_2);
    want_extension(gpu, WN_EXT_SUBGROUP_CONTROL, control && caps->api < VK_API_VERSION_1_3);
    want_extension(gpu, WN_EXT_PORTABILITY_SUBSET, true);
    want_extension(gpu, WN_EXT_COOPERATIVE_MATRIX, wn_gpu_has(gpu, WN_FEATURE_COOPERATIVE_MATRIX));
}

static winnow_status open_device(wn_gpu *gpu)
{
    winnow_status status = WINNOW_OK;
    const wn_host *host = &gpu->base.host;
    const float priority = 1.0f;
    want_features(gpu);
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = gpu->caps.queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &gpu->enabled.head,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = gpu->enabled.extension_count,
        .ppEnabledExtensionNames = gpu->enabled.extensions,
    };
    WN_VK(host, &gpu->instance.vk, CreateDevice, gpu->physical, &info, NULL, &gpu->device);
    return WINNOW_OK;
fail:
    gpu->device = VK_NULL_HANDLE;
    return status;
}

/* Powers of two that the limits allow. */
static void choose_workgroups(wn_gpu *gpu)
{
    const VkPhysicalDeviceLimits *limits = &gpu->caps.properties.limits;
    const bool cpu = is_software(&gpu->caps);
    const uint32_t most =
        limits->maxComputeWorkGroupInvocations < limits->maxComputeWorkGroupSize[0]
            ? limits->maxComputeWorkGroupInvocations
            : limits->maxComputeWorkGroupSize[0];
    uint32_t threads = THREADS_LOCAL, group = cpu ? GROUP_LOCAL_CPU : GROUP_LOCAL;
    if (!cpu && most >= GROUP_LOCAL_MOST)
        group = GROUP_LOCAL_MOST;
    while (threads > most)
        threads /= 2;
    while (group > most || (group > 32 && group * SHARED_PER_INVOCATION + SHARED_FIXED >
                                              limits->maxComputeSharedMemorySize))
        group /= 2;
    gpu->local[WN_THREADS] = gpu->local[WN_LANES] = threads;
    gpu->local[WN_GROUPS] = group;
    gpu->local[WN_ROWS] = cpu ? ROWS_LOCAL_CPU : threads;
    gpu->local[WN_TEAMS] = cpu ? TEAMS_LOCAL_CPU : threads;
    gpu->groups_most = cpu ? SHARING_GROUPS_CPU : UINT32_MAX;
}

/* Windows are powers of two of words; a binding that starts between two aligned offsets loses up
 * to an alignment of its last window. */
static void choose_windows(wn_gpu *gpu)
{
    const VkPhysicalDeviceLimits *limits = &gpu->caps.properties.limits;
    const uint64_t most = limits->maxStorageBufferRange;
    while (8ull << gpu->window_shift <= most)
        gpu->window_shift++;
    gpu->base.max_matrix =
        WN_WINDOWS * (4ull << gpu->window_shift) - limits->minStorageBufferOffsetAlignment;
    gpu->base.max_w = most;
    gpu->base.loop_limit = wn_caps_loop_limit(&gpu->caps);
    gpu->base.group_size = gpu->local[WN_GROUPS];
}

winnow_status wn_gpu_finish(wn_gpu *gpu, uint32_t mask)
{
    WN_TRY(wn_device_calls_load(&gpu->base.host, &gpu->instance, gpu->device, &gpu->vk));
    if (!gpu->vk.CmdPushDescriptorSetKHR)
        gpu->features &= ~(1u << WN_FEATURE_PUSH_DESCRIPTOR);
    if (!gpu->vk.GetMemoryHostPointerPropertiesEXT)
        gpu->features &= ~(1u << WN_FEATURE_HOST_IMPORT);
    if (!wn_cooperative_runs(gpu))
        gpu->features &= ~(1u << WN_FEATURE_COOPERATIVE_MATRIX);
    if (!wn_gpu_has(gpu, WN_FEATURE_SUBGROUP))
        gpu->features &= ~(1u << WN_FEATURE_BROADCAST);
    choose_workgroups(gpu);
    choose_windows(gpu);
    wn_caps_info(&gpu->caps, mask, &gpu->base.info);
    wn_features_list(gpu->features, gpu->base.info.features, sizeof gpu->base.info.features);
    return wn_layouts_create(gpu);
}

winnow_status wn_gpu_init(wn_gpu *gpu, const wn_host *host)
{
    gpu->base.host = *host;
    gpu->base.backend = &wn_gpu_backend;
    if (pthread_mutex_init(&gpu->queue_lock, NULL) != 0)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "device: no memory for a lock");
    if (pthread_mutex_init(&gpu->cache_lock, NULL) != 0) {
        pthread_mutex_destroy(&gpu->queue_lock);
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "device: no memory for a lock");
    }
    return WINNOW_OK;
}

/* selector NULL: the best one, unless it computes on the CPU. */
static winnow_status choose_device(wn_gpu *gpu, const char *selector, uint32_t mask)
{
    const wn_host *host = &gpu->base.host;
    gpu_list list = {0};
    uint32_t chosen = 0;
    WN_TRY(list_read(host, &gpu->instance, &list));
    winnow_status status = select_gpu(host, selector ? selector : "", &list, &chosen);
    if (status == WINNOW_OK && !selector && is_software(&list.caps[chosen])) {
        wn_log(
            host, WINNOW_LOG_INFO,
            "device: %s computes on the CPU, where plain C is faster (name it, or ask for a GPU, "
            "to have it all the same)",
            list.caps[chosen].properties.deviceName);
        status = WINNOW_E_NO_DEVICE;
    }
    if (status == WINNOW_OK) {
        gpu->physical = list.physical[chosen];
        gpu->caps = list.caps[chosen];
        gpu->features = wn_caps_wanted(&gpu->caps, mask);
    }
    list_free(host, &list);
    return status;
}

winnow_status wn_gpu_device_create(const wn_host *host, const char *selector, const char *disable,
                                   const char *loader_path, winnow_device **out)
{
    uint32_t mask;
    *out = NULL;
    WN_TRY(wn_features_parse(host, disable, &mask));
    wn_gpu *gpu = wn_alloc(host, sizeof *gpu);
    if (!gpu)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "device: no memory");
    winnow_status status = wn_gpu_init(gpu, host);
    if (status != WINNOW_OK) {
        wn_free(host, gpu);
        return status;
    }
    status = wn_instance_open(host, loader_path, WINNOW_LOG_INFO, &gpu->instance);
    if (status == WINNOW_OK)
        status = choose_device(gpu, selector, mask);
    if (status == WINNOW_OK)
        status = open_device(gpu);
    if (status == WINNOW_OK)
        status = wn_gpu_finish(gpu, mask);
    if (status != WINNOW_OK) {
        wn_gpu_destroy(&gpu->base);
        return status;
    }
    gpu->vk.GetDeviceQueue(gpu->device, gpu->caps.queue_family, 0, &gpu->queue);
    *out = &gpu->base;
    return WINNOW_OK;
}

/* Takes what a failed creation has got so far, too. */
void wn_gpu_destroy(winnow_device *device)
{
    wn_gpu *gpu = (wn_gpu *)device;
    if (!gpu)
        return;
    const wn_host host = gpu->base.host;
    wn_gpu_cache_save(gpu);
    wn_programs_destroy(gpu);
    if (gpu->device && !gpu->borrowed) {
        /* The table may be empty: finish() fills it after the device is made. */
        const PFN_vkDestroyDevice destroy =
            (PFN_vkDestroyDevice)gpu->instance.vk.GetDeviceProcAddr(gpu->device, "vkDestroyDevice");
        if (destroy)
            destroy(gpu->device, NULL);
    }
    wn_instance_close(&gpu->instance);
    pthread_mutex_destroy(&gpu->cache_lock);
    pthread_mutex_destroy(&gpu->queue_lock);
    wn_free(&host, gpu);
}

void wn_gpu_lock(wn_gpu *gpu)
{
    pthread_mutex_lock(&gpu->queue_lock);
    if (gpu->lock_queue)
        gpu->lock_queue(gpu->queue_user);
}

void wn_gpu_unlock(wn_gpu *gpu)
{
    if (gpu->unlock_queue)
        gpu->unlock_queue(gpu->queue_user);
    pthread_mutex_unlock(&gpu->queue_lock);
}
