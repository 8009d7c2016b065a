/* loader.h: Vulkan's functions in tables, one an instance and one a device, for loaders that we
 * open and for a host's. Nothing of ours links libvulkan, and no pointer is global.
 */
#ifndef WN_GPU_LOADER_H
#define WN_GPU_LOADER_H

#ifndef VK_NO_PROTOTYPES
#    define VK_NO_PROTOTYPES
#endif
#include <vulkan/vulkan_core.h>

#include "host.h"

#define WN_VK_INSTANCE_CALLS(X)               \
    X(DestroyInstance)                        \
    X(EnumeratePhysicalDevices)               \
    X(GetPhysicalDeviceProperties)            \
    X(GetPhysicalDeviceProperties2)           \
    X(GetPhysicalDeviceFeatures2)             \
    X(GetPhysicalDeviceMemoryProperties)      \
    X(GetPhysicalDeviceQueueFamilyProperties) \
    X(EnumerateDeviceExtensionProperties)     \
    X(CreateDevice)                           \
    X(GetDeviceProcAddr)

#define WN_VK_DEVICE_CALLS(X)       \
    X(DestroyDevice)                \
    X(GetDeviceQueue)               \
    X(QueueSubmit)                  \
    X(AllocateMemory)               \
    X(FreeMemory)                   \
    X(MapMemory)                    \
    X(FlushMappedMemoryRanges)      \
    X(InvalidateMappedMemoryRanges) \
    X(CreateBuffer)                 \
    X(DestroyBuffer)                \
    X(GetBufferMemoryRequirements)  \
    X(BindBufferMemory)             \
    X(CreateFence)                  \
    X(DestroyFence)                 \
    X(ResetFences)                  \
    X(WaitForFences)                \
    X(CreateQueryPool)              \
    X(DestroyQueryPool)             \
    X(GetQueryPoolResults)          \
    X(CreateShaderModule)           \
    X(DestroyShaderModule)          \
    X(CreatePipelineCache)          \
    X(DestroyPipelineCache)         \
    X(GetPipelineCacheData)         \
    X(CreateComputePipelines)       \
    X(DestroyPipeline)              \
    X(CreatePipelineLayout)         \
    X(DestroyPipelineLayout)        \
    X(CreateDescriptorSetLayout)    \
    X(DestroyDescriptorSetLayout)   \
    X(CreateDescriptorPool)         \
    X(DestroyDescriptorPool)        \
    X(AllocateDescriptorSets)       \
    X(UpdateDescriptorSets)         \
    X(CreateCommandPool)            \
    X(DestroyCommandPool)           \
    X(ResetCommandPool)             \
    X(AllocateCommandBuffers)       \
    X(BeginCommandBuffer)           \
    X(EndCommandBuffer)             \
    X(CmdBindPipeline)              \
    X(CmdBindDescriptorSets)        \
    X(CmdPushConstants)             \
    X(CmdDispatch)                  \
    X(CmdPipelineBarrier)           \
    X(CmdCopyBuffer)                \
    X(CmdUpdateBuffer)              \
    X(CmdFillBuffer)                \
    X(CmdResetQueryPool)            \
    X(CmdWriteTimestamp)

/* Of extensions: NULL where the extension is not enabled. */
#define WN_VK_DEVICE_EXTRAS(X) \
    X(CmdPushDescriptorSetKHR) \
    X(GetMemoryHostPointerPropertiesEXT)

#define WN_VK_MEMBER(name) PFN_vk##name name;
typedef struct wn_vk_instance_calls {
    WN_VK_INSTANCE_CALLS(WN_VK_MEMBER)
} wn_vk_instance_calls;

typedef struct wn_vk_device_calls {
    WN_VK_DEVICE_CALLS(WN_VK_MEMBER)
    WN_VK_DEVICE_EXTRAS(WN_VK_MEMBER)
} wn_vk_device_calls;
#undef WN_VK_MEMBER

/* An instance, ours (`library` set) or the host's. */
typedef struct wn_instance {
    void *library;
    PFN_vkGetInstanceProcAddr get;
    VkInstance handle;
    uint32_t api; /* that the instance was made for */
    wn_vk_instance_calls vk;
} wn_instance;

/* Opens the loader at `path` (NULL: the usual names) and makes an instance of the newest Vulkan
 * that both know. On failure *out is zeroed. E_NO_DEVICE: no loader, or none newer than 1.0, or no
 * driver; logged at `level`. */
winnow_status wn_instance_open(const wn_host *host, const char *path, int32_t level,
                               wn_instance *out);
/* Fills the table of an instance that a host made. E_ARGUMENT names the function that is not there. */
winnow_status wn_instance_borrow(const wn_host *host, PFN_vkGetInstanceProcAddr get,
                                 VkInstance handle, uint32_t api, wn_instance *out);
void wn_instance_close(wn_instance *instance); /* zeroed is fine; leaves a host's alone */

winnow_status wn_device_calls_load(const wn_host *host, const wn_instance *instance,
                                   VkDevice device, wn_vk_device_calls *out);

/* status.c: what a VkResult means to our caller; logs one sentence that names the call. */
winnow_status wn_vk_fail(const wn_host *host, VkResult result, const char *call);
winnow_status wn_vk_status(VkResult result);

/* Jumps to `fail` with `status` set if the call does not give VK_SUCCESS. */
#define WN_VK(host, table, name, ...)                        \
    do {                                                     \
        const VkResult result_ = (table)->name(__VA_ARGS__); \
        if (result_ != VK_SUCCESS) {                         \
            status = wn_vk_fail(host, result_, "vk" #name);  \
            goto fail;                                       \
        }                                                    \
    } while (0)

#endif
