/* What every command shares: exit codes, the one error line, suggestions, the clock. */
#ifndef WINNOW_CLI_H
#define WINNOW_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_BAD_USE = 2 };

#if defined(__GNUC__)
#    define CLI_PRINTF __attribute__((format(printf, 1, 2)))
#else
#    define CLI_PRINTF
#endif

/* Print "winnow: WHAT: WHY (WHAT TO DO)" on stderr, as one line whatever the arguments hold, and
 * return the exit code: CLI_FAILED or CLI_BAD_USE. */
int cli_fail(const char *format, ...) CLI_PRINTF;
int cli_misuse(const char *format, ...) CLI_PRINTF;

/* Of the `count` names (name(user, i)), the one that is closest to `word`, or NULL if none is near
 * enough to be what was meant. */
const char *cli_nearest(const char *word, const char *(*name)(const void *user, size_t index),
                        const void *user, size_t count);

/* Seconds of a clock that only goes forward. */
double cli_seconds(void);

/* "1.5 GiB" into text[size]; returns text. */
const char *cli_bytes(uint64_t bytes, char *text, size_t size);

/* a * b and a + b, false if they do not fit. */
bool cli_multiply(uint64_t a, uint64_t b, uint64_t *out);

/* malloc of count * size bytes, at least one; NULL on overflow or when there is none. */
void *cli_array(uint64_t count, uint64_t size);

/* Flushes stdout; a full disk or closed pipe behind it is a failure like any other. */
int cli_finish_stdout(void);

#endif /* WINNOW_CLI_H */
