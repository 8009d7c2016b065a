/* Options of a command as a table: parsing, help and suggestions read the same rows. */
#ifndef WINNOW_ARGS_H
#define WINNOW_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    ARG_FLAG,   /* bool */
    ARG_TEXT,   /* const char * */
    ARG_LIST,   /* arg_list: may be given several times */
    ARG_COUNT,  /* uint32_t, 1 and up */
    ARG_NUMBER, /* double, above 0 */
    ARG_SIZE,   /* arg_size: "640x360" */
    ARG_CHOICE  /* const char *, one of "a|b|c" in `value` */
} arg_kind;

enum { ARG_LIST_MAX = 64 };

typedef struct arg_list {
    const char *items[ARG_LIST_MAX];
    size_t count;
} arg_list;

typedef struct arg_size {
    uint32_t width, height;
} arg_size;

typedef struct arg_option {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* one-letter form, or 0 */
    arg_kind kind;
    size_t offset;     /* of the value in the command's struct */
    const char *value; /* what stands for the value in the help, or the choices */
    const char *help;
} arg_option;

typedef struct command command;
struct command {
    const char *name;
    const char *summary;  /* one line for `winnow --help` */
    const char *synopsis; /* what follows "winnow NAME" */
    const char *text;     /* paragraphs and examples, after the options */
    const arg_option *options;
    size_t values_size; /* of the struct that the options fill */
    int (*run)(const void *values, const arg_list *operands);
};

/* Parses what follows the command's name into `values` (zeroed here) and `operands`. Returns an
 * exit code; *help is set, and nothing else done, when help was asked for. */
int args_parse(const command *cmd, int argc, char **argv, void *values, arg_list *operands,
               bool *help);

/* Prints the command's help on stdout. */
void args_help(const command *cmd);

#endif /* WINNOW_ARGS_H */
