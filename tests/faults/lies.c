/*
 * Lies about properties, features, extensions and queues.
 *
 * A lie is one or more fields of structures that a query fills; the tables below name them. The
 * driver goes on as it is, so that a limit only teaches what the asking code makes of it.
 */
#include "faults.h"
#include <stdlib.h>
#include <string.h>

struct field {
    const char *name;
    VkStructureType type;
    size_t offset, size;
};

#define FIELD(Name, Type, Struct, Member)                   \
    {                                                       \
        Name, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##Type,     \
            offsetof(VkPhysicalDevice##Struct, Member),     \
            sizeof(((VkPhysicalDevice##Struct *)0)->Member) \
    }
#define PROPERTY(Name, Member) FIELD(Name, PROPERTIES_2, Properties2, properties.Member)
#define LIMIT(Member)          PROPERTY(#Member, limits.Member)
#define VULKAN_11(Name)        FIELD(#Name, VULKAN_1_1_PROPERTIES, Vulkan11Properties, Name)
#define VULKAN_13(Name)        FIELD(#Name, VULKAN_1_3_PROPERTIES, Vulkan13Properties, Name)

/* clang-format off */
static const struct field properties[] = {
    PROPERTY("apiVersion", apiVersion),
    PROPERTY("vendorID", vendorID),
    PROPERTY("deviceID", deviceID),
    PROPERTY("deviceType", deviceType),
    LIMIT(maxMemoryAllocationCount),
    LIMIT(maxStorageBufferRange),
    LIMIT(maxUniformBufferRange),
    LIMIT(maxPushConstantsSize),
    LIMIT(maxBoundDescriptorSets),
    LIMIT(maxPerStageDescriptorStorageBuffers),
    LIMIT(maxPerStageResources),
    LIMIT(maxDescriptorSetStorageBuffers),
    LIMIT(maxComputeSharedMemorySize),
    PROPERTY("maxComputeWorkGroupCountX", limits.maxComputeWorkGroupCount[0]),
    PROPERTY("maxComputeWorkGroupCountY", limits.maxComputeWorkGroupCount[1]),
    PROPERTY("maxComputeWorkGroupCountZ", limits.maxComputeWorkGroupCount[2]),
    LIMIT(maxComputeWorkGroupInvocations),
    PROPERTY("maxComputeWorkGroupSizeX", limits.maxComputeWorkGroupSize[0]),
    PROPERTY("maxComputeWorkGroupSizeY", limits.maxComputeWorkGroupSize[1]),
    PROPERTY("maxComputeWorkGroupSizeZ", limits.maxComputeWorkGroupSize[2]),
    LIMIT(minMemoryMapAlignment),
    LIMIT(minStorageBufferOffsetAlignment),
    LIMIT(minUniformBufferOffsetAlignment),
    LIMIT(nonCoherentAtomSize),
    LIMIT(optimalBufferCopyOffsetAlignment),
    LIMIT(timestampPeriod),
    PROPERTY("timestamps", limits.timestampComputeAndGraphics),
    FIELD("subgroupSize", SUBGROUP_PROPERTIES, SubgroupProperties, subgroupSize),
    FIELD("subgroupOperations", SUBGROUP_PROPERTIES, SubgroupProperties, supportedOperations),
    FIELD("subgroupStages", SUBGROUP_PROPERTIES, SubgroupProperties, supportedStages),
    VULKAN_11(subgroupSize),
    FIELD("subgroupOperations", VULKAN_1_1_PROPERTIES,
          Vulkan11Properties, subgroupSupportedOperations),
    FIELD("subgroupStages", VULKAN_1_1_PROPERTIES, Vulkan11Properties, subgroupSupportedStages),
    FIELD("minSubgroupSize", SUBGROUP_SIZE_CONTROL_PROPERTIES,
          SubgroupSizeControlProperties, minSubgroupSize),
    FIELD("maxSubgroupSize", SUBGROUP_SIZE_CONTROL_PROPERTIES,
          SubgroupSizeControlProperties, maxSubgroupSize),
    VULKAN_13(minSubgroupSize),
    VULKAN_13(maxSubgroupSize),
    FIELD("maxMemoryAllocationSize", MAINTENANCE_3_PROPERTIES,
          Maintenance3Properties, maxMemoryAllocationSize),
    VULKAN_11(maxMemoryAllocationSize),
    FIELD("maxPushDescriptors", PUSH_DESCRIPTOR_PROPERTIES_KHR,
          PushDescriptorPropertiesKHR, maxPushDescriptors),
    FIELD("minImportedHostPointerAlignment", EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
          ExternalMemoryHostPropertiesEXT, minImportedHostPointerAlignment),
};

#define CORE(Name)                FIELD(#Name, FEATURES_2, Features2, features.Name)
#define IN_11(Name, Member)       FIELD(Name, VULKAN_1_1_FEATURES, Vulkan11Features, Member)
#define IN_12(Name, Member)       FIELD(Name, VULKAN_1_2_FEATURES, Vulkan12Features, Member)
#define IN_13(Name, Member)       FIELD(Name, VULKAN_1_3_FEATURES, Vulkan13Features, Member)

static const struct field features[] = {
    CORE(robustBufferAccess),
    CORE(shaderFloat64),
    CORE(shaderInt64),
    CORE(shaderInt16),
    FIELD("shaderFloat16", SHADER_FLOAT16_INT8_FEATURES, ShaderFloat16Int8Features, shaderFloat16),
    IN_12("shaderFloat16", shaderFloat16),
    FIELD("shaderInt8", SHADER_FLOAT16_INT8_FEATURES, ShaderFloat16Int8Features, shaderInt8),
    IN_12("shaderInt8", shaderInt8),
    FIELD("storage16", 16BIT_STORAGE_FEATURES, 16BitStorageFeatures, storageBuffer16BitAccess),
    FIELD("storage16", 16BIT_STORAGE_FEATURES,
          16BitStorageFeatures, uniformAndStorageBuffer16BitAccess),
    FIELD("storage16", 16BIT_STORAGE_FEATURES, 16BitStorageFeatures, storagePushConstant16),
    IN_11("storage16", storageBuffer16BitAccess),
    IN_11("storage16", uniformAndStorageBuffer16BitAccess),
    IN_11("storage16", storagePushConstant16),
    FIELD("storage8", 8BIT_STORAGE_FEATURES, 8BitStorageFeatures, storageBuffer8BitAccess),
    FIELD("storage8", 8BIT_STORAGE_FEATURES,
          8BitStorageFeatures, uniformAndStorageBuffer8BitAccess),
    FIELD("storage8", 8BIT_STORAGE_FEATURES, 8BitStorageFeatures, storagePushConstant8),
    IN_12("storage8", storageBuffer8BitAccess),
    IN_12("storage8", uniformAndStorageBuffer8BitAccess),
    IN_12("storage8", storagePushConstant8),
    FIELD("timeline", TIMELINE_SEMAPHORE_FEATURES, TimelineSemaphoreFeatures, timelineSemaphore),
    IN_12("timeline", timelineSemaphore),
    FIELD("synchronization2", SYNCHRONIZATION_2_FEATURES,
          Synchronization2Features, synchronization2),
    IN_13("synchronization2", synchronization2),
    FIELD("bufferDeviceAddress", BUFFER_DEVICE_ADDRESS_FEATURES,
          BufferDeviceAddressFeatures, bufferDeviceAddress),
    IN_12("bufferDeviceAddress", bufferDeviceAddress),
    FIELD("hostQueryReset", HOST_QUERY_RESET_FEATURES, HostQueryResetFeatures, hostQueryReset),
    IN_12("hostQueryReset", hostQueryReset),
    FIELD("scalarBlockLayout", SCALAR_BLOCK_LAYOUT_FEATURES,
          ScalarBlockLayoutFeatures, scalarBlockLayout),
    IN_12("scalarBlockLayout", scalarBlockLayout),
    FIELD("vulkanMemoryModel", VULKAN_MEMORY_MODEL_FEATURES,
          VulkanMemoryModelFeatures, vulkanMemoryModel),
    IN_12("vulkanMemoryModel", vulkanMemoryModel),
    FIELD("subgroupExtendedTypes", SHADER_SUBGROUP_EXTENDED_TYPES_FEATURES,
          ShaderSubgroupExtendedTypesFeatures, shaderSubgroupExtendedTypes),
    IN_12("subgroupExtendedTypes", shaderSubgroupExtendedTypes),
    FIELD("subgroupSizeControl", SUBGROUP_SIZE_CONTROL_FEATURES,
          SubgroupSizeControlFeatures, subgroupSizeControl),
    FIELD("computeFullSubgroups", SUBGROUP_SIZE_CONTROL_FEATURES,
          SubgroupSizeControlFeatures, computeFullSubgroups),
    IN_13("subgroupSizeControl", subgroupSizeControl),
    IN_13("computeFullSubgroups", computeFullSubgroups),
    FIELD("integerDot", SHADER_INTEGER_DOT_PRODUCT_FEATURES,
          ShaderIntegerDotProductFeatures, shaderIntegerDotProduct),
    IN_13("integerDot", shaderIntegerDotProduct),
    FIELD("maintenance4", MAINTENANCE_4_FEATURES, Maintenance4Features, maintenance4),
    IN_13("maintenance4", maintenance4),
    FIELD("atomicFloat", SHADER_ATOMIC_FLOAT_FEATURES_EXT,
          ShaderAtomicFloatFeaturesEXT, shaderBufferFloat32AtomicAdd),
};

/* Extensions that go with a hidden feature. The others are hidden by their own name. */
static const struct {
    const char *lie, *extension;
} carriers[] = {
    {"timeline", VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME},
    {"synchronization2", VK_KHR_SYNCHRONIZATION_2_EXTENSION_NAME},
    {"bufferDeviceAddress", VK_KHR_BUFFER_DEVICE_ADDRESS_EXTENSION_NAME},
    {"storage16", VK_KHR_16BIT_STORAGE_EXTENSION_NAME},
    {"storage8", VK_KHR_8BIT_STORAGE_EXTENSION_NAME},
    {"hostQueryReset", VK_EXT_HOST_QUERY_RESET_EXTENSION_NAME},
    {"subgroupSizeControl", VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME},
    {"integerDot", VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME},
    {"maintenance4", VK_KHR_MAINTENANCE_4_EXTENSION_NAME},
    {"atomicFloat", VK_EXT_SHADER_ATOMIC_FLOAT_EXTENSION_NAME},
    {"pushDescriptor", VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME},
    {"hostPointer", VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME},
};
/* clang-format on */

/* Not fields: `onequeue`, one queue in a family; `pushDescriptor`, `hostPointer`: extensions. */
static const char *const others[] = {"onequeue", "pushDescriptor", "hostPointer"};

static bool in_table(const struct field *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(table[i].name, name))
            return true;
    }
    return false;
}

bool lies_know(const char *name)
{
    for (size_t i = 0; i < LENGTH(others); i++) {
        if (!strcmp(others[i], name))
            return true;
    }
    return in_table(properties, LENGTH(properties), name) ||
           in_table(features, LENGTH(features), name);
}

static void write_field(void *at, const struct field *field, uint64_t value)
{
    if (!strcmp(field->name, "timestampPeriod"))
        *(float *)at = (float)value;
    else if (field->size == sizeof(uint64_t))
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
}

static void tell_lies(void *chain, const struct field *table, size_t count)
{
    uint64_t value;
    for (VkBaseOutStructure *s = chain; s; s = s->pNext) {
        for (size_t i = 0; i < count; i++) {
            if (table[i].type == s->sType && lie_told(table[i].name, &value))
                write_field((char *)s + table[i].offset, &table[i], value);
        }
    }
}

static void lie_about_properties(VkPhysicalDeviceProperties2 *told)
{
    tell_lies(told, properties, LENGTH(properties));
}

static void lie_about_features(VkPhysicalDeviceFeatures2 *told)
{
    tell_lies(told, features, LENGTH(features));
}

void hook_GetPhysicalDeviceProperties(VkPhysicalDevice physical, VkPhysicalDeviceProperties *told)
{
    VkPhysicalDeviceProperties2 whole = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    DOWN(chain_of(physical), GetPhysicalDeviceProperties)(physical, &whole.properties);
    lie_about_properties(&whole);
    *told = whole.properties;
}

void hook_GetPhysicalDeviceFeatures(VkPhysicalDevice physical, VkPhysicalDeviceFeatures *told)
{
    VkPhysicalDeviceFeatures2 whole = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    DOWN(chain_of(physical), GetPhysicalDeviceFeatures)(physical, &whole.features);
    lie_about_features(&whole);
    *told = whole.features;
}

static void lie_about_family(VkQueueFamilyProperties *told)
{
    uint64_t value;
    if (lie_told("onequeue", &value) && value)
        told->queueCount = 1;
    if (lie_told("timestamps", &value) && !value)
        told->timestampValidBits = 0;
}

void hook_GetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice physical, uint32_t *count,
                                                 VkQueueFamilyProperties *told)
{
    DOWN(chain_of(physical), GetPhysicalDeviceQueueFamilyProperties)(physical, count, told);
    for (uint32_t i = 0; told && i < *count; i++)
        lie_about_family(&told[i]);
}

/* The second forms, each under its core and its extension name. */
#define SECOND_FORM(Suffix)                                                            \
    void hook_GetPhysicalDeviceProperties##Suffix(VkPhysicalDevice physical,           \
                                                  VkPhysicalDeviceProperties2 *told)   \
    {                                                                                  \
        DOWN(chain_of(physical), GetPhysicalDeviceProperties##Suffix)(physical, told); \
        lie_about_properties(told);                                                    \
    }                                                                                  \
    void hook_GetPhysicalDeviceFeatures##Suffix(VkPhysicalDevice physical,             \
                                                VkPhysicalDeviceFeatures2 *told)       \
    {                                                                                  \
        DOWN(chain_of(physical), GetPhysicalDeviceFeatures##Suffix)(physical, told);   \
        lie_about_features(told);                                                      \
    }                                                                                  \
    void hook_GetPhysicalDeviceQueueFamilyProperties##Suffix(                          \
        VkPhysicalDevice physical, uint32_t *count, VkQueueFamilyProperties2 *told)    \
    {                                                                                  \
        DOWN(chain_of(physical), GetPhysicalDeviceQueueFamilyProperties##Suffix)       \
        (physical, count, told);                                                       \
        for (uint32_t i = 0; told && i < *count; i++)                                  \
            lie_about_family(&told[i].queueFamilyProperties);                          \
    }
SECOND_FORM(2)
SECOND_FORM(2KHR)

bool extension_hidden(const char *name)
{
    uint64_t value;
    for (size_t i = 0; i < LENGTH(carriers); i++) {
        if (!strcmp(carriers[i].extension, name) && lie_told(carriers[i].lie, &value) && !value)
            return true;
    }
    return lie_told(name, &value) && !value;
}

/* All that the driver has, less what is hidden; *list belongs to the caller. */
static VkResult visible_extensions(VkPhysicalDevice physical, VkExtensionProperties **list,
                                   uint32_t *count)
{
    PFN_vkEnumerateDeviceExtensionProperties ask =
        DOWN(chain_of(physical), EnumerateDeviceExtensionProperties);
    uint32_t all = 0;
    *count = 0;
    *list = NULL;
    VkResult result = ask(physical, NULL, &all, NULL);
    if (result != VK_SUCCESS)
        return result;
    *list = calloc(all + 1, sizeof **list);
    if (!*list)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    result = ask(physical, NULL, &all, *list);
    for (uint32_t i = 0; i < all; i++) {
        if (!extension_hidden((*list)[i].extensionName))
            (*list)[(*count)++] = (*list)[i];
    }
    return result;
}

VkResult hook_EnumerateDeviceExtensionProperties(VkPhysicalDevice physical, const char *layer,
                                                 uint32_t *count, VkExtensionProperties *told)
{
    struct chain *chain = chain_of(physical);
    VkExtensionProperties *list;
    uint32_t visible;
    VkResult result;
    if (layer)
        return DOWN(chain, EnumerateDeviceExtensionProperties)(physical, layer, count, told);
    if (fault_due(chain, CALL_EnumerateDeviceExtensionProperties, &result))
        return result;
    result = visible_extensions(physical, &list, &visible);
    if (result == VK_SUCCESS && told) {
        result = *count < visible ? VK_INCOMPLETE : VK_SUCCESS;
        *count = *count < visible ? *count : visible;
        memcpy(told, list, *count * sizeof *told);
    } else if (result == VK_SUCCESS) {
        *count = visible;
    }
    free(list);
    return result;
}

static bool enables_hidden(const VkBaseInStructure *s)
{
    uint64_t value;
    VkBool32 enabled;
    for (; s; s = s->pNext) {
        for (size_t i = 0; i < LENGTH(features); i++) {
            if (features[i].type != s->sType || !lie_told(features[i].name, &value) || value)
                continue;
            memcpy(&enabled, (const char *)s + features[i].offset, sizeof enabled);
            if (enabled)
                return true;
        }
    }
    return false;
}

/* What a driver without these would answer to a device that enables them. */
bool asks_for_hidden(const VkDeviceCreateInfo *info, VkResult *result)
{
    VkPhysicalDeviceFeatures2 old = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    if (info->pEnabledFeatures)
        old.features = *info->pEnabledFeatures;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        if (extension_hidden(info->ppEnabledExtensionNames[i])) {
            note_misuse("a device was asked for with a hidden extension");
            *result = VK_ERROR_EXTENSION_NOT_PRESENT;
            return true;
        }
    }
    if (!enables_hidden((const VkBaseInStructure *)&old) && !enables_hidden(info->pNext))
        return false;
    note_misuse("a device was asked for with a hidden feature");
    *result = VK_ERROR_FEATURE_NOT_PRESENT;
    return true;
}
