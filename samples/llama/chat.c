#include "chat.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

char *chat_around(const struct llama_model *model, const char *name, const char *question)
{
    const struct llama_chat_message message = {.role = "user", .content = question};
    const char *template = llama_model_chat_template(model, NULL);
    if (!template) {
        say_failed("--chat: %s has no chat template (write its format around the prompt)", name);
        return NULL;
    }
    const int32_t length = llama_chat_apply_template(template, &message, 1, true, NULL, 0);
    char *out = length >= 0 ? calloc((size_t)length + 1, 1) : NULL;
    if (length < 0) {
        say_failed("--chat: llama.cpp does not know the chat template of %s (write its format "
                   "around the prompt)",
                   name);
    } else if (!out) {
        say_failed("out of memory for the prompt");
    } else {
        llama_chat_apply_template(template, &message, 1, true, out, length + 1);
        out[length] = 0;
    }
    return out;
}
