/* borrow.c: a device on the host's VkDevice, and the handles of a device for a host. */
#include <string.h>

#include "gpu/device.h"
#include "gpu/gpu.h"

/* What the host enabled, as far as we use it; core and promoted structs say the same. */
typedef struct lent {
    bool storage16, timeline, full_subgroups, float16, memory_model, cooperative;
} lent;

static void read_feature(const VkBaseInStructure *link, lent *out)
{
    const void *p = link;
    if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES) {
        const VkPhysicalDevice16BitStorageFeatures *f = p;
        out->storage16 |= f->storageBuffer16BitAccess;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES) {
        const VkPhysicalDeviceVulkan11Features *f = p;
        out->storage16 |= f->storageBuffer16BitAccess;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES) {
        const VkPhysicalDeviceTimelineSemaphoreFeatures *f = p;
        out->timeline |= f->timelineSemaphore;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES) {
        const VkPhysicalDeviceVulkan12Features *f = p;
        out->timeline |= f->timelineSemaphore;
        out->float16 |= f->shaderFloat16;
        out->memory_model |= f->vulkanMemoryModel && f->vulkanMemoryModelDeviceScope;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES) {
        const VkPhysicalDeviceShaderFloat16Int8Features *f = p;
        out->float16 |= f->shaderFloat16;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES) {
        const VkPhysicalDeviceVulkanMemoryModelFeatures *f = p;
        out->memory_model |= f->vulkanMemoryModel && f->vulkanMemoryModelDeviceScope;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR) {
        const VkPhysicalDeviceCooperativeMatrixFeaturesKHR *f = p;
        out->cooperative |= f->cooperativeMatrix;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES) {
        const VkPhysicalDeviceSubgroupSizeControlFeatures *f = p;
        out->full_subgroups |= f->subgroupSizeControl && f->computeFullSubgroups;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES) {
        const VkPhysicalDeviceVulkan13Features *f = p;
        out->full_subgroups |= f->subgroupSizeControl && f->computeFullSubgroups;
    }
}

static lent read_lent(const winnow_vk_borrow *desc)
{
    lent out = {0};
    for (const VkBaseInStructure *link = desc->features ? desc->features->pNext : NULL; link;
         link = link->pNext)
        read_feature(link, &out);
    return out;
}

/* The host's extensions that we know, by our own strings: theirs need not live on. */
static uint32_t read_extensions(wn_gpu *gpu, const winnow_vk_borrow *desc)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; desc->extensions && i < desc->extension_count; i++) {
        for (uint32_t k = 0; k < WN_EXT_COUNT; k++) {
            if (!desc->extensions[i] || strcmp(desc->extensions[i], wn_extension_names[k]) != 0 ||
                (bits >> k & 1u))
                continue;
            bits |= 1u << k;
            gpu->enabled.extensions[gpu->enabled.extension_count++] = wn_extension_names[k];
        }
    }
    return bits;
}

static void keep(wn_gpu *gpu, enum wn_feature feature, bool given)
{
    if (!given)
        gpu->features &= ~(1u << feature);
}

