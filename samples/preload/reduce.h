/* Winnow's side: rows of a chunk in, as many as were promised out. */
#ifndef REDUCE_H
#define REDUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

/* Tokens of a chunk; grid 0 x 0: none known. */
typedef struct chunk_shape {
    uint32_t tokens, grid_h, grid_w;
} chunk_shape;

/* What a chunk comes to. */
typedef struct promise {
    bool reduces;            /* false: it stays whole */
    uint32_t tokens;         /* at least 1 */
    uint32_t grid_h, grid_w; /* of what is left, 0 x 0 if it is no grid */
} promise;

/* Opens the device and tries the pipeline on rows of `width` floats. False after a line: it asks
 * for what llama.cpp does not hand out, or its count depends on the picture and no budget bounds
 * it. Once it was true it stays so; a wider width is tried again. [any-thread] */
bool reduce_open(const settings *s, uint32_t width);

/* The same at every call for a rule and shape. [any-thread] */
promise reduce_promise(const rule *r, const chunk_shape *shape);

/* Keeps p->tokens of the rows [shape->tokens, width], in place at their front, and writes
 * their sources: token numbers, -1 the class token, -2 the pooled rest. Where Winnow fails, after
 * a line, they are evenly spaced ones: the program has been promised so many. [any-thread] */
void reduce_rows(const rule *r, const chunk_shape *shape, const promise *p, uint32_t width,
                 float *rows, int32_t *sources);

#endif /* REDUCE_H */
