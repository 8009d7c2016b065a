/* plan.h: a pipeline frozen for a device and a largest shape. */
#ifndef WN_PLAN_H
#define WN_PLAN_H

#include "build_program.h"

struct winnow_plan {
    wn_host host;
    winnow_device *device;
    winnow_pipeline pipeline; /* a copy: the caller's may go */
    winnow_plan_desc desc;
    uint32_t roles_used;  /* given and read by some stage */
    wn_build build;       /* of the last shape; memory of the largest */
    wn_build_input built; /* what it was built for */
    bool is_built;
    wn_program program;
    uint64_t w_words, matrix_bytes; /* taken */
    /* Rows that go straight into the output have no matrix: then all runs are host runs, on a backend that packs rows,
     * and write the tokens wanted or not. */
    bool straight;
    uint32_t ops_most;
    uint32_t rows_most; /* of any run: fewer frames can leave more rows than all of them */
    wn_exec *exec;
    winnow_plan_info info;
    bool in_stream;
};

/* What a run needs said beside the shape. */
typedef struct wn_run_layout {
    uint64_t in_stride[WINNOW_ROLE_COUNT]; /* elements; 0: packed */
    uint64_t out_stride;
    bool out_odd, out_padded;
    uint32_t outputs; /* wanted this time */
    bool streaming;
    uint32_t frames_before;
} wn_run_layout;

/* Makes plan->program the program for this run, building it anew only where something changed. */
winnow_status wn_plan_prepare(winnow_plan *plan, const winnow_shape *shape,
                              const wn_run_layout *layout);

uint32_t wn_element_bytes(int32_t dtype);
/* Bytes between the rows of tokens in the backend's own output. */
uint64_t wn_plan_device_stride(const winnow_plan *plan);

/* The functions of the table. */
winnow_status wn_plan_create(winnow_device *device, const winnow_pipeline *pipeline,
                             const winnow_plan_desc *desc, winnow_plan **out);
void wn_plan_destroy(winnow_plan *plan);
winnow_status wn_plan_info(const winnow_plan *plan, winnow_plan_info *out);
winnow_status wn_plan_run(winnow_plan *plan, const winnow_run *run, winnow_result *result);
winnow_status wn_stream_create(winnow_plan *plan, winnow_stream **out);
void wn_stream_destroy(winnow_stream *stream);
winnow_status wn_stream_push(winnow_stream *stream, const winnow_run *run, winnow_result *result);
winnow_status wn_stream_reset(winnow_stream *stream);
winnow_status wn_stream_begin(winnow_stream *stream, const winnow_run *run);
winnow_status wn_stream_end(winnow_stream *stream, winnow_result *result);
winnow_status wn_kv_create(winnow_device *device, const winnow_pipeline *pipeline,
                           const winnow_kv_desc *desc, winnow_kv **out);
void wn_kv_destroy(winnow_kv *kv);
winnow_status wn_kv_step(winnow_kv *kv, winnow_kv_step *step);
winnow_status wn_kv_reset(winnow_kv *kv);

/* Tables of extensions. */
const void *wn_ext_vulkan(void);
const void *wn_ext_encoder(void);
const void *wn_ext_measure(void);

/* The core table, by the major that the host speaks. */
const winnow_api *wn_get_api(uint32_t host_abi);

#endif