/* Only what the host enabled may be used, whatever the device could do. */
static void take_features(wn_gpu *gpu, const winnow_vk_borrow *desc, uint32_t mask)
{
    const lent on = read_lent(desc);
    const uint32_t extensions = read_extensions(gpu, desc);
    const bool timeline_core = gpu->caps.api >= VK_API_VERSION_1_2;
    wn_enabled *enabled = &gpu->enabled;
    gpu->caps.subgroup_control &= on.full_subgroups;
    gpu->features = gpu->caps.features & ~mask;
    keep(gpu, WN_FEATURE_SUBGROUP, gpu->caps.subgroup_control || gpu->caps.subgroup_fixed);
    keep(gpu, WN_FEATURE_STORAGE16, on.storage16);
    keep(gpu, WN_FEATURE_TIMELINE,
         on.timeline && (timeline_core || (extensions >> WN_EXT_TIMELINE & 1u)));
    keep(gpu, WN_FEATURE_PUSH_DESCRIPTOR, extensions >> WN_EXT_PUSH_DESCRIPTOR & 1u);
    keep(gpu, WN_FEATURE_HOST_IMPORT, extensions >> WN_EXT_HOST_MEMORY & 1u);
    keep(gpu, WN_FEATURE_COOPERATIVE_MATRIX,
         (extensions >> WN_EXT_COOPERATIVE_MATRIX & 1u) && on.cooperative && on.float16 &&
             on.memory_model && wn_gpu_has(gpu, WN_FEATURE_SUBGROUP));

    enabled->head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    enabled->head.pNext = &enabled->storage16;
    enabled->storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
    enabled->storage16.storageBuffer16BitAccess = on.storage16;
    enabled->storage16.pNext = &enabled->timeline;
    enabled->timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES;
    enabled->timeline.timelineSemaphore = on.timeline;
    enabled->timeline.pNext = &enabled->subgroup_control;
    enabled->subgroup_control.sType =
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
    enabled->subgroup_control.subgroupSizeControl = on.full_subgroups;
    enabled->subgroup_control.computeFullSubgroups = on.full_subgroups;
    enabled->subgroup_control.pNext = &enabled->float16;
    enabled->float16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
    enabled->float16.shaderFloat16 = on.float16;
    enabled->float16.pNext = &enabled->memory_model;
    enabled->memory_model.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
    enabled->memory_model.vulkanMemoryModel = on.memory_model;
    enabled->memory_model.vulkanMemoryModelDeviceScope = on.memory_model;
    enabled->memory_model.pNext = &enabled->cooperative;
    enabled->cooperative.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
    enabled->cooperative.cooperativeMatrix = on.cooperative;
}

static winnow_status check_desc(const wn_host *host, const winnow_vk_borrow *desc)
{
    if (!desc->get_instance_proc_addr || !desc->instance || !desc->physical_device || !desc->device)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "device_borrow: get_instance_proc_addr, instance, physical_device and "
                       "device must be given");
    if (desc->api_version < VK_API_VERSION_1_1)
        return wn_fail(host, WINNOW_E_FEATURE,
                       "device_borrow: api_version is %u.%u (make the instance for Vulkan 1.1 or "
                       "newer)",
                       VK_API_VERSION_MAJOR(desc->api_version),
                       VK_API_VERSION_MINOR(desc->api_version));
    if (!desc->lock_queue != !desc->unlock_queue)
        return wn_fail(host, WINNOW_E_ARGUMENT,
                       "device_borrow: lock_queue and unlock_queue go together");
    return WINNOW_OK;
}

/* The family is the host's choice; it must compute. Its timestamps replace those of ours. */
static winnow_status check_family(wn_gpu *gpu, uint32_t family)
{
    const wn_host *host = &gpu->base.host;
    uint32_t count = 0;
    gpu->instance.vk.GetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, NULL);
    VkQueueFamilyProperties *families = wn_alloc(host, count * sizeof *families);
    if (!families)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "device_borrow: no memory");
    gpu->instance.vk.GetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, families);
    const bool computes = family < count && (families[family].queueFlags & VK_QUEUE_COMPUTE_BIT);
    gpu->caps.queue_family = family;
    gpu->caps.timestamp_bits = family < count ? families[family].timestampValidBits : 0;
    wn_free(host, families);
    if (!computes)
        return wn_fail(host, WINNOW_E_FEATURE,
                       "device_borrow: queue family %u does not compute (lend one with "
                       "VK_QUEUE_COMPUTE_BIT)",
                       family);
    if (!gpu->caps.timestamp_bits)
        gpu->caps.features &= ~(1u << WN_FEATURE_TIMESTAMPS);
    return WINNOW_OK;
}

