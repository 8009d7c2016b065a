/* winnow_vulkan.h: extension "winnow.vulkan/1": the host's own VkDevice, buffers and command buffers.
 *
 *     const winnow_ext_vulkan *vk = api->get_extension(WINNOW_EXT_VULKAN);
 *
 * The host keeps its instance, device and queue; Winnow only borrows them and frees nothing of
 * theirs. A borrowed device needs Vulkan 1.1 and a compute queue; what else helps is listed by
 * device_wants(). Tensors are VkBuffers with STORAGE_BUFFER usage, in any memory.
 */
#ifndef WINNOW_VULKAN_H
#define WINNOW_VULKAN_H

#include <vulkan/vulkan_core.h>

#include "winnow.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WINNOW_EXT_VULKAN "winnow.vulkan/1"

/* What the host lends. Handles must outlive the winnow_device. */
typedef struct winnow_vk_borrow {
    uint32_t struct_size;
    uint32_t api_version; /* VkApplicationInfo::apiVersion of the instance; at least VK_API_VERSION_1_1 */
    const winnow_host *host; /* NULL: defaults */
    const char *disable;     /* as in winnow_device_desc */
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    VkInstance instance;
    VkPhysicalDevice physical_device;
    VkDevice device;
    VkQueue queue; /* VK_NULL_HANDLE: record only; plan_submit, plan_run and encoders then fail with E_STATE */
    uint32_t queue_family;
    uint32_t extension_count;       /* enabled on the device */
    const char *const *extensions;
    const VkPhysicalDeviceFeatures2 *features; /* enabled, with its pNext chain; NULL: none */
    /* Called around every use of `queue` if set; NULL: Winnow alone uses it. */
    void (*lock_queue)(void *user);
    void (*unlock_queue)(void *user);
    void *queue_user;
} winnow_vk_borrow;

/* What makes Winnow faster when the host enables it on its device; all optional. */
typedef struct winnow_vk_wants {
    uint32_t struct_size;
    uint32_t extension_count;
    const char *const *extensions; /* enable those that the device has */
    VkBool32 storage16;            /* VkPhysicalDevice16BitStorageFeatures::storageBuffer16BitAccess */
    VkBool32 timeline_semaphore;   /* needed by plan_submit with timeline semaphores */
} winnow_vk_wants;

/* A tensor in a VkBuffer. Memory is bound in whole 32-bit words: the buffer must reach to the end of the
 * word in which a 16-bit tensor ends (what else is in that word stays as it is). */
typedef struct winnow_vk_tensor {
    VkBuffer buffer;     /* VK_NULL_HANDLE: absent */
    uint64_t offset;     /* bytes; a multiple of the element size (of 4 for 32-bit outputs) */
    uint64_t row_stride; /* bytes between rows of the last dimension; 0: packed; a multiple of the element size */
    uint64_t bytes;      /* from offset to the end of what may be touched */
} winnow_vk_tensor;

typedef struct winnow_vk_run {
    uint32_t struct_size;
    uint32_t reserved;
    winnow_shape shape;
    winnow_vk_tensor in[WINNOW_ROLE_SLOTS];
    winnow_vk_tensor out[WINNOW_OUT_COUNT]; /* OUT_COUNT_WORD gives the row count to hosts that stay on the GPU */
} winnow_vk_run;

/* One submission of ours. Semaphores may be timeline (value used) or binary (value 0). */
typedef struct winnow_vk_submit {
    uint32_t struct_size;
    uint32_t wait_count;
    const VkSemaphore *wait_semaphores;
    const uint64_t *wait_values;
    const VkSemaphore *signal_semaphores;
    const uint64_t *signal_values;
    uint32_t signal_count;
    uint32_t reserved;
} winnow_vk_submit;

typedef struct winnow_ext_vulkan {
    uint32_t struct_size;
    uint32_t reserved;

    void (*device_wants)(winnow_vk_wants *out); /* [any-thread] */

    /* A device on the host's VkDevice. device_destroy leaves the VkDevice alone. [any-thread] */
    winnow_status (*device_borrow)(const winnow_vk_borrow *desc, winnow_device **out);

    /* The handles of a device, ours or borrowed: for hosts that want to use a device of ours.
     * [any-thread] */
    winnow_status (*device_handles)(const winnow_device *device, winnow_vk_borrow *out);

    /* Records the whole pipeline into `commands` (recording state, compute queue family, outside a
     * render pass). Submits, waits for and allocates nothing. The inputs must be visible to compute
     * shader reads before it (the host's barrier); the outputs are visible to compute shader reads
     * and transfers after it (our barrier). The plan's workspace is in use until the commands have
     * run: the same plan must not be recorded again into commands that can run at the same time,
     * nor with another shape before these have finished. [object] */
    winnow_status (*plan_record)(winnow_plan *plan, VkCommandBuffer commands,
                                 const winnow_vk_run *run);

    /* Records into a command buffer of the plan's and submits it once to the device's queue, with
     * the given semaphores; returns at once. The next plan_submit of the same plan waits for it.
     * [object] */
    winnow_status (*plan_submit)(winnow_plan *plan, const winnow_vk_run *run,
                                 const winnow_vk_submit *submit);

    /* Waits for the last plan_submit, and fills result if not NULL. [object] */
    winnow_status (*plan_wait)(winnow_plan *plan, uint64_t timeout_ns, winnow_result *result);
} winnow_ext_vulkan;

#ifdef __cplusplus
}
#endif

#endif /* WINNOW_VULKAN_H */
