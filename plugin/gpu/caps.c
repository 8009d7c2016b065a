/* caps.c: what a physical device is and can do. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gpu/device.h"
#include "gpu/spirv.h"

const char *const wn_extension_names[WN_EXT_COUNT] = {
    [WN_EXT_PUSH_DESCRIPTOR] = VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME,
    [WN_EXT_HOST_MEMORY] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
    [WN_EXT_TIMELINE] = VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME,
    [WN_EXT_SUBGROUP_CONTROL] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME,
    [WN_EXT_DRIVER] = VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME,
    [WN_EXT_MAINTENANCE4] = VK_KHR_MAINTENANCE_4_EXTENSION_NAME,
    [WN_EXT_PORTABILITY_SUBSET] = "VK_KHR_portability_subset",
    [WN_EXT_COOPERATIVE_MATRIX] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
};

/* Everything that is asked for, chained as far as the device knows it. */
typedef struct query {
    VkPhysicalDeviceProperties2 properties;
    VkPhysicalDeviceSubgroupProperties subgroup;
    VkPhysicalDeviceMaintenance3Properties maintenance3;
    VkPhysicalDeviceMaintenance4Properties maintenance4;
    VkPhysicalDeviceDriverProperties driver;
    VkPhysicalDevicePushDescriptorPropertiesKHR push;
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host_memory;
    VkPhysicalDeviceSubgroupSizeControlProperties control;
    VkPhysicalDeviceFeatures2 features;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    VkPhysicalDeviceSubgroupSizeControlFeatures control_features;
    VkPhysicalDeviceShaderFloat16Int8Features float16;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative;
} query;

/* Puts `link`, a Vulkan struct, right behind `head`. */
static void chain(void *head, void *link, VkStructureType type)
{
    VkBaseOutStructure *first = head, *next = link;
    next->sType = type;
    next->pNext = first->pNext;
    first->pNext = next;
}

static bool has(const wn_caps *caps, enum wn_extension extension, uint32_t core)
{
    return (core && caps->api >= core) || (caps->extensions >> extension & 1u);
}

static void unusable(wn_caps *caps, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void unusable(wn_caps *caps, const char *format, ...)
{
    va_list list;
    if (caps->unusable[0])
        return; /* the first reason is the one to tell */
    va_start(list, format);
    vsnprintf(caps->unusable, sizeof caps->unusable, format, list);
    va_end(list);
}

static winnow_status read_extensions(const wn_host *host, const wn_instance *instance,
                                     VkPhysicalDevice physical, wn_caps *caps)
{
    winnow_status status = WINNOW_OK;
    VkExtensionProperties *list = NULL;
    uint32_t count = 0;
    WN_VK(host, &instance->vk, EnumerateDeviceExtensionProperties, physical, NULL, &count, NULL);
    list = wn_alloc(host, count * sizeof *list);
    if (!list)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "vulkan: no memory to list extensions");
    WN_VK(host, &instance->vk, EnumerateDeviceExtensionProperties, physical, NULL, &count, list);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < WN_EXT_COUNT; k++) {
            if (!strcmp(list[i].extensionName, wn_extension_names[k]))
                caps->extensions |= 1u << k;
        }
    }
fail:
    wn_free(host, list);
    return status;
}

/* The first family that computes; graphics beside it does no harm. */
static winnow_status read_queues(const wn_host *host, const wn_instance *instance,
                                 VkPhysicalDevice physical, wn_caps *caps)
{
    uint32_t count = 0;
    instance->vk.GetPhysicalDeviceQueueFamilyProperties(physical, &count, NULL);
    VkQueueFamilyProperties *families = wn_alloc(host, count * sizeof *families);
    if (!families)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "vulkan: no memory to list queue families");
    instance->vk.GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    caps->queue_family = UINT32_MAX;
    for (uint32_t i = count; i-- > 0;) {
        if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) && families[i].queueCount > 0) {
            caps->queue_family = i;
            caps->timestamp_bits = families[i].timestampValidBits;
        }
    }
    wn_free(host, families);
    return WINNOW_OK;
}

