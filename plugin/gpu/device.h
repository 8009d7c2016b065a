/* device.h: what gpu/ knows of a physical device, and the device that it opens or borrows. */
#ifndef WN_GPU_DEVICE_H
#define WN_GPU_DEVICE_H

#include <pthread.h>

#include "device_features.h"
#include "gpu/coop.h"
#include "gpu/loader.h"
#include "ops.h"
#include "winnow/winnow_vulkan.h"

/* The descriptor set that all programs share (see shaders/common.glsl). */
enum {
    WN_BIND_A = 0,
    WN_BIND_B = 4,
    WN_BIND_W = 8,
    WN_BIND_OUT = 9,
    WN_BIND_C = 14,
    WN_BIND_COUNT = 15
};
enum { WN_WINDOWS = 4 };

/* A physical device as it is, whatever the caller masks. */
typedef struct wn_caps {
    uint32_t api; /* of the device, at most the instance's */
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    char driver[256];
    uint32_t features;     /* bits 1 << wn_feature that the device supports */
    uint32_t queue_family; /* UINT32_MAX: none computes */
    uint32_t timestamp_bits;
    uint32_t subgroup_size;
    VkSubgroupFeatureFlags subgroup_ops;
    bool subgroup_fixed;     /* all of the same size without asking */
    bool subgroup_control;   /* pipelines can require the size and full subgroups */
    uint32_t subgroups_most; /* in one workgroup, then */
    bool portability_subset; /* must be enabled where it is listed */
    uint32_t extensions;     /* bits 1 << wn_extension */
    uint64_t import_alignment;
    uint64_t max_buffer;             /* bytes one buffer and its memory can have */
    uint32_t coop_m, coop_n, coop_k; /* the cooperative matrices in use: f16 into f32 */
    char unusable[256];              /* empty, or why Winnow cannot run on it */
} wn_caps;

/* Extensions that we use where they are. */
enum wn_extension {
    WN_EXT_PUSH_DESCRIPTOR,
    WN_EXT_HOST_MEMORY,
    WN_EXT_TIMELINE,         /* in core from 1.2 */
    WN_EXT_SUBGROUP_CONTROL, /* in core from 1.3 */
    WN_EXT_DRIVER,           /* in core from 1.2 */
    WN_EXT_MAINTENANCE4,     /* in core from 1.3 */
    WN_EXT_PORTABILITY_SUBSET,
    WN_EXT_COOPERATIVE_MATRIX,
    WN_EXT_COUNT
};
extern const char *const wn_extension_names[WN_EXT_COUNT];

/* Features to enable, chained once and for all. */
typedef struct wn_enabled {
    VkPhysicalDeviceFeatures2 head;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_control;
    VkPhysicalDeviceShaderFloat16Int8Features float16;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative;
    const char *extensions[WN_EXT_COUNT];
    uint32_t extension_count;
} wn_enabled;

/* What an operation's shader is built as, for the matrices of a dispatch. */
enum wn_build { WN_BUILD_USUAL, WN_BUILD_WINDOWED, WN_BUILD_COOPERATIVE, WN_BUILD_COUNT };

typedef struct wn_gpu {
    winnow_device base; /* first: a winnow_device of backend GPU is a wn_gpu */
    wn_instance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    bool borrowed; /* instance and device are the host's */
    VkQueue queue; /* VK_NULL_HANDLE: record only */
    wn_vk_device_calls vk;
    wn_caps caps;
    wn_enabled enabled;
    uint32_t features;     /* bits 1 << wn_feature in use */
    uint32_t local[WN_GROUPING_COUNT]; /* invocations a workgroup */
    uint32_t groups_most;  /* workgroups of operations that any number can do (ROWS, TEAMS) */
    uint32_t window_shift; /* log2 of a window's words */

    /* Around the queue: ours, and the host's if it lent any. */
    pthread_mutex_t queue_lock;
    void (*lock_queue)(void *user);
    void (*unlock_queue)(void *user);
    void *queue_user;

    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipelineCache cache;
    char *cache_path;      /* NULL: not kept in a file */
    uint64_t *cache_names; /* of the pipelines in it, under cache_lock */
    size_t cache_count, cache_room;
    bool cache_grew; /* beyond what the file had */
    /* Made on demand under cache_lock, shared by all plans, destroyed with the device. */
    pthread_mutex_t cache_lock;
    VkPipeline pipelines[WN_OP_COUNT][WINNOW_DTYPE_COUNT][WINNOW_DTYPE_COUNT][WINNOW_DTYPE_COUNT]
                        [2]; /* by types of A, B and C, and whether A or B is windowed */
} wn_gpu;

