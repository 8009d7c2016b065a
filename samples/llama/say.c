#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WORDS_SIZE = 400, LINE_SIZE = 1024 };

const char *say_program = "winnow";

static char last_error[WORDS_SIZE]; /* llama.cpp's log is one for the whole process */

/* Names and texts from outside end up in messages: none may break the line or steer a terminal. */
static void flatten(char *text)
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
    flatten(line);
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

/* A message may come in pieces: those that are no error of their own continue it. */
static void keep_error(enum ggml_log_level level, const char *text, void *user)
{
    static bool inside;
    const size_t used = strlen(last_error);
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) {
        snprintf(last_error, sizeof last_error, "%s", text);
    } else if (level == GGML_LOG_LEVEL_CONT && inside) {
        snprintf(last_error + used, sizeof last_error - used, "%s", text);
    }
    inside = level == GGML_LOG_LEVEL_ERROR || (level == GGML_LOG_LEVEL_CONT && inside);
}

static void pass_on(enum ggml_log_level level, const char *text, void *user)
{
    keep_error(level, text, user);
    fputs(text, stderr);
}

ggml_log_callback say_llama_log(bool verbose)
{
    return verbose ? pass_on : keep_error;
}

const char *say_llama_words(void)
{
    static char words[WORDS_SIZE + 32];
    flatten(last_error);
    words[0] = 0;
    if (last_error[0]) {
        snprintf(words, sizeof words, " (llama.cpp says: %s)", last_error);
    }
    last_error[0] = 0;
    return words;
}

double say_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}
