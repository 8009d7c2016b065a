#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_SIZE = 1024 };

const char *say_program = "winnow";

void say_flatten(char *text)
{
    size_t used = 0;
    for (size_t i = 0; text[i]; i++) {
        const bool control = (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
        text[i] = control ? ' ' : text[i];
        used = text[i] != ' ' ? i + 1 : used;
    }
    text[used] = 0;
}

/* In one write, since the live feed's two threads both speak. */
static void print_line(const char *format, va_list args)
{
    char line[LINE_SIZE];
    vsnprintf(line, sizeof line, format, args);
    say_flatten(line);
    fprintf(stderr, "%s: %s\n", say_program, line);
}

bool say_failed(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
    return false;
}

void say_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

double say_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}
