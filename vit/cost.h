/* cost.h: what a program costs, read off its operations. */
#ifndef WN_VIT_COST_H
#define WN_VIT_COST_H

#include "ops.h"

/* Multiply-adds of matrix products and attention, of as many rows as there can be where a stage
 * decides. */
uint64_t wn_multiply_adds(const wn_program *program);

#endif
