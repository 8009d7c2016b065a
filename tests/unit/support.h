/* support.h: a host for tests: counts memory, fails on demand, remembers the last line. */
#ifndef WINNOW_TESTS_UNIT_SUPPORT_H
#define WINNOW_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "winnow/winnow.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

typedef struct test_host {
    winnow_host host; /* give this one */
    size_t live;      /* blocks not released */
    size_t calls;     /* allocations asked for */
    size_t fail_at;   /* this one fails, counted from 1; 0: none */
    size_t late;      /* of those, while running (for tests to count) */
    int lines;        /* logged */
    char line[1024];  /* the last */
} test_host;

void test_host_open(test_host *host);

/* The table, from inside the library. */
const winnow_api *test_api(void);

/* A plain C device on `host` (NULL: defaults). */
winnow_device *test_device(const winnow_host *host);

/* A run, its tensors and its outputs, all of one block; sizes from a shape. */
typedef struct test_run {
    winnow_shape shape;
    uint32_t roles;
    winnow_run run;
    winnow_result result;
    void *memory;
    float *tokens; /* of the input */
    float *rows;   /* outputs */
    int32_t *indices, *positions, *assignment;
    float *sizes;
    uint32_t *count;
} test_run;

/* Inputs of `roles` are random numbers from `seed`; outputs hold `capacity` rows of `dim_out`. */
void test_run_open(test_run *run, const winnow_shape *shape, uint32_t roles, uint32_t seed,
                   uint32_t capacity, uint32_t dim_out);
void test_run_close(test_run *run);

/* Plan for the run's shape and roles with every output. */
winnow_status test_plan(winnow_device *device, const char *spec, const test_run *run,
                        uint32_t flags, winnow_plan **out);

/* A run of `spec` on plain C, whose weights are the blob (NULL: it has none), by a plan for `most` frames; the caller closes it.
 * status: of the pipeline, the plan or the run. Nothing is left on the host. */
winnow_status test_run_blob(test_host *host, const char *spec, const winnow_blob *blob,
                            uint32_t most, test_run *run);

/* The next of a series of numbers in -1..1. */
float test_random(uint32_t *state);

#endif
