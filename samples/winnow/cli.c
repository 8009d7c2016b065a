#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Names from hostile files end up in messages: no control byte may break the line or steer the
 * terminal. Bytes from 0x80 on are left alone, they are UTF-8. */
static void print_line(const char *format, va_list arguments)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    fprintf(stderr, "winnow: %s\n", line);
}

int cli_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    return CLI_BAD_USE;
}

enum { NEAREST_MAX = 40 };

/* Edits (insert, delete, replace, swap of neighbours) from a to b: optimal string alignment. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    size_t length_a = strlen(a), length_b = strlen(b);

    for (size_t j = 0; j <= length_b; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= length_a; i++) {
        now[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t best = last[j - 1] +
                          (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[length_b];
}

const char *cli_nearest(const char *word, const char *(*name)(const void *user, size_t index),
                        const void *user, size_t count)
{
    size_t length = strlen(word);
    const char *nearest = NULL;
    size_t least = length / 3 + 1; /* beyond a third of the word it is another word */

    if (length == 0 || length > NEAREST_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const char *candidate = name(user, i);
        if (strlen(candidate) > NEAREST_MAX) {
            continue;
        }
        size_t distance = edit_distance(word, candidate);
        if (distance < least || (distance == least && !nearest)) {
            least = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

double cli_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

const char *cli_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        unit++;
    }
    snprintf(text, size, value < 10.0 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

bool cli_multiply(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b != 0 && a > UINT64_MAX / b) {
        return false;
    }
    *out = a * b;
    return true;
}

void *cli_array(uint64_t count, uint64_t size)
{
    uint64_t bytes;
    if (!cli_multiply(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        return NULL;
    }
    return calloc(bytes ? (size_t)bytes : 1, 1);
}

int cli_finish_stdout(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_fail("standard output: %s (give it a place with room)", strerror(errno));
    }
    return CLI_DONE;
}
