/* One run of a pipeline on host memory, with all that came out. */
#ifndef WINNOW_REDUCTION_H
#define WINNOW_REDUCTION_H

#include <winnow/winnow.h>

#include "engine.h"
#include "roles.h"

typedef struct reduction {
    winnow_shape shape; /* of the input */
    winnow_plan_info plan;
    winnow_result result; /* result.rows: K */
    double wall_ms;       /* of the run alone */
    double plan_ms;
    int32_t dtype;       /* of tokens */
    void *tokens;        /* [K,D'] */
    int32_t *indices;    /* [K] */
    float *sizes;        /* [K] */
    int32_t *positions;  /* [K,3] */
    int32_t *assignment; /* [T*N] */
} reduction;

typedef struct reduction_options {
    int32_t dtype; /* of the tokens that come out */
    int32_t order; /* WINNOW_ORDER_* */
} reduction_options;

/* Plans and runs. Returns an exit code and says why; reduction_free ends it in both cases. */
int reduction_run(reduction *out, engine *e, const winnow_pipeline *pipeline,
                  const role_inputs *inputs, const reduction_options *options);
void reduction_free(reduction *r);

/* Writes tokens, indices, sizes, positions, assignment, and the metadata. Exit code. */
int reduction_write(const reduction *r, const char *path, const char *spec, const engine *e);

#endif /* WINNOW_REDUCTION_H */
