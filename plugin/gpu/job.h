/* job.h: a command buffer that is submitted to the device's queue and waited for. */
#ifndef WN_GPU_JOB_H
#define WN_GPU_JOB_H

#include "gpu/device.h"

typedef struct wn_job {
    wn_gpu *gpu;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkCommandBuffer before; /* recorded beside them; runs before them where `with_before` says so */
    bool with_before;       /* the next submission alone */
    VkFence fence;
    VkQueryPool stamps; /* VK_NULL_HANDLE: not timed */
    bool in_flight;
} wn_job;

enum { WN_STAMP_FIRST, WN_STAMP_LAST, WN_STAMP_COUNT };

/* On failure *job is zeroed, which wn_job_destroy takes. timing is ignored without timestamps. */
winnow_status wn_job_create(wn_gpu *gpu, bool timing, wn_job *job);
void wn_job_destroy(wn_job *job); /* waits for what is in flight */

/* A recording: it may be submitted any number of times, one after the other. */
winnow_status wn_job_begin(wn_job *job);
winnow_status wn_job_end(wn_job *job);
/* What goes into job->before: after wn_job_begin, which drops it, and before the submission. */
winnow_status wn_job_begin_before(wn_job *job);
winnow_status wn_job_end_before(wn_job *job);
void wn_job_stamp(wn_job *job, uint32_t stamp); /* when all that was recorded before is done */

/* `semaphores`: waits and signals of the submission, or NULL. Its commands are ours. */
winnow_status wn_job_submit(wn_job *job, const VkSubmitInfo *semaphores);
winnow_status wn_job_wait(wn_job *job, uint64_t timeout_ns); /* E_TIMEOUT: still in flight */
uint64_t wn_job_ns(wn_job *job); /* between the stamps of the last submission; 0: unknown */

#endif
