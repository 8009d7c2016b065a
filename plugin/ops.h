/* ops.h: primitive operations, programs of them, and what a backend does with a program.
 *
 * A pipeline for one shape becomes a wn_program: a flat list of operations on one word workspace
 * W, one matrix workspace, and the host's tensors. cpu/ walks the list in plain C; gpu/ records it,
 * one dispatch an operation, one submission a program. What each operation computes is said in
 * shaders/ops_args.h and nowhere else.
 */
#ifndef WN_OPS_H
#define WN_OPS_H

#include "../shaders/ops_args.h"
#include "host.h"

#define OP(name, grouping) WN_OP_##name,
enum wn_op_kind {
#include "../shaders/ops.def"
    WN_OP_COUNT
};
#undef OP

enum wn_grouping { WN_THREADS, WN_LANES, WN_GROUPS, WN_ROWS, WN_TEAMS, WN_GROUPING_COUNT };

static inline uint64_t wn_larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#define WN_WEIGHT_PARTS 16 /* buffers that an encoder's weights may be spread over */

/* Where a matrix lives. Slots of inputs come first, by role. */
enum wn_slot {
    WN_SLOT_IN = 0,                                  /* + WINNOW_ROLE_* */
    WN_SLOT_OUT = WINNOW_ROLE_COUNT,                 /* + WINNOW_OUT_* */
    WN_SLOT_MATRIX = WN_SLOT_OUT + WINNOW_OUT_COUNT, /* matrix workspace of the plan */
    WN_SLOT_HISTORY, /* frames that a stream remembers; lives between runs */
    WN_SLOT_WEIGHTS, /* + 0 .. WN_WEIGHT_PARTS-1: an encoder's; written by its loading programs */
    WN_SLOT_TRAINED = WN_SLOT_WEIGHTS + WN_WEIGHT_PARTS, /* of a pipeline's stages; only read */
    WN_SLOT_COUNT,
    WN_SLOT_NONE = 255
};

/* The part of a slot that an operation's A, B or C is bound to. Strides and bases are in the args. */
typedef struct wn_ref {
    uint8_t slot;    /* wn_slot, WN_SLOT_NONE: unused */
    uint8_t dtype;   /* WINNOW_F32, F16, BF16 or I32 (words) */
    uint64_t offset; /* bytes from the slot's start; a multiple of the element size */
    uint64_t bytes;  /* that the operation may touch */
} wn_ref;

#define WN_ARGS_WORDS 32 /* 128 bytes: the push constants that every device has */
/* Words of every operation's arguments (WN_HEAD, WN_HEAD3); backends fill the bases. */
enum { WN_ARG_A_STRIDE = 1, WN_ARG_B_STRIDE = 3, WN_ARG_C_STRIDE = 5 };

typedef struct wn_op {
    uint16_t kind;       /* wn_op_kind */
    uint16_t barrier;    /* 1: must see the writes of operations since the last barrier */
    uint32_t items;      /* see ops.def's grouping; 0: nothing to do (not dispatched) */
    uint32_t args_bytes; /* sizeof the kind's args */
    uint32_t args[WN_ARGS_WORDS];
    wn_ref a, b;
    wn_ref c; /* read; operations with a WN_HEAD3 alone have one, and bytes 0 means none */
} wn_op;

/* Words of W that have one value before the first operation of every run. */
typedef struct wn_fill {
    uint32_t at, words, value;
} wn_fill;

#define WN_FILLS_MOST 6

/* The operations from emit_first on write outputs of the host that earlier ones do not read. */
typedef struct wn_program {
    wn_op *ops;
    uint32_t op_count;
    uint32_t emit_first;
    uint32_t barriers;
    /* At the start of W before the first operation of each run. No operation writes them, so that
     * they may stay there between runs. */
    const uint32_t *consts;
    uint32_t const_words;
    uint32_t fill_count;
    wn_fill fills[WN_FILLS_MOST];
    uint64_t w_words;      /* W as a whole; at most UINT32_MAX */
    uint64_t matrix_bytes; /* WN_SLOT_MATRIX */
    uint32_t count_at;     /* word of W that holds the number of rows before emit_first */
} wn_program;

/* One tensor of a run in host memory, as `rows` rows of `row_bytes`, `stride` bytes apart. */
typedef struct wn_host_rows {
    void *data; /* NULL: absent */
    uint64_t rows;
    uint64_t row_bytes;
    uint64_t stride;
} wn_host_rows;

/* Inputs, and outputs whose `rows` is the capacity; out[WINNOW_OUT_COUNT_WORD] is always present
 * on a pipeline's run: 1 row of 16 bytes, internal. rows of outputs in use follow from the count. */
typedef struct wn_host_io {
    wn_host_rows in[WINNOW_ROLE_COUNT];
    wn_host_rows out[WINNOW_OUT_COUNT];
    uint32_t
        count_outputs; /* bits 1 << WINNOW_OUT_*: only count[0] rows are copied back, and if the
                               capacity is smaller E_TOO_SMALL comes back with nothing copied;
                               other outputs are copied whole */
    uint64_t tokens_stride; /* between the tokens' rows where the backend packs them; 0: row_bytes */
} wn_host_io;

typedef struct wn_exec_stats {
    uint64_t gpu_ns;
    uint32_t dispatches;
    uint32_t submissions;
    uint32_t recorded; /* 1: the commands were recorded for this run; 0: those of one before it */
} wn_exec_stats;

