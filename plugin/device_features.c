/* device_features.c: the names of what can be masked off. */
#include <stdio.h>
#include <string.h>

#include "device_features.h"

enum { NAME_ROOM = 32 };

static const struct {
    const char *name;
    enum wn_feature feature;
} names[] = {
    {"subgroup", WN_FEATURE_SUBGROUP},
    {"storage16", WN_FEATURE_STORAGE16},
    {"timeline", WN_FEATURE_TIMELINE},
    {"push_descriptor", WN_FEATURE_PUSH_DESCRIPTOR},
    {"host_import", WN_FEATURE_HOST_IMPORT},
    {"timestamps", WN_FEATURE_TIMESTAMPS},
    {"cooperative_matrix", WN_FEATURE_COOPERATIVE_MATRIX},
    {"broadcast", WN_FEATURE_BROADCAST},
    {"avx2", WN_FEATURE_AVX2},
    {"avx512", WN_FEATURE_AVX512},
    {"threads", WN_FEATURE_THREADS},
    {"fp16", WN_FEATURE_STORAGE16}, /* what people say; never listed */
};
enum { NAME_COUNT = sizeof names / sizeof *names };

void wn_features_list(uint32_t features, char *out, size_t room)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < WN_FEATURE_COUNT; i++) {
        if (!(features >> names[i].feature & 1u))
            continue;
        const int n = snprintf(out + used, room - used, "%s%s", used ? "," : "", names[i].name);
        if (n < 0 || (size_t)n >= room - used)
            return;
        used += (size_t)n;
    }
}

/* Levenshtein distance of two short names. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_ROOM + 1];
    const size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            const size_t change = diagonal + (a[i - 1] != b[j - 1]);
            const size_t shorter = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < shorter ? change : shorter;
        }
    }
    return row[width];
}

static const char *closest(const char *name)
{
    size_t best = 0;
    for (size_t i = 1; i < NAME_COUNT; i++) {
        if (distance(name, names[i].name) < distance(name, names[best].name))
            best = i;
    }
    return names[best].name;
}

static winnow_status mask_one(const wn_host *host, const char *name, uint32_t *mask)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (!strcmp(name, names[i].name)) {
            *mask |= 1u << names[i].feature;
            return WINNOW_OK;
        }
    }
    char all[256];
    wn_features_list(UINT32_MAX, all, sizeof all);
    return wn_fail(host, WINNOW_E_ARGUMENT,
                   "disable: no feature '%s' (did you mean '%s'? there are %s)", name,
                   closest(name), all);
}

winnow_status wn_features_parse(const wn_host *host, const char *disable, uint32_t *mask)
{
    *mask = 0;
    while (disable && *disable) {
        char name[NAME_ROOM];
        disable += strspn(disable, ", ");
        const size_t length = strcspn(disable, ", ");
        snprintf(name, sizeof name, "%.*s", (int)(length < NAME_ROOM ? length : NAME_ROOM - 1),
                 disable);
        if (length > 0)
            WN_TRY(mask_one(host, name, mask));
        disable += length;
    }
    return WINNOW_OK;
}
