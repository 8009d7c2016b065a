#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompt.h"
#include "say.h"

#define MEDIA    "<media>"
#define QUESTION "<question>"
#define PLAIN    "USER: " MEDIA "\n" QUESTION "\nASSISTANT:"

/* A copy of `length` bytes; "\n" written as two characters becomes a line feed. */
static char *copy_text(const char *text, size_t length, bool escapes)
{
    char *out = malloc(length + 1);
    size_t used = 0;
    for (size_t i = 0; out && i < length; i++) {
        const bool feed = escapes && text[i] == '\\' && i + 1 < length && text[i + 1] == 'n';
        out[used++] = feed ? '\n' : text[i];
        i += feed;
    }
    if (out) {
        out[used] = 0;
    }
    return out;
}

/* Cuts a text at its two marks, each of which must be there once, in this order. */
static bool cut(prompt_template *t, const char *text, bool escapes)
{
    const char *media = strstr(text, MEDIA), *question = strstr(text, QUESTION);
    if (!media || !question || media > question || strstr(media + 1, MEDIA) ||
        strstr(question + 1, QUESTION)) {
        return false;
    }
    const char *between = media + strlen(MEDIA), *after = question + strlen(QUESTION);
    t->before = copy_text(text, (size_t)(media - text), escapes);
    t->between = copy_text(between, (size_t)(question - between), escapes);
    t->after = copy_text(after, strlen(after), escapes);
    return t->before && t->between && t->after;
}

/* One user message of media, line feed and question, in the model's chat format; NULL: llama.cpp
 * does not know the template. Owner: the caller. */
static char *apply(const char *template)
{
    const struct llama_chat_message message = {"user", MEDIA "\n" QUESTION};
    int32_t size = 1024;
    char *text = NULL;
    for (int tries = 0; tries < 2; tries++) {
        char *larger = realloc(text, (size_t)size + 1);
        if (!larger) {
            break;
        }
        text = larger;
        const int32_t length = llama_chat_apply_template(template, &message, 1, true, text, size);
        if (length < 0) {
            break;
        }
        if (length <= size) {
            text[length] = 0;
            return text;
        }
        size = length;
    }
    free(text);
    return NULL;
}

static bool from_model(prompt_template *t, const struct llama_model *model, const char *path)
{
    const char *template = llama_model_chat_template(model, NULL);
    char *text = template ? apply(template) : NULL;
    const bool good = text && cut(t, text, false);
    free(text);
    if (good) {
        return true;
    }
    prompt_template_free(t);
    say_note("%s: it has no chat template%s, so the prompt is \"USER: <media>\\n<question>"
             "\\nASSISTANT:\" (or give --template)",
             path, template ? " that llama.cpp knows" : "");
    return cut(t, PLAIN, false) || say_failed("out of memory for the prompt");
}

bool prompt_template_open(prompt_template *t, const struct llama_model *model, const char *given,
                          const char *model_path)
{
    *t = (prompt_template){0};
    if (!given) {
        return from_model(t, model, model_path);
    }
    return cut(t, given, true) ||
           say_failed("--template: it needs <media> once and <question> once behind it");
}

void prompt_template_free(prompt_template *t)
{
    free(t->before);
    free(t->between);
    free(t->after);
    *t = (prompt_template){0};
}
