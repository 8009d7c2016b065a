/* What became of each source token. */
#ifndef WINNOW_MARKS_H
#define WINNOW_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "reduction.h"

enum { MARK_DROPPED, MARK_KEPT, MARK_MERGED, MARK_COUNT };

typedef struct marks {
    uint32_t frames, grid_h, grid_w;
    uint8_t *state;                 /* [T*N], MARK_* */
    const int32_t *row;             /* [T*N]: the reduction's assignment, borrowed */
    uint32_t *members;              /* [K]: tokens of each row */
    uint32_t (*counts)[MARK_COUNT]; /* [T] */
    uint64_t totals[MARK_COUNT];
} marks;

/* A token is kept if it is the source token of its row, else merged into that row. False: out of
 * memory. */
bool marks_create(marks *m, const reduction *r);
void marks_destroy(marks *m);

/* Whether the token shares its row with others. */
bool marks_grouped(const marks *m, uint64_t token);

#endif /* WINNOW_MARKS_H */
