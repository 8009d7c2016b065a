/* The one error line, and what llama.cpp says kept back for it. */
#ifndef SAY_H
#define SAY_H

#include <stdbool.h>
#include <stddef.h>

/* Prints "winnow-llama: WHAT: WHY (WHAT TO DO)" on stderr as one line. Returns false. */
__attribute__((format(printf, 1, 2))) bool say_failed(const char *format, ...);

/* From here on llama.cpp's log stays silent but for what say_llama_words gives. `verbose`: all of
 * it goes to stderr instead. */
void say_hush_llama(bool verbose);

/* " (llama.cpp says: ...)" with its last error, or "" if it named none; forgets it. */
const char *say_llama_words(void);

/* Milliseconds of a clock that only goes forward. */
double say_clock(void);

#endif /* SAY_H */
