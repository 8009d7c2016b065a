/* The variables that the library listens to (README.md). */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"

typedef struct settings {
    bool verbose;
    int32_t backend; /* WINNOW_BACKEND_* */
    rule rule;
} settings;

/* False: nothing is to be reduced: no variable asks for it, or one of them is wrong, which a line
 * says. */
bool settings_read(settings *s);

#endif /* SETTINGS_H */
