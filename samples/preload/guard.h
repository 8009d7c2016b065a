/* guard.h: libmtmd calls its own exports, and those calls come to us too. Inside one of its
 * functions they must get the true answers: a batch computes from counts where rows begin. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>

/* Until the end of the block, also where a C++ exception ends it, this thread is inside libmtmd. */
#define GUARD __attribute__((cleanup(guard_leave), unused)) const int guard_here = guard_enter()

int guard_enter(void);
void guard_leave(const int *depth);
bool guard_inside(void);

#endif /* GUARD_H */
