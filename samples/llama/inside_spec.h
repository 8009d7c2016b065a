/* A pipeline's spec in two: stages that work on rows, and behind them those inside the LLM. */
#ifndef INSIDE_SPEC_H
#define INSIDE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include <winnow/winnow.h>

enum { SPEC_SIZE = 256 };

typedef struct inside_specs {
    char *rows; /* the stages in front, to be freed; NULL: there are none */
    char prune[SPEC_SIZE], attend[SPEC_SIZE]; /* one stage each; "" if there is none */
    int32_t prune_layer;                      /* from 0; below 0 from behind */
} inside_specs;

/* False after a line. A stage that is not known counts as one of rows: the library tells of it. */
bool inside_spec_split(const winnow_api *api, const char *spec, inside_specs *out);

#endif /* INSIDE_SPEC_H */
