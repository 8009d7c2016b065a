/* chosen_plan.h: bytes choose a pipeline, a shape and numbers, for tests that try what nobody would. */
#ifndef WN_TESTS_FUZZ_CHOSEN_PLAN_H
#define WN_TESTS_FUZZ_CHOSEN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "winnow/winnow.h"

/* Bytes that are read one by one; behind the end there are zeros. */
typedef struct chosen_by {
    const uint8_t *data;
    size_t size, at;
} chosen_by;

/* The next byte, as a number below `below`. */
uint32_t chosen_next(chosen_by *by, uint32_t below);

/* What stages are chosen from; %u is a small number, %% a percent sign. Each that runs on tokens behind an encoder, without weights,
 * has a row. */
extern const char *const chosen_stages[];
extern const size_t chosen_stage_count;

/* One to three stages. */
void chosen_spec(chosen_by *by, char *spec, size_t size);

/* At most 5 frames of 7 x 7 tokens of 9 numbers. */
winnow_shape chosen_shape(chosen_by *by);

/* Numbers of a role, f32, of that shape. */
uint64_t chosen_elements(const winnow_shape *shape, uint32_t role);

#endif
