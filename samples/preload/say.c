#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

/* One write: the program's own threads write to stderr too. */
bool say(const char *format, ...)
{
    char line[LINE_SIZE] = "winnow-mtmd: ";
    const size_t head = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, sizeof line - head - 1, format, args);
    va_end(args);
    for (char *c = line; *c; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    }
    const size_t used = strlen(line);
    line[used] = '\n';
    if (write(STDERR_FILENO, line, used + 1) < 0) {
        return false; /* nobody listens */
    }
    return false;
}

double say_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}
