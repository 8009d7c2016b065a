/* real.h: libmtmd's own functions, behind ours. */
#ifndef REAL_H
#define REAL_H

#include "mtmd_abi.h"

#define REAL_MEMBER(member, name, needed, result, arguments) result(*member) arguments;
typedef struct real_functions {
    MTMD_FUNCTIONS(REAL_MEMBER)
} real_functions;
#undef REAL_MEMBER

/* Those that can be found now; others are NULL. Looks again where libmtmd came later, by dlopen.
 * [any-thread] */
const real_functions *real_get(void);

/* Whether a libmtmd is in the process. */
bool real_is_there(void);

/* The first needed function that is missing, or NULL. */
const char *real_missing(void);

/* Unless `there`, ends the process, as the loader would: a program calls what no library has. */
void real_need(bool there, const char *name);

#endif /* REAL_H */
