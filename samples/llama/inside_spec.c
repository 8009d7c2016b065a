#include "inside_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { PRUNE_LAYER = 1 }; /* the paper's second layer */

typedef enum stage_place { ON_ROWS, PRUNES, ATTENDS } stage_place;

/* One stage of a spec, without spaces around it. */
typedef struct words {
    const char *at;
    int size;
} words;

static words trim(const char *at, size_t size)
{
    while (size && strchr(" \t\n\r", at[0])) {
        at++;
        size--;
    }
    while (size && strchr(" \t\n\r", at[size - 1])) {
        size--;
    }
    return (words){at, (int)size};
}

static words name_of(words stage)
{
    const char *equals = memchr(stage.at, '=', (size_t)stage.size);
    return trim(stage.at, equals ? (size_t)(equals - stage.at) : (size_t)stage.size);
}

/* Those that need the LLM's attention work inside it. */
static stage_place place_of(const winnow_api *api, words name)
{
    for (uint32_t i = 0; i < api->stage_count(); i++) {
        winnow_stage_info info = {.struct_size = sizeof info};
        if (api->stage_info(i, &info) == WINNOW_OK && strlen(info.name) == (size_t)name.size &&
            memcmp(info.name, name.at, (size_t)name.size) == 0) {
            return !(info.roles_needed & 1u << WINNOW_ROLE_LLM_ATTENTION) ? ON_ROWS
                   : strcmp(info.family, "decode") == 0                   ? ATTENDS
                                                                          : PRUNES;
        }
    }
    return ON_ROWS;
}

/* The value of an option that every stage takes, as written; at NULL: it is not given. */
static words option_of(words stage, const char *option)
{
    const char *end = stage.at + stage.size;
    const char *at = memchr(stage.at, '=', (size_t)stage.size);
    while (at && at < end) {
        const char *start = at + 1, *stop = memchr(start, ':', (size_t)(end - start));
        const words pair = trim(start, (size_t)((stop ? stop : end) - start));
        const words name = name_of(pair);
        const char *equals = memchr(pair.at, '=', (size_t)pair.size);
        if (equals && strlen(option) == (size_t)name.size &&
            memcmp(name.at, option, (size_t)name.size) == 0) {
            return trim(equals + 1, (size_t)(pair.at + pair.size - equals - 1));
        }
        at = stop;
    }
    return (words){NULL, 0};
}

/* The number is checked where the pipeline is made. */
static bool read_layer(words stage, inside_specs *out)
{
    const words layer = option_of(stage, "layer"), name = name_of(stage);
    if (option_of(stage, "layers").at || option_of(stage, "attention").at) {
        return say_failed(
            "pipeline: layers= and attention= are for stages inside the encoder, %.*s "
            "works inside the language model (give layer=)",
            name.size, name.at);
    }
    out->prune_layer = layer.at ? (int32_t)strtol(layer.at, NULL, 10) : PRUNE_LAYER;
    return true;
}

static bool take_inside(words stage, stage_place place, inside_specs *out)
{
    char *to = place == PRUNES ? out->prune : out->attend;
    const words name = name_of(stage);
    if (to[0]) {
        return say_failed("pipeline: %.*s is there twice (give it once)", name.size, name.at);
    }
    if (place == PRUNES && out->attend[0]) {
        return say_failed(
            "pipeline: %.*s prunes behind the prompt, the stage in front of it works at "
            "each token of the answer (change places)",
            name.size, name.at);
    }
    if (stage.size >= SPEC_SIZE) {
        return say_failed("pipeline: %.*s has too many options", name.size, name.at);
    }
    snprintf(to, SPEC_SIZE, "%.*s", stage.size, stage.at);
    return place != PRUNES || read_layer(stage, out);
}

/* The stages in front are the spec up to `size`. */
static bool take_rows(const char *spec, size_t size, inside_specs *out)
{
    out->rows = calloc(size + 1, 1);
    if (!out->rows) {
        return say_failed("out of memory for the pipeline");
    }
    memcpy(out->rows, spec, size);
    return true;
}

bool inside_spec_split(const winnow_api *api, const char *spec, inside_specs *out)
{
    words inside = {NULL, 0}; /* the name of the last stage inside */
    size_t front = strlen(spec);
    *out = (inside_specs){0};
    for (const char *at = spec, *next; at; at = next ? next + 1 : NULL) {
        next = strchr(at, ',');
        const words stage = trim(at, next ? (size_t)(next - at) : strlen(at)),
                    name = name_of(stage);
        const stage_place place = place_of(api, name);
        if (name.size == 0 && inside.at) {
            return say_failed("pipeline: a stage is missing behind %.*s (take the comma away)",
                              inside.size, inside.at);
        }
        if (place == ON_ROWS && inside.at) {
            return say_failed("pipeline: %.*s works on rows, and %.*s in front of it inside the "
                              "language model, where rows are no more (put it last)",
                              name.size, name.at, inside.size, inside.at);
        }
        if (place != ON_ROWS && !inside.at) {
            front = at == spec ? 0 : (size_t)(at - spec) - 1;
        }
        if (place != ON_ROWS && !take_inside(stage, place, out)) {
            return false;
        }
        inside = place != ON_ROWS ? name : inside;
    }
    /* An empty spec goes on too: the library has a sentence for it. */
    return (inside.at && front == 0) || take_rows(spec, front, out);
}
