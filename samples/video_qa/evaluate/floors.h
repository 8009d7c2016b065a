/* Reductions that look at nothing: what a method has to beat. `random=keep=25%` takes any rows,
 * `uniform=keep=64` evenly spaced ones, both in order. */
#ifndef VIDEO_QA_FLOORS_H
#define VIDEO_QA_FLOORS_H

#include <stdbool.h>
#include <stdint.h>

#include "../film.h"

typedef enum floor_kind { FLOOR_NONE, FLOOR_RANDOM, FLOOR_UNIFORM } floor_kind;

typedef struct floor_spec {
    floor_kind kind;
    double keep;
    bool is_share; /* of all rows; else a number */
} floor_spec;

/* True if the spec names a floor; *good is false where it is a wrong one, after a line. */
bool floor_read(const char *spec, floor_spec *out, bool *good);

/* Some of a film's tokens, which film_encode made. The same seed takes the same. film_rows_free in
 * any case. */
bool floor_reduce(film_rows *out, const film_rows *all, const floor_spec *spec, uint64_t seed);

#endif /* VIDEO_QA_FLOORS_H */
