/* What the bench runs: a spec for each stage, and the shapes. */
#ifndef WINNOW_BENCH_CASES_H
#define WINNOW_BENCH_CASES_H

#include <stddef.h>

#include "engine.h"

typedef struct bench_shape {
    winnow_shape shape; /* tokens alone; the roles' own sizes are the same everywhere */
    bool video;         /* temporal stages run here; image stages everywhere */
} bench_shape;

/* The shapes of a full or a quick bench. */
const bench_shape *bench_shapes(bool quick, size_t *count);

/* A spec that parses for the stage, into text[size]; false: none was found. */
bool bench_spec(engine *e, const char *stage, char *text, size_t size);

#endif /* WINNOW_BENCH_CASES_H */
