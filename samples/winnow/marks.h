/* What became of each source token. */
#ifndef WINNOW_MARKS_H
#define WINNOW_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "reduction.h"

enum { MARK_DROPPED, MARK_KEPT, MARK_MERGED, MARK_COUNT };

typedef struct marks {
    uint32_t frames, grid_h, grid_w; /* rows of tokens; `times` pictures share one */
    uint32_t times;
    uint8_t *state;                 /* [T*N], MARK_* */
    const int32_t *row;             /* [T*N]: the reduction's assignment, borrowed */
    uint32_t *members;              /* [K]: tokens of each row */
    uint32_t (*counts)[MARK_COUNT]; /* [T] */
    uint64_t totals[MARK_COUNT];
} marks;

/* A token is kept if it is the source token of its row, else merged into that row. `times`:
 * pictures that a row of tokens stands for, 1 but with pairs of frames. False: out of memory. */
bool marks_create(marks *m, const reduction *r, uint32_t times);
void marks_destroy(marks *m);

/* Tokens of a picture by what became of them: [MARK_*]. */
const uint32_t *marks_counts(const marks *m, uint32_t picture);

/* Whether the token shares its row with others. */
bool marks_grouped(const marks *m, uint64_t token);

#endif /* WINNOW_MARKS_H */