static void ask(const wn_instance *instance, VkPhysicalDevice physical, const wn_caps *caps,
                query *q)
{
    void *p = &q->properties, *f = &q->features;
    q->properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    q->features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    chain(p, &q->subgroup, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES);
    chain(p, &q->maintenance3, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    chain(f, &q->storage16, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES);
    if (has(caps, WN_EXT_MAINTENANCE4, VK_API_VERSION_1_3))
        chain(p, &q->maintenance4, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES);
    if (has(caps, WN_EXT_DRIVER, VK_API_VERSION_1_2))
        chain(p, &q->driver, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
    if (has(caps, WN_EXT_PUSH_DESCRIPTOR, 0))
        chain(p, &q->push, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PUSH_DESCRIPTOR_PROPERTIES_KHR);
    if (has(caps, WN_EXT_HOST_MEMORY, 0))
        chain(p, &q->host_memory,
              VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT);
    if (has(caps, WN_EXT_TIMELINE, VK_API_VERSION_1_2))
        chain(f, &q->timeline, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES);
    if (has(caps, WN_EXT_SUBGROUP_CONTROL, VK_API_VERSION_1_3)) {
        chain(p, &q->control, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES);
        chain(f, &q->control_features,
              VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES);
    }
    if (has(caps, WN_EXT_COOPERATIVE_MATRIX, 0) && caps->api >= VK_API_VERSION_1_2) {
        chain(f, &q->float16, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES);
        chain(f, &q->memory_model, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES);
        chain(f, &q->cooperative,
              VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR);
    }
    instance->vk.GetPhysicalDeviceProperties2(physical, &q->properties);
    instance->vk.GetPhysicalDeviceFeatures2(physical, &q->features);
}

static void judge_subgroup(wn_caps *caps, const query *q)
{
    const uint32_t size = q->subgroup.subgroupSize;
    const VkSubgroupFeatureFlags needed =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    caps->subgroup_size = size;
    caps->subgroup_ops = q->subgroup.supportedOperations;
    caps->subgroup_control = q->control_features.subgroupSizeControl &&
                             q->control_features.computeFullSubgroups &&
                             (q->control.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
    caps->subgroups_most = q->control.maxComputeWorkgroupSubgroups;
    caps->subgroup_fixed = q->control.minSubgroupSize == size && q->control.maxSubgroupSize == size;
    if ((q->subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
        (caps->subgroup_ops & needed) == needed && size >= 4 && size <= 128 &&
        (size & (size - 1)) == 0 && (caps->subgroup_control || caps->subgroup_fixed))
        caps->features |= 1u << WN_FEATURE_SUBGROUP;
    if ((caps->features >> WN_FEATURE_SUBGROUP & 1u) && (size == 8 || size == 4) &&
        (caps->subgroup_ops & VK_SUBGROUP_FEATURE_BALLOT_BIT) &&
        caps->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU)
        caps->features |= 1u << WN_FEATURE_BROADCAST;
}

static void judge(wn_caps *caps, const query *q)
{
    judge_subgroup(caps, q);
    if (q->storage16.storageBuffer16BitAccess)
        caps->features |= 1u << WN_FEATURE_STORAGE16;
    if (q->timeline.timelineSemaphore)
        caps->features |= 1u << WN_FEATURE_TIMELINE;
    if (q->push.maxPushDescriptors >= WN_BIND_COUNT)
        caps->features |= 1u << WN_FEATURE_PUSH_DESCRIPTOR;
    if (q->host_memory.minImportedHostPointerAlignment)
        caps->features |= 1u << WN_FEATURE_HOST_IMPORT;
    if (caps->timestamp_bits && caps->properties.limits.timestampPeriod > 0)
        caps->features |= 1u << WN_FEATURE_TIMESTAMPS;
    caps->import_alignment = q->host_memory.minImportedHostPointerAlignment;
    caps->max_buffer = q->maintenance3.maxMemoryAllocationSize;
    if (q->maintenance4.maxBufferSize && q->maintenance4.maxBufferSize < caps->max_buffer)
        caps->max_buffer = q->maintenance4.maxBufferSize;
    caps->portability_subset = has(caps, WN_EXT_PORTABILITY_SUBSET, 0);
    if (q->driver.driverName[0])
        snprintf(caps->driver, sizeof caps->driver, "%.120s %.130s", q->driver.driverName,
                 q->driver.driverInfo);
}

/* f16 times f16 into f32, in sizes that the shader's tiles consist of (shaders/coop_matmul.glsl). */
static bool shape_fits(const wn_caps *caps, const VkCooperativeMatrixPropertiesKHR *s)
{
    const VkPhysicalDeviceLimits *limits = &caps->properties.limits;
    const uint32_t part = WN_COOP_TILE / 2, invocations = 4 * caps->subgroup_size;
    return s->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && s->BType == s->AType &&
           s->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && s->ResultType == s->CType &&
           !s->saturatingAccumulation && s->scope == VK_SCOPE_SUBGROUP_KHR && s->MSize &&
           part % s->MSize == 0 && s->NSize % 8 == 0 && s->NSize && part % s->NSize == 0 &&
           s->KSize % 8 == 0 && s->KSize && WN_COOP_DEPTH % s->KSize == 0 &&
           invocations <= limits->maxComputeWorkGroupInvocations &&
           invocations <= limits->maxComputeWorkGroupSize[0] &&
           (!caps->subgroup_control || caps->subgroups_most >= 4) &&
           WN_COOP_SHARED_BYTES(s->MSize, s->NSize) <= limits->maxComputeSharedMemorySize;
}

/* The 16 x 16 x 16 that most have, or else the first that fits. */
static void choose_shape(wn_caps *caps, const VkCooperativeMatrixPropertiesKHR *shapes,
                         uint32_t count)
{
    const VkCooperativeMatrixPropertiesKHR *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const VkCooperativeMatrixPropertiesKHR *s = &shapes[i];
        const bool usual = s->MSize == 16 && s->NSize == 16 && s->KSize == 16;
        if (shape_fits(caps, s) && (!best || usual))
            best = s;
    }
    if (!best)
        return;
    caps->coop_m = best->MSize;
    caps->coop_n = best->NSize;
    caps->coop_k = best->KSize;
    caps->features |= 1u << WN_FEATURE_COOPERATIVE_MATRIX;
}

static winnow_status judge_cooperative(const wn_host *host, const wn_instance *instance,
                                       VkPhysicalDevice physical, const query *q, wn_caps *caps)
{
    static const char name[] = "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR";
    winnow_status status = WINNOW_OK;
    VkCooperativeMatrixPropertiesKHR *shapes = NULL;
    uint32_t count = 0;
    if (!wn_spirv_table[WN_OP_matmul][WN_SPIRV_COOPERATIVE].words ||
        !(caps->features >> WN_FEATURE_SUBGROUP & 1u) || !q->float16.shaderFloat16 ||
        !q->memory_model.vulkanMemoryModel || !q->memory_model.vulkanMemoryModelDeviceScope ||
        !q->cooperative.cooperativeMatrix)
        return WINNOW_OK;
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR list =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)instance->get(instance->handle,
                                                                             name);
    if (!list)
        return WINNOW_OK;
    VkResult result = list(physical, &count, NULL);
    if (result != VK_SUCCESS)
        return wn_vk_fail(host, result, name);
    shapes = wn_alloc(host, count * sizeof *shapes);
    if (!shapes)
        return wn_fail(host, WINNOW_E_HOST_MEMORY, "vulkan: no memory to list matrices");
    for (uint32_t i = 0; i < count; i++)
        shapes[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    result = list(physical, &count, shapes);
    if (result == VK_SUCCESS)
        choose_shape(caps, shapes, count);
    else
        status = wn_vk_fail(host, result, name);
    wn_free(host, shapes);
    return status;
}

static void judge_limits(wn_caps *caps)
{
    const VkPhysicalDeviceLimits *limits = &caps->properties.limits;
    if (caps->queue_family == UINT32_MAX)
        unusable(caps, "no queue of it computes");
    if (limits->maxPerStageDescriptorStorageBuffers < WN_BIND_COUNT)
        unusable(caps, "a shader sees %u storage buffers, and %d are needed",
                 limits->maxPerStageDescriptorStorageBuffers, WN_BIND_COUNT);
    if (limits->maxDescriptorSetStorageBuffers < WN_BIND_COUNT)
        unusable(caps, "a descriptor set holds %u storage buffers, and %d are needed",
                 limits->maxDescriptorSetStorageBuffers, WN_BIND_COUNT);
    if (limits->maxPushConstantsSize < WN_ARGS_WORDS * sizeof(uint32_t))
        unusable(caps, "%u bytes of push constants, and 128 are needed",
                 limits->maxPushConstantsSize);
    if (limits->maxComputeWorkGroupInvocations < 32 || limits->maxComputeWorkGroupSize[0] < 32)
        unusable(caps, "workgroups have fewer than 32 invocations");
}

winnow_status wn_caps_read(const wn_host *host, const wn_instance *instance,
                           VkPhysicalDevice physical, wn_caps *out)
{
    query q = {0};
    *out = (wn_caps){0};
    instance->vk.GetPhysicalDeviceProperties(physical, &out->properties);
    instance->vk.GetPhysicalDeviceMemoryProperties(physical, &out->memory);
    out->api =
        out->properties.apiVersion < instance->api ? out->properties.apiVersion : instance->api;
    snprintf(out->driver, sizeof out->driver, "driver %#x", out->properties.driverVersion);
    WN_TRY(read_queues(host, instance, physical, out));
    if (out->api < VK_API_VERSION_1_1) {
        unusable(out, "it speaks Vulkan %u.%u, and 1.1 is needed", VK_API_VERSION_MAJOR(out->api),
                 VK_API_VERSION_MINOR(out->api));
        return WINNOW_OK;
    }
    WN_TRY(read_extensions(host, instance, physical, out));
    ask(instance, physical, out, &q);
    judge(out, &q);
    WN_TRY(judge_cooperative(host, instance, physical, &q, out));
    judge_limits(out);
    return WINNOW_OK;
}

/* llvmpipe of Mesa 22 leaves every loop of a shader after 65535 iterations, counted over all its loops, and says
 * nothing; Mesa 25 does not. Between them it was not looked at, so all before 25 are held to half of it. */
uint32_t wn_caps_loop_limit(const wn_caps *caps)
{
    const char *mesa = strstr(caps->driver, "Mesa ");
    unsigned major;
    if (!strstr(caps->driver, "llvmpipe") || !mesa || sscanf(mesa, "Mesa %u", &major) != 1 ||
        major >= 25)
        return UINT32_MAX;
    return 65535 / 2;
}

bool wn_caps_slow_compiler(const wn_caps *caps)
{
    return strstr(caps->driver, "SwiftShader") != NULL;
}

static uint64_t largest_local_heap(const VkPhysicalDeviceMemoryProperties *memory)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < memory->memoryHeapCount; i++) {
        if ((memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            memory->memoryHeaps[i].size > most)
            most = memory->memoryHeaps[i].size;
    }
    return most;
}

static int32_t kind_of(VkPhysicalDeviceType type)
{
    static const int32_t kinds[] = {
        [VK_PHYSICAL_DEVICE_TYPE_OTHER] = WINNOW_DEVICE_OTHER,
        [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = WINNOW_DEVICE_INTEGRATED,
        [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = WINNOW_DEVICE_DISCRETE,
        [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = WINNOW_DEVICE_VIRTUAL,
        [VK_PHYSICAL_DEVICE_TYPE_CPU] = WINNOW_DEVICE_CPU,
    };
    return (size_t)type < sizeof kinds / sizeof *kinds ? kinds[type] : WINNOW_DEVICE_OTHER;
}

uint32_t wn_caps_wanted(const wn_caps *caps, uint32_t mask)
{
    uint32_t features = caps->features & ~mask;
    const bool software = caps->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    if (software)
        features &= ~(1u << WN_FEATURE_COOPERATIVE_MATRIX);
    if (!(features >> WN_FEATURE_SUBGROUP & 1u))
        features &= ~(1u << WN_FEATURE_COOPERATIVE_MATRIX | 1u << WN_FEATURE_BROADCAST);
    return features;
}

void wn_caps_info(const wn_caps *caps, uint32_t mask, winnow_device_info *out)
{
    *out = (winnow_device_info){
        .struct_size = sizeof *out,
        .backend = WINNOW_BACKEND_GPU,
        .kind = kind_of(caps->properties.deviceType),
        .api_version = caps->properties.apiVersion,
        .subgroup_size = caps->subgroup_size,
        .max_workgroup = caps->properties.limits.maxComputeWorkGroupInvocations,
        .max_binding = caps->properties.limits.maxStorageBufferRange,
        .memory = largest_local_heap(&caps->memory),
    };
    snprintf(out->name, sizeof out->name, "%s", caps->properties.deviceName);
    snprintf(out->driver, sizeof out->driver, "%s", caps->driver);
    snprintf(out->unusable, sizeof out->unusable, "%s", caps->unusable);
    wn_features_list(wn_caps_wanted(caps, mask), out->features, sizeof out->features);
    wn_features_list(caps->features & mask, out->disabled, sizeof out->disabled);
}
