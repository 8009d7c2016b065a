/* winnow: the command line of libwinnow. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winnow/winnow.h>

#include <frames.h>

#include "cli.h"
#include "commands.h"

static const command *const commands[] = {&command_devices,  &command_stages, &command_reduce,
                                          &command_encode,   &command_show,   &command_bench,
                                          &command_bench_e2e};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const char help_text[] =
    "\nStart here:\n"
    "  winnow devices                       which GPUs there are, and what they can do\n"
    "  winnow stages                        the methods, and what each needs to see\n"
    "  winnow show film.mp4 --pipeline evs=rate=0.75 -o film.html\n"
    "                                       look at what a method keeps of your own film\n"
    "  winnow encode film.mp4 --model patches -o film.safetensors\n"
    "  winnow reduce film.safetensors --pipeline evs=rate=0.75,divprune=keep=256 -o few.safetensors\n"
    "\nA pipeline is stages split by ',', options after '=' split by ':', as in\n"
    "  evs=rate=0.75,visionzip=dominant=54:contextual=10\n"
    "\n'winnow COMMAND --help' tells more. Exit status: 0 done, 1 failed, 2 bad use.\n";

static const char *command_name(const void *user, size_t index)
{
    (void)user;
    return commands[index]->name;
}

static int print_help(void)
{
    puts("winnow: fewer visual tokens for multimodal language models, on any GPU with Vulkan\n\n"
         "usage: winnow COMMAND [OPTIONS]\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        printf("  %-9s  %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs(help_text, stdout);
    return cli_finish_stdout();
}

static int print_version(void)
{
    const winnow_api *api = winnow_get_api(WINNOW_ABI);
    printf("winnow %s\n", api ? api->version : "(libwinnow does not speak this program's ABI)");
    return cli_finish_stdout();
}

/* One word, or two: "bench e2e". *words: how many of the `count` are its name. */
static const command *find_command(char **word, int count, int *words)
{
    const command *found = NULL;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = commands[i]->name;
        size_t first = strcspn(name, " ");
        bool pair = name[first] != 0;
        if (strlen(word[0]) == first && strncmp(word[0], name, first) == 0 &&
            (!pair || (count > 1 && strcmp(word[1], name + first + 1) == 0))) {
            found = commands[i];
            *words = pair ? 2 : 1;
        }
    }
    return found;
}

static int unknown_command(const char *name)
{
    const char *nearest = cli_nearest(name, command_name, NULL, COMMAND_COUNT);
    if (nearest) {
        return cli_misuse("unknown command \"%s\": there is none of that name (did you mean %s?)",
                          name, nearest);
    }
    return cli_misuse("unknown command \"%s\": there is none of that name (try 'winnow --help')",
                      name);
}

static int run_command(const command *cmd, int argc, char **argv)
{
    arg_list *operands = calloc(1, sizeof *operands);
    void *values = calloc(1, cmd->values_size);
    bool help = false;
    int status;

    if (!operands || !values) {
        status = cli_fail("%s: out of memory", cmd->name);
    } else {
        status = args_parse(cmd, argc, argv, values, operands, &help);
    }
    if (status == CLI_DONE && help) {
        args_help(cmd);
        status = cli_finish_stdout();
    } else if (status == CLI_DONE) {
        status = cmd->run(values, operands);
    }
    free(values);
    free(operands);
    return status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, told like any other */
    frames_quiet_libav();
    if (argc < 2) {
        return cli_misuse("no command: there is nothing to do (try 'winnow --help')");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        return print_help();
    }
    if (strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    bool wants_help = strcmp(argv[1], "help") == 0;
    int first = wants_help ? 2 : 1, words = 0;
    const command *cmd = find_command(argv + first, argc - first, &words);
    if (!cmd) {
        return unknown_command(argv[first]);
    }
    if (wants_help) {
        args_help(cmd);
        return cli_finish_stdout();
    }
    return run_command(cmd, argc - first - words, argv + first + words);
}
