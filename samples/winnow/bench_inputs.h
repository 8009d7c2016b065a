/* Inputs of the bench: the same numbers on every machine. */
#ifndef WINNOW_BENCH_INPUTS_H
#define WINNOW_BENCH_INPUTS_H

#include <stdbool.h>

#include <winnow/winnow.h>

typedef struct bench_inputs {
    winnow_shape shape;
    int32_t dtype;
    void *data[WINNOW_ROLE_COUNT]; /* made when first asked for */
} bench_inputs;

/* Makes the roles in `bits` that are not there yet. False: out of memory. */
bool bench_inputs_make(bench_inputs *inputs, uint32_t bits);
void bench_inputs_free(bench_inputs *inputs);

#endif /* WINNOW_BENCH_INPUTS_H */
