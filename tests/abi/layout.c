/* layout: prints the size and every offset of the public structs, and the public numbers.
 *
 * usage: layout > layout.txt      to freeze a new layout (a new member at an end, a new struct)
 *        layout FILE              to compare: every line of FILE must still be true
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "winnow/winnow.h"
#include "winnow/winnow_vulkan.h"

typedef struct line {
    const char *owner, *member;
    int64_t value;
} line;

#define STRUCT(name)        {#name, "sizeof", (int64_t)sizeof(name)},
#define FIELD(name, member) {#name, #member, (int64_t)offsetof(name, member)},
#define NUMBER(name)        {#name, "value", (int64_t)(name)},

static const line lines[] = {
#include "layout.def"
    {"WINNOW_ABI_MAJOR", "value", WINNOW_ABI_MAJOR},
};

enum { LINE_COUNT = sizeof lines / sizeof *lines };

static const line *find(const char *owner, const char *member)
{
    for (size_t i = 0; i < LINE_COUNT; ++i)
        if (strcmp(lines[i].owner, owner) == 0 && strcmp(lines[i].member, member) == 0)
            return &lines[i];
    return NULL;
}

static int compare(FILE *frozen)
{
    char owner[128], member[128];
    int64_t value;
    size_t read = 0, wrong = 0;
    while (fscanf(frozen, "%127s %127s %" SCNd64, owner, member, &value) == 3) {
        const line *now = find(owner, member);
        ++read;
        if (now && now->value == value)
            continue;
        printf("%s.%s was %" PRId64 ", now %" PRId64 "\n", owner, member, value,
               now ? now->value : -1);
        ++wrong;
    }
    if (read != LINE_COUNT) {
        printf("%zu lines are frozen, there are %d (freeze what is new: layout > layout.txt)\n",
               read, LINE_COUNT);
        ++wrong;
    }
    return wrong ? 1 : 0;
}

int main(int count, char **arguments)
{
    if (sizeof(void *) != 8) {
        puts("layout.txt holds the layout of 64-bit machines");
        return 0;
    }
    if (count < 2) {
        for (size_t i = 0; i < LINE_COUNT; ++i)
            printf("%s %s %" PRId64 "\n", lines[i].owner, lines[i].member, lines[i].value);
        return 0;
    }
    FILE *frozen = fopen(arguments[1], "r");
    if (!frozen) {
        perror(arguments[1]);
        return 1;
    }
    const int status = compare(frozen);
    fclose(frozen);
    return status;
}
