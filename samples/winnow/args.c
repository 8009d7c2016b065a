#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *option_name(const void *user, size_t index)
{
    return ((const arg_option *)user)[index].name;
}

static size_t option_count(const arg_option *options)
{
    size_t count = 0;
    while (options[count].name) {
        count++;
    }
    return count;
}

static bool parse_count(const char *text, const char **end, uint32_t *out)
{
    char *stop;
    if (*text < '0' || *text > '9') { /* strtoul would take signs and spaces */
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &stop, 10);
    if (errno || value == 0 || value > INT32_MAX) {
        return false;
    }
    *end = stop;
    *out = (uint32_t)value;
    return true;
}

static bool store_count(const arg_option *option, void *slot, const char *text)
{
    const char *end;
    (void)option;
    return parse_count(text, &end, slot) && *end == 0;
}

static bool store_number(const arg_option *option, void *slot, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    (void)option;
    if (end == text || *end || !isfinite(value) || value <= 0) {
        return false;
    }
    *(double *)slot = value;
    return true;
}

static bool store_size(const arg_option *option, void *slot, const char *text)
{
    arg_size *size = slot;
    const char *end;
    (void)option;
    return parse_count(text, &end, &size->width) && (*end == 'x' || *end == 'X') &&
           parse_count(end + 1, &end, &size->height) && *end == 0;
}

static bool store_choice(const arg_option *option, void *slot, const char *text)
{
    size_t length = strlen(text);
    for (const char *choice = option->value; choice;) {
        const char *bar = strchr(choice, '|');
        size_t span = bar ? (size_t)(bar - choice) : strlen(choice);
        if (length > 0 && span == length && strncmp(choice, text, length) == 0) {
            *(const char **)slot = text;
            return true;
        }
        choice = bar ? bar + 1 : NULL;
    }
    return false;
}

static bool store_text(const arg_option *option, void *slot, const char *text)
{
    (void)option;
    *(const char **)slot = text;
    return *text != 0;
}

static bool store_list(const arg_option *option, void *slot, const char *text)
{
    arg_list *list = slot;
    (void)option;
    if (list->count == ARG_LIST_MAX || *text == 0) {
        return false;
    }
    list->items[list->count++] = text;
    return true;
}

/* What each kind stores and what a wrong value is told. ARG_FLAG takes no value. */
static const struct {
    bool (*store)(const arg_option *option, void *slot, const char *text);
    const char *wanted;
} kinds[] = {
    [ARG_TEXT] = {store_text, "a text that is not empty"},
    [ARG_LIST] = {store_list, "a text that is not empty, 64 times at most"},
    [ARG_COUNT] = {store_count, "a whole number from 1 on"},
    [ARG_NUMBER] = {store_number, "a number above 0"},
    [ARG_SIZE] = {store_size, "WIDTHxHEIGHT, as 640x360"},
    [ARG_CHOICE] = {store_choice, NULL},
};

static int store(const command *cmd, const arg_option *option, void *values, const char *text)
{
    void *slot = (char *)values + option->offset;
    if (kinds[option->kind].store(option, slot, text)) {
        return CLI_DONE;
    }
    const char *wanted = option->kind == ARG_CHOICE ? option->value : kinds[option->kind].wanted;
    return cli_misuse("%s: --%s: \"%s\" is not a value for it (give %s)", cmd->name, option->name,
                      text, wanted);
}

/* The option that `argument` names, and in *inline_value what follows its '='; NULL: unknown. */
static const arg_option *find_option(const command *cmd, const char *argument,
                                     const char **inline_value)
{
    const char *equals = strchr(argument, '=');
    *inline_value = NULL;
    for (const arg_option *option = cmd->options; option->name; option++) {
        if (argument[1] != '-') {
            if (argument[1] == option->letter && argument[2] == 0) {
                return option;
            }
            continue;
        }
        size_t length = equals ? (size_t)(equals - argument - 2) : strlen(argument + 2);
        if (strlen(option->name) == length && strncmp(option->name, argument + 2, length) == 0) {
            *inline_value = equals ? equals + 1 : NULL;
            return option;
        }
    }
    return NULL;
}

static int unknown_option(const command *cmd, const char *argument)
{
    char word[64];
    const char *nearest = NULL;
    if (argument[1] == '-') {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
        nearest = cli_nearest(word, option_name, cmd->options, option_count(cmd->options));
    }
    if (nearest) {
        return cli_misuse("%s: unknown option %s (did you mean --%s?)", cmd->name, argument,
                          nearest);
    }
    return cli_misuse("%s: unknown option %s (try 'winnow %s --help')", cmd->name, argument,
                      cmd->name);
}

int args_parse(const command *cmd, int argc, char **argv, void *values, arg_list *operands,
               bool *help)
{
    bool options_ended = false;
    memset(values, 0, cmd->values_size);
    memset(operands, 0, sizeof *operands);
    *help = false;

    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i], *value;
        if (options_ended || argument[0] != '-' || argument[1] == 0) {
            if (!store_list(NULL, operands, argument)) {
                return cli_misuse("%s: \"%s\" is not wanted (64 inputs at most, none empty)",
                                  cmd->name, argument);
            }
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            *help = true;
            return CLI_DONE;
        }
        const arg_option *option = find_option(cmd, argument, &value);
        if (!option) {
            return unknown_option(cmd, argument);
        }
        if (option->kind == ARG_FLAG) {
            if (value) {
                return cli_misuse("%s: --%s takes no value (leave \"=%s\" out)", cmd->name,
                                  option->name, value);
            }
            *(bool *)((char *)values + option->offset) = true;
            continue;
        }
        if (!value && i + 1 == argc) {
            return cli_misuse("%s: --%s: its value is missing (give %s after it)", cmd->name,
                              option->name, option->value);
        }
        int status = store(cmd, option, values, value ? value : argv[++i]);
        if (status) {
            return status;
        }
    }
    return CLI_DONE;
}

void args_help(const command *cmd)
{
    printf("winnow %s: %s\n\nusage: winnow %s %s\n\n", cmd->name, cmd->summary, cmd->name,
           cmd->synopsis);
    for (const arg_option *option = cmd->options; option->name; option++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
                 option->value ? " " : "", option->value ? option->value : "");
        if (strlen(left) > 28) {
            printf("  %s\n  %-28s  %s\n", left, "", option->help);
        } else {
            printf("  %-28s  %s\n", left, option->help);
        }
    }
    printf("  %-28s  %s\n\n%s", "-h, --help", "this page", cmd->text);
}
