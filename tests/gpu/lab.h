/* lab.h: what the tests of plugin/gpu share: a log, a program whose results are known, and a host
 * with a Vulkan device of its own. */
#ifndef WN_TESTS_GPU_LAB_H
#define WN_TESTS_GPU_LAB_H

#include "gpu/exec.h"

/* Keeps the last line of the log, so that a test can ask for words in it. */
typedef struct lab_log {
    char last[1024];
    unsigned lines;
} lab_log;
wn_host lab_host(lab_log *log);

/* A program: rows of `tokens` [ROWS, cols] that `picks` names go to the output in type `type`;
 * indices, sizes (2.0), positions, assignment and count beside them. W begins with constants. */
enum { LAB_ROWS = 11, LAB_PICKS = 5, LAB_COLS_MOST = 4096, LAB_OPS = 6 };
typedef struct lab_program {
    wn_program program;
    wn_op ops[LAB_OPS];
    uint32_t consts[64];
    uint32_t cols;
    uint32_t type;
    uint64_t in_row, out_row; /* bytes */
} lab_program;
extern const uint32_t lab_picks[LAB_PICKS];
void lab_make(lab_program *p, uint32_t cols, uint32_t type);
wn_exec_desc lab_desc(const lab_program *p, uint32_t flags);

/* Input and output in host memory, with rows `gap` bytes apart, and what must come out. */
typedef struct lab_data {
    unsigned char *in, *out;
    uint64_t in_stride, out_stride;
    int32_t indices[LAB_PICKS], positions[3 * LAB_PICKS], assignment[LAB_ROWS];
    float sizes[LAB_PICKS];
    uint32_t count[4];
} lab_data;
void lab_data_make(lab_data *d, const lab_program *p, uint64_t gap);
void lab_data_free(lab_data *d);
wn_host_io lab_io(lab_data *d, const lab_program *p);
unsigned lab_wrong(const lab_data *d, const lab_program *p); /* number of wrong values */

/* A host's instance and device; the features are what it enables. */
typedef struct lab_vulkan {
    wn_instance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    wn_caps caps;
    wn_vk_device_calls vk;
    VkPhysicalDeviceFeatures2 features;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    VkPhysicalDeviceShaderFloat16Int8Features float16;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative;
    const char *extensions[3]; /* push descriptors, timeline semaphores, cooperative matrices */
    uint32_t extension_count;
} lab_vulkan;
/* False, with a line on stderr, if there is none. */
bool lab_vulkan_open(const wn_host *host, bool rich, lab_vulkan *out);
void lab_vulkan_close(lab_vulkan *v);
winnow_vk_borrow lab_borrow(const lab_vulkan *v, const winnow_host *host);

/* Buffers of the host's for a lab_program, mapped; tensors do not start where the buffer does. */
typedef struct lab_buffers {
    wn_memory in, out[WINNOW_OUT_COUNT];
    wn_gpu_buffers spans;
} lab_buffers;
bool lab_buffers_make(wn_gpu *gpu, const lab_program *p, lab_buffers *out);
void lab_buffers_free(wn_gpu *gpu, lab_buffers *b);
void lab_buffers_put(wn_gpu *gpu, const lab_buffers *b, const lab_data *d, const lab_program *p);
void lab_buffers_get(wn_gpu *gpu, const lab_buffers *b, lab_data *d, const lab_program *p);

#endif
