/* One measurement of the bench. */
#ifndef WINNOW_BENCH_RUN_H
#define WINNOW_BENCH_RUN_H

#include "bench_inputs.h"
#include "engine.h"

typedef struct bench_figures {
    char skipped[ENGINE_MESSAGE_SIZE]; /* why the device cannot do it; "" when it was measured */
    bool failed;                       /* it planned, but the run failed: a defect */
    uint32_t repetitions, rows, dispatches, submissions;
    uint32_t barriers; /* between the operations of a run */
    uint32_t
        recorded; /* runs that recorded their commands, of first + repetitions; the first does */
    double gpu_ms, wall_ms; /* medians; gpu_ms is 0 without timestamps */
    double first_ms;        /* of the first run */
    double start_ms;        /* from nothing but a device to the first result; 0: not taken */
    uint64_t floor_bytes, workspace_bytes;
} bench_figures;

/* What a measurement repeats. */
typedef struct bench_call {
    winnow_status (*run)(void *user, winnow_result *result);
    void *user;
} bench_call;

/* Fills repetitions, rows, times, dispatches and submissions. */
void bench_measure(bench_figures *out, engine *e, const bench_call *call, bool once);
/* Leaves it out, with the library's sentence on why. */
void bench_skip(bench_figures *out, engine *e, const char *what, winnow_status status);

/* Runs `spec` at least 5 times, fewer when one takes over 2 seconds; `once`: a single run. */
void bench_run(bench_figures *out, engine *e, const char *spec, bench_inputs *inputs, bool once);

/* A decode stage, a step at a time: 8192 columns of which 6272 are visual. */
void bench_run_kv(bench_figures *out, engine *e, const char *spec, bool quick);

#endif /* WINNOW_BENCH_RUN_H */
