/* exec.h: the memory and commands of one plan on a GPU. */
#ifndef WN_GPU_EXEC_H
#define WN_GPU_EXEC_H

#include "gpu/gpu.h"
#include "gpu/job.h"
#include "gpu/memory.h"

/* Descriptor sets for one recording each, without push descriptors: the first are for the lanes' own
 * commands, the others take turns in the host's. */
enum { WN_GENERATIONS = 8 + WN_LANE_COUNT };

/* What a submission for host memory depends on, beside its operations. Equal bytes: equal commands. */
typedef struct wn_shape_key {
    uint64_t op_count;
    uint64_t const_words;
    uint64_t in_bytes[WINNOW_ROLE_COUNT];
    uint64_t out_bytes[WINNOW_OUT_COUNT];
    wn_fill fills[WN_FILLS_MOST];
} wn_shape_key;

/* What a run on host memory has to itself, so that the next may start before it ends. They take turns with the workspace:
 * the queue runs them one after the other. */
typedef struct wn_lane {
    wn_memory in[WINNOW_ROLE_COUNT], out[WINNOW_OUT_COUNT];
    wn_memory stage_in[WINNOW_ROLE_COUNT], stage_out[WINNOW_OUT_COUNT];
    wn_memory import[WINNOW_ROLE_COUNT]; /* the caller's pages, during a run */
    wn_memory consts;                    /* on their way to W */
    wn_job job;                          /* job.gpu NULL: no queue, or a lane that was not taken */
    wn_op *recorded;                     /* operations in the job's commands; ops_most of them */
    wn_shape_key key;
    bool key_holds;      /* the job's commands are those of `recorded` and `key` */
    wn_exec_stats stats; /* of what the job's commands do */
} wn_lane;

struct wn_exec {
    wn_gpu *gpu;
    uint32_t flags;
    uint32_t ops_most; /* operations that a program may have */
    uint64_t w_words;  /* words of W that one may use */
    bool cleared;    /* W, the history and the weights are zeroed, or commands to do so recorded */
    bool direct_in;  /* inputs are mapped: no staging */
    bool direct_out; /* outputs are */
    wn_memory w, matrix, history;
    wn_memory weights[WN_WEIGHT_PARTS];
    wn_memory trained;
    wn_memory count;     /* the count word where the host wants none */
    wn_memory counted;   /* { K, NaN scores } of wn_gpu_submit, mapped */
    uint32_t lane_count; /* of them, 2 with WINNOW_PLAN_OVERLAP */
    wn_lane lane[WN_LANE_COUNT];

    VkDescriptorPool pool; /* NULL with push descriptors */
    VkDescriptorSet *sets; /* WN_GENERATIONS * ops_most */
    uint32_t recordings;   /* in the host's commands */

    uint32_t *held;      /* the constants that W starts with, once all that was submitted is done */
    uint32_t held_words; /* of them; 0: not known */
    bool lent;           /* commands of the host's may write others at any time */
    bool submitted;      /* wn_gpu_submit was the first lane's last user */
};

/* Buffers that a program's slots stand for; those that an exec has of its own filled in. */
typedef struct wn_slots {
    wn_gpu_span span[WN_SLOT_COUNT];
} wn_slots;

/* record.c: the constants must already be in W, visible to shaders. `stats` may be NULL. */
winnow_status wn_record_ops(wn_exec *exec, VkCommandBuffer commands, const wn_program *program,
                            const wn_slots *slots, uint32_t generation, wn_exec_stats *stats);
void wn_record_fills(wn_exec *exec, VkCommandBuffer commands, const wn_program *program);
void wn_record_zero(wn_exec *exec, VkCommandBuffer commands); /* W, history, weights */
/* Between what came before in the queue and our first command; after uploads; after the last op. */
void wn_record_entry_barrier(wn_exec *exec, VkCommandBuffer commands);
void wn_record_upload_barrier(wn_exec *exec, VkCommandBuffer commands);
void wn_record_exit_barrier(wn_exec *exec, VkCommandBuffer commands);
void wn_record_read_barrier(wn_exec *exec, VkCommandBuffer commands); /* copies to the host */
/* Does the program fit the exec? E_INTERNAL says what does not. */
winnow_status wn_program_check(const wn_exec *exec, const wn_program *program);
/* buffers NULL: those of the lane. */
wn_slots wn_exec_slots(const wn_exec *exec, const wn_lane *lane, const wn_gpu_buffers *buffers);

/* transfer.c: host rows to mapped memory and back. */
winnow_status wn_upload(wn_exec *exec, wn_lane *lane, const wn_host_io *io, wn_slots *slots,
                        bool *imported);
void wn_upload_record(const wn_exec *exec, const wn_lane *lane, const wn_host_io *io);
void wn_upload_end(wn_exec *exec, wn_lane *lane); /* lets go of the caller's pages */
void wn_download_record(wn_exec *exec, const wn_lane *lane, const wn_host_io *io);
winnow_status wn_download(const wn_exec *exec, const wn_lane *lane, const wn_host_io *io);
uint64_t wn_in_bytes(const wn_host_rows *rows);
uint64_t wn_out_bytes(const wn_lane *lane, const wn_host_io *io, uint32_t output);

/* trained.c: takes the memory of WN_SLOT_TRAINED and fills it, once the job is there. */
winnow_status wn_trained_upload(wn_exec *exec, const wn_exec_desc *desc);

/* measure.c */
winnow_status wn_gpu_copy_bandwidth(winnow_device *device, uint64_t bytes, double *per_second);

#endif
