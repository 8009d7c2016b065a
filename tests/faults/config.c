/* What the environment asks for. */
#include "faults.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIES = 64 };

struct lie {
    const char *name;
    uint64_t value;
};

static struct fault_config config;
static struct lie lies[MAX_LIES];
static size_t lie_count;

static const struct {
    const char *name;
    VkResult result;
} results[] = {
    {"device-memory", VK_ERROR_OUT_OF_DEVICE_MEMORY},
    {"host-memory", VK_ERROR_OUT_OF_HOST_MEMORY},
    {"init", VK_ERROR_INITIALIZATION_FAILED},
    {"map", VK_ERROR_MEMORY_MAP_FAILED},
    {"timeout", VK_TIMEOUT},
    {"lost", VK_ERROR_DEVICE_LOST},
};

const struct fault_config *fault_config(void)
{
    return &config;
}

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "winnow faults: %s '%s'\n", what, value);
    return false;
}

static bool read_result(const char *text)
{
    for (size_t i = 0; i < LENGTH(results); i++) {
        if (!strcmp(text, results[i].name)) {
            config.result = results[i].result;
            return true;
        }
    }
    char *end;
    config.result = (VkResult)strtol(text, &end, 0);
    return *end == 0 && end != text ? true : complain("no such WINNOW_FAULT_RESULT", text);
}

static bool known_call(const char *name)
{
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (!strcmp(name, call_info[i].name))
            return true;
    }
    return complain("no such WINNOW_FAULT_CALL", name);
}

/* "1.1" is a version, anything else a number in C's notation. */
static bool read_value(const char *text, uint64_t *value)
{
    unsigned major, minor;
    char extra, *end;
    if (sscanf(text, "%u.%u%c", &major, &minor, &extra) == 2) {
        *value = VK_MAKE_API_VERSION(0, major, minor, 0);
        return true;
    }
    *value = strtoull(text, &end, 0);
    return *text && *end == 0;
}

/* A lie that nobody tells would let a test pass for nothing, so an unknown name is an error. */
static bool read_lie(char *text)
{
    struct lie *lie = &lies[lie_count];
    char *equals = strchr(text, '=');
    bool hides = !strncmp(text, "VK_", 3);
    if (equals)
        *equals = 0;
    *lie = (struct lie){.name = text, .value = !hides};
    if (equals && !read_value(equals + 1, &lie->value))
        return complain("WINNOW_FAULT_LIMITS has no number for", text);
    if (!hides && !lies_know(text) && !memory_knows(text))
        return complain("WINNOW_FAULT_LIMITS has the unknown name", text);
    lie_count++;
    return true;
}

static bool read_lies(const char *list)
{
    char *copy = strdup(list), *rest = copy; /* kept: the names point into it */
    if (!copy)
        return false;
    for (char *text = strtok_r(rest, ",", &rest); text; text = strtok_r(NULL, ",", &rest)) {
        if (lie_count == MAX_LIES || !read_lie(text))
            return false;
    }
    return true;
}

bool read_config(void)
{
    static bool done, good;
    if (done)
        return good;
    const char *nth = getenv("WINNOW_FAULT_NTH"), *result = getenv("WINNOW_FAULT_RESULT");
    const char *list = getenv("WINNOW_FAULT_LIMITS");
    done = true;
    config.count_file = getenv("WINNOW_FAULT_COUNT_FILE");
    config.call = getenv("WINNOW_FAULT_CALL");
    config.result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    good = (!nth || read_value(nth, &config.nth) || complain("WINNOW_FAULT_NTH is no number", nth));
    good = good && (!result || read_result(result)) && (!config.call || known_call(config.call));
    good = good && (!list || read_lies(list));
    return good;
}

bool lie_told(const char *name, uint64_t *value)
{
    for (size_t i = 0; i < lie_count; i++) {
        if (!strcmp(lies[i].name, name)) {
            *value = lies[i].value;
            return true;
        }
    }
    return false;
}