/* caps.c: asks the physical device for everything. E_HOST_MEMORY, or what Vulkan says. */
winnow_status wn_caps_read(const wn_host *host, const wn_instance *instance,
                           VkPhysicalDevice physical, wn_caps *out);
/* What a device of ours makes use of under a mask. */
uint32_t wn_caps_wanted(const wn_caps *caps, uint32_t mask);
/* How the ABI tells it; `mask` are the features that the caller disables. */
uint32_t wn_caps_loop_limit(const wn_caps *caps); /* winnow_device.loop_limit */
/* SwiftShader compiles a broadcast, or a branch, inside nested loops for minutes: it gets neither. */
bool wn_caps_slow_compiler(const wn_caps *caps);
void wn_caps_info(const wn_caps *caps, uint32_t mask, winnow_device_info *out);

/* device.c: the part of creation that ours and borrowed devices share. gpu->instance, physical,
 * device, queue, caps and features are set; on failure the caller destroys the device. */
winnow_status wn_gpu_finish(wn_gpu *gpu, uint32_t mask);
void wn_gpu_destroy(winnow_device *device);
winnow_status wn_gpu_init(wn_gpu *gpu, const wn_host *host); /* locks and backend */

void wn_gpu_lock(wn_gpu *gpu);
void wn_gpu_unlock(wn_gpu *gpu);

static inline bool wn_gpu_has(const wn_gpu *gpu, enum wn_feature feature)
{
    return (gpu->features >> feature & 1u) != 0;
}

/* cache.c: writes what was added into the host's file, if it named one. */
void wn_gpu_cache_save(wn_gpu *gpu);
/* A pipeline was made. Under cache_lock. */
void wn_gpu_cache_note(wn_gpu *gpu, const void *code, size_t code_bytes, const void *constants,
                       size_t constant_bytes);

/* program.c */
winnow_status wn_layouts_create(wn_gpu *gpu);
void wn_programs_destroy(wn_gpu *gpu); /* layouts, pipelines; half made is fine */
/* What a pipeline is made for: the types of A, B and C (WINNOW_F32 where there is none). */
typedef struct wn_types {
    uint32_t a, b, c;
    bool windowed;
} wn_types;
bool wn_cooperative_runs(const wn_gpu *gpu); /* the device has what their shader declares */
/* Whether an operation on such matrices is done by cooperative matrices: a workgroup then makes
 * WN_COOP_TILE rows and columns, whatever its grouping says. */
bool wn_is_cooperative(const wn_gpu *gpu, uint32_t kind, const wn_types *types);
/* The pipeline of an operation, made if it is not there. [any-thread] */
winnow_status wn_pipeline_get(wn_gpu *gpu, uint32_t kind, const wn_types *types, VkPipeline *out);
/* Makes all that runs of the desc's programs or of smaller ones can need. */
winnow_status wn_pipelines_prepare(wn_gpu *gpu, const wn_exec_desc *desc);
/* C has no windows: E_UNSUPPORTED where it spans more bytes than one binding. */
winnow_status wn_check_c(const wn_gpu *gpu, uint32_t kind, uint64_t bytes);

#endif
