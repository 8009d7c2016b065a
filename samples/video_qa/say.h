/* The one error line, and what llama.cpp says kept back for it. */
#ifndef VIDEO_QA_SAY_H
#define VIDEO_QA_SAY_H

#include <stdbool.h>
#include <stddef.h>

/* In front of every line; set once in main. */
extern const char *say_program;

/* Prints "PROGRAM: WHAT: WHY (WHAT TO DO)" on stderr as one line. Returns false. */
__attribute__((format(printf, 1, 2))) bool say_failed(const char *format, ...);

/* The same for what is no failure. */
__attribute__((format(printf, 1, 2))) void say_note(const char *format, ...);

/* From here on llama.cpp's log stays silent but for what say_llama_words gives. `verbose`: all of
 * it goes to stderr instead. */
void say_hush_llama(bool verbose);

/* " (llama.cpp says: ...)" with its last error, or "" if it named none; forgets it. */
const char *say_llama_words(void);

/* Milliseconds of a clock that only goes forward. */
double say_clock(void);

#endif /* VIDEO_QA_SAY_H */
