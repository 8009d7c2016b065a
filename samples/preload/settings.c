#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winnow/winnow.h>

#include "say.h"

/* An empty variable is none. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* The number of `value` among the words, -1 after a line. */
static int choose(const char *name, const char *const *words, int fallback)
{
    const char *value = variable(name);
    if (!value) {
        return fallback;
    }
    for (int i = 0; words[i]; i++) {
        if (strcmp(value, words[i]) == 0) {
            return i;
        }
    }
    say("%s=%s: not one of its values (see README.md; nothing is reduced)", name, value);
    return -1;
}

static bool read_rule(rule *r)
{
    static const char *const places[] = {"original", "compact", NULL};
    const char *budget = variable("WINNOW_BUDGET"), *spec = variable("WINNOW_PIPELINE");
    const int how = choose("WINNOW_MROPE", places, 0);
    if (how < 0) {
        return false;
    }
    r->compact = how == 1;
    if (budget && !rule_read_budget(r, budget)) {
        return say("WINNOW_BUDGET=%s: neither a number of tokens, as 256, nor a share of a chunk, "
                   "as 25%% (nothing is reduced)",
                   budget);
    }
    snprintf(r->spec, sizeof r->spec, "%s", spec ? spec : "");
    if ((spec && strlen(spec) >= sizeof r->spec) || !rule_finish(r)) {
        return say("WINNOW_PIPELINE: longer than any pipeline, or with a ';' or ')' (nothing is "
                   "reduced)");
    }
    if (r->by_budget && !budget) {
        return say("WINNOW_PIPELINE=%s: it needs a WINNOW_BUDGET (nothing is reduced)", spec);
    }
    return true;
}

bool settings_read(settings *s)
{
    static const char *const backends[] = {"auto", "gpu", "cpu", "vulkan", NULL};
    static const int32_t numbers[] = {WINNOW_BACKEND_AUTO, WINNOW_BACKEND_GPU, WINNOW_BACKEND_CPU,
                                      WINNOW_BACKEND_GPU};
    *s = (settings){0};
    if (!variable("WINNOW_BUDGET") && !variable("WINNOW_PIPELINE")) {
        return false;
    }
    const int backend = choose("WINNOW_BACKEND", backends, 0);
    const char *verbose = variable("WINNOW_PRELOAD_VERBOSE");
    s->backend = backend < 0 ? WINNOW_BACKEND_AUTO : numbers[backend];
    s->verbose = verbose && strcmp(verbose, "0") != 0;
    return backend >= 0 && read_rule(&s->rule);
}
