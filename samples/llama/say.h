/* The one error line, and what llama.cpp says kept back for it. */
#ifndef LLAMA_SAY_H
#define LLAMA_SAY_H

#include <stdbool.h>
#include <stddef.h>

#include <ggml.h>

/* In front of every line; set once in main. */
extern const char *say_program;

/* Prints "PROGRAM: WHAT: WHY (WHAT TO DO)" on stderr as one line. Returns false. */
__attribute__((format(printf, 1, 2))) bool say_failed(const char *format, ...);

/* The same for what is no failure. */
__attribute__((format(printf, 1, 2))) void say_note(const char *format, ...);

/* For llama_log_set (and mtmd_log_set, where that is used): llama.cpp's log stays silent but for what
 * say_llama_words gives. `verbose`: all of it goes to stderr too. */
ggml_log_callback say_llama_log(bool verbose);

/* " (llama.cpp says: ...)" with its last error, or "" if it named none; forgets it. */
const char *say_llama_words(void);

/* Milliseconds of a clock that only goes forward. */
double say_clock(void);

#endif /* LLAMA_SAY_H */
