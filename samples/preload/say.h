/* Lines on stderr, "winnow-mtmd: WHAT: WHY (WHAT TO DO)". */
#ifndef SAY_H
#define SAY_H

#include <stdbool.h>

/* One line, whole even where several threads say something. Returns false. */
__attribute__((format(printf, 1, 2))) bool say(const char *format, ...);

/* Milliseconds of a clock that only goes forward. */
double say_clock(void);

#endif /* SAY_H */