enum { WN_LANE_COUNT = 2 }; /* runs on host memory that can be under way at once (WINNOW_PLAN_OVERLAP) */

/* What a plan, stream, kv or encoder asks memory for, once. */
typedef struct wn_exec_desc {
    uint32_t flags;                       /* WINNOW_PLAN_* */
    const wn_program *program;            /* the largest */
    uint32_t op_room, const_room; /* operations and constants of others, if they have more */
    uint64_t scratch_room;        /* and what one of their operations wants: see scratch_bytes */
    uint64_t history_bytes;               /* WN_SLOT_HISTORY, zeroed; 0: none */
    uint64_t weight_bytes[WN_WEIGHT_PARTS]; /* WN_SLOT_WEIGHTS + i, zeroed; 0: none */
    /* WN_SLOT_TRAINED: host memory that lives as long as the exec. Plain C reads it there, a GPU has a copy. */
    const void *trained;
    uint64_t trained_bytes;               /* 0: none */
    uint64_t in_bytes[WINNOW_ROLE_COUNT]; /* packed, largest; 0: absent */
    uint64_t out_bytes[WINNOW_OUT_COUNT];
    /* Types that A and B of any later, smaller program can have: bits 1 << WINNOW_F32.. */
    uint32_t a_types, b_types;
    const wn_program *others; /* more programs whose pipelines are made at once; may be NULL */
    uint32_t other_count;
} wn_exec_desc;

typedef struct wn_exec wn_exec; /* a backend's memory and state for one plan */

/* What gpu/ and cpu/ implement. An exec is used by one thread at a time; a device by any. */
typedef struct wn_backend {
    int32_t id; /* WINNOW_BACKEND_GPU or _CPU */
    void (*device_destroy)(winnow_device *device);

    /* Takes all memory. *out NULL on failure. W is zeroed once. */
    winnow_status (*exec_create)(winnow_device *device, const wn_exec_desc *desc, wn_exec **out);
    void (*exec_destroy)(wn_exec *exec); /* NULL is fine; waits for work of ours in flight */

    /* Host memory in and out, one submission, waits. The program fits desc->program's sizes. In a
     * program for host runs the refs of inputs and outputs are packed (GPU) or as in io (CPU): see
     * `packs_rows`. */
    winnow_status (*exec_run)(wn_exec *exec, const wn_program *program, const wn_host_io *io,
                              wn_exec_stats *stats);
    /* exec_run in two: exec_start returns once its work is on its way, exec_end waits for it and writes the outputs. A lane
     * that was started must end before it starts again, and before exec_run; what lanes do happens in the order of their
     * starts. `program` may change after exec_start, `io` points to the caller's memory until exec_end. NULL: exec_run
     * waits for no device, so there is nothing to overlap. */
    winnow_status (*exec_start)(wn_exec *exec, uint32_t lane, const wn_program *program,
                                const wn_host_io *io);
    winnow_status (*exec_end)(wn_exec *exec, uint32_t lane, const wn_host_io *io,
                              wn_exec_stats *stats);
    winnow_status (*copy_bandwidth)(winnow_device *device, uint64_t bytes,
                                    double *bytes_per_second);
    uint64_t (*scratch_bytes)(const wn_op *op); /* host memory that one operation wants; NULL: none */
    bool packs_rows; /* true: exec_run copies rows to packed staging memory first */
    uint64_t (*exec_bytes)(const wn_exec *exec, uint64_t *staging); /* device memory taken */
} wn_backend;

/* The head of every device; gpu/ and cpu/ put theirs behind it. */
struct winnow_device {
    wn_host host;
    const wn_backend *backend;
    winnow_device_info info;
    uint64_t max_matrix; /* bytes that one A or B can span; UINT64_MAX in plain C */
    uint64_t max_w;      /* bytes that W can span */
    uint32_t
        loop_limit; /* loop iterations after which the driver stops an invocation; UINT32_MAX: never */
    uint32_t group_size; /* invocations of a GROUPS operation */
    bool lent;           /* the host's: it may record plans into commands of its own */
};

extern const wn_backend wn_cpu_backend;
extern const wn_backend wn_gpu_backend;

/* measure.c: operations a second of a large matrix product. */
winnow_status wn_product_rate(winnow_device *device, int32_t dtype, double *flops);

/* Tables by kind, from ops.def. */
const char *wn_op_name(uint32_t kind);
enum wn_grouping wn_op_grouping(uint32_t kind);

/* cpu/: the plain C device; disable: see device_features.h. */
winnow_status wn_cpu_device_create(const wn_host *host, const char *disable, winnow_device **out);
winnow_status wn_cpu_device_info(const wn_host *host, const char *disable, winnow_device_info *out);
/* For tests, before anything is made for the device: every operation that can be is cut into `parts`. */
void wn_cpu_device_share_all(winnow_device *device, uint32_t parts);

/* gpu/: a device of our own by selector ("" best; NULL best, but none that computes on the CPU), through the loader at
 * loader_path (NULL: the usual names). E_NO_DEVICE names what there is. */
winnow_status wn_gpu_device_create(const wn_host *host, const char *selector, const char *disable,
                                   const char *loader_path, winnow_device **out);
/* Appends the GPUs that the loader shows; *count as in winnow_api.device_list. No loader: 0 devices. */
winnow_status wn_gpu_device_list(const wn_host *host, const char *disable, const char *loader_path,
                                 winnow_device_info *infos, uint32_t capacity, uint32_t *count);

#endif
