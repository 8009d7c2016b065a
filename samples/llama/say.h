/* The one error line. */
#ifndef LLAMA_SAY_H
#define LLAMA_SAY_H

#include <stdbool.h>

/* In front of every line; set once in main. */
extern const char *say_program;

/* Prints "PROGRAM: WHAT: WHY (WHAT TO DO)" on stderr as one line. Returns false. */
__attribute__((format(printf, 1, 2))) bool say_failed(const char *format, ...);

/* The same for what is no failure. */
__attribute__((format(printf, 1, 2))) void say_note(const char *format, ...);

/* Names and texts from outside end up in messages: none may break the line or steer a terminal.
 * Control bytes become spaces, and spaces at the end go. */
void say_flatten(char *text);

/* Milliseconds of a clock that only goes forward. */
double say_clock(void);

#endif /* LLAMA_SAY_H */
