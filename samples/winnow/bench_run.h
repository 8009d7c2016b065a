/* One measurement of the bench. */
#ifndef WINNOW_BENCH_RUN_H
#define WINNOW_BENCH_RUN_H

#include "bench_inputs.h"
#include "engine.h"

typedef struct bench_figures {
    char skipped[ENGINE_MESSAGE_SIZE]; /* why the device cannot do it; "" when it was measured */
    bool failed;                       /* it planned, but the run failed: a defect */
    uint32_t repetitions, rows, dispatches, submissions;
    double gpu_ms, wall_ms; /* medians; gpu_ms is 0 without timestamps */
    uint64_t floor_bytes, workspace_bytes;
} bench_figures;

/* Runs `spec` at least 5 times, fewer when one takes over 2 seconds; `once`: a single run. */
void bench_run(bench_figures *out, engine *e, const char *spec, bench_inputs *inputs, bool once);

/* A decode stage, a step at a time: 8192 columns of which 6272 are visual. */
void bench_run_kv(bench_figures *out, engine *e, const char *spec, bool quick);

#endif /* WINNOW_BENCH_RUN_H */
