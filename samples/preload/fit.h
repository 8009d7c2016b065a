/* fit.h: rows that a pipeline gave, cut or filled to the number that a program was promised. */
#ifndef FIT_H
#define FIT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fit_rows {
    float *rows;      /* [count, width] */
    int32_t *sources; /* [count]: token numbers, -1 the class token, -2 the pooled rest */
    uint32_t count, width;
} fit_rows;

/* Writes exactly `count` rows in raster order to the front of `rows` [n, width], the tokens that
 * they came from. Too many: evenly spaced ones of them go on. Too few: tokens that did not get
 * through are added, evenly spaced. False: out of memory; `rows` is as it was. 1 <= count <= n. */
bool fit(const fit_rows *given, uint32_t n, float *rows, uint32_t count, int32_t *sources);

/* Number i of `count` evenly spaced ones of n; count <= n gives no number twice. */
uint32_t fit_even(uint32_t n, uint32_t count, uint32_t i);

#endif /* FIT_H */