static winnow_status borrow_into(wn_gpu *gpu, const winnow_vk_borrow *desc, uint32_t mask)
{
    const wn_host *host = &gpu->base.host;
    gpu->borrowed = gpu->base.lent = true;
    gpu->physical = desc->physical_device;
    gpu->queue = desc->queue;
    gpu->lock_queue = desc->lock_queue;
    gpu->unlock_queue = desc->unlock_queue;
    gpu->queue_user = desc->queue_user;
    WN_TRY(wn_instance_borrow(host, desc->get_instance_proc_addr, desc->instance, desc->api_version,
                              &gpu->instance));
    WN_TRY(wn_caps_read(host, &gpu->instance, gpu->physical, &gpu->caps));
    if (gpu->caps.unusable[0])
        return wn_fail(host, WINNOW_E_FEATURE, "device_borrow: %s cannot be used: %s",
                       gpu->caps.properties.deviceName, gpu->caps.unusable);
    WN_TRY(check_family(gpu, desc->queue_family));
    take_features(gpu, desc, mask);
    gpu->device = desc->device;
    return wn_gpu_finish(gpu, mask);
}

winnow_status wn_gpu_borrow(const winnow_vk_borrow *given, winnow_device **out)
{
    winnow_vk_borrow desc;
    wn_host host;
    uint32_t mask;
    if (!out)
        return WINNOW_E_ARGUMENT;
    *out = NULL;
    WN_TRY(wn_desc_read(given, &desc, sizeof desc));
    WN_TRY(wn_host_read(desc.host, &host));
    WN_TRY(check_desc(&host, &desc));
    WN_TRY(wn_features_parse(&host, desc.disable, &mask));
    wn_gpu *gpu = wn_alloc(&host, sizeof *gpu);
    if (!gpu)
        return wn_fail(&host, WINNOW_E_HOST_MEMORY, "device_borrow: no memory");
    winnow_status status = wn_gpu_init(gpu, &host);
    if (status != WINNOW_OK) {
        wn_free(&host, gpu);
        return status;
    }
    status = borrow_into(gpu, &desc, mask);
    if (status != WINNOW_OK) {
        wn_gpu_destroy(&gpu->base);
        return status;
    }
    *out = &gpu->base;
    return WINNOW_OK;
}

static void lock_for_host(void *user)
{
    wn_gpu_lock(user);
}

static void unlock_for_host(void *user)
{
    wn_gpu_unlock(user);
}

winnow_status wn_gpu_device_handles(const winnow_device *device, winnow_vk_borrow *out)
{
    if (!device || !out)
        return WINNOW_E_ARGUMENT;
    if (device->backend != &wn_gpu_backend)
        return wn_fail(&device->host, WINNOW_E_ARGUMENT,
                       "device_handles: the plain C device has no Vulkan handles");
    const wn_gpu *gpu = (const wn_gpu *)device;
    const winnow_vk_borrow filled = {
        .struct_size = sizeof filled,
        .api_version = gpu->instance.api,
        .get_instance_proc_addr = gpu->instance.get,
        .instance = gpu->instance.handle,
        .physical_device = gpu->physical,
        .device = gpu->device,
        .queue = gpu->queue,
        .queue_family = gpu->caps.queue_family,
        .extension_count = gpu->enabled.extension_count,
        .extensions = gpu->enabled.extensions,
        .features = &gpu->enabled.head,
        .lock_queue = lock_for_host,
        .unlock_queue = unlock_for_host,
        .queue_user = (void *)gpu,
    };
    return wn_desc_write(&filled, sizeof filled, out);
}

void wn_gpu_wants(winnow_vk_wants *out)
{
    static const char *const extensions[] = {
        VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME,    VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
        VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME,
        VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
    };
    const winnow_vk_wants filled = {
        .struct_size = sizeof filled,
        .extension_count = sizeof extensions / sizeof *extensions,
        .extensions = extensions,
        .storage16 = VK_TRUE,
        .timeline_semaphore = VK_TRUE,
    };
    (void)wn_desc_write(&filled, sizeof filled, out);
}
