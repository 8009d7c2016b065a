/* The model's own chat template around a question. */
#ifndef CHAT_H
#define CHAT_H

#include <llama.h>

/* `question` as the user's message, up to where the answer begins. `name`: of the model, for the
 * line. NULL after it; to be freed. */
char *chat_around(const struct llama_model *model, const char *name, const char *question);

#endif /* CHAT_H */
