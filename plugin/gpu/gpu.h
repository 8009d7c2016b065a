/* gpu.h: what plan.c and api.c need of Vulkan beyond wn_gpu_backend: the host's device, buffers,
 * command buffers and semaphores (winnow_vulkan.h). A wn_exec here is one of wn_gpu_backend's.
 */
#ifndef WN_GPU_H
#define WN_GPU_H

#ifndef VK_NO_PROTOTYPES
#    define VK_NO_PROTOTYPES
#endif
#include "ops.h"
#include "winnow/winnow_vulkan.h"

/* A part of a VkBuffer with STORAGE_BUFFER usage. `bytes` bounds what a program may touch; words
 * that hold the last half of a 16-bit tensor are touched whole. */
typedef struct wn_gpu_span {
    VkBuffer buffer; /* VK_NULL_HANDLE: absent */
    uint64_t offset; /* bytes; a multiple of the element size */
    uint64_t bytes;
} wn_gpu_span;

/* By role and by output. The count word may be absent. */
typedef struct wn_gpu_buffers {
    wn_gpu_span in[WINNOW_ROLE_COUNT];
    wn_gpu_span out[WINNOW_OUT_COUNT];
} wn_gpu_buffers;

/* Bodies of winnow_ext_vulkan. */
void wn_gpu_wants(winnow_vk_wants *out);
winnow_status wn_gpu_borrow(const winnow_vk_borrow *desc, winnow_device **out);
winnow_status wn_gpu_device_handles(const winnow_device *device, winnow_vk_borrow *out);

/* Records a program on the host's buffers into its commands, with the constants inside them: the
 * commands may be submitted again and again. Submits, waits for and allocates nothing, but for a
 * pipeline that wn_exec_desc did not announce. Without push descriptors the descriptor sets of one
 * recording are reused by the eighth recording after it. */
winnow_status wn_gpu_record(wn_exec *exec, VkCommandBuffer commands, const wn_program *program,
                            const wn_gpu_buffers *buffers);

/* Records into the exec's own commands and submits them once; waits for the exec's last submission
 * before. `submit` (a host's struct) may be NULL: no semaphores. E_STATE: no queue. E_FEATURE: a
 * value that is not 0 without timeline semaphores. */
winnow_status wn_gpu_submit(wn_exec *exec, const wn_program *program, const wn_gpu_buffers *buffers,
                            const winnow_vk_submit *submit);

/* Waits for the last wn_gpu_submit. E_STATE: there was none. E_TIMEOUT: it goes on; wait again.
 * stats and count (K, NaN scores, 0, 0; from the program's emit_meta) may be NULL. Asked again, it
 * gives the same. */
winnow_status wn_gpu_wait(wn_exec *exec, uint64_t timeout_ns, wn_exec_stats *stats,
                          uint32_t count[4]);

#endif
