/* session.h: whether this process reduces, and with what rule. Decided by the variables when the
 * library is loaded, and by the first mmproj. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>

#include "mtmd_abi.h"
#include "settings.h"

/* The settings, or NULL: nothing was asked for, or what was asked for cannot be. */
const settings *session_settings(void);

/* The rule for new pictures, or NULL as long as none is reduced. */
const rule *session_rule(void);

/* Patches of a chunk are a square grid although its positions do not say so. */
bool session_square(void);

/* A context was made of an mmproj. Lines say why it is not reduced for. */
void session_context(mtmd_context *ctx, const char *mmproj, const struct llama_model *model);

/* Once a process: the ids of pictures have no mark, although they should. */
void session_unmarked(void);

/* Once a process: positions that are neither consecutive nor a grid. */
void session_odd_places(void);

#endif /* SESSION_H */
