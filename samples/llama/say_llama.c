#include "say_llama.h"

#include <stdio.h>
#include <string.h>

#include "say.h"

enum { WORDS_SIZE = 400 };

static char last_error[WORDS_SIZE]; /* llama.cpp's log is one for the whole process */

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
    say_flatten(last_error);
    words[0] = 0;
    if (last_error[0]) {
        snprintf(words, sizeof words, " (llama.cpp says: %s)", last_error);
    }
    last_error[0] = 0;
    return words;
}
